"""What drivers of accelerometers with a FIFO have in common; a part's file says how its registers do it.

A block is taken out of the running FIFO in bursts as soon as enough waits in it. Every look at the FIFO's level tells
pace.py how the chip's own clock runs; from that come the sample rate and, after the FIFO overflowed because nobody
came, how many samples that cost. Looking, reading and unpacking allocate nothing.

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
# A FIFO that gives this many times what it holds, while nobody has to wait for it, is stuck and gives the same again.
_TOO_MUCH = 4
# A look drawn out by an interrupt says little about when it was.
_SLOW_LOOK_US = 100
# So many looks after a gap say well enough where the sample clock is.
_LOOKS_AFTER_GAP = 24


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
        self._level = self._took = 0
        self._looked_us = self._patience_us = 0
        self._quickest_us = 1 << 29
        self._dither = self._streak = 0
        self.contiguous = False
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
        self.range_g = max([have for have in self.RANGES_G if have <= range_g] or [min(self.RANGES_G)])
        if rate_hz:
            self.NOMINAL_HZ = self._nearest(rate_hz)
        self._pace.forget(self.NOMINAL_HZ)
        # A period, with a fifth to spare for chips that are fast.
        self._patience_us = 800000 // self.NOMINAL_HZ
        self._setup()

    def fill(self, buffers, n: int) -> int:
        """n samples into each of three array('h'); returns how many were lost inside the block.

        Raises SensorError when the chip stops delivering or delivers what cannot be.
        """
        x, y, z = buffers
        state = self._state
        kernel = self._kernel
        self.contiguous = self._resume()
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
            if self._level < want:
                idle = idle + 1 if self._level == before else 0
                if idle > _STALLED_LOOKS:
                    self._fail("delivers no samples")
                # About a millisecond, and never the same: looks in step with the chip's clock would see but one moment
                # of its period.
                self._dither = self._dither * 5 + 3 & 255
                time.sleep_us(600 + 3 * self._dither)
                self._streak = 0
                continue
            power = 0
            while 2 << power <= want:
                power += 1
            words = 1 << power
            had = state[0]
            self._read_words(self._bursts[power])
            if time.ticks_diff(time.ticks_us(), self._looked_us) > (self._depth - self._level) * self._patience_us:
                # So long after the look that the FIFO may have filled up and lost samples meanwhile.
                self._late = True
            kernel.unpack(self._bursts[power], words, x, y, z, state)
            self._level -= words
            self._took = words
            self._check_burst()
            self._pace.taken += state[0] - had
            idle = 0 if state[0] > had else idle + 1
            self._streak = 0 if self._full else self._streak + words
            if self._streak > _TOO_MUCH * self._depth or idle > _STALLED_LOOKS:
                self._fail("gives more than it can make: its FIFO is stuck")
        return self._count_lost()

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
        if self._running:
            self._look()
            if not self._full and not self._stale:
                return True
        else:
            self._start()
            self._running = True
        self._restart()
        self._level = 0
        self._streak = 0
        self._late = self._stale = False
        self._pace.restart()
        return False

    def _look(self) -> None:
        """Read the FIFO's level, and tell the pace what it means."""
        began_us = time.ticks_us()
        self._full = False
        self._level = self._read_level()
        took_us = time.ticks_diff(time.ticks_us(), began_us)
        if not 0 <= self._level <= self._depth:
            self._fail("says that %d of %d places of its FIFO are taken" % (self._level, self._depth))
        # The level is of some moment within the transfer.
        now_us = time.ticks_add(began_us, took_us >> 1)
        self._looked_us = now_us
        if self._full or self._late:
            self._late = False
            self._pace.gap(now_us, self._samples(self._level))
            return
        if took_us < self._quickest_us:
            self._quickest_us = took_us
        if took_us <= self._quickest_us + _SLOW_LOOK_US:
            self._pace.look(now_us, self._samples(self._level))

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

    def _count_lost(self) -> int:
        """At the end of a block: samples lost in it."""
        if not self._pace.pending:
            return self._pace.settle()
        while self._pace.pending and self._pace.looks < _LOOKS_AFTER_GAP and 4 * self._level < 3 * self._depth:
            self._look()
        return self._pace.settle()
