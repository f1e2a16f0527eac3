"""MPU-6050, its accelerometer (InvenSense, register map RM-MPU-6000A rev. 4.2; data sheet PS-MPU-6000A), I2C.

Modelled: registers, byte FIFO of 1024 with count and overflow (the oldest bytes go, so that what is left no longer
begins with a sample), big-endian samples, sample-rate divider, full scales, factory trim and self-test, sleep, reset.
Not modelled: gyroscope and temperature in the FIFO, digital filters, cycle mode, the auxiliary bus.
"""

from __future__ import annotations

from judder.virtual.chips.fifo import BYPASS, STREAM, Codes, FifoChip

SELF_TEST_X, SELF_TEST_A = 0x0D, 0x10
SMPLRT_DIV, CONFIG, GYRO_CONFIG, ACCEL_CONFIG, FIFO_EN = 0x19, 0x1A, 0x1B, 0x1C, 0x23
INT_PIN_CFG, INT_ENABLE, INT_STATUS, ACCEL_XOUT_H = 0x37, 0x38, 0x3A, 0x3B
USER_CTRL, PWR_MGMT_1, PWR_MGMT_2 = 0x6A, 0x6B, 0x6C
FIFO_COUNT_H, FIFO_COUNT_L, FIFO_R_W, WHO_AM_I = 0x72, 0x73, 0x74, 0x75

CHIP_ID = 0x68
SLEEP, DEVICE_RESET = 0x40, 0x80  # PWR_MGMT_1
ACCEL_FIFO_EN = 0x08  # FIFO_EN
FIFO_ON, FIFO_RESET = 0x40, 0x04  # USER_CTRL
OVERFLOW, DATA_READY = 0x10, 0x01  # INT_STATUS
TURN_ON_US = 30_000  # data sheet 6.2: accelerometer start-up, typical

_WRITABLE = frozenset(
    (SMPLRT_DIV, CONFIG, GYRO_CONFIG, ACCEL_CONFIG, FIFO_EN, INT_PIN_CFG, INT_ENABLE, USER_CTRL, PWR_MGMT_1, PWR_MGMT_2)
)
# Factory trim of x, y, z: five-bit numbers, register map 4.1.
TRIM = (16, 13, 20)


class Mpu6050(FifoChip):
    """NOMINAL_HZ is what rate_hz stands for: 1 kHz, the most the accelerometer has."""

    NOMINAL_HZ = 1000.0
    DEPTH = 1024
    UNITS = 6
    UNIT_BYTES = 1

    def _reset(self) -> None:
        self._counted = 0
        self._registers: dict[int, int] = {**dict.fromkeys(_WRITABLE, 0), PWR_MGMT_1: SLEEP}
        super()._reset()

    @property
    def _mode(self) -> str:
        on = self._registers[USER_CTRL] & FIFO_ON and self._registers[FIFO_EN] & ACCEL_FIFO_EN
        return STREAM if on else BYPASS

    @property
    def _scale_g(self) -> float:
        return float(2 << (self._registers[ACCEL_CONFIG] >> 3 & 3)) / 32768

    def _encode(self, codes: Codes) -> bytes:
        return codes.astype(">i2").tobytes()

    def _self_test_g(self) -> tuple[float, float, float]:
        # Register map 4.1: the response at 8 g (4096 LSB/g) is within 14 % of the factory trim; here 5 % above.
        bits = self._registers[ACCEL_CONFIG] >> 5
        trim = [0.34 * (0.92 / 0.34) ** ((code - 1) / 30) * 1.05 for code in TRIM]
        return trim[0] * (bits >> 2 & 1), trim[1] * (bits >> 1 & 1), trim[2] * (bits & 1)

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register == PWR_MGMT_1 and value & DEVICE_RESET:
            self._reset()
            return
        if register not in _WRITABLE:
            return
        before = self._registers[register]
        self._settings_change()
        if register == USER_CTRL and value & FIFO_RESET:
            self._clear_fifo()
            value &= ~FIFO_RESET
        self._registers[register] = value
        if register in (PWR_MGMT_1, SMPLRT_DIV, CONFIG) and before != value:
            self._clock(now_us, waking=bool(register == PWR_MGMT_1 and before & SLEEP))

    def _clock(self, now_us: int, waking: bool) -> None:
        if self._registers[PWR_MGMT_1] & SLEEP:
            self._stop()
            return
        filtered = self._registers[CONFIG] & 7 not in (0, 7)
        odr_hz = (1000.0 if filtered else 8000.0) / (1 + self._registers[SMPLRT_DIV])
        self._start(now_us, TURN_ON_US if waking else 0, odr_hz)

    def _get(self, register: int, now_us: int) -> int:  # noqa: ARG002
        if register == WHO_AM_I:
            return CHIP_ID if self.identity is None else self.identity
        if register == INT_STATUS:
            value = OVERFLOW * self._overrun_latched | DATA_READY * self._new_data
            self._overrun_latched = self._new_data = False
            return value
        if ACCEL_XOUT_H <= register < ACCEL_XOUT_H + 6:
            return self._encode(self._newest_codes())[register - ACCEL_XOUT_H]
        if register == FIFO_COUNT_H:
            self._counted = self._level  # both bytes are of one moment
            return self._counted >> 8
        if register == FIFO_COUNT_L:
            return self._counted & 0xFF
        if register == FIFO_R_W:
            return (self._pop(1) or b"\xff")[0]
        if SELF_TEST_X <= register < SELF_TEST_A:
            return TRIM[register - SELF_TEST_X] >> 2 << 5
        if register == SELF_TEST_A:
            return (TRIM[0] & 3) << 4 | (TRIM[1] & 3) << 2 | TRIM[2] & 3
        return self._registers.get(register, 0)

    def _burst(self, register: int, count: int) -> bytes:
        return self._pop(count) if register == FIFO_R_W else b""

    def _following(self, register: int) -> int:
        return register if register == FIFO_R_W else register + 1 & 0x7F
