"""Uplinks from a node's console on a serial port, as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from judder.errors import DecodeError, NoBoard
from judder.flow import Poison, Uplink
from judder.ingest.console import ConsoleReader

# Longest wait of one read: how late Ctrl-C and the end of `seconds` may be noticed.
_READ_S = 0.2


def uplinks(
    port: Any,
    *,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Iterator[Uplink | Poison]:
    """One for every framed line, for so many seconds or without end; a damaged line is a Poison.

    port: a pyserial-like object. now: Unix time in seconds. Raises NoBoard when the port goes away.
    """
    damaged: list[DecodeError] = []
    reader = ConsoleReader(on_error=damaged.append)
    end = None if seconds is None else clock() + seconds
    port.timeout = _READ_S
    while end is None or clock() < end:
        try:
            data = port.read(max(1, port.in_waiting))
        except OSError as error:  # what pyserial raises is one too
            raise NoBoard(f"the port went away ({error}); plug the board in and run this again") from error
        found = reader.feed(data)
        received_at = now()
        for reason in damaged:
            yield Poison(Uplink("", b"", received_at, "console"), reason)
        damaged.clear()
        for node, payload in found:
            yield Uplink(node.hex(), payload, received_at, "console")
