"""LIS3DH accelerometer (ST, data sheet DocID17530, AN3308). SPI or I2C, 1344 Hz at 10 bits or 5376 Hz at 8 bits.

    sensor = LIS3DH(bus.SpiDevice(..., increment=0x40)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)

The FIFO holds 32 samples; a burst over the output registers goes round and takes one after the other. At 1344 Hz the
part runs in normal mode: high resolution would end at a ninth of the rate, 149 Hz, normal mode at half of it, 672 Hz.
That does not cover 10 to 1000 Hz, and it says so. 5376 Hz (rate_hz) is the low-power mode, flat to 2.7 kHz, with digits
of 16 mg: enough for a machine that shakes, too coarse for a quiet one.

Digits are left-aligned and of 1, 2, 4, 12 mg at 12 bits; shifted right by one a count is 125, 250, 500, 1500 ug. What
the part can tell apart is 4, 8, 16, 48 mg at 10 bits and 16, 32, 64, 192 mg at 8: at 16 g (and at 8 bits at 8 g) that
is four times its noise or more, and a machine that runs smoothly may read as one that stands still. 2 g suits zones.
"""

import time

from node.sensors.fifo import FifoSensor

_WHO_AM_I = 0x0F
_CTRL_REG1 = 0x20
_CTRL_REG4 = 0x23
_CTRL_REG5 = 0x24
_FIFO_CTRL = 0x2E
_FIFO_SRC = 0x2F

_ID = 0x33
_AXES = 0x07
_ODR = {1344: 0x90, 5376: 0x98}  # ODR 1001; LPen
_BDU = 0x80
_FULL_SCALE = {2: 0x00, 4: 0x10, 8: 0x20, 16: 0x30}
_SCALE_UG = {2: 125, 4: 250, 8: 500, 16: 1500}
# A digit from which on noise (220 ug/rtHz typical: 6 mg to 672 Hz, 11 mg to 2.7 kHz) need not move it.
_COARSE_UG = 40000
_SELF_TEST_0 = 0x02
_FIFO_EN = 0x40
_BYPASS = 0x00
_STREAM = 0x80
_OVERRUN_FULL = 0x40
_EMPTY = 0x20
_LEVEL = 0x1F
_DEPTH = 32
_CHUNK = 16


class LIS3DH(FifoSensor):
    """device: bus.SpiDevice, at most 10 MHz, or bus.I2cRegisters with increment 0x80. kernel: node.sensors.unpack16."""

    name = "lis3dh"
    RATES_HZ = (1344, 5376)
    SELF_TEST_RANGE_G = 2
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
        write(_CTRL_REG1, _AXES)
        write(_CTRL_REG4, _BDU | _FULL_SCALE[self.range_g])
        write(_CTRL_REG5, _FIFO_EN)
        self._state[self._kernel.SHIFT] = 1
        self.SCALE_UG = _SCALE_UG[self.range_g]
        # The largest digit of 10 or 8 bits; at 16 g digits go on beyond what the part is made for.
        digit = 0x100 if self.NOMINAL_HZ > 5000 else 0x40
        largest = 0x8000 - digit
        self.COARSE = self.SCALE_UG * (digit >> 1) >= _COARSE_UG
        self.CLIP = min(largest >> 1, self.range_g * 1000000 // self.SCALE_UG)
        self.BAND_HZ = (0, self.NOMINAL_HZ // 2)

    def _start(self) -> None:
        self._device.write(_CTRL_REG1, _ODR[self.NOMINAL_HZ] | _AXES)
        time.sleep_ms(10)

    def _stop(self) -> None:
        self._device.write(_CTRL_REG1, _AXES)

    def _restart(self) -> None:
        self._device.write(_FIFO_CTRL, _BYPASS)
        self._device.write(_FIFO_CTRL, _STREAM | _CHUNK)

    def _read_level(self) -> int:
        status = self._device.read(_FIFO_SRC)
        if status & _EMPTY:
            # Empty and full at once, as an absent chip's 0xFF says, is no state of this part.
            return 255 if status & _OVERRUN_FULL else 0
        if status & _OVERRUN_FULL:
            self._full = True
            return _DEPTH
        return status & _LEVEL

    def _stimulus(self, on: bool) -> None:
        self._device.write(_CTRL_REG4, _BDU | _FULL_SCALE[self.range_g] | (_SELF_TEST_0 if on else 0))

    def _limits_mg(self) -> tuple:
        return ((68, 1440),) * 3  # data sheet table 4: 17 to 360 digits of 4 mg, at 2 g in normal mode
