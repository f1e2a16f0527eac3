"""A chip that is a set of 8-bit registers, over SPI or I2C: what all of them share, so that a model is its registers.

A transfer names a register; bytes then go to or come from it and those after it. How the first byte names it differs
from maker to maker, and so does where the address goes next: inside a FIFO it goes round or stays.
"""

from __future__ import annotations

from collections.abc import Collection


class RegisterChip:
    """Subclasses say how a transfer begins (_spi_command, _i2c_pointer), what registers do (_get, _set), where the
    address goes (_following), and may answer many bytes at once (_burst). _run(now_us) lets time catch up.
    """

    spi_modes: Collection[int] = (0, 3)
    max_baudrate: int = 10_000_000

    def power_on(self) -> None:
        """Supply voltage came (back): registers at their defaults."""
        self.deselect()
        self._address, self._advances = 0, True

    # --- SPI

    def select(self, now_us: int = 0) -> None:  # noqa: ARG002
        """A transfer begins; its first byte is the command."""
        self._begun = False

    def deselect(self, now_us: int = 0) -> None:  # noqa: ARG002
        """The transfer ended."""
        self._begun = False

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """Full duplex, any number of pieces per transfer."""
        self._run(now_us)
        if not data:
            return b""
        out = b""
        if not self._begun:
            self._begun = True
            self._address, self._reading, self._advances = self._spi_command(data[0])
            data, out = data[1:], b"\xff"
        if self._reading:
            return out + self._read_on(len(data), now_us)
        self._write_on(data, now_us)
        return out + b"\xff" * len(data)

    # --- I2C

    def write(self, data: bytes, now_us: int) -> None:
        """A write transfer: the register, then what goes into it."""
        self._run(now_us)
        if data:
            self._address, self._advances = self._i2c_pointer(data[0])
            self._write_on(data[1:], now_us)

    def read(self, count: int, now_us: int) -> bytes:
        """A read transfer, from where the last write transfer pointed."""
        self._run(now_us)
        return self._read_on(count, now_us)

    # --- for both

    def _read_on(self, count: int, now_us: int) -> bytes:
        out = bytearray()
        while len(out) < count:
            burst = self._burst(self._address, count - len(out)) if self._advances else b""
            if burst:
                out += burst
                continue
            out.append(self._get(self._address, now_us))
            self._next()
        return bytes(out)

    def _write_on(self, data: bytes, now_us: int) -> None:
        for value in data:
            self._set(self._address, value, now_us)
            self._next()

    def _next(self) -> None:
        if self._advances:
            self._address = self._following(self._address)

    # --- what a chip says

    def _run(self, now_us: int) -> None:
        """Do what is due by now."""

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        """First byte -> (register, reading, address advances)."""
        return byte & 0x7F, bool(byte & 0x80), True

    def _i2c_pointer(self, byte: int) -> tuple[int, bool]:
        """First byte -> (register, address advances)."""
        return byte, True

    def _get(self, register: int, now_us: int) -> int:
        raise NotImplementedError

    def _set(self, register: int, value: int, now_us: int) -> None:
        raise NotImplementedError

    def _following(self, register: int) -> int:
        return register + 1 & 0x7F

    def _burst(self, register: int, count: int) -> bytes:  # noqa: ARG002
        """As many of `count` bytes as can be had at once from here, the address staying what it is; mostly none."""
        return b""
