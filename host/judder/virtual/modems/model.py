"""A modem at the end of a UART: characters come in and go out at its speed, things happen when their time has come.

    model.hear(b"AT\r\n", start_us, 115_200)     what the node sends, its first start bit at start_us
    model.speak(now_us, 115_200)                 what has left the modem by now, whole characters

Both ends at different speeds hear nothing but noise.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial

from judder.virtual.modems.network import Network, Prompt

BITS = 10  # start, 8 data, stop


def character_us(baudrate: int) -> float:
    """How long a character takes on the wire."""
    return BITS * 1e6 / baudrate


def scrambled(data: bytes) -> bytes:
    """Characters as a receiver at another speed gets them; which ones does not matter, only that none is text."""
    return bytes(value * 7 & 0xFF | 0x80 for value in data)


class Model:
    """network: whom its radio reaches. supplies: switches it gets its power through, and whether they are on. present:
    it is there. damage: what becomes of the characters it sends, for whoever wants to see noise; None for nothing.
    starts: how often its firmware has started.
    """

    def __init__(self, baudrate: int, network: Network | None = None) -> None:
        self.baudrate = baudrate
        self.network: Network = network or Prompt()
        self.supplies: dict[int, bool] = {}
        self.starts = 0
        self.present = True
        self.damage: Callable[[bytes], bytes] | None = None
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._now_us = 0.0
        self._out: list[tuple[float, int]] = []
        self._free_us = 0.0

    # --- what a board does with it

    def power_on(self) -> None:
        """Supply voltage came (back), and board time starts at nought."""
        self._now_us = self._free_us = 0.0
        self._queue.clear()
        self._out.clear()
        self._start()

    def set_supply(self, pin: int, on: bool, now_us: int) -> None:
        """A switch of its power was turned."""
        before, self.supplies[pin] = self.powered, on
        if self.powered and not before:
            self.reset(now_us)

    @property
    def powered(self) -> bool:
        """It is there, and every switch is on."""
        return self.present and all(self.supplies.values())

    def reset(self, now_us: int) -> None:
        """Its reset pin was low."""
        self.advance(now_us)
        self._queue.clear()
        self._out = [entry for entry in self._out if entry[0] <= now_us]
        self._free_us = now_us
        self._start()

    def restart(self, at_us: int) -> None:
        """It restarts by itself at that time."""
        self.at(at_us, lambda: self.reset(self.now_us))

    def _start(self) -> None:
        self.starts += 1
        self.boot()

    def hear(self, data: bytes, start_us: float, baudrate: int) -> None:
        """Characters from the node, the first of them beginning at start_us."""
        if not self.powered:
            return
        if not _close(baudrate, self.baudrate):
            data = scrambled(data)
        for place, value in enumerate(data):
            self.at(start_us + (place + 1) * character_us(baudrate), partial(self.character, value))

    def speak(self, now_us: int, baudrate: int) -> bytes:
        """Characters that are on the node's side by now and were not fetched before."""
        self.advance(now_us)
        ready = bytes(value for end_us, value in self._out if end_us <= now_us)
        del self._out[: len(ready)]
        if not self.powered:
            return b""
        if not _close(baudrate, self.baudrate):
            ready = scrambled(ready)
        return self.damage(ready) if self.damage is not None else ready

    # --- for the models

    def boot(self) -> None:
        """Start of the firmware."""
        raise NotImplementedError

    def character(self, value: int) -> None:
        """One character has come in, at self.now_us."""
        raise NotImplementedError

    @property
    def now_us(self) -> int:
        """Board time of what happens just now."""
        return int(self._now_us)

    def at(self, when_us: float, what: Callable[[], None]) -> None:
        """Do it then."""
        self._count += 1
        heapq.heappush(self._queue, (when_us, self._count, what))

    def after(self, us: float, what: Callable[[], None]) -> None:
        """Do it so much later than now."""
        self.at(self._now_us + us, what)

    def advance(self, now_us: float) -> None:
        """Let everything happen that is due, in order."""
        while self._queue and self._queue[0][0] <= now_us:
            when_us, _, what = heapq.heappop(self._queue)
            self._now_us = max(self._now_us, when_us)
            what()
        self._now_us = max(self._now_us, now_us)

    def say(self, text: str) -> None:
        """Characters out, behind those that are still on their way."""
        start_us = max(self._now_us, self._free_us)
        step_us = character_us(self.baudrate)
        for place, value in enumerate(text.encode("ascii")):
            self._out.append((start_us + (place + 1) * step_us, value))
        self._free_us = start_us + len(text) * step_us


def _close(one: int, other: int) -> bool:
    """UARTs understand each other up to some 3 % of difference."""
    return abs(one - other) * 100 <= 3 * other
