"""How fast a sensor really samples, and how many samples a stall cost, from looks at the level of its FIFO.

    pace = Pace(3200)
    pace.look(began_us, ended_us, level)  # between the two ticks_us `level` samples waited; pace.taken were read before
    pace.rate_dhz                         # measured rate, 0.1 Hz
    pace.gap(began_us, ended_us, level)   # the FIFO is or was full: samples were lost, how many is open (pace.pending)
    lost = pace.settle()                  # until looks after it (pace.looks) have said where in its clock the chip is
    pace.exact                            # no other number was possible

A look alone leaves a whole period of doubt. Many together, because they fall anywhere between two samples, leave a
small part of one: there is a narrow bundle of straight lines (rate and phase) that all looks before a gap allow, and
another after it, see gap.py. Between the two lies a whole number of samples.

When is it the only one? The lines say at the gap where the clock is to within what a look is drawn out by, on each
side; and the rate's doubt, which is that much over the stretch before, grows with the gap. So a gap several times as
long as the stretch before it, or looks drawn out by a good part of a period, leave more than one number. Then `settle`
gives the middle of them, `exact` is False, and what is seen after the gap is a stream of its own. The same holds for a
clock that was not steady, as far as looks show it, and for a gap of minutes.

look() and rate_dhz work in small integers (below 2^30) and allocate nothing, on a 32-bit MicroPython too. settle()
after a gap allocates and makes some thousand products and quotients: that block is damaged already.
"""

import time
from array import array

from node.sensors import gap

# Parts a stretch is kept in, on each side of a gap. When they are all taken, two become one.
_PARTS = 32
# The rate is taken from this far back at most: ticks_us wraps, and a chip's clock follows its temperature.
_MEMORY_US = 1 << 25
# A look drawn out by an interrupt says little about the rate.
_SLOW_LOOK_US = 100
# Of two ticks and the quickest look, in us.
_GRAIN_US = 4
# A rate from so few samples says no more than the data sheet.
_FEWEST = 64
# How much a chip's clock may have changed since an earlier stream, and during a gap: parts of the rate.
_SINCE = 50
_DURING = 100000
# ticks_us cannot tell longer ones from shorter.
_LONGEST_GAP_MS = 240000


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
    """The looks of one unbroken stretch that say most: of each part of it the one that ended earliest and the one that
    began latest for the number of samples it found. Times in ticks_us, samples made by then.
    """

    def __init__(self):
        # Two looks a part: at 2 k the end of the one with the least time for its samples, at 2 k + 1 the begin of the
        # one with the most.
        self.us = array("i", [0] * (2 * _PARTS))
        self.made = array("i", [0] * (2 * _PARTS))
        self.tune(1, 0)
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self._each = 1
        self._inside = 0

    def tune(self, whole_us: int, part: int) -> None:
        """The chip's period as far as it is known: whole us and 1/1024 us."""
        self._whole_us = whole_us
        self._part = part

    def add(self, began_us: int, ended_us: int, made: int) -> None:
        at = 2 * self.count - 2
        if at < 0 or self._inside == self._each:
            if self.count == _PARTS:
                self._merge()
            at = 2 * self.count
            self._put(at, ended_us, made)
            self._put(at + 1, began_us, made)
            self.count += 1
            self._inside = 1
            return
        self._inside += 1
        if self._excess_us(ended_us, made, at) < 0:
            self._put(at, ended_us, made)
        if self._excess_us(began_us, made, at + 1) > 0:
            self._put(at + 1, began_us, made)

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

    def points(self, origin_us: int, quickest_us: int, skip: int = 0) -> tuple:
        """(lows, highs) of gap.py, without the oldest `skip` parts."""
        lows, highs = [], []
        for i in range(2 * skip, 2 * self.count, 2):
            # What the quickest look takes on the way to the chip and back is in every one.
            by_us = time.ticks_diff(self.us[i], origin_us) - quickest_us + _GRAIN_US
            lows.append((by_us, self.made[i]))
            highs.append((time.ticks_diff(self.us[i + 1], origin_us) - _GRAIN_US, self.made[i + 1] + 1))
        return lows, highs

    def _put(self, at: int, us: int, made: int) -> None:
        self.us[at] = us
        self.made[at] = made

    def _excess_us(self, us: int, made: int, at: int) -> int:
        """How much more time than the look at `at` this one had for the samples it found."""
        n = made - self.made[at]
        return time.ticks_diff(us, self.us[at]) - n * self._whole_us - (n * self._part >> 10)

    def _merge(self) -> None:
        """Half as many parts, each of two; of an odd number the last stays as it is."""
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
        self._quickest_us = 1 << 29
        self.forget(nominal_hz)

    def forget(self, nominal_hz: int) -> None:
        """Another rate was chosen: nothing is known of it."""
        self._nominal_hz = nominal_hz
        self._tune(1000000, nominal_hz)
        self._tuned = 16
        self._span_us = self._span_n = 0
        self._first_us = self._first_n = 0
        self._gap_us = self._began_ms = 0
        self._last_us = self._last_n = 0
        self.restart()

    def restart(self) -> None:
        """A new stream: its samples have nothing to do with those before. The rate stays known until measured anew."""
        self.taken = 0
        self.looks = 0
        self.pending = False
        self.exact = True
        self._now.clear()
        self._anew()

    def begin(self) -> None:
        """A block begins."""
        self._began_ms = time.ticks_ms()

    def look(self, began_us: int, ended_us: int, level: int) -> None:
        """`level` samples waited, at a moment between the two, in a FIFO that lost none since the last look."""
        made = self.taken + level
        if not made and not self._now.count:
            # A chip just started may take its time; its clock counts from the first sample.
            return
        took_us = time.ticks_diff(ended_us, began_us)
        if took_us < self._quickest_us:
            self._quickest_us = took_us
        self._now.add(began_us, ended_us, made)
        self.looks += 1
        if took_us > self._quickest_us + _SLOW_LOOK_US:
            return
        now_us = time.ticks_add(began_us, took_us >> 1)
        if self.pending:
            # Its number is not known yet.
            self._last_us = now_us
            self._last_n = made
            return
        if not self._seen or took_us < self._first_took_us - _SLOW_LOOK_US:
            self._seen = True
            self._first_us = now_us
            self._first_n = made
            self._first_took_us = took_us
        us = self._measure(now_us, made)
        if us > _MEMORY_US:
            # Half of the past is enough: keep the rate, forget the rest, count from there.
            self._first_us = time.ticks_add(self._first_us, us >> 1)
            n = self._first_n + (made - self._first_n >> 1)
            self.taken -= n
            self._now.forget(self._first_us, n)
            self._first_n = 0

    def gap(self, began_us: int, ended_us: int, level: int) -> None:
        """The FIFO is or was full, `level` samples waited in it: others may have been lost before."""
        if not self.pending:
            if not self.taken:
                # Nothing was read of this stream yet: it begins here.
                self._now.clear()
                self._anew()
                self.look(began_us, ended_us, level)
                return
            self._before, self._now = self._now, self._before
            self.pending = True
        # Of several gaps in a row only what all of them cost is known, and only that is wanted.
        self._now.clear()
        self._gap_us = began_us
        self._last_n = -1
        self.looks = 0
        self.look(began_us, ended_us, level)

    def settle(self, known: int = -1, exact: bool = True) -> int:
        """Samples lost since the last call, by all that is known now. known: they were counted in another way, exactly
        or not.
        """
        self.exact = exact
        if not self.pending:
            if known > 0:
                # Unseen by any look: they are of two streams.
                self._now.clear()
                self._anew()
            return max(0, known)
        self.pending = False
        lost = known if known >= 0 else self._resolve()
        if self.exact and self._before.count:
            # One stretch of what was seen before and after.
            self.taken += lost
            self._now.join(self._before, lost)
            if self._seen and self._last_n >= 0:
                self._measure(self._last_us, self._last_n + lost)
        else:
            self._anew()
        return lost

    @property
    def rate_dhz(self) -> int:
        """0 until two looks lie far enough apart."""
        return ratio(self._span_n, self._span_us, 10, 7) if self._span_n >= _FEWEST else 0

    # --- inside

    def _anew(self) -> None:
        """The rate is measured from here on. What is known gives way even when the new comes in shorter pieces."""
        self._seen = False
        self._first_took_us = 0
        self._trust = self._span_n >> 1

    def _measure(self, now_us: int, made: int) -> int:
        """The rate, from the first look of the stretch to this one. The time between them."""
        us = time.ticks_diff(now_us, self._first_us)
        n = made - self._first_n
        if n > self._trust and us > n:
            self._trust = 0
            self._span_us = us
            self._span_n = n
            # Not at every look: it is a few divisions.
            if n >= self._tuned << 1 or n < self._tuned:
                self._tune(us, n)
        return us

    def _tune(self, us: int, n: int) -> None:
        self._tuned = n
        part = ratio(us % n, n, 32, 2)
        self._now.tune(us // n, part)
        self._before.tune(us // n, part)

    # --- only after a gap

    def _resolve(self) -> int:
        """Samples the gap cost, about: exact says how well."""
        after = self._now.points(self._gap_us, self._quickest_us)
        if self._span_n:
            middle = self._span_n * gap.ONE // self._span_us
            reach = middle * 2 // (self._span_n + 2) + middle // _SINCE
        else:
            middle = self._nominal_hz * gap.ONE // 1000000
            reach = middle // 4
        skip = 0
        while True:
            before = self._before.points(self._gap_us, self._quickest_us, skip)
            low, high = gap.rates(before[0], before[1], middle - reach, middle + reach)
            low, high = gap.rates(after[0], after[1], low, high)
            left = self._before.count - skip
            if low <= high or left < 2:
                break
            # No clock was that steady for so long: by the later half.
            skip += left >> 1
        if not before[0]:
            self.exact = False
            return 0
        if low > high:
            self.exact = False
            low, high = middle - reach, middle + reach
        fewest, most = gap.losses(before, after, low - low // _DURING, high + high // _DURING)
        fewest = max(0, -(-fewest // gap.ONE))
        most //= gap.ONE
        if most != fewest or time.ticks_diff(time.ticks_ms(), self._began_ms) > _LONGEST_GAP_MS:
            self.exact = False
        return max(0, (fewest + most) >> 1)
