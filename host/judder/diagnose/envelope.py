"""Spectrum of the squared envelope: at which rates the high frequencies of a vibration come and go. numpy.

A dent rings the housing at some kHz each time an element passes. The band-pass keeps the ringing and drops what the
shaft does directly; the squared envelope (squared magnitude of the analytic signal, preferred over the plain one
because it adds no frequencies of its own: Randall, Antoni, MSSP 25 (2011), section 4) is the strength of the ringing
over time; its spectrum has lines at the rate of the strokes.

Band: from 500 Hz, or 10 times shaft speed where that is higher, to 0.45 of the sample rate, where every anti-alias
filter has begun to cut. All of it: choosing the most telling part of it by looking (kurtogram) is one more way to find
a fault that is not there. Cut out in the frequency domain, so without phase.

Spectrum: Hann windows of at most 300 shaft turns, half overlapping, their powers averaged. Longer ones would not see
finer: real elements slip at random, so a line has a width. Each bin is an amplitude relative to the mean of the squared
envelope: its depth, 1.0 being on and off fully.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judder.diagnose.lines import Line
from judder.errors import InputError

Array = npt.NDArray[np.float64]

LOW_HZ, LOW_TURNS = 500.0, 10.0
HIGH_OF_RATE = 0.45
LONGEST_TURNS = 300.0
# A line of less depth counts for nothing, however far above the floor: rounding and mains hum make such.
LEAST_DEPTH = 0.005
# A line must have this many times the power of the noise around it (12 dB). In Gaussian noise the power of a bin is
# exponentially distributed, so it is there by chance once in exp(16) = 9 million bins.
LINE_POWER = 16.0

_FLOOR_TURNS = 0.5  # half the width of the neighbourhood the floor is taken from: about one shaft line in it
_FLOOR_BINS = (16, 128)


@dataclass(frozen=True)
class Spectrum:
    """hz, depth, floor: one value per bin, floor in the unit of depth. band_rms: of the signal in band_hz, its unit.

    depth is relative for an envelope spectrum, in the signal's unit for others; peak amplitude of a sine either way.
    """

    hz: Array
    depth: Array
    floor: Array
    resolution_hz: float
    band_hz: tuple[float, float]
    band_rms: float

    def lines(self, least: float = LEAST_DEPTH) -> list[Line]:
        """Peaks of LINE_POWER times the noise floor and at least `least` high; frequency refined between bins.

        Side lobes of stronger lines are left out.
        """
        power = self.depth**2
        floor = np.maximum(self.floor, max(least, 1e-150) / math.sqrt(LINE_POWER)) ** 2
        high = power >= LINE_POWER * floor
        peak = np.zeros(len(power), bool)
        peak[1:-1] = high[1:-1] & (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])
        found = []
        for k in self._real(np.flatnonzero(peak)):
            # Parabola through the logarithms: a Hann line is one, nearly.
            left, middle, right = np.log(np.maximum(power[k - 1 : k + 2], 1e-300))
            shift = 0.5 * (left - right) / (left - 2 * middle + right)
            found.append(
                Line(
                    hz=float(self.hz[k] + np.clip(shift, -0.5, 0.5) * self.resolution_hz),
                    db=float(10 * np.log10(power[k] / floor[k])),
                    depth=float(self.depth[k]),
                )
            )
        return found

    def _real(self, peaks: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Peaks that stand clear of what a Hann window makes of the stronger ones beside them."""
        keep = []
        for k in peaks:
            apart = np.abs(peaks - k).astype(float)
            stronger = (self.depth[peaks] > self.depth[k]) & (apart > 0)
            # Nearer than the main lobe's half width nothing is told apart. The side lobes' tops follow
            # 0.32 / (d (d^2 - 1)), -31.5 dB at the first; twice that, because two lines' lobes may add.
            d = np.maximum(apart[stronger], 1.01)
            skirt = np.where(d < 2, 1.0, 0.64 / (d * (d * d - 1)))
            if not np.any(self.depth[peaks[stronger]] * skirt >= self.depth[k]):
                keep.append(k)
        return np.array(keep, dtype=np.intp)


def envelope_spectrum(
    samples: Array,
    rate_hz: float,
    shaft_hz: float,
    band_hz: tuple[float, float] | None = None,
    top_hz: float = math.inf,
) -> Spectrum:
    """Of a waveform in any unit, its mean removed, up to top_hz. A silent band gives a depth of zero everywhere.

    Raises InputError where the band does not fit the sample rate.
    """
    low, high = band_hz or (max(LOW_HZ, LOW_TURNS * shaft_hz), HIGH_OF_RATE * rate_hz)
    if not 0 < low < high <= rate_hz / 2:
        raise InputError(
            f"no band for an envelope between {low:g} Hz and {high:g} Hz at {rate_hz:g} samples/s: record faster"
        )
    n = len(samples)
    spectrum = np.fft.fft(samples - samples.mean())
    hz = np.fft.fftfreq(n, 1 / rate_hz)
    spectrum[(hz < low) | (hz > high)] = 0  # no negative frequencies: what remains is the analytic signal
    squared = 2 * np.abs(np.fft.ifft(spectrum)) ** 2  # its mean is the mean square of the band
    mean = float(squared.mean())
    band_rms = math.sqrt(mean)
    # What rounding leaves of a loud signal outside the band is no vibration.
    silent = band_rms <= 1e-7 * float(np.std(samples))
    relative = np.zeros(n) if silent else squared / mean - 1
    return _averaged(relative, rate_hz, shaft_hz, min(top_hz, high - low), (low, high), 0.0 if silent else band_rms)


def plain_spectrum(samples: Array, rate_hz: float, shaft_hz: float, top_hz: float = math.inf) -> Spectrum:
    """The same of the waveform itself, in its own unit: where the shaft's own lines are."""
    centred = samples - samples.mean()
    return _averaged(centred, rate_hz, shaft_hz, min(top_hz, rate_hz / 2), (0.0, rate_hz / 2), float(np.std(samples)))


def _averaged(
    samples: Array, rate_hz: float, shaft_hz: float, top_hz: float, band_hz: tuple[float, float], band_rms: float
) -> Spectrum:
    size = min(len(samples), max(256, round(LONGEST_TURNS / shaft_hz * rate_hz)))
    starts = range(0, len(samples) - size + 1, max(1, size // 2))
    window: Array = np.hanning(size + 1)[:-1]
    power: Array = np.zeros(size // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft(samples[start : start + size] * window)) ** 2
    power *= (2 / window.sum()) ** 2 / len(starts)
    resolution = rate_hz / size
    count = min(len(power), int(top_hz / resolution) + 1)
    half = int(np.clip(_FLOOR_TURNS * shaft_hz / resolution, *_FLOOR_BINS))
    floor = _floor(power[:count], half, len(starts))
    depth: Array = np.sqrt(power[:count])
    hz: Array = np.arange(count, dtype=np.float64) * resolution
    return Spectrum(hz, depth, floor, resolution, band_hz, band_rms)


def _floor(power: Array, half: int, averaged: int) -> Array:
    """Amplitude of the noise around each bin: the median of the powers there, which lines hardly move, as a mean."""
    half = min(half, len(power) - 1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, half, mode="reflect"), 2 * half + 1)
    median = np.median(around, axis=1)
    # Median of the mean of K exponentials, relative to their mean (Wilson and Hilferty 1931; ln 2 for K = 1).
    to_mean = math.log(2) if averaged == 1 else (1 - 1 / (9 * averaged)) ** 3
    out: Array = np.sqrt(median / to_mean)
    return out
