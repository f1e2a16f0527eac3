"""LIS3DH accelerometer (ST, data sheet DocID17530; FIFO and self-test: AN3308), SPI or I2C.

Modelled: registers, FIFO with its source register, watermark and overrun, long reads going round, low-power, normal and
high-resolution modes with their resolution and rates, left alignment, full scales, self-test, turn-on time. Not
modelled: digital filters, interrupt pins, the auxiliary converter, stream-to-FIFO.
"""

from __future__ import annotations

from typing import ClassVar

from judder.virtual.chips.fifo import BYPASS, STREAM, UNTIL_FULL, Codes
from judder.virtual.chips.st_fifo import StFifoChip

CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, REFERENCE = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26
STATUS, FIFO_CTRL, FIFO_SRC = 0x27, 0x2E, 0x2F
TEMP_CFG = 0x1F

# mg per digit at 12 bits by FS[1:0], data sheet table 4; 16 and 256 times as much per digit at 10 and 8 bits, which is
# the same per count of the left-aligned 16 bits.
_MG_12_BITS = (1, 2, 4, 12)
# CTRL_REG1 ODR[3:0]: normal and high resolution, low power (table 31).
_ODR_HZ = {1: 1.0, 2: 10.0, 3: 25.0, 4: 50.0, 5: 100.0, 6: 200.0, 7: 400.0, 9: 1344.0}
_ODR_LOW_POWER_HZ = {**_ODR_HZ, 8: 1600.0, 9: 5376.0}


class Lis3dh(StFifoChip):
    """NOMINAL_HZ is what rate_hz stands for: ODR 1001 in normal mode."""

    NOMINAL_HZ = 1344.0
    CHIP_ID = 0x33
    WRITABLE = frozenset((TEMP_CFG, CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, REFERENCE, FIFO_CTRL))
    DEFAULTS: ClassVar[dict[int, int]] = {**dict.fromkeys(WRITABLE, 0), CTRL1: 0x07}
    SELF_TEST_G = (0.45, 0.40, 0.55)  # the data sheet allows 17 to 360 digits of 4 mg at 2 g

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte & 0x3F, bool(byte & 0x80), bool(byte & 0x40)

    def _i2c_pointer(self, byte: int) -> tuple[int, bool]:
        return byte & 0x7F, bool(byte & 0x80)

    @property
    def _low_power(self) -> bool:
        return bool(self._registers[CTRL1] & 0x08)

    @property
    def _bits(self) -> int:
        if self._low_power:
            return 8
        return 12 if self._registers[CTRL4] & 0x08 else 10

    @property
    def _mode(self) -> str:
        if not self._registers[CTRL5] & 0x40:  # FIFO_EN
            return BYPASS
        return {0: BYPASS, 1: UNTIL_FULL}.get(self._registers[FIFO_CTRL] >> 6, STREAM)

    @property
    def _scale_g(self) -> float:
        return _MG_12_BITS[self._registers[CTRL4] >> 4 & 3] / 1000 * (1 << 12 - self._bits)

    @property
    def _code_limits(self) -> tuple[int, int]:
        half = 1 << self._bits - 1
        return -half, half - 1

    def _encode(self, codes: Codes) -> bytes:
        return (codes << 16 - self._bits).astype("<i2").tobytes()

    def _self_test_g(self) -> tuple[float, float, float]:
        sign = {1: 1, 2: -1}.get(self._registers[CTRL4] >> 1 & 3, 0)
        x, y, z = self.SELF_TEST_G
        return sign * x, sign * y, sign * z

    def _write(self, register: int, before: int, now_us: int) -> None:
        if register == CTRL5 and self._registers[CTRL5] & 0x80:  # BOOT: trimming again, registers stay
            self._registers[CTRL5] &= 0x7F
        if register == CTRL1 and (before ^ self._registers[CTRL1]) & 0xF8:
            table = _ODR_LOW_POWER_HZ if self._low_power else _ODR_HZ
            odr_hz = table.get(self._registers[CTRL1] >> 4)
            if odr_hz is None:
                self._stop()
            else:
                # Table 12: 1 ms in low power, 7 samples in high resolution, 1.6 in normal mode.
                settle = 1000 if self._low_power else {12: 7.0, 10: 1.6}[self._bits] * 1e6 / odr_hz
                self._start(now_us, settle, odr_hz)

    def _get(self, register: int, now_us: int) -> int:
        if register == FIFO_SRC:
            level = self._level
            watermark = self._registers[FIFO_CTRL] & 0x1F
            # 32 samples: OVRN_FIFO with FSS at 31. It says full, not lost.
            return (
                0x80 * (level > watermark)
                | 0x40 * (level == self.DEPTH and self._mode != BYPASS)
                | 0x20 * (level == 0)
                | min(level, 31)
            )
        if register == STATUS:
            return 0x0F * self._new_data
        return super()._get(register, now_us)
