"""What has to be said about a replay beside its numbers: flags, and why something is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from judder.virtual.replay import VELOCITY_FROM_HZ, Run
from judder_core import zones

_AXES = "xyz"


def notes(run: Run, found: Mapping[str, Any]) -> list[str]:
    """Lines. found: replay_report.summary()."""
    flags = [
        text
        for text, is_so in (
            ("CLIPPED", found["clipped"]),
            ("samples LOST" if found["lost"] is None else f"{found['lost']} samples LOST", found["lost"] != 0),
            ("BAND NOT COVERED", found["band_not_covered"]),
            ("SENSOR FAULT", found["sensor_fault"]),
            ("machine not running", found["not_running"]),
        )
        if is_so
    ]
    out = [", ".join(flags)] if flags else []
    out += [f"sensor: {complaint}" for complaint in run.complaints]
    out += _of_the_recording(run, found)
    if all(values["velocity_rms_mm_s"] is None for values in found["channels"].values()):
        out.append(_no_velocity(run, found))
    return [*out, zone_words(run, found), f"alarm: {found['alarm']}"]


def recorded(run: Run) -> str:
    """The axes there is a channel of."""
    recording = run.scenario.pieces[0].recording
    return _AXES if recording is None else _AXES[: recording.channels]


def _of_the_recording(run: Run, found: Mapping[str, Any]) -> list[str]:
    """What the recording looks like and the node can't know."""
    recording = run.scenario.pieces[0].recording
    if recording is None:
        return []
    notes = []
    if recording.saturated.any():
        count = int(recording.saturated.sum())
        notes.append(f"clipped when it was recorded: {count} samples at the end of the file's integers")
    elif not found["clipped"]:
        tops = ", ".join(f"{_AXES[axis]} at {end_g:g} g" for axis, end_g in recording.flat_tops())
        if tops:
            notes.append(f"flat tops, {tops}: was it clipped when it was recorded? Then --range tells the node")
    still = [axis for axis in recorded(run) if np.ptp(recording.values_g[:, _AXES.index(axis)]) == 0]
    if still and not found["sensor_fault"]:
        notes.append(f"{', '.join(still)}: one value all along, as of a channel that is not connected")
    return notes


def _no_velocity(run: Run, found: Mapping[str, Any]) -> str:
    rate_hz = found["fs_hz"] or run.scenario.rate_hz or 0
    if found["sensor_fault"]:
        why = "a sensor fault, and between faults no record long enough (a second or two)"
    elif found["lost"] != 0:
        why = "samples were lost, and between losses no record long enough (a second or two)"
    elif rate_hz < VELOCITY_FROM_HZ:
        why = f"that takes {VELOCITY_FROM_HZ:g} samples a second"
    else:
        why = "the recording ends before the record it comes from is full (a second or two)"
    return f"no velocity: {why}"


def zone_words(run: Run, found: Mapping[str, Any]) -> str:
    """The zone and the limits it comes from, or why there is none."""
    machine = zones.machine(dict(run.values))
    if machine.boundaries_cmm_s is None:
        return f"no zone: {machine.reason}"
    limits = " / ".join(f"{limit / 100:g}" for limit in machine.boundaries_cmm_s)
    if found["zone"] is None:
        return f"no zone: nothing measured that could be rated against {limits} mm/s"
    return f"zone {found['zone']} after ISO 20816-3, limits {limits} mm/s"
