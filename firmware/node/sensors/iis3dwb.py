"""IIS3DWB vibration sensor (ST, data sheet DS12569; application note AN5444). SPI, 3 axes, 26 667 Hz, flat to 6 kHz.

    sensor = IIS3DWB(bus.SpiDevice(...)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)         # sensor.rate_dhz, sensor.contiguous

The chip fills a FIFO of 512 words, 19.2 ms; `fill` empties it in bursts of 128. Come back within what is left of those
19.2 ms and the next block joins the last without a gap.
"""

import time
from array import array

from node.sensors import SensorError

_FIFO_CTRL1 = 0x07  # watermark, low eight bits
_FIFO_CTRL2 = 0x08  # bit 0: watermark bit 8
_FIFO_CTRL3 = 0x09  # BDR_XL: what goes into the FIFO
_FIFO_CTRL4 = 0x0A  # FIFO_MODE; batching of temperature and time stamps stays off
_WHO_AM_I = 0x0F
_CTRL1_XL = 0x10
_CTRL3_C = 0x12
_CTRL4_C = 0x13
_CTRL5_C = 0x14
_FIFO_STATUS1 = 0x3A  # words in the FIFO, low eight bits; FIFO_STATUS2 follows
_FIFO_DATA_OUT_TAG = 0x78  # seven bytes a word; the address wraps from 0x7E to here in a burst

_ID = 0x7B
_ODR_26K7 = 0xA0  # XL_EN = 101
_FULL_SCALE = {2: 0x0, 4: 0x8, 8: 0xC, 16: 0x4}  # FS_XL, bits 3:2
_SENSITIVITY_UG = {2: 61, 4: 122, 8: 244, 16: 488}  # data sheet table 2, So
_SW_RESET = 0x01
_BDU_IF_INC = 0x44  # whole samples only; addresses advance
_I2C_DISABLE = 0x04
_SELF_TEST_POSITIVE = 0x01
_BATCH_26K7 = 0x0A
_BYPASS = 0x00  # also empties the FIFO
_CONTINUOUS = 0x06  # newest words replace the oldest when full
_LEVEL_HIGH = 0x03  # FIFO_STATUS2
_OVERRUN = 0x48  # FIFO_OVR_IA now, FIFO_OVR_LATCHED since the last look

NOMINAL_HZ = 26667

_CHUNK = 128
_WORD_BYTES = 7
# Out of power-down the filters need a while; ST's own examples wait longer than the data sheet's turn-on time.
_SETTLE_MS = 20
_SELF_TEST_SETTLE_MS = 100
_STALLED_MS = 200
# The running rate is taken from this far back at most: ticks_us wraps, and the chip's clock follows temperature.
_ANCHOR_US = 1 << 27

# Self-test: change of output at 4 g, any axis (limits of ST's self-test example for this part).
_SELF_TEST_LOW_MG = 800
_SELF_TEST_HIGH_MG = 3200
# The part's rate is trimmed; 10 % is ours, wide enough for any good part and far from a wrong setting.
_RATE_LOW_HZ = 24000
_RATE_HIGH_HZ = 29300


class IIS3DWB:
    """device: bus.SpiDevice, at most 10 MHz. kernel: module that takes FIFO words apart (node.sensors.unpack)."""

    name = "iis3dwb"

    def __init__(self, device, kernel=None):
        if kernel is None:
            from node.sensors import unpack as kernel
        self._device = device
        self._kernel = kernel
        self._state = array("i", [0] * kernel.STATE_WORDS)
        self._raw = bytearray(_CHUNK * _WORD_BYTES)
        self._tail = memoryview(self._raw)
        self._status = bytearray(2)
        self._range_g = 0
        self._running = False
        self.contiguous = False
        self.SCALE_UG = 0
        # Rate: words the chip made, and the time it took.
        self._words = 0
        self._span_us = 0
        self._anchor_us = 0
        self._anchor_words = 0
        self._level = 0

    def identify(self) -> None:
        """Raises SensorError."""
        found = self._device.read(_WHO_AM_I)
        if found != _ID:
            raise SensorError("no iis3dwb on %s: WHO_AM_I reads 0x%02x, not 0x%02x" % (self._device.name, found, _ID))

    def configure(self, range_g: int) -> None:
        """Reset the chip and set the full scale: 2, 4, 8 or 16 g. Raises ValueError, SensorError."""
        if range_g not in _FULL_SCALE:
            raise ValueError("iis3dwb has no range of %s g" % range_g)
        self._running = False
        write = self._device.write
        write(_CTRL3_C, _SW_RESET)
        for _ in range(20):
            time.sleep_ms(1)
            if not self._device.read(_CTRL3_C) & _SW_RESET:
                break
        else:
            raise SensorError("iis3dwb on %s does not come out of reset" % self._device.name)
        write(_CTRL3_C, _BDU_IF_INC)
        write(_CTRL4_C, _I2C_DISABLE)
        write(_FIFO_CTRL1, _CHUNK & 0xFF)
        write(_FIFO_CTRL2, _CHUNK >> 8)
        write(_FIFO_CTRL3, _BATCH_26K7)
        self._range_g = range_g
        self.SCALE_UG = _SENSITIVITY_UG[range_g]

    def fill(self, buffers, n: int) -> int:
        """n samples into each of three array('h'); returns how many were lost inside the block.

        Raises SensorError when the chip stops delivering.
        """
        x, y, z = buffers
        state = self._state
        device = self._device
        kernel = self._kernel
        self.contiguous = self._resume()
        if len(self._tail) != n % _CHUNK * _WORD_BYTES:
            # Once per block size, before the first sample is due.
            self._tail = memoryview(self._raw)[: n % _CHUNK * _WORD_BYTES]
        state[0] = 0
        state[1] = n
        lost = 0
        idle_ms = 0
        while state[0] < n:
            before = self._words
            lost += self._look()
            want = n - state[0]
            if want > _CHUNK:
                want = _CHUNK
            if self._level < want:
                idle_ms = idle_ms + 1 if self._words == before else 0
                if idle_ms > _STALLED_MS:
                    self._running = False
                    raise SensorError("iis3dwb on %s delivers no samples" % device.name)
                time.sleep_ms(1)
                continue
            idle_ms = 0
            if want == _CHUNK:
                burst = self._raw
            elif want * _WORD_BYTES == len(self._tail):
                burst = self._tail
            else:  # words of another sensor were in between; allocates, and does not happen as configured
                burst = memoryview(self._raw)[: want * _WORD_BYTES]
            device.burst(_FIFO_DATA_OUT_TAG, burst)
            self._level -= want
            kernel.unpack(burst, want, x, y, z, state)
        return lost

    @property
    def rate_dhz(self) -> int:
        """Measured sample rate in 0.1 Hz; 0 before the first block."""
        return self._words * 10000000 // self._span_us if self._span_us else 0

    def self_test(self) -> list:
        """Identity, response to the chip's own stimulus, sample rate, no clipping. Leaves the sensor configured."""
        name = "vibration sensor"
        range_g = self._range_g or 16
        try:
            self.identify()
            checks = [(name, True, None, None, None, "", "iis3dwb")]
            self.configure(4)
            n = 2048
            buffers = [array("h", bytes(2 * n)) for _ in range(3)]
            rest = self._means(buffers, n, 0)
            self._device.write(_CTRL5_C, _SELF_TEST_POSITIVE)
            moved = self._means(buffers, n, _SELF_TEST_SETTLE_MS)
            self._device.write(_CTRL5_C, 0)
            for axis in range(3):
                change_mg = abs(moved[axis] - rest[axis]) * self.SCALE_UG // 1000
                ok = _SELF_TEST_LOW_MG <= change_mg <= _SELF_TEST_HIGH_MG
                label = "self-test " + "xyz"[axis]
                checks.append((label, ok, change_mg, _SELF_TEST_LOW_MG, _SELF_TEST_HIGH_MG, "mg", ""))
            self.configure(range_g)
            for _ in range(3):
                # Twice for the benefit of the doubt: whoever calls this shares the chip with a REPL.
                lost = self.fill(buffers, n)
                if not lost:
                    break
            rate_hz = self.rate_dhz / 10
            ok = _RATE_LOW_HZ <= rate_hz <= _RATE_HIGH_HZ
            checks.append(("sample rate", ok, rate_hz, _RATE_LOW_HZ, _RATE_HIGH_HZ, "Hz", ""))
            checks.append(("samples lost", lost == 0, lost, 0, 0, "1", ""))
            peak = max([max(max(buffer), -min(buffer)) for buffer in buffers])
            checks.append(("peak", peak < 32767, peak * self.SCALE_UG // 1000, None, range_g * 1000, "mg", ""))
            return checks
        except SensorError as error:
            return [(name, False, None, None, None, "", str(error))]

    def sleep(self) -> None:
        """Power-down; registers keep their values. The next fill starts it again."""
        self._running = False
        self._device.write(_FIFO_CTRL4, _BYPASS)
        self._device.write(_CTRL1_XL, 0)

    # --- inside

    def _resume(self) -> bool:
        """Join the running stream if it has not overrun, else start it afresh. True when joined."""
        if self._running and not self._look():
            return True
        write = self._device.write
        if not self._running:
            write(_FIFO_CTRL4, _BYPASS)
            write(_CTRL1_XL, _ODR_26K7 | _FULL_SCALE[self._range_g])
            time.sleep_ms(_SETTLE_MS)
            self._running = True
        write(_FIFO_CTRL4, _BYPASS)
        write(_FIFO_CTRL4, _CONTINUOUS)
        self._level = 0
        self._rate_from_here()
        return False

    def _look(self) -> int:
        """Read the FIFO's level and count what the chip made since the last look. Returns samples lost meanwhile."""
        began_us = time.ticks_us()
        self._device.burst(_FIFO_STATUS1, self._status)
        # The level is of somewhere within the transfer, which an interrupt may draw out.
        now_us = time.ticks_add(began_us, time.ticks_diff(time.ticks_us(), began_us) >> 1)
        level = self._status[0] | (self._status[1] & _LEVEL_HIGH) << 8
        if self._anchor_words < 0:
            # The first look of a stream: from here on words and time are counted together.
            self._anchor_us = now_us
            self._anchor_words = level
            self._words = self._span_us = 0
            self._level = level
            return 0
        span_us = time.ticks_diff(now_us, self._anchor_us)
        lost = 0
        if self._status[1] & _OVERRUN:
            expected = (span_us - self._span_us) * self._rate_hz() // 1000000
            lost = max(1, expected - (level - self._level))
            self._level = level
            self._rate_from_here()
            return lost
        self._words += level - self._level
        self._span_us = span_us
        self._level = level
        if span_us > _ANCHOR_US:
            # Half of the past is enough; keep the rate, forget the rest.
            self._anchor_us = time.ticks_add(self._anchor_us, span_us // 2)
            self._words -= self._words // 2
            self._span_us -= span_us // 2
        return lost

    def _rate_hz(self) -> int:
        return self.rate_dhz // 10 if self._span_us > 10000 else NOMINAL_HZ

    def _rate_from_here(self) -> None:
        self._anchor_words = -1

    def _means(self, buffers, n: int, settle_ms: int) -> list:
        if settle_ms:
            time.sleep_ms(settle_ms)
        # The stream of the pause is thrown away: it overran long ago.
        self.fill(buffers, n)
        return [sum(buffer) // n for buffer in buffers]
