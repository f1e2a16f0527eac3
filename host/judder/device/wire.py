"""A pyserial port with counters: what a flashing or provisioning cost on the wire, whatever the port is."""

from __future__ import annotations

from typing import Any


class CountedPort:
    """Behaves as the port it wraps. bytes_out: to the board, bytes_in: from it, turns: times the host spoke after
    the board had."""

    _OWN = frozenset({"inner", "bytes_in", "bytes_out", "turns", "_host_spoke"})

    def __init__(self, port: Any) -> None:
        self.inner = port
        self.bytes_in = 0
        self.bytes_out = 0
        self.turns = 0
        self._host_spoke = False

    def read(self, size: int = 1) -> bytes:
        """As pyserial's."""
        data: bytes = self.inner.read(size)
        if data:
            self.bytes_in += len(data)
            self._host_spoke = False
        return data

    def write(self, data: bytes) -> Any:
        """As pyserial's."""
        if data and not self._host_spoke:
            self._host_spoke = True
            self.turns += 1
        self.bytes_out += len(data)
        return self.inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # dtr, rts, baudrate, timeout and the like are properties of the real port.
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.inner, name, value)
