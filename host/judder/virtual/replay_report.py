"""A replay's outcome for people and programs."""

from __future__ import annotations

import math
from typing import Any

from judder.decode.records import Axes, Reading
from judder.virtual.replay import Run


def block(index: int, reading: Reading) -> dict[str, Any]:
    """One block as JSON: fs_hz, per channel rms_mg and peak_mg, flags, alarm. What the node did not send is null."""
    channels = {
        axis: {
            "rms_mg": getattr(reading.acceleration_rms_mg, axis),
            "peak_mg": getattr(reading.acceleration_peak_mg, axis),
            "kurtosis": getattr(reading.kurtosis, axis),
            "velocity_rms_mm_s": getattr(reading.velocity_rms_mm_s, axis),
            "envelope_rms_mg": getattr(reading.envelope_rms_mg, axis),
        }
        for axis in ("x", "y", "z")
    }
    return {
        "event": "block",
        "index": index,
        "fs_hz": reading.sample_rate_hz,
        "channels": channels,
        "clipped": reading.clipped,
        "lost": reading.samples_lost,
        "zone": reading.zone,
        "alarm": reading.alarm_level,
    }


def summary(run: Run, name: str) -> dict[str, Any]:
    """All blocks together: RMS as the root of the mean square, peak as the largest; flags if any block has them."""
    readings = run.readings
    rates = [reading.sample_rate_hz for reading in readings if reading.sample_rate_hz]
    levels = [reading.alarm_level for reading in readings]
    return {
        "event": "summary",
        "recording": name,
        "blocks": len(readings),
        "block_samples": run.block,
        "fs_hz": rates[-1] if rates else None,
        "channels": {
            axis: {
                "rms_mg": _rms([getattr(reading.acceleration_rms_mg, axis) for reading in readings]),
                "peak_mg": max(
                    (value for reading in readings if (value := _peak(reading, axis)) is not None), default=None
                ),
            }
            for axis in ("x", "y", "z")
        },
        "clipped": any(reading.clipped for reading in readings),
        "lost": sum(reading.samples_lost or 0 for reading in readings),
        "alarm": next((level for level in ("danger", "warning") if level in levels), "none"),
        "alarms": [alarm.to_dict() for alarm in run.alarms],
    }


def lines(run: Run, name: str) -> list[str]:
    """The summary as text."""
    found = summary(run, name)
    rate = found["fs_hz"]
    out = [f"{name}: {found['blocks']} blocks of {run.block} samples, measured rate {rate:.1f} Hz" if rate else name]
    for axis, values in found["channels"].items():
        if values["rms_mg"] is not None:
            out.append(f"  {axis}  RMS {values['rms_mg']:8.1f} mg   peak {values['peak_mg']:6.0f} mg")
    notes = [
        text
        for text, is_so in (("CLIPPED", found["clipped"]), (f"{found['lost']} samples lost", found["lost"]))
        if is_so
    ]
    notes.append(f"alarm: {found['alarm']}")
    return [*out, "  " + ", ".join(notes)]


def _peak(reading: Reading, axis: str) -> float | None:
    axes: Axes = reading.acceleration_peak_mg
    value: float | None = getattr(axes, axis)
    return value


def _rms(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(math.sqrt(sum(value * value for value in known) / len(known)), 2) if known else None
