"""What a replay's picture shows: the recording in float64, with the node's own numbers on top of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from judder.diagnose import match
from judder.diagnose.envelope import LINE_POWER, envelope_spectrum
from judder.diagnose.velocity import velocity_spectrum
from judder.errors import InputError
from judder.virtual import replay_notes
from judder.virtual.recording import Recording
from judder.virtual.replay import Run
from judder_core import zones

if TYPE_CHECKING:
    from judder.diagnose import Diagnosis
    from judder.diagnose.envelope import Spectrum
    from judder.sink import vibration_plot

_TURNS = 10.0
_WAVE_S = 0.4
_NO_SPEED_HZ = 30.0  # for the width of windows only
_ENVELOPE_HZ = 500.0
_SHAFT_MARKS = 3
_FAULT_MARKS = 4


def picture(
    path: Path,
    run: Run,
    found: Mapping[str, Any],
    recording: Recording,
    diagnoses: Mapping[str, Diagnosis],
    rpm: float | None = None,
) -> Path:
    """Write the PNG for the axis that has most to say. found: replay_report.summary(). Raises InputError."""
    from judder.sink import vibration_plot

    axis = _axis(found, diagnoses)
    samples_g = recording.values_g[:, "xyz".index(axis)]
    rate_hz = recording.rate_hz or 1.0
    silent = np.ptp(samples_g) == 0
    diagnosis = diagnoses.get(axis)
    shaft_hz = diagnosis.shaft_hz if diagnosis else rpm / 60 if rpm else None
    *notes, zone, alarm = replay_notes.notes(run, found)
    words = [f"{zone}; {alarm}", *notes]
    if diagnosis:
        words.insert(0, f"{diagnosis.bearing.name or 'bearing'} at {diagnosis.given_rpm:g} r/min: {diagnosis.verdict}")
    return vibration_plot.vibration_png(
        path,
        f"{found['recording']}, axis {axis}",
        words,
        _wave(samples_g, rate_hz, shaft_hz, axis, found),
        None if silent else _velocity(samples_g, rate_hz, axis, run, found, shaft_hz, diagnosis),
        None if silent else _envelope(samples_g, rate_hz, shaft_hz, diagnosis),
    )


def _axis(found: Mapping[str, Any], diagnoses: Mapping[str, Diagnosis]) -> str:
    """Where a fault shows deepest, else the loudest."""
    accused = {axis: diagnosis.findings[0].depth for axis, diagnosis in diagnoses.items() if diagnosis.findings}
    loud = {axis: values["rms_mg"] or 0 for axis, values in found["channels"].items()}
    best = accused or loud
    return max(best, key=lambda axis: best[axis])


def _wave(
    samples_g: np.ndarray, rate_hz: float, shaft_hz: float | None, axis: str, found: Mapping[str, Any]
) -> vibration_plot.WavePanel:
    from judder.sink import vibration_plot

    shown = min(len(samples_g), max(64, round(rate_hz * (_TURNS / shaft_hz if shaft_hz else _WAVE_S))))
    values = found["channels"][axis]
    numbers = "node: " + (", ".join(_numbers(values)) or "no values")
    what = f"first {_TURNS:g} turns" if shaft_hz and shown < len(samples_g) else f"first {shown / rate_hz:.2g} s"
    return vibration_plot.WavePanel(
        (np.arange(shown) / rate_hz).tolist(),
        (samples_g[:shown] - samples_g.mean()).tolist(),
        f"waveform, {what} of {len(samples_g) / rate_hz:.3g} s; {numbers}",
    )


def _numbers(values: Mapping[str, Any]) -> Iterator[str]:
    for name, key, form in (
        ("RMS", "rms_mg", "{:.1f} mg"),
        ("peak", "peak_mg", "{:.0f} mg"),
        ("kurtosis", "kurtosis", "{:.2f}"),
    ):
        if values[key] is not None:
            yield f"{name} {form.format(values[key])}"


def _velocity(
    samples_g: np.ndarray,
    rate_hz: float,
    axis: str,
    run: Run,
    found: Mapping[str, Any],
    shaft_hz: float | None,
    diagnosis: Diagnosis | None,
) -> vibration_plot.VelocityPanel | None:
    from judder.sink import vibration_plot

    machine = zones.machine(dict(run.values))
    low, high = found["band_hz"] or (machine.band_low_hz, zones.BAND_HIGH_HZ)
    high = min(high, 0.45 * rate_hz)
    spectrum = velocity_spectrum(samples_g, rate_hz, (low, high))
    if len(spectrum.hz) < 2:
        return None  # too slow or too short
    limits = machine.boundaries_cmm_s or ()
    values = found["channels"][axis]
    title = (
        f"velocity spectrum {low:g}-{high:.0f} Hz, lines every {spectrum.resolution_hz:.2g} Hz; "
        f"float64: {spectrum.overall_mm_s:.2f} mm/s RMS over all"
    )
    if limits:
        title += "; zone limits are for the value over all"
    return vibration_plot.VelocityPanel(
        spectrum.hz.tolist(),
        np.maximum(spectrum.rms_mm_s, 1e-9).tolist(),
        title,
        [(line["hz"], line["velocity_rms_mm_s"]) for line in values["lines"] or () if line["velocity_rms_mm_s"]],
        [(name, limit / 100) for name, limit in zip(("A/B", "B/C", "C/D"), limits, strict=False)],
        values["velocity_rms_mm_s"],
        _shaft_marks(shaft_hz) + _fault_marks(diagnosis, harmonics=1),
    )


def _envelope(
    samples_g: np.ndarray, rate_hz: float, shaft_hz: float | None, diagnosis: Diagnosis | None
) -> vibration_plot.EnvelopePanel | None:
    from judder.sink import vibration_plot

    spectrum: Spectrum
    if diagnosis:
        spectrum = diagnosis.spectrum
    else:
        try:
            spectrum = envelope_spectrum(samples_g, rate_hz, shaft_hz or _NO_SPEED_HZ, top_hz=_ENVELOPE_HZ)
        except InputError:
            return None  # the recording is slow; the rest of the picture is none the worse
    top_hz = float(spectrum.hz[-1])
    if diagnosis:
        top_hz = min(top_hz, (_FAULT_MARKS + 0.3) * diagnosis.bearing.bpfi * diagnosis.shaft_hz)
    count = int(np.searchsorted(spectrum.hz, top_hz, side="right"))
    low, high = spectrum.band_hz
    # The first bins are what is left of the mean.
    depth = spectrum.depth[:count].copy()
    depth[:2] = 0.0
    return vibration_plot.EnvelopePanel(
        spectrum.hz[:count].tolist(),
        depth.tolist(),
        (np.sqrt(LINE_POWER) * spectrum.floor[:count]).tolist(),
        f"envelope spectrum of {low:.0f}-{high:.0f} Hz, {1000 * spectrum.band_rms:.1f} mg RMS, "
        f"lines every {spectrum.resolution_hz:.2g} Hz",
        [
            (item.line.hz, item.line.depth)
            for finding in (diagnosis.findings if diagnosis else ())
            for item in finding.evidence
        ],
        (_shaft_marks(shaft_hz) if not diagnosis else []) + _fault_marks(diagnosis, harmonics=_FAULT_MARKS),
    )


def _shaft_marks(shaft_hz: float | None) -> list[vibration_plot.Mark]:
    from judder.sink import vibration_plot

    return [] if not shaft_hz else [vibration_plot.Mark("shaft", k * shaft_hz, k) for k in range(1, _SHAFT_MARKS + 1)]


def _fault_marks(diagnosis: Diagnosis | None, harmonics: int) -> list[vibration_plot.Mark]:
    """Where each rate is without slip; harmonics only of what was found, or of the races where nothing was."""
    from judder.sink import vibration_plot

    if diagnosis is None:
        return []
    named = {finding.fault for finding in diagnosis.findings}
    out = []
    for fault in match.faults(diagnosis.bearing):
        count = harmonics if fault.name in named else 1
        out += [
            vibration_plot.Mark(fault.label, k * fault.per_turn * diagnosis.shaft_hz, k) for k in range(1, count + 1)
        ]
    return out
