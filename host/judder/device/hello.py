"""Wait for a node to say HELLO on its console after a restart."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from judder.device import ports
from judder.errors import DecodeError, NoBoard, Timeout
from judder.ingest.console import ConsoleReader
from judder_core import codec, schema

_POLL_S = 0.2


@dataclass(frozen=True)
class HelloSeen:
    """A HELLO as it came: node id (EUI-64) and raw field values by name, absent ones left out."""

    node_id: bytes
    fields: dict[str, int]

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"node": self.node_id.hex(), **self.fields}


def wait(port: Any, name: str, timeout_s: float) -> HelloSeen:
    """First HELLO read from an open pyserial-like `port`; a port that vanishes (native USB restarts with the chip) is
    opened again. Raises Timeout with what it said instead."""
    heard: list[str] = []
    reader = ConsoleReader(on_text=heard.append)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for node_id, payload in reader.feed(_read(port, deadline)):
            with contextlib.suppress(DecodeError):
                kind, values, _extra = codec.decode(payload)
                if kind == schema.HELLO and values is not None:
                    names = (row[0] for row in schema.HELLO_FIELDS)
                    present = zip(names, values, strict=False)
                    return HelloSeen(node_id, {key: value for key, value in present if isinstance(value, int)})
    words = _last_words(heard)
    last = f"; it said: '{words[:160]}'" if words else ""
    buttons = "" if ports.has_reset_lines(name) else "press RESET on the board, and "
    raise Timeout(
        f"the board is flashed and verified, but the node at {ports.shown(name)} did not say HELLO within "
        f"{timeout_s:g} s{last}; {buttons}watch its console: judder decode --port {ports.shown(name)}"
    )


def _last_words(heard: list[str]) -> str:
    """The line that explains most: one of ours, else the last."""
    lines = [text.strip() for text in heard if text.strip()]
    ours = [text for text in lines if text.startswith("judder:")]
    return (ours or lines or [""])[-1]


def _read(port: Any, deadline: float) -> bytes:
    import serial

    try:
        waiting = port.in_waiting
        data: bytes = port.read(waiting or 1)
        return data
    except (serial.SerialException, OSError):
        with contextlib.suppress(Exception):
            port.close()
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
            with contextlib.suppress(serial.SerialException, OSError, NoBoard):
                port.open()
                return b""
        return b""
