"""Time since power-on, deep sleep included. No wall clock: a node has none it could trust.

clock = Clock(); clock.resume(base_ms); clock.uptime_ms()
"""

import time

import machine

ticks_ms = time.ticks_ms
ticks_us = time.ticks_us
ticks_diff = time.ticks_diff
ticks_add = time.ticks_add
sleep_ms = time.sleep_ms


# A chip that was never told the time believes it is 2000 or 1970.
_FIRST_YEAR = 2024


def is_set() -> bool:
    """Whether somebody has set the wall clock since power-on."""
    return time.gmtime()[0] >= _FIRST_YEAR


def set_unix(unix_s: int, ms: int = 0) -> None:
    """Set the wall clock, to the second or better. unix_s: seconds since 1970, UTC."""
    # A chip counts from 2000 or from 1970.
    shift_s = 946684800 if time.gmtime(0)[0] == 2000 else 0
    year, month, day, hour, minute, second, weekday = time.gmtime(unix_s - shift_s)[:7]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, ms * 1000))


def epoch_ms() -> int:
    """The chip's RTC, which keeps counting in deep sleep. Only differences mean anything."""
    return time.time_ns() // 1000000


class Clock:
    """Milliseconds since the last reset that was not a wake from deep sleep."""

    def __init__(self):
        self._last = time.ticks_ms()
        self._total_ms = 0

    def resume(self, before_ms: int, planned_ms: int, slept_at_ms: int) -> None:
        """After a wake: `before_ms` on this clock when sleep began, meant to last `planned_ms`.

        slept_at_ms: epoch_ms() then. The RTC knows better than the plan how long it took (its oscillator also drives
        the wake-up, but booting comes on top), unless somebody set it meanwhile.
        """
        slept_ms = epoch_ms() - slept_at_ms
        if not 0 <= slept_ms - planned_ms <= planned_ms // 4 + 10000:
            slept_ms = planned_ms
        self._last = time.ticks_ms()
        self._total_ms = before_ms + slept_ms

    def uptime_ms(self) -> int:
        """Never goes back. Call it at least once in six days: ticks wrap."""
        now = time.ticks_ms()
        self._total_ms += time.ticks_diff(now, self._last)
        self._last = now
        return self._total_ms
