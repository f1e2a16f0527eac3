"""What drivers of accelerometers with a FIFO have in common; a part's file says how its registers do it.

A block is taken out of the running FIFO in bursts as soon as enough waits in it. Every look at the FIFO's level tells
pace.py how the chip's own clock runs; from that come the sample rate and, after the FIFO overflowed because nobody
came, how many samples that cost. Looking, reading and unpacking allocate nothing; counting a loss does.

Where a loss cannot be told to the sample, lost_exact says so: when the looks leave more than one number (pace.py), and
when the overflow was about the block's last burst and may have been behind it.

A FIFO that is stuck is an error: one whose level never moves, that gives more than the chip can have made, or whose
level moves while every burst is a copy of the one before. One value all along is no copy: coarse digits of a machine at
rest are that, and node.dsp.features looks at the whole block. Nor is seen here a ring that goes round without new
samples; on the IIS3DWB its time stamps show it.

A part's class has: name, RANGES_G, RATES_HZ (the first is what it does unless told otherwise), SELF_TEST_RANGE_G,
SELF_TEST_SETTLE_MS, and
    _identity()          -> None when the chip is the one, else what it says it is
    _setup()             reset, and all settings but the clock, for range_g and NOMINAL_HZ; sets SCALE_UG, CLIP, BAND_HZ
    _start(), _stop()    sample clock on and settled, off
    _restart()           FIFO emptied and running
    _read_level()        -> words that wait; sets _full when samples may have been lost. SensorError when it cannot be
    _stimulus(on)        the chip's own test force
    _limits_mg()         -> (low, high) of the change it makes, for x, y, z
"""

import time
from array import array

from node.sensors import SensorError, check
from node.sensors.pace import Pace

_STALLED_LOOKS = 200
# When so many times what the FIFO holds came without a wait, it is time to ask whether the chip can have made that.
_TOO_MUCH = 4
# So many bursts alike, and not of one value all along, are copies. After the 2nd, 4th and 6th come one, two and three
# of one word: what moves with the bursts even then, and not with the samples, is no vibration, however regular.
_COPIES = 8
# So many looks after a gap say well enough where the sample clock is.
_LOOKS_AFTER_GAP = 48


class FifoSensor:
    """device: bus device, see bus.py. kernel: module that takes bursts apart. chunk: words in the longest burst, a
    power of two, about half of what the FIFO holds (depth, in words). rate_hz: wanted, 0 for the part's usual rate.
    """

    name = ""
    RANGES_G = (2, 4, 8, 16)
    RATES_HZ = (0,)
    SELF_TEST_RANGE_G = 4
    SELF_TEST_SETTLE_MS = 100
    COARSE = False
    # The chip remembers an overrun until it is asked: it need not be inferred from the time a burst took.
    _REMEMBERS = False

    def __init__(self, device, kernel, chunk: int, depth: int, rate_hz: int = 0):
        self._device = device
        self._kernel = kernel
        self._chunk = chunk
        self._depth = depth
        self._state = array("i", [0] * kernel.STATE_WORDS)
        raw = memoryview(bytearray(chunk * kernel.WORD_BYTES))
        # Bursts of 1, 2, 4 ... words: any number is a few of them, and nothing has to be sliced while samples come.
        self._bursts = []
        words = 1
        while words <= chunk:
            self._bursts.append(raw[: words * kernel.WORD_BYTES])
            words *= 2
        self._running = False
        self._full = self._late = self._stale = False
        # Words in a burst, at least, when the part wants to see more than the block needs.
        self._least = 0
        self._level = self._took = 0
        self._looked_us = self._patience_us = 0
        self._dither = self._streak = self._streak_us = 0
        # The burst that others are compared with: its first sample, where it is in the block, how long it is.
        self._x = self._y = self._z = self._at = self._alike = 0
        self._copies = self._probes = 0
        self.contiguous = False
        self.lost_exact = True
        self.range_g = 0
        self.rest_mg = None
        self.SCALE_UG = 0
        self.CLIP = 32767
        self.BAND_HZ = (0, 0)
        self.NOMINAL_HZ = self._nearest(rate_hz)
        self._pace = Pace(self.NOMINAL_HZ)

    def identify(self) -> None:
        """Raises SensorError."""
        try:
            said = self._identity()
        except OSError as error:
            raise SensorError("%s does not answer on %s (%s)" % (self.name, self._device.name, error))
        if said is not None:
            raise SensorError("no %s on %s: %s" % (self.name, self._device.name, said))

    def configure(self, range_g: int, rate_hz: int = 0) -> None:
        """Reset the chip and set it up. range_g: 2, 4, 8 or 16; a part that has less gives its largest, see range_g.

        rate_hz: the part's nearest rate is taken; 0: stay. Raises ValueError for another range, SensorError.
        """
        if range_g not in (2, 4, 8, 16):
            raise ValueError("%s has no range of %s g" % (self.name, range_g))
        self._running = False
        self._copies = self._probes = 0
        self.range_g = max([have for have in self.RANGES_G if have <= range_g] or [min(self.RANGES_G)])
        if rate_hz:
            self.NOMINAL_HZ = self._nearest(rate_hz)
        self._pace.forget(self.NOMINAL_HZ)
        # A period, with a fifth to spare for chips that are fast.
        self._patience_us = 800000 // self.NOMINAL_HZ
        self._setup()

    def fill(self, buffers, n: int) -> int:
        """n samples into each of three array('h'); returns how many were lost inside the block. lost_exact: no other
        number was possible. When one was, this is about the number, and never 0: the block may have a gap.

        Raises SensorError when the chip stops delivering or delivers what cannot be.
        """
        x, y, z = buffers
        state = self._state
        kernel = self._kernel
        self.contiguous = self._resume()
        self._pace.begin()
        state[0] = 0
        state[1] = n
        self._begin_block()
        idle = 0
        while state[0] < n:
            before = self._level
            self._look()
            want = n - state[0]
            if want > self._chunk:
                want = self._chunk
            elif want < self._least:
                want = self._least
            if not self._copies & 1 and self._probes < self._copies >> 1:
                self._probes += 1
                want = 1
            if self._level < want:
                idle = idle + 1 if self._level == before else 0
                if idle > _STALLED_LOOKS:
                    self._fail("is full again before it can be read" if self._full else "delivers no samples")
                # About a millisecond.
                time.sleep_us(600 + 3 * self._chance())
                self._streak = 0
                continue
            power = 0
            while 2 << power <= want:
                power += 1
            words = 1 << power
            had = state[0]
            asked_us = time.ticks_us()
            self._read_words(self._bursts[power])
            away_us = time.ticks_diff(time.ticks_us(), self._looked_us)
            if away_us > (self._depth - self._level) * self._patience_us:
                # So long after the look that the FIFO may have filled up and lost samples meanwhile.
                self._late = True
            kernel.unpack(self._bursts[power], words, x, y, z, state)
            self._level -= words
            self._took = words
            self._check_burst()
            self._pace.taken += state[0] - had
            idle = 0 if state[0] > had else idle + 1
            self._count_streak(words)
            if state[0] > had:
                self._compare(x, y, z, had, state[0])
            if idle > _STALLED_LOOKS:
                self._fail("gives no samples: its FIFO is stuck")
        within = True
        if self._late and self._look():
            # Before the last burst or after it? Behind it there was room for as many as it took.
            within = time.ticks_diff(time.ticks_us(), asked_us) < self._took * self._patience_us
        lost = self._count_lost(within)
        self.lost_exact = self._pace.exact
        return lost if lost or self.lost_exact else 1

    @property
    def rate_dhz(self) -> int:
        """Measured sample rate in 0.1 Hz; 0 before the first block."""
        return self._pace.rate_dhz

    def self_test(self) -> list:
        """Identity, response to the chip's own stimulus, rate, noise floor. Leaves it configured, rest_mg set."""
        return check.self_test(self)

    def stimulus(self, on: bool) -> None:
        """The chip's own test force. For check.py."""
        self._stimulus(on)
        if on:
            time.sleep_ms(self.SELF_TEST_SETTLE_MS)

    def limits_mg(self) -> tuple:
        """(low, high) of the change the stimulus makes, for x, y and z. For check.py."""
        return self._limits_mg()

    def sleep(self) -> None:
        """Power-down; the next fill starts it again."""
        self._running = False
        self._stop()

    # --- inside

    def _nearest(self, rate_hz: int) -> int:
        if not rate_hz:
            return self.RATES_HZ[0]
        return min([(abs(have - rate_hz), have) for have in self.RATES_HZ])[1]

    def _resume(self) -> bool:
        """Join the running stream if it has not overrun, else start it afresh. True when joined."""
        if not self._running:
            self._start()
            self._running = True
        elif not self._stale:
            self._look()
            if not self._full:
                return True
        self._restart()
        self._level = 0
        self._streak = 0
        self._late = self._stale = False
        self._pace.restart()
        return False

    def _look(self, within: bool = True) -> bool:
        """Read the FIFO's level, and tell the pace what it means. Whether samples may have been lost before; when they
        are not of this block any more, the pace does not hear of it.
        """
        began_us = time.ticks_us()
        self._full = False
        self._level = self._read_level()
        ended_us = time.ticks_us()
        if not 0 <= self._level <= self._depth:
            self._fail("says that %d of %d places of its FIFO are taken" % (self._level, self._depth))
        # The level is of some moment within the transfer, perhaps the first.
        self._looked_us = began_us
        late, self._late = self._late, False
        if self._full or (late and not self._REMEMBERS):
            if within:
                self._pace.gap(began_us, ended_us, self._samples(self._level))
            else:
                self._stale = True
            return True
        self._pace.look(began_us, ended_us, self._samples(self._level))
        return False

    def _chance(self) -> int:
        """0..255, never the same: looks in step with the chip's clock would see but one moment of its period."""
        self._dither = self._dither * 5 + 3 & 255
        return self._dither

    def _count_streak(self, words: int) -> None:
        """So many words came without a wait: could the chip have made them?"""
        if self._full or not self._streak:
            self._streak = 0
            self._streak_us = time.ticks_us()
        self._streak += words
        if self._streak > _TOO_MUCH * self._depth:
            made = time.ticks_diff(time.ticks_us(), self._streak_us) // self._patience_us
            if self._streak > made + 2 * self._depth:
                self._fail("gives more than it can make: its FIFO is stuck")
            self._streak = 0

    def _compare(self, x, y, z, first: int, end: int) -> None:
        """Does what the last burst gave begin as others did before it?"""
        if x[first] == self._x and y[first] == self._y and z[first] == self._z:
            if first == 0:
                # The others were in another block.
                self._at = 0
                self._alike = end
                return
            at = self._at
            n = min(end - first, self._alike)
            varies = False
            i = 1
            while i < n:
                if x[first + i] != x[at + i] or y[first + i] != y[at + i] or z[first + i] != z[at + i]:
                    break
                if x[at + i] != self._x or y[at + i] != self._y or z[at + i] != self._z:
                    varies = True
                i += 1
            if i >= n:
                if varies:
                    self._copies += 1
                    self._probes = 0
                    if self._copies >= _COPIES:
                        self._fail("gives the same samples again and again: its FIFO is stuck")
                if end - first > self._alike:
                    self._at = first
                    self._alike = end - first
                return
        self._x = x[first]
        self._y = y[first]
        self._z = z[first]
        self._at = first
        self._alike = end - first
        self._copies = self._probes = 0

    def _fail(self, what: str) -> None:
        self._running = False
        raise SensorError("%s on %s %s" % (self.name, self._device.name, what))

    # --- what most parts have alike

    def _read_words(self, buffer) -> None:
        """Fill the buffer with the oldest words of the FIFO."""
        self._device.burst(self._DATA, buffer)

    def _samples(self, words: int) -> int:
        """How many of the words that wait are samples."""
        return words

    def _begin_block(self) -> None:
        """Before the first burst of a block."""

    def _check_burst(self) -> None:
        """After a burst of `_took` words was unpacked."""

    def _count_lost(self, within: bool) -> int:
        """At the end of a block: samples lost in it. within: what was lost so far was lost before its last samples."""
        pace = self._pace
        while pace.pending and pace.looks < _LOOKS_AFTER_GAP and 4 * self._level < 3 * self._depth:
            time.sleep_us(self._chance() & 63)
            if self._look(False):
                break
        lost = pace.settle()
        if lost and not within:
            pace.exact = False
        return lost
