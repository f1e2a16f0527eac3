"""IIS3DWB vibration sensor (ST, data sheet DS12569; use of the FIFO: AN5444), seen from its SPI pins.

Modelled: registers, FIFO with tags and time stamps, watermark, overrun and its latch, address rounding in the FIFO
region, full scales with saturation, block data update, one-axis mode, self-test, turn-on time, temperature, fine ODR
trim, software reset. Not modelled: digital filters (registers keep their values), interrupt pins, compressed words,
temperature in the FIFO.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from judder.virtual.chips import iis3dwb_registers as reg
from judder.virtual.chips.base import Quantity, value_at
from judder.virtual.chips.fifo import BYPASS, STREAM, UNTIL_FULL, Codes, FifoChip
from judder.virtual.signal import Source

NOMINAL_HZ = 26_667.0
FIFO_WORDS = 512  # 3.5 KB of 7-byte words
WORD_BYTES = 7
TURN_ON_US = 10_000  # data sheet, table "mechanical characteristics": turn-on time, typical

# mg per count by FS[1:0], data sheet table 2.
SENSITIVITY_MG = {0: 0.061, 1: 0.488, 2: 0.122, 3: 0.244}
# Output change in self-test; the data sheet allows 800 to 3200 mg.
SELF_TEST_G = (1.45, 1.60, 1.30)

_TRIM_STEP = 0.0015  # INTERNAL_FREQ_FINE: per count
# Time stamps count at nominally 40 kHz (25 us a count), from the oscillator that samples at 26 667 Hz: 3 for 2 samples.
_STAMPS_PER_2_SAMPLES = 3
_MODES = {reg.BYPASS: BYPASS, reg.FIFO_MODE: UNTIL_FULL}


class Iis3dwb(FifoChip):
    """One chip; see FifoChip for source, rate_hz and the counts of samples."""

    NOMINAL_HZ = NOMINAL_HZ
    DEPTH = FIFO_WORDS
    UNIT_BYTES = WORD_BYTES

    def __init__(
        self,
        source: Source | None = None,
        rate_hz: float | None = None,
        temperature_c: Quantity = 24.0,
    ) -> None:
        self.temperature_c = temperature_c
        super().__init__(source, rate_hz)

    def _reset(self) -> None:
        self._registers = dict(reg.DEFAULTS)
        self._held: bytes | None = None  # block data update: a pair that is half read
        self._decimation = 0
        self._word = b""
        super()._reset()

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte & 0x7F, bool(byte & 0x80), bool(self._registers[reg.CTRL3_C] & reg.IF_INC)

    def _following(self, register: int) -> int:
        # The address goes round inside the FIFO words, so one transfer reads many of them.
        return reg.FIFO_DATA_OUT_TAG if register == reg.FIFO_DATA_OUT_Z_H else register + 1 & 0x7F

    def _burst(self, register: int, count: int) -> bytes:
        whole = count // WORD_BYTES
        if register != reg.FIFO_DATA_OUT_TAG or not whole:
            return b""
        data = self._pop(whole)
        return data + bytes(whole * WORD_BYTES - len(data))  # words of tag 0 where there are no more

    # --- registers

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register not in reg.WRITABLE:
            return
        if register == reg.CTRL3_C and value & reg.SW_RESET:
            self._reset()
            return
        before = self._registers[register]
        self._settings_change()
        self._registers[register] = value
        if register == reg.CTRL1_XL:
            on, was = value >> 5 == reg.XL_EN, before >> 5 == reg.XL_EN
            if on and not was:
                self._start(now_us, TURN_ON_US, NOMINAL_HZ)
            elif not on:
                self._stop()
        elif register == reg.FIFO_CTRL4:
            if value & 7 != before & 7 and value & 7 == reg.BYPASS:
                self._clear_fifo()
            if before & 7 == reg.BYPASS:
                stamping = self._registers[reg.CTRL10_C] & reg.TIMESTAMP_EN
                self._decimation = reg.STAMP_DECIMATION[value >> 6] if stamping else 0

    def _get(self, register: int, now_us: int) -> int:
        if reg.FIFO_DATA_OUT_TAG <= register <= reg.FIFO_DATA_OUT_Z_H:
            return self._word_byte(register - reg.FIFO_DATA_OUT_TAG)
        if reg.OUTX_L <= register <= reg.OUTX_L + 5:
            return self._output(register - reg.OUTX_L)
        if register in (reg.FIFO_STATUS1, reg.FIFO_STATUS2):
            return self._fifo_status(register)
        if register == reg.WHO_AM_I and self.identity is not None:
            return self.identity
        if register == reg.STATUS:
            return reg.XLDA * self._new_data | reg.TDA * (self._start_us is not None)
        if register in (reg.OUT_TEMP_L, reg.OUT_TEMP_H):
            counts = round((value_at(self.temperature_c, now_us) - 25.0) * 256)
            return max(-32768, min(32767, counts)) >> 8 * (register - reg.OUT_TEMP_L) & 0xFF
        if register == reg.INTERNAL_FREQ_FINE:
            return max(-128, min(127, round((self.rate_hz / NOMINAL_HZ - 1) / _TRIM_STEP))) & 0xFF
        return self._registers.get(register, 0)

    def _output(self, index: int) -> int:
        self._new_data = False
        if self._held is None or not self._registers[reg.CTRL3_C] & reg.BDU or index == 0:
            self._held = self._encode(self._newest_codes())
        return self._held[index]

    def _fifo_status(self, register: int) -> int:
        level = self._level
        if register == reg.FIFO_STATUS1:
            return level & 0xFF
        watermark = self._watermark
        value = level >> 8 & 3
        value |= reg.OVR_LATCHED * self._overrun_latched
        value |= reg.FULL_IA * (level >= self._depth - 1)
        value |= reg.OVR_IA * self._overrun
        value |= reg.WTM_IA * (watermark > 0 and level >= watermark)
        self._overrun_latched = False  # cleared by reading
        return value

    # --- FIFO

    @property
    def _mode(self) -> str:
        if self._registers[reg.FIFO_CTRL3] & 0x0F != reg.BDR_26K7:
            return BYPASS
        return _MODES.get(self._registers[reg.FIFO_CTRL4] & 7, STREAM)

    @property
    def _watermark(self) -> int:
        return self._registers[reg.FIFO_CTRL1] | (self._registers[reg.FIFO_CTRL2] & 1) << 8

    @property
    def _depth(self) -> int:
        stop = self._registers[reg.FIFO_CTRL2] & reg.STOP_ON_WTM
        return self._watermark if stop and self._watermark else FIFO_WORDS

    def _units_of(self, samples: int) -> int:
        # A stamp goes before every decimation-th sample, beginning with the first.
        return samples + (-(-samples // self._decimation) if self._decimation else 0)

    def _samples_before(self, unit: int) -> int:
        if not self._decimation:
            return unit
        groups, rest = divmod(unit, self._decimation + 1)
        return groups * self._decimation + max(0, rest - 1)

    def _render(self, unit: int, count: int) -> bytes:
        words = np.zeros((count, WORD_BYTES), np.uint8)
        first, last = self._samples_before(unit), self._samples_before(unit + count)
        numbers = unit + np.arange(count)
        stamp = numbers % (self._decimation + 1) == 0 if self._decimation else np.zeros(count, bool)
        samples = self._codes(first, last - first).astype("<i2").view(np.uint8).reshape(-1, 6)
        words[~stamp, 0] = reg.tags(reg.TAG_ACCELEROMETER, first, last - first)
        words[~stamp, 1:] = samples
        if stamp.any():
            stamped = (numbers[stamp] // (self._decimation + 1)) * self._decimation + self._first
            ticks = stamped * _STAMPS_PER_2_SAMPLES // 2 & 0xFFFFFFFF
            words[stamp, 0] = reg.tags(reg.TAG_TIMESTAMP, 0, len(ticks))
            words[stamp, 1:5] = ticks.astype("<u4").view(np.uint8).reshape(-1, 4)
        return words.tobytes()

    def _word_byte(self, index: int) -> int:
        """Byte by byte; the word is taken when its last byte is read."""
        if index == 0 or not self._word:
            if not self._level:
                return 0
            self._word = self._render(self._head, 1)
        value = self._word[index]
        if index == WORD_BYTES - 1:
            self._pop(1)
            self._word = b""
        return value

    # --- samples

    @property
    def _scale_g(self) -> float:
        return SENSITIVITY_MG[self._registers[reg.CTRL1_XL] >> 2 & 3] / 1000

    def _self_test_g(self) -> tuple[float, float, float]:
        sign = {1: 1, 2: -1}.get(self._registers[reg.CTRL5_C] & 3, 0)
        x, y, z = SELF_TEST_G
        return sign * x, sign * y, sign * z

    def _codes_at(self, number: int, count: int) -> Codes:
        codes = super()._codes_at(number, count)
        axis = self._registers[reg.CTRL6_C] & 3
        if axis:
            only: npt.NDArray[np.int32] = np.zeros(3, np.int32)
            only[axis - 1] = 1
            codes = codes * only
        return codes
