"""LIS2DW12 accelerometer (ST, data sheet DS11927, AN5038). SPI or I2C, 1600 Hz, 14 bits, flat to 400 Hz.

    sensor = LIS2DW12(bus.SpiDevice(...)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)

The FIFO holds 32 samples; a burst over the output registers goes round and takes one after the other. Samples come
left-aligned. At 1600 Hz the part's own filter ends at 400 Hz, so it does not cover 10 to 1000 Hz and says so.
"""

import time

from node.sensors.fifo import FifoSensor

_WHO_AM_I = 0x0F
_CTRL1 = 0x20
_CTRL2 = 0x21
_CTRL3 = 0x22
_CTRL6 = 0x25
_FIFO_CTRL = 0x2E
_FIFO_SAMPLES = 0x2F

_ID = 0x44
_SOFT_RESET = 0x40
_BDU_IF_ADD_INC = 0x0C
_HIGH_PERFORMANCE = 0x04  # MODE = 01
_SELF_TEST_POSITIVE = 0x40
_FULL_SCALE = {2: 0x00, 4: 0x10, 8: 0x20, 16: 0x30}
_SCALE_UG = {2: 61, 4: 122, 8: 244, 16: 488}  # 0.244 mg a digit at 14 bits and 2 g, left-aligned
_ODR = {1600: 0x90, 800: 0x80}
_BAND_HZ = {1600: 400, 800: 400}  # BW_FILT = 00: ODR / 2, 400 Hz at 1600 Hz
_BYPASS = 0x00
_CONTINUOUS = 0xC0
_OVERRUN = 0x40
_LEVEL = 0x3F
_DEPTH = 32
_CHUNK = 16


class LIS2DW12(FifoSensor):
    """device: bus.SpiDevice, at most 10 MHz, or bus.I2cRegisters. kernel: node.sensors.unpack16."""

    name = "lis2dw12"
    RATES_HZ = (1600, 800)
    SELF_TEST_RANGE_G = 4
    _DATA = 0x28

    def __init__(self, device, kernel=None, rate_hz: int = 0):
        if kernel is None:
            from node.sensors import unpack16 as kernel
        super().__init__(device, kernel, _CHUNK, _DEPTH, rate_hz)

    def _identity(self):
        found = self._device.read(_WHO_AM_I)
        return None if found == _ID else "WHO_AM_I reads 0x%02x, not 0x%02x" % (found, _ID)

    def _setup(self) -> None:
        write = self._device.write
        write(_CTRL2, _SOFT_RESET)
        for _ in range(20):
            time.sleep_ms(1)
            if not self._device.read(_CTRL2) & _SOFT_RESET:
                break
        else:
            self._fail("does not come out of reset")
        write(_CTRL2, _BDU_IF_ADD_INC)
        write(_CTRL6, _FULL_SCALE[self.range_g])
        self.SCALE_UG = _SCALE_UG[self.range_g]
        self.CLIP = 32764  # 8191, left-aligned
        self.BAND_HZ = (0, _BAND_HZ[self.NOMINAL_HZ])

    def _start(self) -> None:
        self._device.write(_CTRL1, _ODR[self.NOMINAL_HZ] | _HIGH_PERFORMANCE)
        time.sleep_ms(10)

    def _stop(self) -> None:
        self._device.write(_CTRL1, 0)

    def _restart(self) -> None:
        self._device.write(_FIFO_CTRL, _BYPASS)
        self._device.write(_FIFO_CTRL, _CONTINUOUS | _CHUNK)

    def _read_level(self) -> int:
        status = self._device.read(_FIFO_SAMPLES)
        self._full = bool(status & _OVERRUN)
        return status & _LEVEL

    def _stimulus(self, on: bool) -> None:
        self._device.write(_CTRL3, _SELF_TEST_POSITIVE if on else 0)

    def _limits_mg(self) -> tuple:
        return ((70, 1500),) * 3  # data sheet table 3
