"""ADXL355 accelerometer (Analog Devices, data sheet rev. C), SPI.

Modelled: registers, FIFO of 96 axis values of 20 bits with x marker and empty indicator, entries, overrun, ranges,
rates, self-test, standby, software reset. Not modelled: digital filters, synchronisation, offsets, activity, I2C.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from judder.virtual.chips.base import Quantity, value_at
from judder.virtual.chips.fifo import BYPASS, STREAM, Codes, FifoChip
from judder.virtual.signal import Source

DEVID_AD, DEVID_MST, PARTID, REVID, STATUS, FIFO_ENTRIES = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05
TEMP2, XDATA3, ZDATA1, FIFO_DATA = 0x06, 0x08, 0x10, 0x11
FILTER, FIFO_SAMPLES, INT_MAP, SYNC, RANGE, POWER_CTL, SELF_TEST, RESET = 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F

_IDENTITY = {DEVID_AD: 0xAD, DEVID_MST: 0x1D, PARTID: 0xED, REVID: 0x01}
STANDBY = 0x01
RESET_CODE = 0x52
_WRITABLE = frozenset((*range(0x1E, 0x2F),))
_DEFAULTS: dict[int, int] = {**dict.fromkeys(_WRITABLE, 0), FIFO_SAMPLES: 0x60, RANGE: 0x81, POWER_CTL: STANDBY}
_LSB_PER_G = {1: 256_000, 2: 128_000, 3: 64_000}  # table 1, by RANGE[1:0]
TURN_ON_US = 10_000  # table 1: standby to measurement mode, less than 10 ms


class Adxl355(FifoChip):
    """NOMINAL_HZ is what rate_hz stands for: ODR_LPF 0000."""

    NOMINAL_HZ = 4000.0
    DEPTH = 96
    UNITS = 3
    UNIT_BYTES = 3
    spi_modes: Collection[int] = (0,)
    SELF_TEST_G = (0.3, 0.3, 1.5)  # table 1, typical

    def __init__(
        self, source: Source | None = None, rate_hz: float | None = None, temperature_c: Quantity = 24.0
    ) -> None:
        self.temperature_c = temperature_c
        super().__init__(source, rate_hz)

    def _reset(self) -> None:
        self._bytes = b""  # what is left of a value that is half read
        self._registers = dict(_DEFAULTS)
        super()._reset()

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte >> 1, bool(byte & 1), True

    @property
    def _mode(self) -> str:
        return BYPASS if self._registers[POWER_CTL] & STANDBY else STREAM

    @property
    def _scale_g(self) -> float:
        return 1 / _LSB_PER_G.get(self._registers[RANGE] & 3, 256_000)

    @property
    def _code_limits(self) -> tuple[int, int]:
        return -(1 << 19), (1 << 19) - 1

    def _encode(self, codes: Codes) -> bytes:
        words = (codes.astype(np.int64) << 4 & 0xFFFFF0) | np.array((1, 0, 0))
        data: bytes = words.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        return data

    def _self_test_g(self) -> tuple[float, float, float]:
        return self.SELF_TEST_G if self._registers[SELF_TEST] & 3 == 3 else (0.0, 0.0, 0.0)

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register == RESET and value == RESET_CODE:
            self._reset()
            return
        if register not in _WRITABLE:
            return
        before = self._registers[register]
        self._settings_change()
        self._registers[register] = value
        if register == POWER_CTL and (before ^ value) & STANDBY:
            if value & STANDBY:
                self._stop()
            else:
                odr_hz = 4000.0 / (1 << (self._registers[FILTER] & 0x0F))
                self._start(now_us, TURN_ON_US, odr_hz)

    def _get(self, register: int, now_us: int) -> int:
        if register in _IDENTITY:
            return self.identity if register == PARTID and self.identity is not None else _IDENTITY[register]
        if register == STATUS:
            value = 0x04 * self._overrun_latched | 0x02 * (self._level >= self._registers[FIFO_SAMPLES])
            value |= 0x01 * self._new_data
            self._overrun_latched = False
            return value
        if register == FIFO_ENTRIES:
            return self._level
        if register in (TEMP2, TEMP2 + 1):
            # Table 1: 1885 LSB at 25 degC, -9.05 LSB a degree.
            counts = round(1885 - 9.05 * (value_at(self.temperature_c, now_us) - 25.0))
            return counts >> 8 if register == TEMP2 else counts & 0xFF
        if XDATA3 <= register <= ZDATA1:
            self._new_data = False
            byte = self._encode(self._newest_codes())[register - XDATA3]
            return byte if (register - XDATA3) % 3 < 2 else byte & 0xF0  # no marker here
        if register == FIFO_DATA:
            return self._fifo_byte()
        return self._registers.get(register, 0)

    def _fifo_byte(self) -> int:
        # A value is taken whole; its bytes follow each other.
        if not self._bytes:
            self._bytes = self._pop(1) or b"\x00\x00\x02"  # the empty indicator
        value, self._bytes = self._bytes[0], self._bytes[1:]
        return value

    def select(self, now_us: int = 0) -> None:
        """A new transfer begins with a whole value."""
        super().select(now_us)
        self._bytes = b""

    def _burst(self, register: int, count: int) -> bytes:
        if register != FIFO_DATA or self._bytes:
            return b""
        return self._pop(count // 3)

    def _following(self, register: int) -> int:
        return register if register == FIFO_DATA else register + 1
