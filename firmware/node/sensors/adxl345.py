"""ADXL345 accelerometer (Analog Devices, data sheet rev. G). SPI up to 3200 Hz, I2C up to 800 Hz; 3.9 mg a digit.

    sensor = ADXL345(bus.SpiDevice(..., increment=0x40)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)

The FIFO holds 32 samples and gives them one at a time: a read of the six data registers takes the oldest, and the next
may begin 5 us later (a MicroPython call takes longer than that). Read it that way and 3200 Hz are 3200 Hz; polled
without the FIFO this part is known for a tenth of it. Samples are left-aligned by the chip.
"""

import time

from node.sensors.fifo import FifoSensor

_DEVID = 0x00
_BW_RATE = 0x2C
_POWER_CTL = 0x2D
_INT_ENABLE = 0x2E
_DATA_FORMAT = 0x31
_DATAX0 = 0x32
_FIFO_CTL = 0x38
_FIFO_STATUS = 0x39

_ID = 0xE5
_MEASURE = 0x08
_FULL_RES_LEFT = 0x0C  # 3.9 mg a digit in every range; most significant bit first
_SELF_TEST = 0x80
_RANGE = {2: 0, 4: 1, 8: 2, 16: 3}
# 3.90625 mg a digit (256 LSB/g), left-aligned from 10, 11, 12 and 13 bits; the part's own tolerance is 10 %.
_SCALE_UG = {2: 61, 4: 122, 8: 244, 16: 488}
_BYPASS = 0x00
_STREAM = 0x80
_ENTRIES = 0x3F
_DEPTH = 32
_CHUNK = 16
_RATE_CODE = {3200: 15, 1600: 14, 800: 13, 400: 12}


class ADXL345(FifoSensor):
    """device: bus.SpiDevice, mode 3, at most 5 MHz, or bus.I2cRegisters. kernel: node.sensors.unpack16.

    i2c: 400 kHz carry 800 Hz (data sheet, section "Data rate"); a higher rate_hz is taken down to that.
    """

    name = "adxl345"
    RATES_HZ = (3200, 1600, 800, 400)
    SELF_TEST_RANGE_G = 16
    SELF_TEST_SETTLE_MS = 20

    def __init__(self, device, kernel=None, rate_hz: int = 0, i2c: bool = False):
        if kernel is None:
            from node.sensors import unpack16 as kernel
        if i2c:
            self.RATES_HZ = (800, 400)
        super().__init__(device, kernel, _CHUNK, _DEPTH, rate_hz)
        self._slots = [self._bursts[-1][6 * i : 6 * i + 6] for i in range(_CHUNK)]

    def _identity(self):
        found = self._device.read(_DEVID)
        return None if found == _ID else "DEVID reads 0x%02x, not 0x%02x" % (found, _ID)

    def _setup(self) -> None:
        write = self._device.write
        write(_POWER_CTL, 0)
        write(_INT_ENABLE, 0)
        write(_BW_RATE, _RATE_CODE[self.NOMINAL_HZ])
        write(_DATA_FORMAT, _FULL_RES_LEFT | _RANGE[self.range_g])
        write(_FIFO_CTL, _BYPASS)
        self.SCALE_UG = _SCALE_UG[self.range_g]
        # The largest digit: 511, 1023, 2047 or 4095, left-aligned.
        self.CLIP = 32768 - (1 << 6 - _RANGE[self.range_g])
        self.BAND_HZ = (0, self.NOMINAL_HZ // 2)

    def _start(self) -> None:
        self._device.write(_POWER_CTL, _MEASURE)
        # Turn-on: a sample and 1.1 ms; what the filter held takes four samples to go.
        time.sleep_ms(2 + 5000 // self.NOMINAL_HZ)

    def _stop(self) -> None:
        self._device.write(_POWER_CTL, 0)

    def _restart(self) -> None:
        self._device.write(_FIFO_CTL, _BYPASS)
        self._device.write(_FIFO_CTL, _STREAM | _CHUNK)

    def _read_level(self) -> int:
        level = self._device.read(_FIFO_STATUS) & _ENTRIES
        # INT_SOURCE says no more than this: it is set when the FIFO is full.
        self._full = level == _DEPTH
        return level

    def _read_words(self, buffer) -> None:
        words = len(buffer) // 6
        i = 0
        while i < words:
            self._device.burst(_DATAX0, self._slots[i])
            i += 1

    def _stimulus(self, on: bool) -> None:
        format_ = _FULL_RES_LEFT | _RANGE[self.range_g]
        self._device.write(_DATA_FORMAT, format_ | (_SELF_TEST if on else 0))

    def _limits_mg(self) -> tuple:
        # Data sheet table 1 (0.20..2.10 g, z 0.30..3.40 g, at 2.5 V) times table 14 for 3.3 V (1.77, z 1.47).
        return ((354, 3717), (354, 3717), (441, 4998))
