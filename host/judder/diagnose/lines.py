"""A line of a spectrum, and whether it stands where something would put it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# How far off a harmonic may be from the multiple of the line it belongs to: random slip shifts lines a little.
SPREAD = 0.003


@dataclass(frozen=True)
class Line:
    """hz: refined between bins. db: above the noise around it, in power. depth: amplitude, see the spectrum."""

    hz: float
    db: float
    depth: float


def strongest(lines: Iterable[Line], low_hz: float, high_hz: float) -> Line | None:
    """The line furthest above the floor from low_hz to high_hz."""
    return max((line for line in lines if low_hz <= line.hz <= high_hz), key=lambda line: line.db, default=None)


def near(lines: Iterable[Line], hz: float, resolution_hz: float) -> Line | None:
    """The line at a frequency: within a bin of it, or SPREAD where that is more."""
    reach = max(resolution_hz, SPREAD * hz)
    return strongest(lines, hz - reach, hz + reach)


def without(lines: Sequence[Line], family_hz: Iterable[float], resolution_hz: float) -> list[Line]:
    """The lines that are not at any of these frequencies."""
    taken = sorted(family_hz)
    return [line for line in lines if not any(abs(line.hz - hz) <= max(resolution_hz, SPREAD * hz) for hz in taken)]
