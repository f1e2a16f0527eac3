"""IIS3DWB vibration sensor (ST, data sheet DS12569; application note AN5444). SPI, 3 axes, 26 667 Hz, flat to 6 kHz.

    sensor = IIS3DWB(bus.SpiDevice(...)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)         # sensor.rate_dhz, sensor.contiguous

The chip fills a FIFO of 512 words, 19 ms; `fill` empties it in bursts of 128. Come back within what is left of those
19 ms and the next block joins the last without a gap.

The chip puts a stamp of its own clock before every 32nd sample. Two stamps tell how many samples it made between
them, so samples lost are counted exactly, whatever the node's clock did meanwhile and for more than an hour. Not exact
is only a loss about the end of the block that the overrun's flag and the next stamp cannot place before or behind it.
Stamps that go back or end while samples come are of a FIFO that is stuck.
"""

import time
from array import array

from node.sensors.fifo import FifoSensor

_FIFO_CTRL1 = 0x07  # watermark, low eight bits
_FIFO_CTRL2 = 0x08  # bit 0: watermark bit 8
_FIFO_CTRL3 = 0x09  # BDR_XL: what goes into the FIFO
_FIFO_CTRL4 = 0x0A  # FIFO_MODE; DEC_TS_BATCH, how often a time stamp goes into the FIFO
_WHO_AM_I = 0x0F
_CTRL1_XL = 0x10
_CTRL3_C = 0x12
_CTRL4_C = 0x13
_CTRL5_C = 0x14
_CTRL10_C = 0x19
_FIFO_STATUS1 = 0x3A  # words in the FIFO, low eight bits; FIFO_STATUS2 follows

_ID = 0x7B
_ODR_26K7 = 0xA0  # XL_EN = 101
_FULL_SCALE = {2: 0x0, 4: 0x8, 8: 0xC, 16: 0x4}  # FS_XL, bits 3:2
_SENSITIVITY_UG = {2: 61, 4: 122, 8: 244, 16: 488}  # data sheet table 2, So
_SW_RESET = 0x01
_BDU_IF_INC = 0x44  # whole samples only; addresses advance
_I2C_DISABLE = 0x04
_TIMESTAMP_EN = 0x20
_SELF_TEST_POSITIVE = 0x01
_BATCH_26K7 = 0x0A
_BYPASS = 0x00  # also empties the FIFO
_CONTINUOUS = 0xC6  # newest words replace the oldest when full; a stamp for every 32 samples
_LEVEL_HIGH = 0x03  # FIFO_STATUS2
_OVERRUN = 0x48  # FIFO_OVR_IA now, FIFO_OVR_LATCHED since the last look

_CHUNK = 128
_FIFO_WORDS = 512
_STAMP_SAMPLES = 32
# 26 667 Hz is 3 samples for 4 counts of 12.5 us or 2 of 25 us; ST's documents and drivers name both. Told apart by the
# first stamps: counts of the stamp in 32 samples.
_STAMP_TICKS = (48, 96)
# Out of power-down the filters need a while; ST's own examples wait longer than the data sheet's turn-on time.
# More than an hour and a half between stamps is none: they go back.
_LONGEST_TICKS = 1 << 29
_SETTLE_MS = 20
_TRIES = 200
# So many words, a power of two, have a stamp among them.
_STAMPED = 64
# Words at once, a power of two, on the way to the next stamp: fast enough for a FIFO that is full.
_TAIL_POWER = 5


class IIS3DWB(FifoSensor):
    """device: bus.SpiDevice, at most 10 MHz. kernel: module that takes FIFO words apart (node.sensors.unpack)."""

    name = "iis3dwb"
    RATES_HZ = (26667,)
    SELF_TEST_RANGE_G = 4
    _REMEMBERS = True
    _DATA = 0x78  # FIFO_DATA_OUT_TAG: seven bytes a word; the address wraps from 0x7E to here in a burst

    def __init__(self, device, kernel=None, rate_hz: int = 0):
        if kernel is None:
            from node.sensors import unpack as kernel
        super().__init__(device, kernel, _CHUNK, _FIFO_WORDS, rate_hz)
        self._status = bytearray(2)
        self._ticks = 0
        self._stamps_at_gap = -1
        self._stamps = self._stamps_before = 0
        self._in_step = False

    # --- what the registers do

    def _identity(self):
        found = self._device.read(_WHO_AM_I)
        return None if found == _ID else "WHO_AM_I reads 0x%02x, not 0x%02x" % (found, _ID)

    def _setup(self) -> None:
        write = self._device.write
        write(_CTRL3_C, _SW_RESET)
        for _ in range(20):
            time.sleep_ms(1)
            if not self._device.read(_CTRL3_C) & _SW_RESET:
                break
        else:
            self._fail("does not come out of reset")
        write(_CTRL3_C, _BDU_IF_INC)
        write(_CTRL4_C, _I2C_DISABLE)
        write(_CTRL10_C, _TIMESTAMP_EN)
        write(_FIFO_CTRL1, _CHUNK & 0xFF)
        write(_FIFO_CTRL2, _CHUNK >> 8)
        write(_FIFO_CTRL3, _BATCH_26K7)
        self.SCALE_UG = _SENSITIVITY_UG[self.range_g]
        self.BAND_HZ = (0, 6000)  # data sheet: dc to 6 kHz, +-3 dB

    def _start(self) -> None:
        self._device.write(_FIFO_CTRL4, _BYPASS)
        self._device.write(_CTRL1_XL, _ODR_26K7 | _FULL_SCALE[self.range_g])
        time.sleep_ms(_SETTLE_MS)

    def _stop(self) -> None:
        self._device.write(_FIFO_CTRL4, _BYPASS)
        self._device.write(_CTRL1_XL, 0)

    def _restart(self) -> None:
        self._device.write(_FIFO_CTRL4, _BYPASS)
        self._device.write(_FIFO_CTRL4, _CONTINUOUS)
        kernel = self._kernel
        self._state[kernel.STAMPS] = self._state[kernel.SINCE] = 0
        self._stamps = self._stamps_before = 0
        self._in_step = False

    def _read_level(self) -> int:
        self._device.burst(_FIFO_STATUS1, self._status)
        if self._status[1] & _OVERRUN:
            self._full = True
            if self._in_step:
                self._stamps_at_gap = self._state[self._kernel.STAMPS]
                if self._stamps_at_gap:
                    # From now on the last burst shall have a stamp in it, if beyond the block.
                    self._least = _STAMPED
        return self._status[0] | (self._status[1] & _LEVEL_HIGH) << 8

    def _stimulus(self, on: bool) -> None:
        self._device.write(_CTRL5_C, _SELF_TEST_POSITIVE if on else 0)

    def _limits_mg(self) -> tuple:
        return ((800, 3200),) * 3  # limits of ST's self-test example for this part

    # --- time stamps

    def _samples(self, words: int) -> int:
        """Without the stamps among them: one before the first and one after every 32 samples."""
        state = self._state
        if not state[self._kernel.STAMPS]:
            if state[self._kernel.SINCE] > _STAMP_SAMPLES:
                return words  # a chip that does not stamp
            return words - (words + _STAMP_SAMPLES) // (_STAMP_SAMPLES + 1) if words else 0
        return words - (words + state[self._kernel.SINCE]) // (_STAMP_SAMPLES + 1)

    def _begin_block(self) -> None:
        kernel = self._kernel
        self._state[kernel.TICKS] = self._state[kernel.SAMPLES] = 0
        self._stamps_at_gap = -1
        self._least = 0

    def _check_burst(self) -> None:
        kernel = self._kernel
        state = self._state
        self._stamps_before = self._stamps
        if self._least and state[kernel.USED] < self._took:
            self._read_on()
        self._stamps = state[kernel.STAMPS]
        if not self._in_step:
            # From here on it is known where among the words the stamps are: what was counted before was a guess.
            self._in_step = True
            self._pace.restart()
        if not 0 <= state[kernel.TICKS] < _LONGEST_TICKS:
            self._fail("gives time stamps that go back: its FIFO is stuck")
        if self._stamps_at_gap >= 0 or self._late:
            if not self._ticks and self._took == _CHUNK:
                self._measure_ticks()
            return
        if self._stamps and state[kernel.SINCE] > 2 * _STAMP_SAMPLES:
            self._fail("gives no more time stamps: its FIFO is stuck")
        if not self._ticks and state[kernel.SAMPLES]:
            # The first stamps of a stream that lost nothing.
            self._set_ticks(state)

    def _set_ticks(self, state) -> None:
        """How many counts of the stamp are 32 samples?"""
        ticks, samples = state[self._kernel.TICKS], state[self._kernel.SAMPLES]
        ticks = (ticks * _STAMP_SAMPLES + samples // 2) // samples
        short, long = _STAMP_TICKS
        self._ticks = short if ticks < (short + long) >> 1 else long

    def _measure_ticks(self) -> None:
        """The same by the last burst alone: it lost nothing, whatever was lost before it."""
        kernel = self._kernel
        state = array("i", [0] * kernel.STATE_WORDS)
        state[kernel.ROOM] = _CHUNK
        spare = array("h", [0] * _CHUNK)
        kernel.unpack(self._bursts[-1], _CHUNK, spare, spare, spare, state)
        if state[kernel.SAMPLES]:
            self._set_ticks(state)

    def _count_lost(self, within: bool) -> int:
        kernel = self._kernel
        state = self._state
        gap = self._stamps_at_gap
        if not self._ticks or not gap:
            return super()._count_lost(within)
        # A stamp in the last burst, or after the overrun was seen, has everything before it.
        if self._stamps > self._stamps_before or self._stamps > gap:
            within = True
        else:
            within = self._read_to_stamp() and within
            if state[kernel.STAMPS] == self._stamps:
                return super()._count_lost(within)
        # Stamps come every 32 samples of the chip's, so what it made between two is a multiple of that.
        groups = (state[kernel.TICKS] + self._ticks // 2) // self._ticks
        lost = max(0, groups * _STAMP_SAMPLES - state[kernel.SAMPLES])
        between = abs(state[kernel.TICKS] - groups * self._ticks) > self._ticks // 4
        return self._pace.settle(lost, (within or not lost) and not between)

    def _read_on(self) -> None:
        """The words of the last burst that the block had no room for, up to a stamp. The next block begins afresh."""
        kernel = self._kernel
        used = self._state[kernel.USED]
        for burst in self._bursts:
            if len(burst) == self._took * kernel.WORD_BYTES:
                self._aside(burst[used * kernel.WORD_BYTES :])

    def _aside(self, burst) -> None:
        """Take what the burst says but for the samples."""
        kernel = self._kernel
        state = self._state
        filled, room = state[kernel.FILLED], state[kernel.ROOM]
        words = len(burst) // kernel.WORD_BYTES
        spare = array("h", [0] * words)
        state[kernel.FILLED], state[kernel.ROOM] = 0, words
        kernel.unpack(burst, words, spare, spare, spare, state)
        state[kernel.FILLED], state[kernel.ROOM] = filled, room
        self._stale = True

    def _read_to_stamp(self) -> bool:
        """The block is full and no stamp came since the gap: go on to the next. Whether nothing more was lost on the
        way.
        """
        kernel = self._kernel
        state = self._state
        whole = True
        for _ in range(_TRIES):
            while self._level and state[kernel.STAMPS] == self._stamps:
                burst = self._bursts[_TAIL_POWER if self._level >> _TAIL_POWER else 0]
                self._read_words(burst)
                self._aside(burst)
                self._level -= len(burst) // kernel.WORD_BYTES
            if self._look(False):
                whole = False
            if state[kernel.STAMPS] > self._stamps:
                break
            if not self._level:
                time.sleep_ms(1)
        return whole
