"""A replay's outcome as text: a table of channels, what it means, the bearing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judder.virtual import replay_notes
from judder.virtual.replay import Run

if TYPE_CHECKING:
    from judder.diagnose import Diagnosis

_HEAD = ("", "RMS", "peak", "kurtosis", "velocity", "envelope", "strongest lines")
_UNITS = ("", "mg", "mg", "", "mm/s", "mg", "Hz (mm/s RMS)")
_WIDTHS = (3, 9, 8, 9, 9, 9)
_LINES_SHOWN = 3


def lines(run: Run, found: Mapping[str, Any], diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    """found: replay_report.summary(). diagnoses: by axis, empty where none was asked for."""
    blocks = "1 block" if found["blocks"] == 1 else f"{found['blocks']} blocks"
    head = f"{found['recording']}: {blocks} of {found['block_samples']} samples"
    if found["fs_hz"]:
        head += f", measured rate {found['fs_hz']:.1f} Hz"
    if found["band_hz"]:
        head += f", velocity {found['band_hz'][0]:g}-{found['band_hz'][1]:g} Hz"
    out = [head, _row(_HEAD), _row(_UNITS)]
    out += [
        _channel(axis, found["channels"][axis])
        for axis in replay_notes.recorded(run)
        if found["channels"][axis]["rms_mg"] is not None
    ]
    out += [f"  {note}" for note in replay_notes.notes(run, found)]
    if diagnoses:
        out += _bearing(diagnoses)
    return out


def _channel(axis: str, values: Mapping[str, Any]) -> str:
    shown = ", ".join(
        f"{line['hz']:.1f} ({line['velocity_rms_mm_s']:.2f})" for line in (values["lines"] or ())[:_LINES_SHOWN]
    )
    return _row(
        (
            axis,
            _number(values["rms_mg"], 1),
            _number(values["peak_mg"], 0),
            _number(values["kurtosis"], 2),
            _number(values["velocity_rms_mm_s"], 2),
            _number(values["envelope_rms_mg"], 1),
            shown or "-",
        )
    )


def _bearing(diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    first = next(iter(diagnoses.values()))
    bearing = first.bearing
    out = [
        f"bearing {bearing.name or '(as given)'} at {first.given_rpm:g} r/min, times shaft speed: "
        f"BPFO {bearing.bpfo:.4g}, BPFI {bearing.bpfi:.4g}, 2 x BSF {bearing.bsf2:.4g}, FTF {bearing.ftf:.4g}"
    ]
    for axis, diagnosis in diagnoses.items():
        verdict, *rest = diagnosis.lines()
        out.append(f"  {axis}  {verdict}")
        out += [f"   {line}" for line in rest]
    return out


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _row(cells: tuple[str, ...]) -> str:
    *numbers, text = cells
    return (" ".join(f"{cell:>{width}}" for cell, width in zip(numbers, _WIDTHS, strict=True)) + f"   {text}").rstrip()
