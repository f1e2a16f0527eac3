"""Velocity out of acceleration in float64, for pictures and comparisons; a node has its own integer arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# mm/s^2 of one g: standard gravity.
_MM_S2 = 9806.65
_SEGMENT_S = 1.0


@dataclass(frozen=True)
class VelocitySpectrum:
    """hz, rms_mm_s: of a sine at each bin, in band. overall_mm_s: RMS of all of it. resolution_hz: spacing of bins."""

    hz: Array
    rms_mm_s: Array
    overall_mm_s: float
    resolution_hz: float


def velocity_spectrum(
    samples_g: Array, rate_hz: float, band_hz: tuple[float, float] = (10.0, 1000.0)
) -> VelocitySpectrum:
    """V(f) = A(f) / (2 pi f) within band_hz. Hann windows of a second, half overlapping, powers averaged.

    A line's height is corrected for the window's sum (amplitude), the overall value for its power.
    """
    size = min(len(samples_g), max(256, round(_SEGMENT_S * rate_hz)))
    window = np.hanning(size + 1)[:-1]
    centred = samples_g - samples_g.mean()
    starts = range(0, len(samples_g) - size + 1, max(1, size // 2))
    power: Array = np.zeros(size // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft(centred[start : start + size] * window)) ** 2
    power /= len(starts)
    hz: Array = np.fft.rfftfreq(size, 1 / rate_hz).astype(np.float64)
    inside = (hz >= band_hz[0]) & (hz <= min(band_hz[1], rate_hz / 2))
    hz, power = hz[inside], power[inside]
    power = power * (_MM_S2 / (2 * np.pi * hz)) ** 2
    # One-sided: a sine of RMS r has |X| = r sum(window) / sqrt(2), noise of variance v a mean |X|^2 = v sum(window^2).
    overall = float(np.sqrt(2 * power.sum() / (size * (window**2).sum())))
    return VelocitySpectrum(hz, np.sqrt(2 * power) / window.sum(), overall, rate_hz / size)
