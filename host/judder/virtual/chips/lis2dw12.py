"""LIS2DW12 accelerometer (ST, data sheet DocID029682; FIFO: AN5038), SPI or I2C.

Modelled: registers, FIFO with threshold, overrun and level, long reads going round, 14-bit left-aligned output, full
scales, self-test, soft reset, turn-on time, rates of the high-performance mode. Not modelled: low-power modes' 12 bits
and rates, digital filters, interrupt pins, tap and wake-up engines.
"""

from __future__ import annotations

from typing import ClassVar

from judder.virtual.chips.fifo import BYPASS, STREAM, UNTIL_FULL, Codes
from judder.virtual.chips.st_fifo import StFifoChip

CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6 = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
STATUS, FIFO_CTRL, FIFO_SAMPLES, CTRL7 = 0x27, 0x2E, 0x2F, 0x3F

SOFT_RESET, IF_ADD_INC = 0x40, 0x04  # CTRL2
_MG_14_BITS = (0.244, 0.488, 0.976, 1.952)  # by FS[1:0], data sheet table 3
_ODR_HZ = {2: 12.5, 3: 25.0, 4: 50.0, 5: 100.0, 6: 200.0, 7: 400.0, 8: 800.0, 9: 1600.0}


class Lis2dw12(StFifoChip):
    """NOMINAL_HZ is what rate_hz stands for: ODR 1001 in high-performance mode."""

    NOMINAL_HZ = 1600.0
    CHIP_ID = 0x44
    WRITABLE = frozenset((CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, FIFO_CTRL, CTRL7))
    DEFAULTS: ClassVar[dict[int, int]] = {**dict.fromkeys(WRITABLE, 0), CTRL2: IF_ADD_INC}
    SELF_TEST_G = (0.50, 0.45, 0.60)  # the data sheet allows 70 to 1500 mg

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte & 0x7F, bool(byte & 0x80), bool(self._registers[CTRL2] & IF_ADD_INC)

    def _i2c_pointer(self, byte: int) -> tuple[int, bool]:
        return byte & 0x7F, bool(self._registers[CTRL2] & IF_ADD_INC)

    @property
    def _mode(self) -> str:
        return {0: BYPASS, 1: UNTIL_FULL}.get(self._registers[FIFO_CTRL] >> 5, STREAM)

    @property
    def _scale_g(self) -> float:
        return _MG_14_BITS[self._registers[CTRL6] >> 4 & 3] / 1000

    @property
    def _code_limits(self) -> tuple[int, int]:
        return -8192, 8191

    def _encode(self, codes: Codes) -> bytes:
        return (codes << 2).astype("<i2").tobytes()

    def _self_test_g(self) -> tuple[float, float, float]:
        sign = {1: 1, 2: -1}.get(self._registers[CTRL3] >> 6, 0)
        x, y, z = self.SELF_TEST_G
        return sign * x, sign * y, sign * z

    def _write(self, register: int, before: int, now_us: int) -> None:
        if register == CTRL2 and self._registers[CTRL2] & SOFT_RESET:
            self._reset()
        elif register == CTRL1 and before != self._registers[CTRL1]:
            odr_hz = _ODR_HZ.get(self._registers[CTRL1] >> 4)
            if odr_hz is None:
                self._stop()
            else:
                self._start(now_us, 1e6 / odr_hz, odr_hz)  # table 14: one sample in high-performance mode

    def _get(self, register: int, now_us: int) -> int:
        if register == FIFO_SAMPLES:
            threshold = self._registers[FIFO_CTRL] & 0x1F
            return 0x80 * (self._level >= threshold > 0) | 0x40 * self._overrun | self._level
        if register == STATUS:
            return 0x01 * self._new_data
        return super()._get(register, now_us)
