"""MPU-6050, its accelerometer (InvenSense, register map RM-MPU-6000A rev. 4.2). I2C, 1000 Hz, 16 bits, flat to 260 Hz.

    sensor = MPU6050(bus.I2cRegisters(...)); sensor.identify(); sensor.configure(16)
    lost = sensor.fill((x, y, z), 4096)

The FIFO holds 1024 bytes, 170 samples of the accelerometer alone; samples come most significant byte first. 1024 is no
multiple of six: once it has overflowed, what is in it no longer begins with a sample. So it is emptied then, and what
was in it counts as lost. 1000 Hz do not cover 10 to 1000 Hz, and it says so.
"""

import time

from node.sensors.fifo import FifoSensor

_SELF_TEST_X = 0x0D
_SMPLRT_DIV = 0x19
_CONFIG = 0x1A
_ACCEL_CONFIG = 0x1C
_FIFO_EN = 0x23
_INT_STATUS = 0x3A
_USER_CTRL = 0x6A
_PWR_MGMT_1 = 0x6B
_PWR_MGMT_2 = 0x6C
_FIFO_COUNT_H = 0x72
_WHO_AM_I = 0x75

_ID = 0x68
_DEVICE_RESET = 0x80
_SLEEP = 0x40
_GYROSCOPES_OFF = 0x07
_8_KHZ_BY = 7  # divider for 1 kHz when the low-pass filter is off and the clock is 8 kHz
_FULL_SCALE = {2: 0x00, 4: 0x08, 8: 0x10, 16: 0x18}
_SCALE_UG = {2: 61, 4: 122, 8: 244, 16: 488}  # 16384 LSB/g at 2 g
_SELF_TEST_ALL = 0xE0
_ACCELEROMETER = 0x08
_FIFO_ON = 0x40
_FIFO_RESET = 0x04
_OVERFLOW = 0x10
_FIFO_BYTES = 1024
# From here on it may overflow before the next burst has taken anything: two samples.
_NEARLY_FULL = 1014
_CHUNK = 32


class MPU6050(FifoSensor):
    """device: bus.I2cRegisters. kernel: node.sensors.unpack16."""

    name = "mpu6050"
    RATES_HZ = (1000,)
    SELF_TEST_RANGE_G = 8
    _DATA = 0x74  # FIFO_R_W; the address stays there

    def __init__(self, device, kernel=None, rate_hz: int = 0):
        if kernel is None:
            from node.sensors import unpack16 as kernel
        super().__init__(device, kernel, _CHUNK, _FIFO_BYTES // 6, rate_hz)
        self._count = bytearray(2)
        self._overflowed = False

    def _identity(self):
        found = self._device.read(_WHO_AM_I)
        return None if found == _ID else "WHO_AM_I reads 0x%02x, not 0x%02x" % (found, _ID)

    def _setup(self) -> None:
        write = self._device.write
        write(_PWR_MGMT_1, _DEVICE_RESET)
        time.sleep_ms(100)  # register map 4.28
        write(_PWR_MGMT_1, _SLEEP)
        write(_PWR_MGMT_2, _GYROSCOPES_OFF)
        write(_CONFIG, 0)  # accelerometer: 260 Hz, 1 kHz
        write(_SMPLRT_DIV, _8_KHZ_BY)
        write(_ACCEL_CONFIG, _FULL_SCALE[self.range_g])
        write(_FIFO_EN, _ACCELEROMETER)
        self._state[self._kernel.BIG] = 1
        self.SCALE_UG = _SCALE_UG[self.range_g]
        self.BAND_HZ = (0, 260)

    def _start(self) -> None:
        self._device.write(_PWR_MGMT_1, 0)
        time.sleep_ms(35)

    def _stop(self) -> None:
        self._device.write(_USER_CTRL, 0)
        self._device.write(_PWR_MGMT_1, _SLEEP)

    def _restart(self) -> None:
        self._device.write(_USER_CTRL, _FIFO_RESET)
        self._device.write(_USER_CTRL, _FIFO_ON)
        self._device.read(_INT_STATUS)

    def _read_level(self) -> int:
        self._device.burst(_FIFO_COUNT_H, self._count)
        count = self._count[0] << 8 | self._count[1]
        if count > _FIFO_BYTES:
            return count
        if count >= _NEARLY_FULL or self._overflowed:
            # Emptied while it runs, so that it begins with a sample again.
            self._device.write(_USER_CTRL, _FIFO_ON | _FIFO_RESET)
            self._device.read(_INT_STATUS)
            self._overflowed = False
            self._full = True
            return 0
        return count // 6

    def _check_burst(self) -> None:
        if self._device.read(_INT_STATUS) & _OVERFLOW:
            # Since the last look, perhaps in the middle of the burst: its samples may be out of step. Not taken.
            self._state[self._kernel.FILLED] -= self._took
            self._overflowed = True

    def _stimulus(self, on: bool) -> None:
        self._device.write(_ACCEL_CONFIG, _FULL_SCALE[self.range_g] | (_SELF_TEST_ALL if on else 0))

    def _limits_mg(self) -> tuple:
        """Within 14 % of the factory trim of each axis (register map 4.1; data sheet 6.2)."""
        codes = bytearray(4)
        self._device.burst(_SELF_TEST_X, codes)
        limits = []
        for axis in range(3):
            code = codes[axis] >> 5 << 2 | codes[3] >> 4 - 2 * axis & 3
            trim_mg = 340 * (0.92 / 0.34) ** ((code - 1) / 30) if code else 0
            limits.append((int(trim_mg * 0.86), int(trim_mg * 1.14)))
        return tuple(limits)
