"""What accelerometers with a FIFO share: a sample clock of their own, samples made from a source, a FIFO that overruns.

Samples come into being when somebody looks: as many as the true sample clock has made by then. Only those that are
read are computed, so an hour nobody looked costs nothing; the others are counted in `samples_lost`.

The FIFO is a stretch [head, tail) of an endless row of units. A unit is what the chip counts: a sample of three axes
(most), one axis (ADXL355), a byte (MPU6050), a tagged word (IIS3DWB).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from judder.virtual.chips.registers import RegisterChip
from judder.virtual.machines import standstill
from judder.virtual.signal import Source

Codes = npt.NDArray[np.int32]

# Chips miss their nominal rate; these by 0.6 % unless told otherwise.
USUAL_ERROR = 0.006

BYPASS, UNTIL_FULL, STREAM = "bypass", "until full", "stream"


class FifoChip(RegisterChip):
    """source: what shakes it. rate_hz: what it really does where NOMINAL_HZ is asked of it (default: the source's own
    rate, else a little beside the nominal one); at its other rates it is off by the same ratio.

    samples_made, samples_lost: since power-on, the truth a driver's own counts can be held against. Lost samples were
    made and could never be read from the FIFO because it was full. halted: the sensing element stopped, registers
    still answer. frozen: the FIFO counts, but every read gives what the first one since then gave. identity: overrides
    what the chip says it is. waits: the source stands still while the FIFO is off, so that a stream begun anew goes on
    where the last ended; otherwise time passes, as it does.
    """

    NOMINAL_HZ: float
    DEPTH: int  # units
    UNITS: int = 1  # per sample
    UNIT_BYTES: int = 6
    _kept: Codes

    def __init__(self, source: Source | None = None, rate_hz: float | None = None) -> None:
        self.source: Source = standstill() if source is None else source
        self.rate_hz = rate_hz or self.source.rate_hz or self.NOMINAL_HZ * (1 + USUAL_ERROR)
        self.halted = False
        self.waits = False
        self.frozen = False
        self.identity: int | None = None
        self.power_on()

    def power_on(self) -> None:
        """Everything forgotten; the source starts again from its beginning."""
        super().power_on()
        self.samples_made = 0
        self.samples_lost = 0
        self._origin: int | None = None
        self._follows = 0  # sample of the source that follows the last one read
        self._reset()

    def rewind(self) -> None:
        """The next sample that enters the FIFO is the first of the source."""
        self._origin = None
        self._follows = 0

    def _reset(self) -> None:
        """Clock off, FIFO empty. Subclasses add their registers."""
        self._odr_hz = self.NOMINAL_HZ
        self._start_us: int | None = None  # when the sample clock began, settling included
        self._count = 0  # samples made since then
        self._latest: int | None = None  # number of the newest sample
        self._new_data = False
        self._image = b""  # what is read when frozen
        self._clear_fifo()

    # --- for subclasses: the clock

    def _start(self, now_us: int, settle_us: float, odr_hz: float) -> None:
        self._odr_hz = odr_hz
        self._start_us, self._count = now_us + round(settle_us), 0

    def _stop(self) -> None:
        self._start_us = None

    @property
    def _clock_hz(self) -> float:
        return self.rate_hz * self._odr_hz / self.NOMINAL_HZ

    @property
    def _mode(self) -> str:
        """What the FIFO does with new samples: BYPASS, UNTIL_FULL or STREAM."""
        raise NotImplementedError

    def _settings_change(self) -> None:
        """Call before scale or self-test change: what waits in the FIFO keeps the settings it was made under."""
        first = self._samples_before(self._head)
        self._kept = self._codes(first, self._entered - first)
        self._kept_first = first

    # --- for subclasses: the FIFO

    @property
    def _level(self) -> int:
        """Units that wait."""
        return self._tail - self._head

    @property
    def _depth(self) -> int:
        return self.DEPTH

    def _clear_fifo(self) -> None:
        self._head = self._tail = 0
        self._entered = 0  # samples that went in since it was cleared
        self._first = 0  # number, on the sample clock, of the first of them
        self._kept = np.empty((0, 3), np.int32)
        self._kept_first = 0
        self._overrun = self._overrun_latched = self._stopped = False

    def _pop(self, units: int) -> bytes:
        """Up to `units` from the oldest on."""
        units = min(units, self._level)
        data = self._frozen_units(units) if self.frozen else self._render(self._head, units)
        self._head += units
        if self._origin is not None:
            self._follows = self._first + self._samples_before(self._head) - self._origin
        if units:
            self._overrun = False
        return data

    def _frozen_units(self, units: int) -> bytes:
        length = units * self.UNIT_BYTES
        if length > len(self._image):
            # The reads before were of fewer.
            self._image += self._render(self._head, units)[len(self._image) :]
        return self._image[:length]

    def _units_of(self, samples: int) -> int:
        """Units the first `samples` samples took."""
        return samples * self.UNITS

    def _samples_before(self, unit: int) -> int:
        """Samples that lie before a unit, wholly or in part."""
        return -(-unit // self.UNITS)

    def _render(self, unit: int, count: int) -> bytes:
        """Units as they are read."""
        first = unit // self.UNITS
        last = -(-(unit + count) // self.UNITS)
        data = self._encode(self._codes(first, last - first))
        skip = (unit - first * self.UNITS) * self.UNIT_BYTES
        return data[skip : skip + count * self.UNIT_BYTES]

    def _encode(self, codes: Codes) -> bytes:
        """(n, 3) codes as the chip delivers them; little-endian int16 unless it says otherwise."""
        return codes.astype("<i2").tobytes()

    # --- for subclasses: values

    @property
    def _scale_g(self) -> float:
        """Acceleration of one code."""
        raise NotImplementedError

    @property
    def _code_limits(self) -> tuple[int, int]:
        return -32768, 32767

    def _self_test_g(self) -> tuple[float, float, float]:
        """What the self-test now adds to x, y and z."""
        return 0.0, 0.0, 0.0

    def _codes(self, first: int, count: int) -> Codes:
        """Samples first .. first + count of those that entered the FIFO since it was cleared."""
        if self._kept_first <= first and first + count <= self._kept_first + len(self._kept):
            return self._kept[first - self._kept_first :][:count]
        kept = self._kept[max(0, first - self._kept_first) :]
        if first < self._kept_first:
            kept = self._kept[:0]
        # All that waits at once: many parts are read sample by sample.
        more = self._entered - first - len(kept)
        kept = np.concatenate((kept, self._codes_at(self._first + first + len(kept), more)))
        self._kept, self._kept_first = kept, first
        return kept[:count]

    def _newest_codes(self) -> Codes:
        """The newest sample, (1, 3); zeros before the first."""
        return np.zeros((1, 3), np.int32) if self._latest is None else self._codes_at(self._latest, 1)

    def _codes_at(self, number: int, count: int) -> Codes:
        """Samples by their number on the sample clock: self-test added, scaled, rounded, saturated."""
        since = number if self._origin is None else number - self._origin
        acceleration_g = self.source.samples(since / self._clock_hz, count, self._clock_hz)
        acceleration_g = acceleration_g + np.array(self._self_test_g())
        codes: Codes = np.clip(np.rint(acceleration_g / self._scale_g), *self._code_limits).astype(np.int32)
        return codes

    # --- time goes by

    def _run(self, now_us: int) -> None:
        """Make the samples due by now."""
        if self._start_us is None or now_us < self._start_us or self.halted:
            return
        due = int((now_us - self._start_us) * self._clock_hz / 1e6) - self._count
        if due <= 0:
            return
        # On a clock that never stopped: time goes on while the chip is off.
        number = round(self._start_us * self._clock_hz / 1e6) + self._count
        if self._mode != BYPASS:
            self._enter(number, due)
        self._latest = number + due - 1
        self._count += due
        self.samples_made += due
        self._new_data = True

    def _enter(self, number: int, due: int) -> None:
        if self._origin is None:
            self._origin = number
        if not self._entered:
            self._first = number
            if self.waits:
                self._origin = number - self._follows
        if self._mode == STREAM:
            self._entered += due
            self._tail = self._units_of(self._entered)
            over = self._level - self._depth
            if over > 0:
                # The newest push out the oldest.
                lost = self._samples_before(self._head + over) - self._samples_before(self._head)
                self._head += over
                self._overran(lost)
            return
        # Until full; then nothing goes in any more before it was cleared.
        room = 0 if self._stopped else due
        while room and self._units_of(self._entered + room) - self._head > self._depth:
            room -= 1
        self._entered += room
        self._tail = self._units_of(self._entered)
        if room < due:
            self._stopped = True
            self._overran(due - room)

    def _overran(self, lost: int) -> None:
        self.samples_lost += lost
        self._overrun = self._overrun_latched = True
