"""IIS3DWB vibration sensor (ST, data sheet DS12569; use of the FIFO: AN5444), seen from its SPI pins.

Modelled: registers, FIFO with tags, watermark, overrun and its latch, address rounding in the FIFO region, full
scales with saturation, block data update, one-axis mode, self-test, turn-on time, temperature, fine ODR trim, software
reset. Not modelled: digital filters (registers keep their values), interrupt pins, time-stamp and compressed words.

Samples come into being when somebody looks: as many as the true sample clock has made by then. Only those that can
still be read are computed, so an hour nobody looked costs nothing; the others are counted in `samples_lost`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from judder.virtual.chips import iis3dwb_registers as reg
from judder.virtual.chips.base import Quantity, value_at
from judder.virtual.machines import standstill
from judder.virtual.signal import Source

NOMINAL_HZ = 26_667.0
FIFO_WORDS = 512  # 3.5 KB of 7-byte words
WORD_BYTES = 7
TURN_ON_US = 10_000  # data sheet, table "mechanical characteristics": turn-on time, typical

# mg per count by FS[1:0], data sheet table 2.
SENSITIVITY_MG = {0: 0.061, 1: 0.488, 2: 0.122, 3: 0.244}
# Output change in self-test; the data sheet allows 800 to 3200 mg.
SELF_TEST_G = (1.45, 1.60, 1.30)

# Chips miss their nominal rate; this one by 0.6 % unless told otherwise.
_USUAL_ERROR = 0.006
_TRIM_STEP = 0.0015  # INTERNAL_FREQ_FINE: per count


class Iis3dwb:
    """One chip. source: what shakes it. rate_hz: its true sample clock (default: the source's own, else near nominal).

    samples_made, samples_lost: since power-on, the truth a driver's own counts can be held against. Lost samples were
    made and could never be read from the FIFO because it was full.
    """

    spi_modes: Collection[int] = (0, 3)
    max_baudrate: int = 10_000_000

    def __init__(
        self,
        source: Source | None = None,
        rate_hz: float | None = None,
        temperature_c: Quantity = 24.0,
    ) -> None:
        self.source: Source = standstill() if source is None else source
        self.rate_hz = rate_hz or self.source.rate_hz or NOMINAL_HZ * (1 + _USUAL_ERROR)
        self.temperature_c = temperature_c
        self.power_on()

    def power_on(self) -> None:
        """Everything forgotten; the source starts again from its beginning."""
        self.samples_made = 0
        self.samples_lost = 0
        self._origin: int | None = None  # number of the sample that was the first in the FIFO, on the sample clock
        self._reset_registers()
        self.deselect()

    def rewind(self) -> None:
        """The next sample that enters the FIFO is the first of the source."""
        self._origin = None

    def _reset_registers(self) -> None:
        self._registers = dict(reg.DEFAULTS)
        self._start_us: int | None = None  # when the sample clock began, turn-on time included
        self._count = 0  # samples made since then
        self._clear_fifo()
        self._latest: int | None = None  # number of the newest sample
        self._held: bytes | None = None  # block data update: a pair that is half read
        self._new_data = False

    def _clear_fifo(self) -> None:
        # Oldest words as counts, then words that are due and not computed yet: looking at the level costs nothing.
        self._fifo: npt.NDArray[np.int16] = np.empty((0, 3), np.int16)
        self._pending = 0
        self._pending_first = 0
        self._tag = 0  # counter in the tag of the oldest word
        self._overrun = self._overrun_latched = False

    # --- SPI

    def select(self) -> None:
        """A transfer begins; its first byte is the address."""
        self._address: int | None = None
        self._reading = False

    def deselect(self) -> None:
        """The transfer ended."""
        self.select()

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """Full duplex, any number of pieces per transfer."""
        self._run(now_us)
        if self._address is not None:
            return self._continue(data, now_us)
        if not data:
            return b""
        self._address = data[0] & 0x7F
        self._reading = bool(data[0] & 0x80)
        return b"\xff" + self._continue(data[1:], now_us)

    def _continue(self, data: bytes, now_us: int) -> bytes:
        assert self._address is not None
        if not self._reading:
            for value in data:
                self._write(self._address, value, now_us)
                self._next()
            return b"\xff" * len(data)
        out = bytearray()
        while len(out) < len(data):
            whole = (len(data) - len(out)) // WORD_BYTES
            if self._address == reg.FIFO_DATA_OUT_TAG and whole and self._increments:
                out += self._pop(whole)
                continue
            out.append(self._read(self._address, now_us))
            self._next()
        return bytes(out)

    @property
    def _increments(self) -> bool:
        return bool(self._registers[reg.CTRL3_C] & reg.IF_INC)

    def _next(self) -> None:
        assert self._address is not None
        if not self._increments:
            return
        # The address goes round inside the FIFO words, so one transfer reads many of them.
        last = self._address == reg.FIFO_DATA_OUT_Z_H
        self._address = reg.FIFO_DATA_OUT_TAG if last else (self._address + 1) & 0x7F

    # --- registers

    def _write(self, register: int, value: int, now_us: int) -> None:
        if register not in reg.WRITABLE:
            return
        self._compute_pending()  # with the settings they were made under
        before = self._registers[register]
        if register == reg.CTRL3_C and value & reg.SW_RESET:
            self._reset_registers()
            return
        self._registers[register] = value
        if register == reg.CTRL1_XL:
            on, was = value >> 5 == reg.XL_EN, before >> 5 == reg.XL_EN
            if on and not was:
                self._start_us, self._count = now_us + TURN_ON_US, 0
            elif not on:
                self._start_us = None
        elif register == reg.FIFO_CTRL4 and value & 7 != before & 7 and value & 7 == reg.BYPASS:
            self._clear_fifo()

    def _read(self, register: int, now_us: int) -> int:
        if reg.FIFO_DATA_OUT_TAG <= register <= reg.FIFO_DATA_OUT_Z_H:
            return self._read_word_byte(register - reg.FIFO_DATA_OUT_TAG)
        if reg.OUTX_L <= register <= reg.OUTX_L + 5:
            return self._read_output(register - reg.OUTX_L)
        if register in (reg.FIFO_STATUS1, reg.FIFO_STATUS2):
            return self._read_fifo_status(register)
        if register == reg.STATUS:
            return reg.XLDA * self._new_data | reg.TDA * (self._start_us is not None)
        if register in (reg.OUT_TEMP_L, reg.OUT_TEMP_H):
            counts = round((value_at(self.temperature_c, now_us) - 25.0) * 256)
            return max(-32768, min(32767, counts)) >> 8 * (register - reg.OUT_TEMP_L) & 0xFF
        if register == reg.INTERNAL_FREQ_FINE:
            return max(-128, min(127, round((self.rate_hz / NOMINAL_HZ - 1) / _TRIM_STEP))) & 0xFF
        return self._registers.get(register, 0)

    def _read_output(self, index: int) -> int:
        self._new_data = False
        if self._held is None or not self._registers[reg.CTRL3_C] & reg.BDU or index == 0:
            counts = np.zeros((1, 3)) if self._latest is None else self._counts(self._latest, 1)
            self._held = counts.astype("<i2").tobytes()
        return self._held[index]

    def _read_fifo_status(self, register: int) -> int:
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
    def _level(self) -> int:
        return len(self._fifo) + self._pending

    @property
    def _watermark(self) -> int:
        return self._registers[reg.FIFO_CTRL1] | (self._registers[reg.FIFO_CTRL2] & 1) << 8

    @property
    def _depth(self) -> int:
        stop = self._registers[reg.FIFO_CTRL2] & reg.STOP_ON_WTM
        return self._watermark if stop and self._watermark else FIFO_WORDS

    def _compute_pending(self) -> None:
        if self._pending:
            self._fifo = np.concatenate((self._fifo, self._counts(self._pending_first, self._pending)))
            self._pending = 0

    def _pop(self, count: int) -> bytes:
        """`count` words from the oldest on; words of tag 0 where there are no more."""
        self._compute_pending()
        there = min(count, len(self._fifo))
        words = np.zeros((count, WORD_BYTES), np.uint8)
        if there:
            words[:there, 0] = reg.tags(self._tag, there)
            words[:there, 1:] = self._fifo[:there].astype("<i2").view(np.uint8).reshape(there, 6)
            self._fifo = self._fifo[there:]
            self._tag = self._tag + there & 3
            self._overrun = False
        return words.tobytes()

    def _read_word_byte(self, index: int) -> int:
        self._compute_pending()
        if not len(self._fifo):
            return 0
        if index == 0:
            return int(reg.tags(self._tag, 1)[0])
        value: int = self._fifo[0].astype("<i2").tobytes()[index - 1]
        if index == WORD_BYTES - 1:
            self._pop(1)
        return value

    # --- samples

    def _run(self, now_us: int) -> None:
        """Make the samples due by now."""
        if self._start_us is None or now_us < self._start_us:
            return
        due = int((now_us - self._start_us) * self.rate_hz / 1e6) - self._count
        if due <= 0:
            return
        into_fifo = self._registers[reg.FIFO_CTRL3] & 0x0F == reg.BDR_26K7
        mode = self._registers[reg.FIFO_CTRL4] & 7
        first = self._sample_number()
        if into_fifo and mode != reg.BYPASS:
            self._fill(first, due, overwrite=mode == reg.CONTINUOUS)
        self._latest = first + due - 1
        self._count += due
        self.samples_made += due
        self._new_data = True

    def _fill(self, first: int, due: int, overwrite: bool) -> None:
        """New words push out the oldest (continuous mode) or stay out once it is full (FIFO mode)."""
        if self._origin is None:
            self._origin = first
        lost = max(0, self._level + due - self._depth)
        if not self._pending:
            self._pending_first = first
        if overwrite:
            self._pending += due
            computed = min(lost, len(self._fifo))
            self._fifo = self._fifo[computed:]
            self._pending_first += lost - computed
            self._pending -= lost - computed
            self._tag = self._tag + lost & 3
        else:
            self._pending += due - lost
        if lost:
            self.samples_lost += lost
            self._overrun = self._overrun_latched = True

    def _sample_number(self) -> int:
        """Number of the next sample on a clock that never stopped: time goes on while the chip is off."""
        assert self._start_us is not None
        return round(self._start_us * self.rate_hz / 1e6) + self._count

    def _counts(self, first: int, count: int) -> npt.NDArray[np.int16]:
        """Samples first .. first + count as (count, 3) counts: scaled, self-test added, rounded, saturated."""
        since = first if self._origin is None else first - self._origin
        acceleration_g = self.source.samples(since / self.rate_hz, count, self.rate_hz)
        test = self._registers[reg.CTRL5_C] & 3
        if test in (1, 2):
            acceleration_g = acceleration_g + np.array(SELF_TEST_G) * (1 if test == 1 else -1)
        axis = self._registers[reg.CTRL6_C] & 3
        if axis:
            only = np.zeros(3)
            only[axis - 1] = 1
            acceleration_g = acceleration_g * only
        scale_g = SENSITIVITY_MG[self._registers[reg.CTRL1_XL] >> 2 & 3] / 1000
        counts: npt.NDArray[np.int16] = np.clip(np.rint(acceleration_g / scale_g), -32768, 32767).astype(np.int16)
        return counts
