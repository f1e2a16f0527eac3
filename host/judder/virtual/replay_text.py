"""A replay's outcome as text: a table of channels, what it means, the bearing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judder.virtual.replay import Run
from judder_core import zones

if TYPE_CHECKING:
    from judder.diagnose import Diagnosis

_HEAD = ("", "RMS", "peak", "kurtosis", "velocity", "envelope", "strongest lines")
_UNITS = ("", "mg", "mg", "", "mm/s", "mg", "Hz (mm/s RMS)")
_WIDTHS = (3, 9, 8, 9, 9, 9)
_LINES_SHOWN = 3


def lines(run: Run, found: Mapping[str, Any], diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    """found: replay_report.summary(). diagnoses: by axis, empty where none was asked for."""
    head = f"{found['recording']}: {found['blocks']} blocks of {found['block_samples']} samples"
    if found["fs_hz"]:
        head += f", measured rate {found['fs_hz']:.1f} Hz"
    if found["band_hz"]:
        head += f", velocity {found['band_hz'][0]:g}-{found['band_hz'][1]:g} Hz"
    out = [head, _row(_HEAD), _row(_UNITS)]
    out += [_channel(axis, values) for axis, values in found["channels"].items() if values["rms_mg"] is not None]
    out += [f"  {note}" for note in _notes(run, found)]
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


def _notes(run: Run, found: Mapping[str, Any]) -> list[str]:
    flags = [
        text
        for text, is_so in (
            ("CLIPPED", found["clipped"]),
            (f"{found['lost']} samples LOST", found["lost"]),
            ("BAND NOT COVERED", found["band_not_covered"]),
            ("SENSOR FAULT", found["sensor_fault"]),
            ("machine not running", found["not_running"]),
        )
        if is_so
    ]
    notes = [", ".join(flags)] if flags else []
    if all(values["velocity_rms_mm_s"] is None for values in found["channels"].values()):
        notes.append("no velocity: the recording ends before the record it comes from is full (a second or two)")
    return [*notes, zone_words(run, found), f"alarm: {found['alarm']}"]


def zone_words(run: Run, found: Mapping[str, Any]) -> str:
    """The zone and the limits it comes from, or why there is none."""
    machine = zones.machine(dict(run.values))
    if machine.boundaries_cmm_s is None:
        return f"no zone: {machine.reason}"
    limits = " / ".join(f"{limit / 100:g}" for limit in machine.boundaries_cmm_s)
    if found["zone"] is None:
        return f"no zone: nothing measured that could be rated against {limits} mm/s"
    return f"zone {found['zone']} after ISO 20816-3, limits {limits} mm/s"


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
