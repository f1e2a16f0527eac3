"""A replay's outcome for people and programs: per block, and all blocks put together.

Put together, over the blocks a value was sent for (each has the same number of samples):
- RMS of acceleration, velocity and envelope: the root of the mean of their squares;
- peak of acceleration: the largest;
- kurtosis: of the blocks' fourth moments over the square of their mean variance, as if the blocks were one;
- lines: the same line of several spectra (within two bins) once, its velocity as an RMS over all spectra of its axis,
  where it did not show counting as none; the eight strongest;
- fs_hz and band_hz: as last reported; lost: the sum, null when a block does not say how many; clipped: if any
  block was; zone: the worst; alarm: the highest.
What the node did not send is null.

One thing the node can't know: a sample at the end of the file's integers was cut off when it was recorded. Its block is
clipped too, and neither that nor a record with it has a zone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from judder.decode.records import Axes, Reading, Spectrum
from judder.virtual.replay import Run
from judder_core import schema

AXES = ("x", "y", "z")
_LINES = schema.SPECTRUM_LINES
_SAME_LINE_BINS = 2.0

Line = tuple[float, float]


def blocks(run: Run) -> list[dict[str, Any]]:
    """One object per block, in order."""
    spectra: dict[tuple[int | None, str | None], Spectrum] = {
        (spectrum.sequence, spectrum.axis): spectrum for spectrum in run.spectra
    }
    cut_off, unrated = _cut_off(run)
    return [
        _block(index, reading, spectra, index in cut_off, index in unrated)
        for index, reading in enumerate(run.readings)
    ]


def _block(
    index: int,
    reading: Reading,
    spectra: Mapping[tuple[int | None, str | None], Spectrum],
    cut_off: bool,
    unrated: bool,
) -> dict[str, Any]:
    channels = {}
    for axis in AXES:
        spectrum = spectra.get((reading.sequence, axis))
        channels[axis] = {
            "rms_mg": getattr(reading.acceleration_rms_mg, axis),
            "peak_mg": getattr(reading.acceleration_peak_mg, axis),
            "kurtosis": getattr(reading.kurtosis, axis),
            "skewness": getattr(reading.skewness, axis),
            "velocity_rms_mm_s": getattr(reading.velocity_rms_mm_s, axis),
            "envelope_rms_mg": getattr(reading.envelope_rms_mg, axis),
            "envelope_peak_mg": getattr(reading.envelope_peak_mg, axis),
            "lines": _lines_json(_strongest(reading, axis) if spectrum is None else spectrum.lines),
        }
    return {
        "event": "block",
        "index": index,
        "sequence": reading.sequence,
        "fs_hz": reading.sample_rate_hz,
        "band_hz": _band(reading),
        "channels": channels,
        "clipped": reading.clipped or cut_off,
        "lost": reading.samples_lost,
        "band_not_covered": reading.band_not_covered,
        "not_running": reading.not_running,
        "sensor_fault": reading.sensor_fault,
        "zone": None if unrated else reading.zone,
        "alarm": reading.alarm_level,
    }


def summary(run: Run, name: str) -> dict[str, Any]:
    """All blocks together, as the head of this file says."""
    readings = run.readings
    cut_off, unrated = _cut_off(run)
    levels = [reading.alarm_level for reading in readings] + [alarm.alarm_level for alarm in run.alarms]
    return {
        "event": "summary",
        "recording": name,
        "blocks": len(readings),
        "block_samples": run.block,
        "fs_hz": _last(reading.sample_rate_hz for reading in readings),
        "band_hz": _last(map(_band, readings)),
        "channels": {axis: _channel(run, axis) for axis in AXES},
        "clipped": bool(cut_off) or any(reading.clipped for reading in readings),
        "lost": _lost(readings),
        "band_not_covered": any(reading.band_not_covered for reading in readings),
        "not_running": bool(readings) and all(reading.not_running for reading in readings),
        "sensor_fault": any(reading.sensor_fault for reading in readings),
        "zone": max(
            (reading.zone for index, reading in enumerate(readings) if reading.zone and index not in unrated),
            default=None,
        ),
        "alarm": next((level for level in ("danger", "warning") if level in levels), "none"),
        "alarms": [alarm.to_dict() for alarm in run.alarms],
    }


def _cut_off(run: Run) -> tuple[set[int], set[int]]:
    """Blocks with a sample that was cut off when it was recorded, and those whose velocity may come from one: a record
    that holds it is told until the next is full, half a record later."""
    recording = run.scenario.pieces[0].recording
    if recording is None or not recording.saturated.any():
        return set(), set()
    cut_off = {int(index) for index in np.flatnonzero(recording.saturated) // run.block}
    record = (recording.rate_hz or 0) / _bin_hz(run.spectra)
    after = math.ceil(1.5 * record / run.block)
    return cut_off, {index + later for index in cut_off for later in range(after + 1)}


def _lost(readings: Sequence[Reading]) -> int | None:
    if any(reading.lossy and reading.samples_lost is None for reading in readings):
        return None
    return sum(reading.samples_lost or 0 for reading in readings)


def _channel(run: Run, axis: str) -> dict[str, Any]:
    def values(attribute: str) -> list[float]:
        sent: Iterable[Axes] = (getattr(reading, attribute) for reading in run.readings)
        return [value for axes in sent if (value := getattr(axes, axis)) is not None]

    spectra = [spectrum for spectrum in run.spectra if spectrum.axis == axis]
    strongest = [line for reading in run.readings if (line := _strongest(reading, axis))]
    return {
        "rms_mg": _rms(values("acceleration_rms_mg")),
        "peak_mg": max(values("acceleration_peak_mg"), default=None),
        "kurtosis": _kurtosis(run.readings, axis),
        "velocity_rms_mm_s": _rms(values("velocity_rms_mm_s")),
        "envelope_rms_mg": _rms(values("envelope_rms_mg")),
        "envelope_peak_mg": max(values("envelope_peak_mg"), default=None),
        "lines": _lines_json(_together([spectrum.lines for spectrum in spectra] or strongest, _bin_hz(spectra))),
    }


def _kurtosis(readings: Sequence[Reading], axis: str) -> float | None:
    second, fourth, count = 0.0, 0.0, 0
    for reading in readings:
        kurtosis, rms = getattr(reading.kurtosis, axis), getattr(reading.acceleration_rms_mg, axis)
        if kurtosis is not None and rms is not None:
            second += rms**2
            fourth += kurtosis * rms**4
            count += 1
    return round(fourth * count / second**2, 2) if second else None


def _together(spectra: Sequence[Sequence[Line]], bin_hz: float) -> list[Line] | None:
    """Lines of several spectra as one list, strongest first; None without a spectrum."""
    if not spectra:
        return None
    found = sorted(line for lines in spectra for line in lines)
    groups: list[list[Line]] = []
    for line in found:
        if groups and line[0] - groups[-1][0][0] <= _SAME_LINE_BINS * bin_hz:
            groups[-1].append(line)
        else:
            groups.append([line])
    out = []
    for group in groups:
        power = sum(velocity**2 for _hz, velocity in group)
        # The mean frequency, by what each says; a line of no velocity says nothing.
        hz = sum(hz * velocity**2 for hz, velocity in group) / power if power else group[0][0]
        out.append((round(hz, 2), round(math.sqrt(power / len(spectra)), 3)))
    return sorted(out, key=lambda line: -line[1])[:_LINES]


def _bin_hz(spectra: Sequence[Spectrum]) -> float:
    """Spacing of the bins; 1 Hz where only the strongest lines of readings are known."""
    return _last(spectrum.resolution_hz for spectrum in spectra) or 1.0


def _strongest(reading: Reading, axis: str) -> tuple[Line, ...] | None:
    hz, velocity = getattr(reading.line_frequency_hz, axis), getattr(reading.line_velocity_rms_mm_s, axis)
    return None if hz is None or velocity is None else ((hz, velocity),)


def _lines_json(lines: Sequence[Line] | None) -> list[dict[str, float]] | None:
    return None if lines is None else [{"hz": hz, "velocity_rms_mm_s": velocity} for hz, velocity in lines]


def _band(reading: Reading) -> list[float] | None:
    low, high = reading.band_low_hz, reading.band_high_hz
    return None if low is None or high is None else [low, high]


def _last(values: Iterable[Any]) -> Any:
    last = None
    for value in values:
        last = value if value is not None else last
    return last


def _rms(values: Sequence[float]) -> float | None:
    return round(math.sqrt(sum(value * value for value in values) / len(values)), 3) if values else None
