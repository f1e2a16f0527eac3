"""How fast a sensor really samples, and how many samples a stall cost, from looks at the level of its FIFO.

    pace = Pace(3200)
    pace.look(ticks_us, level)      # `level` samples wait now; pace.taken of the stream were read before
    pace.rate_dhz                   # measured rate, 0.1 Hz
    pace.gap(ticks_us, level)       # the FIFO was found full: samples were lost, their number is open ...
    lost = pace.settle()            # ... until looks after the gap say where in the sample clock we are

A look at time t that finds N samples made says: sample N came at or before t, sample N + 1 comes after t. Alone that
leaves a whole period of doubt. Many together, because they fall anywhere between two samples, leave a small part of
one: there is a narrow bundle of straight lines (rate and phase) that all looks before a gap allow, and another after
it. How many whole samples lie between the two lines is the loss. It is exact as long as the rate's own error, over the
gap, stays below half a sample: for gaps several times as long as what was seen before or after.

look() and rate_dhz work in small integers (below 2^30) and allocate nothing, on a 32-bit MicroPython too. settle()
after a gap allocates and takes some tens of milliseconds: that block is damaged already.
"""

import time
from array import array

# Looks kept for each side of a gap. When they are full every other one goes, and from then on half as many are kept.
_LOOKS = 64
# The rate is taken from this far back at most: ticks_us wraps, and a chip's clock follows its temperature.
_MEMORY_US = 1 << 25
# Fixed point of the search for the rate, in samples per us.
_ONE = 1 << 44
_STEPS = 48


def ratio(numerator: int, denominator: int, base: int, digits: int) -> int:
    """numerator / denominator * base ** digits, rounded down; no step is larger than denominator * base."""
    value = numerator // denominator
    rest = numerator % denominator
    while digits:
        rest *= base
        value = value * base + rest // denominator
        rest %= denominator
        digits -= 1
    return value


class _Looks:
    """Looks of one unbroken stretch, spread evenly over it: times in ticks_us and samples made by then."""

    def __init__(self):
        self.us = array("i", [0] * _LOOKS)
        self.made = array("i", [0] * _LOOKS)
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self._stride = 1
        self._skipped = 0

    def add(self, now_us: int, made: int) -> None:
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        if self.count == _LOOKS:
            self.count = _LOOKS // 2
            self._stride *= 2
            for i in range(_LOOKS // 2):
                self.us[i] = self.us[2 * i]
                self.made[i] = self.made[2 * i]
        self.us[self.count] = now_us
        self.made[self.count] = made
        self.count += 1

    def forget(self, first_us: int, n: int) -> None:
        """Keep those from first_us on, and count samples from n."""
        kept = 0
        for i in range(self.count):
            if time.ticks_diff(self.us[i], first_us) >= 0:
                self.us[kept] = self.us[i]
                self.made[kept] = self.made[i] - n
                kept += 1
        self.count = kept
        if self._stride > 1:
            self._stride >>= 1

    def join(self, earlier, lost: int) -> None:
        """Put the looks before a gap in front of these, which are `lost` samples further on than they thought."""
        us = list(earlier.us)[: earlier.count] + list(self.us)[: self.count]
        made = list(earlier.made)[: earlier.count] + [n + lost for n in list(self.made)[: self.count]]
        if len(us) > _LOOKS:
            # The oldest half as dense.
            us = us[: earlier.count : 2] + us[earlier.count :]
            made = made[: earlier.count : 2] + made[earlier.count :]
        us, made = us[-_LOOKS:], made[-_LOOKS:]
        self.count = len(us)
        for i in range(self.count):
            self.us[i] = us[i]
            self.made[i] = made[i]

    def points(self, origin_us: int) -> list:
        """(us after origin, samples made) of each."""
        return [(time.ticks_diff(self.us[i], origin_us), self.made[i]) for i in range(self.count)]


class Pace:
    """nominal_hz: what the data sheet says, until something better is known."""

    def __init__(self, nominal_hz: int):
        self._now = _Looks()
        self._before = _Looks()
        self.forget(nominal_hz)

    def forget(self, nominal_hz: int) -> None:
        """Another rate was chosen: nothing is known of it."""
        self._nominal_hz = nominal_hz
        self._span_us = self._span_n = 0
        self._first_us = self._first_n = 0
        self._gap_us = self._gap_n = 0
        self._before_us = self._before_n = 0
        self.restart()

    def restart(self) -> None:
        """A new stream: its samples have nothing to do with those before. The rate stays known until measured anew."""
        self.taken = 0
        self.pending = False
        self._lost = 0
        self._now.clear()
        # Old knowledge gives way even when the new comes in shorter pieces.
        self._trust = self._span_n >> 1

    def look(self, now_us: int, level: int) -> None:
        """`level` samples wait in a FIFO that lost none since the last look."""
        made = self.taken + level
        if not self._now.count:
            self._first_us = now_us
            self._first_n = made
        self._now.add(now_us, made)
        if self.pending:
            return
        us = time.ticks_diff(now_us, self._first_us)
        n = made - self._first_n
        if n > self._trust and us > n:
            self._trust = 0
            self._span_us = us
            self._span_n = n
        if us > _MEMORY_US:
            # Half of the past is enough: keep the rate, forget the rest, count from there.
            self._first_us = time.ticks_add(self._first_us, us >> 1)
            n = self._first_n + (n >> 1)
            self.taken -= n
            self._now.forget(self._first_us, n)
            self._first_n = 0

    def gap(self, now_us: int, level: int) -> None:
        """The FIFO is or was full, `level` samples wait in it: others may have been lost meanwhile."""
        if self.pending and self._now.count:
            self._close(self._resolve())
        if not self.pending:
            if not self._now.count:
                # Nothing was seen of this stream yet: it begins here.
                return
            self._before, self._now = self._now, self._before
            self._before_us, self._before_n = self._first_us, self._first_n
        self._now.clear()
        self._gap_us = now_us
        self._gap_n = self.taken + level
        self.pending = True

    def settle(self, known: int = -1) -> int:
        """Samples lost since the last call, by all that is known now. known: they were counted in another way."""
        if self.pending:
            self._close(known - self._lost if known >= 0 else self._resolve())
        lost = self._lost if known < 0 else known
        self._lost = 0
        return lost

    @property
    def looks(self) -> int:
        """Looks of the stretch since the last gap."""
        return self._now.count

    @property
    def rate_dhz(self) -> int:
        """0 until two looks lie far enough apart."""
        return ratio(self._span_n, self._span_us, 10, 7) if self._span_us else 0

    # --- inside: only after a gap

    def _close(self, lost: int) -> None:
        """Make one stretch of what was seen before and after the gap."""
        self._lost += lost
        self.pending = False
        if not self._now.count:
            self._trust = self._span_n >> 1
            return
        self.taken += lost
        self._now.join(self._before, lost)
        self._first_us, self._first_n = self._before_us, self._before_n

    def _resolve(self) -> int:
        before = self._before.points(self._gap_us)
        after = self._now.points(self._gap_us)
        rate = self._rate([side for side in (before, after) if len(side) > 1])
        made = _phase(before, rate)
        if after:
            lost = (made - _phase(after, rate) + _ONE // 2) // _ONE
        else:
            # No look since: what the clock must have made by then.
            lost = made // _ONE - self._gap_n
        return max(0, lost)

    def _rate(self, sides: list) -> int:
        """Samples per us, times _ONE: where the looks of all stretches leave most room."""
        if self._span_us:
            middle = self._span_n * _ONE // self._span_us
            reach = middle * 2 // (self._span_n + 2)
        else:
            middle = self._nominal_hz * _ONE // 1000000
            reach = middle // 4
        low, high = middle - reach, middle + reach
        for _ in range(_STEPS):
            third = (high - low) // 3
            if third == 0:
                break
            left, right = low + third, high - third
            if sum([_room(side, left) for side in sides]) < sum([_room(side, right) for side in sides]):
                low = left
            else:
                high = right
        return (low + high) >> 1


def _bounds(points: list, rate: int) -> tuple:
    """Lowest and highest number of samples (times _ONE) made by time 0 that the looks allow at this rate."""
    low = max([made * _ONE - rate * us for us, made in points])
    high = min([(made + 1) * _ONE - rate * us for us, made in points])
    return low, high


def _room(points: list, rate: int) -> int:
    low, high = _bounds(points, rate)
    return high - low


def _phase(points: list, rate: int) -> int:
    low, high = _bounds(points, rate)
    return (low + high) >> 1
