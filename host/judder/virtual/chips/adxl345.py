"""ADXL345 accelerometer (Analog Devices, data sheet rev. G; FIFO: AN-1025), SPI or I2C.

Modelled: registers, 32-level FIFO read one sample at a time through the data registers, the 5 us it needs between two
samples, watermark, overrun ("filled"), full resolution and 10 bits, right and left alignment, self-test, turn-on time.
Not modelled: the sample more that waits in the output filter, tap, activity and free-fall engines, trigger mode,
offsets.
"""

from __future__ import annotations

from collections.abc import Collection

from judder.virtual.chips.fifo import BYPASS, STREAM, UNTIL_FULL, Codes, FifoChip

DEVID, BW_RATE, POWER_CTL, INT_ENABLE, INT_MAP, INT_SOURCE = 0x00, 0x2C, 0x2D, 0x2E, 0x2F, 0x30
DATA_FORMAT, DATAX0, DATAZ1, FIFO_CTL, FIFO_STATUS = 0x31, 0x32, 0x37, 0x38, 0x39

CHIP_ID = 0xE5
MEASURE = 0x08
SELF_TEST, FULL_RES, JUSTIFY = 0x80, 0x08, 0x04
FIFO_SETTLE_US = 5

_WRITABLE = frozenset((*range(0x1D, 0x2B), BW_RATE, POWER_CTL, INT_ENABLE, INT_MAP, DATA_FORMAT, FIFO_CTL))


class Adxl345(FifoChip):
    """NOMINAL_HZ is what rate_hz stands for: rate code 1111."""

    NOMINAL_HZ = 3200.0
    DEPTH = 32
    spi_modes: Collection[int] = (3,)
    max_baudrate = 5_000_000
    # Within the limits of table 1, which hold for 2.5 V, times the factors of table 14 for 3.3 V.
    SELF_TEST_G = (1.2, -1.2, 1.8)

    def _reset(self) -> None:
        self._registers: dict[int, int] = {**dict.fromkeys(_WRITABLE, 0), BW_RATE: 0x0A}
        self._held = bytes(6)
        self._popped_us = -FIFO_SETTLE_US
        self._touched = False
        super()._reset()

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte & 0x3F, bool(byte & 0x80), bool(byte & 0x40)

    def deselect(self, now_us: int = 0) -> None:
        """The end of a transfer takes a sample that was begun."""
        super().deselect(now_us)
        self._touched = False

    @property
    def _mode(self) -> str:
        return {0: BYPASS, 1: UNTIL_FULL}.get(self._registers[FIFO_CTL] >> 6, STREAM)

    @property
    def _bits(self) -> int:
        full = self._registers[DATA_FORMAT] & FULL_RES
        return 10 + (self._registers[DATA_FORMAT] & 3 if full else 0)

    @property
    def _scale_g(self) -> float:
        return float(4 << (self._registers[DATA_FORMAT] & 3)) / (1 << self._bits)

    @property
    def _code_limits(self) -> tuple[int, int]:
        half = 1 << self._bits - 1
        return -half, half - 1

    def _encode(self, codes: Codes) -> bytes:
        left = self._registers[DATA_FORMAT] & JUSTIFY
        return (codes << 16 - self._bits if left else codes).astype("<i2").tobytes()

    def _self_test_g(self) -> tuple[float, float, float]:
        return self.SELF_TEST_G if self._registers[DATA_FORMAT] & SELF_TEST else (0.0, 0.0, 0.0)

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register not in _WRITABLE:
            return
        before, mode = self._registers[register], self._mode
        self._settings_change()
        self._registers[register] = value
        if mode != BYPASS and self._mode == BYPASS:
            self._clear_fifo()
        measuring = self._registers[POWER_CTL] & MEASURE
        if not measuring:
            self._stop()
        elif (register == POWER_CTL and not before & MEASURE) or (register == BW_RATE and before != value):
            odr_hz = 3200.0 / (1 << 15 - (self._registers[BW_RATE] & 0x0F))
            # Table 1: turn-on time 1 / rate + 1.1 ms.
            self._start(now_us, 1100 + 1e6 / odr_hz, odr_hz)

    def _get(self, register: int, now_us: int) -> int:
        if register == DEVID:
            return CHIP_ID if self.identity is None else self.identity
        if DATAX0 <= register <= DATAZ1:
            return self._output(register - DATAX0, now_us)
        if register == FIFO_STATUS:
            return self._level
        if register == INT_SOURCE:
            watermark = self._registers[FIFO_CTL] & 0x1F
            full = self._mode != BYPASS and self._level == self.DEPTH
            return 0x80 * self._new_data | 0x02 * (self._level >= watermark > 0) | 0x01 * full
        return self._registers.get(register, 0)

    def _output(self, index: int, now_us: int) -> int:
        if not self._touched:
            self._touched = True
            self._new_data = False
            if self._mode == BYPASS:
                self._held = self._encode(self._newest_codes())
            elif self._level and now_us - self._popped_us >= FIFO_SETTLE_US:
                self._held = self._pop(1)
                self._popped_us = now_us
        return self._held[index]

    def _following(self, register: int) -> int:
        if register == DATAZ1:
            self._touched = False
        return register + 1 & 0x3F

    def write(self, data: bytes, now_us: int) -> None:
        """I2C: a transfer begins."""
        self._touched = False
        super().write(data, now_us)
