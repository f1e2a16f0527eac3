"""The shaft's own speed, from its lines: a nameplate is a percent beside it, and harmonics multiply the error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from judder.diagnose.lines import SPREAD, Line, near

REACH = 0.01  # how far the given speed may be off
HARMONICS = 6


def refine(given_hz: float, spectra: Sequence[tuple[Sequence[Line], float]]) -> tuple[float, bool]:
    """Speed near the given one with the most harmonics among the lines, and whether there is one at all.

    spectra: (lines, resolution in Hz) of the waveform and of its envelope. A line at shaft speed itself is required:
    a bearing whose defect strikes about three times a turn would do for the third harmonic.
    """
    best: tuple[int, float, float] | None = None
    for lines, resolution_hz in spectra:
        for line in lines:
            if abs(line.hz - given_hz) > max(REACH * given_hz, 0.5 * resolution_hz):
                continue
            hz, count = _climb(line.hz, spectra)
            if best is None or (count, line.db) > best[:2]:
                best = (count, line.db, hz)
    return (given_hz, False) if best is None else (best[2], True)


def _climb(hz: float, spectra: Sequence[tuple[Sequence[Line], float]]) -> tuple[float, int]:
    """Finer with every harmonic found: a bin is a smaller part of a higher one. Also how many there were."""
    count = 1
    for harmonic in range(2, HARMONICS + 1):
        for lines, resolution_hz in spectra:
            found = near(lines, harmonic * hz, resolution_hz)
            if found is not None:
                hz = found.hz / harmonic
                count += 1
                break
    return hz, count


def harmonics(shaft_hz: float, top_hz: float) -> Iterable[float]:
    """Multiples of shaft speed up to top_hz."""
    return (number * shaft_hz for number in range(1, int(top_hz * (1 + SPREAD) / shaft_hz) + 1))
