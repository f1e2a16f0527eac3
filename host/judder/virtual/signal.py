"""What shakes the virtual accelerometer: the contract of a source, and sources one after the other.

A source may be asked for any stretch of time, in any order, and answers the same each time: the chip skips what nobody
can read. Synthetic machines are in judder.virtual.machines, recordings in judder.virtual.recording; both can be
imported from here.
"""

from __future__ import annotations

import collections.abc
from typing import Protocol

import numpy as np
import numpy.typing as npt

from judder.errors import InputError
from judder.virtual.machines import (
    MACHINES,
    Machine,
    bearing_fault,
    clipped,
    imbalance,
    misalignment,
    standstill,
)
from judder.virtual.recording import Recording

__all__ = [
    "MACHINES",
    "Machine",
    "Recording",
    "Sequence",
    "Source",
    "bearing_fault",
    "clipped",
    "imbalance",
    "misalignment",
    "standstill",
]

Array = npt.NDArray[np.float64]


class Source(Protocol):
    """rate_hz: the rate at which the source is exact (a recording's), None where it is a function of time."""

    @property
    def rate_hz(self) -> float | None: ...

    def samples(self, t0_s: float, n: int, rate_hz: float) -> Array:
        """Acceleration in g, shape (n, 3): x, y, z at t0_s, t0_s + 1 / rate_hz, ..."""
        ...

    def ended(self, t_s: float) -> bool:
        """True when nothing more is to come at t_s and after."""
        ...


class Sequence:
    """Pieces (duration in seconds, source) one after the other, each from its own beginning; the last one goes on.

    Raises InputError for no pieces, durations that are not above zero, and recordings of different rates: the chip has
    one sample clock.
    """

    def __init__(self, pieces: collections.abc.Sequence[tuple[float, Source]]) -> None:
        if not pieces:
            raise InputError("a sequence of signals needs at least one piece")
        for duration_s, _source in pieces:
            if not duration_s > 0:
                raise InputError(f"a piece of a signal lasts {duration_s:g} s: give it a duration above zero")
        rates = sorted({source.rate_hz for _duration, source in pieces if source.rate_hz is not None})
        if len(rates) > 1:
            named = " and ".join(f"{rate:g}" for rate in rates)
            raise InputError(f"recordings in one sequence have {named} Hz: use recordings of one sample rate")
        self.rate_hz: float | None = rates[0] if rates else None
        self._sources = [source for _duration, source in pieces]
        self._starts_s = np.concatenate(([0.0], np.cumsum([duration for duration, _source in pieces])))

    def samples(self, t0_s: float, n: int, rate_hz: float) -> Array:
        """See Source."""
        # By sample number, not by time: a piece begins at the first sample at or after its start.
        first = round(t0_s * rate_hz)
        starts = [round(start_s * rate_hz) for start_s in self._starts_s]
        out = np.empty((n, 3))
        done = 0
        while done < n:
            piece = self._piece(starts, first + done)
            last = piece == len(self._sources) - 1
            length = n - done if last else min(n - done, starts[piece + 1] - first - done)
            at_s = (first + done - starts[piece]) / rate_hz
            out[done : done + length] = self._sources[piece].samples(at_s, length, rate_hz)
            done += length
        return out

    def _piece(self, starts: list[int], number: int) -> int:
        for piece in range(len(self._sources) - 1, 0, -1):
            if number >= starts[piece]:
                return piece
        return 0

    def ended(self, t_s: float) -> bool:
        """True when the last piece has been on for its duration, or has nothing more to give before that."""
        start_s = float(self._starts_s[-2])
        return t_s >= float(self._starts_s[-1]) or (t_s >= start_s and self._sources[-1].ended(t_s - start_s))
