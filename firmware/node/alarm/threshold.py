"""Two limits with hysteresis for one value. Pure: integers in, a level out; no clock, no input or output.

    t = Threshold(warning=2000, danger=4000, hysteresis_percent=10)
    t.update(2100) -> 1        up as soon as a limit is reached
    t.update(1900) -> 1        down only below 90 % of it
    t.update(1799) -> 0

Runs on CPython and MicroPython.
"""

NONE = 0
WARNING = 1
DANGER = 2


class Threshold:
    """Levels NONE, WARNING, DANGER of one value. Limits in the value's own unit; a limit of 0 is switched off.

    A limit is reached at value >= limit and left at value < limit * (100 - hysteresis_percent) / 100.
    Raises ValueError for negative limits, a danger limit below the warning limit or a hysteresis outside 0..99.
    """

    def __init__(self, warning: int, danger: int, hysteresis_percent: int) -> None:
        if warning < 0 or danger < 0 or (warning and danger and danger < warning):
            raise ValueError("limits %d and %d: danger may not be below warning" % (warning, danger))
        if not 0 <= hysteresis_percent < 100:
            raise ValueError("hysteresis of %d %%: 0 to 99" % hysteresis_percent)
        self._limits = (0, warning, danger)
        self._keep_percent = 100 - hysteresis_percent
        self.level = NONE
        # Limit behind the last change of level: the one reached on the way up, the one left on the way down.
        self.limit = 0

    def update(self, value: int) -> int:
        """Level after this value. A change may skip a level, either way."""
        before = self.level
        level = NONE
        for candidate in (WARNING, DANGER):
            limit = self._limits[candidate]
            if limit and (value >= limit or (before >= candidate and value * 100 >= limit * self._keep_percent)):
                level = candidate
        if level > before:
            self.limit = self._limits[level]
        elif level < before:
            self.limit = self._limits[level + 1] or self._limits[DANGER]
        self.level = level
        return level

    def state(self) -> int:
        """All that must survive deep sleep: 0, 1 or 2."""
        return self.level

    def restore(self, state: int) -> None:
        """Go on from a saved state; one that no longer fits (limits changed, memory damaged) starts at NONE."""
        self.level = state if state in (WARNING, DANGER) and self._limits[state] else NONE
