"""How fast a sensor really samples, and how many samples a stall cost, from looks at the level of its FIFO.

    pace = Pace(3200)
    pace.look(ticks_us, level)      # `level` samples wait now; pace.taken of the stream were read before
    pace.rate_dhz                   # measured rate, 0.1 Hz
    pace.gap(ticks_us, level)       # the FIFO was found full: samples were lost, their number is open (pace.pending)
    lost = pace.settle()            # until looks after the gap (pace.looks) have said where in the sample clock we are

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

# Parts a stretch is kept in, on each side of a gap. When they are all taken, two become one.
_PARTS = 32
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
    """The looks of one unbroken stretch that say most: of each part of it the earliest and the latest there was for the
    number of samples it found. Times in ticks_us, samples made by then.
    """

    def __init__(self):
        # Two looks a part: at 2 k the one with the least time for its samples, at 2 k + 1 the one with the most.
        self.us = array("i", [0] * (2 * _PARTS))
        self.made = array("i", [0] * (2 * _PARTS))
        self.tune(1, 0)
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self._each = 1
        self._inside = 0

    def tune(self, whole_us: int, part: int) -> None:
        """The chip's period as far as it is known: whole us and 1/4096 us."""
        self._whole_us = whole_us
        self._part = part

    def add(self, now_us: int, made: int) -> None:
        at = 2 * self.count - 2
        if at < 0 or self._inside == self._each:
            if self.count == _PARTS:
                self._merge()
            at = 2 * self.count
            self._put(at, now_us, made)
            self._put(at + 1, now_us, made)
            self.count += 1
            self._inside = 1
            return
        self._inside += 1
        if self._excess_us(now_us, made, at) < 0:
            self._put(at, now_us, made)
        elif self._excess_us(now_us, made, at + 1) > 0:
            self._put(at + 1, now_us, made)

    def forget(self, first_us: int, n: int) -> None:
        """Keep the parts that begin at first_us or later, and count samples from n."""
        kept = 0
        for i in range(self.count):
            if time.ticks_diff(self.us[2 * i], first_us) >= 0 and time.ticks_diff(self.us[2 * i + 1], first_us) >= 0:
                self._put(2 * kept, self.us[2 * i], self.made[2 * i] - n)
                self._put(2 * kept + 1, self.us[2 * i + 1], self.made[2 * i + 1] - n)
                kept += 1
        self.count = kept
        if not kept:
            self.clear()

    def join(self, earlier, lost: int) -> None:
        """Put the looks before a gap in front of these, which are `lost` samples further on than they thought."""
        while earlier.count + self.count > _PARTS:
            (earlier if earlier.count >= self.count else self)._merge()
        shift = 2 * earlier.count
        for i in range(2 * self.count - 1, -1, -1):
            self._put(shift + i, self.us[i], self.made[i] + lost)
        for i in range(shift):
            self._put(i, earlier.us[i], earlier.made[i])
        self.count += earlier.count
        self._each = max(self._each, earlier._each)

    def points(self, origin_us: int) -> list:
        """(us after origin, samples made) of each."""
        return [(time.ticks_diff(self.us[i], origin_us), self.made[i]) for i in range(2 * self.count)]

    def _put(self, at: int, us: int, made: int) -> None:
        self.us[at] = us
        self.made[at] = made

    def _excess_us(self, us: int, made: int, at: int) -> int:
        """How much more time than the look at `at` this one had for the samples it found."""
        n = made - self.made[at]
        return time.ticks_diff(us, self.us[at]) - n * self._whole_us - (n * self._part >> 12)

    def _merge(self) -> None:
        """Half as many parts, each of two; of an odd number the last is dropped into the one before."""
        kept = 0
        for i in range(0, self.count, 2):
            self._put(2 * kept, self.us[2 * i], self.made[2 * i])
            self._put(2 * kept + 1, self.us[2 * i + 1], self.made[2 * i + 1])
            if i + 1 < self.count:
                us, made = self.us[2 * i + 2], self.made[2 * i + 2]
                if self._excess_us(us, made, 2 * kept) < 0:
                    self._put(2 * kept, us, made)
                us, made = self.us[2 * i + 3], self.made[2 * i + 3]
                if self._excess_us(us, made, 2 * kept + 1) > 0:
                    self._put(2 * kept + 1, us, made)
            kept += 1
        self.count = kept
        self._each *= 2


class Pace:
    """nominal_hz: what the data sheet says, until something better is known."""

    def __init__(self, nominal_hz: int):
        self._now = _Looks()
        self._before = _Looks()
        self.forget(nominal_hz)

    def forget(self, nominal_hz: int) -> None:
        """Another rate was chosen: nothing is known of it."""
        self._nominal_hz = nominal_hz
        self._tune(1000000, nominal_hz)
        self._tuned = 16
        self._span_us = self._span_n = 0
        self._first_us = self._first_n = 0
        self._gap_us = self._gap_n = 0
        self._before_us = self._before_n = 0
        self.restart()

    def restart(self) -> None:
        """A new stream: its samples have nothing to do with those before. The rate stays known until measured anew."""
        self.taken = 0
        self.pending = False
        self.looks = 0
        self._lost = 0
        self._now.clear()
        # Old knowledge gives way even when the new comes in shorter pieces.
        self._trust = self._span_n >> 1

    def look(self, now_us: int, level: int) -> None:
        """`level` samples wait in a FIFO that lost none since the last look."""
        made = self.taken + level
        if not self._now.count:
            if made == 0:
                # A chip just started may take its time; its clock counts from the first sample.
                return
            self._first_us = now_us
            self._first_n = made
        self._now.add(now_us, made)
        if self.pending:
            self.looks += 1
            return
        us = time.ticks_diff(now_us, self._first_us)
        n = made - self._first_n
        if n > self._trust and us > n:
            self._trust = 0
            self._span_us = us
            self._span_n = n
            # Not at every look: it is a few divisions.
            if n >= self._tuned << 1 or n < self._tuned:
                self._tune(us, n)
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
        self.looks = 0
        self.pending = True

    def settle(self, known: int = -1) -> int:
        """Samples lost since the last call, by all that is known now. known: they were counted in another way."""
        if self.pending:
            self._close(known - self._lost if known >= 0 else self._resolve())
        lost = self._lost if known < 0 else known
        self._lost = 0
        return lost

    @property
    def rate_dhz(self) -> int:
        """0 until two looks lie far enough apart."""
        return ratio(self._span_n, self._span_us, 10, 7) if self._span_us else 0

    # --- inside

    def _tune(self, us: int, n: int) -> None:
        self._tuned = n
        part = ratio(us % n, n, 64, 2)
        self._now.tune(us // n, part)
        self._before.tune(us // n, part)

    # --- only after a gap

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
