"""The time of a virtual board, in microseconds since its power came on.

"real" follows this computer. "virtual" moves only by what the node does (sleeps, transfers, looks at the clock): the
node reports its time in every message and `observe` takes it over. Sleep with the processor off is added here.

Others that live on the same time (the air between boards) watch it: they are told when it moves, and whether it can
move at all without anybody's help.
"""

from __future__ import annotations

import time
from collections.abc import Callable

REAL = "real"
VIRTUAL = "virtual"

GOING = "going"  # runs, or sleeps and will wake
IDLE = "idle"  # at the prompt: stands still until somebody types
OFF = "off"  # no power, held in reset, or asleep for ever


class BoardClock:
    """pace: virtual seconds per real second at most, None for no limit. Raises ValueError for other words or rates."""

    def __init__(self, mode: str = REAL, pace: float | None = None) -> None:
        if mode not in (REAL, VIRTUAL):
            raise ValueError(f"clock '{mode}': there are real and virtual")
        if pace is not None and not 0.001 <= pace <= 1e6:
            raise ValueError(f"pace {pace}: must be from 0.001 to 1000000 virtual seconds per second")
        self.mode = mode
        self.pace = pace
        self._origin_s = time.monotonic()
        self._virtual_us = 0
        self.state = GOING
        # Called without arguments after every change, from whichever thread made it.
        self.watchers: list[Callable[[], None]] = []

    @property
    def is_virtual(self) -> bool:
        return self.mode == VIRTUAL

    @property
    def now_us(self) -> int:
        """Microseconds since power-on; on a virtual clock as of the node's last message."""
        if self.is_virtual:
            return self._virtual_us
        return int((time.monotonic() - self._origin_s) * 1e6)

    def observe(self, node_us: int) -> None:
        """The node says it is this late; time never goes back."""
        if node_us > self._virtual_us:
            self._virtual_us = node_us
            self._tell()

    def pass_over(self, us: int) -> None:
        """Time during which the processor did not run: boot, deep sleep. Nothing on a real clock."""
        self._virtual_us += us
        self._tell()

    def real_seconds(self, us: int) -> float:
        """How long this computer should wait for `us` of board time to pass."""
        if not self.is_virtual:
            return us / 1e6
        return us / 1e6 / self.pace if self.pace else 0.0

    def power_on(self) -> None:
        """Start from zero again."""
        self._origin_s = time.monotonic()
        self._virtual_us = 0
        self._tell()

    def become(self, state: str) -> None:
        """GOING, IDLE or OFF: what the processor of the board does from now on."""
        if state != self.state:
            self.state = state
            self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()
