"""Two limits for one value, with hysteresis, confirmation and hold-off. Pure: integers in, a level out; no clock.

    t = Threshold(percent=10)
    t.set_limits(2000, 4000)
    t.update(2100, 0) -> 1       reached: at or above the limit
    t.update(1900, 1) -> 1       left only below 90 % of it
    t.update(1799, 2) -> 0

Each limit is a switch of its own; the level is that of the highest switch that is on. A switch looks at the last
`of` values since it last changed and changes when `confirm` of them say so: to on by values at or above its limit, to
off by values below the release. Hold-off: a switch stays on for at least so many seconds. Going up is never held off.

Runs on CPython and MicroPython. update() takes nothing from the heap.
"""

import struct

NONE = 0
WARNING = 1
DANGER = 2
# A tuple made once: one made in a loop is heap.
_LEVELS = (WARNING, DANGER)

_FORMAT = "<BBBII"
STATE_BYTES = struct.calcsize(_FORMAT)
_MAX_WINDOW = 8


def release(limit: int, percent: int, absolute: int) -> int:
    """Smallest value that still counts as being at a limit once it was reached.

    `percent` of the limit and `absolute` below it, and never below half of it: an alarm must be able to clear.
    """
    lowest = (limit * (100 - percent) + 99) // 100 - absolute
    half = (limit + 1) // 2
    return lowest if lowest > half else half


class Threshold:
    """Levels NONE, WARNING, DANGER of one value. Limits in the value's own unit; a limit of 0 is switched off.

    percent: hysteresis as a share of the limit, 0..50. absolute: hysteresis in the value's unit, >= 0.
    Raises ValueError for values outside that, and unless 1 <= confirm <= of <= 8.
    """

    def __init__(self, percent: int = 0, absolute: int = 0, confirm: int = 1, of: int = 1, hold_off_s: int = 0) -> None:
        if not 0 <= percent <= 50 or absolute < 0:
            raise ValueError("hysteresis of %d %% and %d: 0 to 50 %%, and not negative" % (percent, absolute))
        if not 1 <= confirm <= of <= _MAX_WINDOW:
            raise ValueError("%d of %d: 1 to 8, and not more than there are" % (confirm, of))
        self._percent = percent
        self._absolute = absolute
        self._confirm = confirm
        self._mask = (1 << of) - 1
        self._hold_off_s = hold_off_s
        # By level; place 0 is not used.
        self._limits = [0, 0, 0]
        self._releases = [0, 0, 0]
        self._on = [False, False, False]
        self._windows = [0, 0, 0]
        self._since_s = [0, 0, 0]
        self.level = NONE
        # Limit behind the last change of level: the one reached on the way up, the one left on the way down.
        self.limit = 0

    def set_limits(self, warning: int, danger: int) -> None:
        """New limits; what was on stays on, unless its limit is now switched off.

        Raises ValueError for negative limits and a danger limit below the warning limit.
        """
        if warning < 0 or danger < 0 or (warning and danger and danger < warning):
            raise ValueError("limits %d and %d: danger may not be below warning" % (warning, danger))
        for level in _LEVELS:
            limit = danger if level == DANGER else warning
            self._limits[level] = limit
            self._releases[level] = release(limit, self._percent, self._absolute)
            if not limit:
                self._on[level] = False
                self._windows[level] = 0
        self.level = self._highest()

    def update(self, value: int, now_s: int) -> int:
        """Level after this value. A change may skip a level, either way."""
        for level in _LEVELS:
            limit = self._limits[level]
            if not limit:
                continue
            on = self._on[level]
            speaks_for_change = value < self._releases[level] if on else value >= limit
            window = (self._windows[level] << 1 | (1 if speaks_for_change else 0)) & self._mask
            self._windows[level] = window
            if not on:
                if _ones(window) >= self._confirm:
                    self._on[level] = True
                    self._windows[level] = 0
                    self._since_s[level] = now_s
                continue
            if now_s < self._since_s[level]:
                # The clock started again: so does the hold-off.
                self._since_s[level] = now_s
            if _ones(window) >= self._confirm and now_s - self._since_s[level] >= self._hold_off_s:
                self._on[level] = False
                self._windows[level] = 0
        return self._changed_to(self._highest())

    def at_least(self, value: int, now_s: int) -> int:
        """Level after a value that is `value` or more, who knows: it may speak for going up, never for going down."""
        for level in _LEVELS:
            limit = self._limits[level]
            if not limit or self._on[level] or value < limit:
                continue
            self._windows[level] = (self._windows[level] << 1 | 1) & self._mask
            if _ones(self._windows[level]) >= self._confirm:
                self._on[level] = True
                self._windows[level] = 0
                self._since_s[level] = now_s
        return self._changed_to(self._highest())

    def clear(self) -> int:
        """To NONE at once, whatever is confirmed or held; the past is forgotten."""
        for level in _LEVELS:
            self._on[level] = False
            self._windows[level] = 0
        return self._changed_to(NONE)

    def pack_into(self, buffer, offset: int) -> None:
        """All that must survive deep sleep, STATE_BYTES of it."""
        on = (1 if self._on[WARNING] else 0) | (2 if self._on[DANGER] else 0)
        windows, since = self._windows, self._since_s
        struct.pack_into(
            _FORMAT, buffer, offset, on, windows[1], windows[2], since[1] & 0xFFFFFFFF, since[2] & 0xFFFFFFFF
        )

    def unpack_from(self, buffer, offset: int) -> None:
        """Go on from a saved state, after set_limits(). What no longer fits (a limit switched off) is forgotten."""
        on, warning, danger, warning_s, danger_s = struct.unpack_from(_FORMAT, buffer, offset)
        for level in _LEVELS:
            there = self._limits[level] != 0
            self._on[level] = there and bool(on & level)
            self._windows[level] = (danger if level == DANGER else warning) & self._mask if there else 0
            self._since_s[level] = danger_s if level == DANGER else warning_s
        self.level = self._highest()

    # --- inside

    def _highest(self) -> int:
        return DANGER if self._on[DANGER] else WARNING if self._on[WARNING] else NONE

    def _changed_to(self, level: int) -> int:
        before = self.level
        if level > before:
            self.limit = self._limits[level]
        elif level < before:
            self.limit = self._limits[level + 1] or self._limits[DANGER]
        self.level = level
        return level


def _ones(window: int) -> int:
    count = 0
    while window:
        count += window & 1
        window >>= 1
    return count
