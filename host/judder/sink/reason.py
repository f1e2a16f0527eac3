"""Why an alarm came, as a person reads it in a work order."""

from __future__ import annotations

from judder.decode.records import Alarm
from judder.flow import Observation
from judder.sink import rows
from judder_core import schema

_DECIMALS = {name: len(str(divisor)) - 1 for _number, name, _unit, divisor in schema.METRICS}
_UNITS = {"degC": "°C", "1": "", "raw": ""}
_TEMPERATURES = ("temperature", "temperature_rise")


def sentence(observation: Observation, alarm: Alarm) -> str:
    """As: Pump 3 (70b3d57ed0000001): danger. Velocity RMS on axis x is 7.52 mm/s, at or above the limit of 7.10 mm/s.
    Since 2026-03-01 12:00:00 UTC. ISO zone D."""
    name = rows.line(observation.uplink.name or "")
    who = f"{name} ({observation.node})" if name else f"node {observation.node}"
    parts = [f"{who}: {_level(alarm)}."]
    if alarm.metric is not None:
        parts.append(_measured(alarm))
    since = rows.iso(observation.at)
    if since is not None:
        parts.append(f"Since {since[:10]} {since[11:19]} UTC.")
    if alarm.zone is not None:
        parts.append(f"ISO zone {alarm.zone}.")
    parts += _doubts(alarm)
    return " ".join(parts)


def _level(alarm: Alarm) -> str:
    if alarm.alarm_level != "none":
        return alarm.alarm_level
    if alarm.not_running and alarm.metric not in _TEMPERATURES:
        return "alarm over, the machine stands still"
    return "back to normal"


def _measured(alarm: Alarm) -> str:
    assert alarm.metric is not None
    what = "change of velocity RMS" if alarm.metric == "velocity_rms_change" else alarm.metric.replace("_", " ")
    what = what.replace(" rms", " RMS")
    axis = f" on axis {alarm.worst_axis}" if alarm.worst_axis and alarm.metric not in _TEMPERATURES else ""
    text = f"{what[0].upper()}{what[1:]}{axis}"
    if alarm.value is None:
        return f"{text}."
    text += f" is {_number(alarm, alarm.value)}"
    if alarm.limit is None:
        return f"{text}."
    side = "at or above" if abs(alarm.value) >= abs(alarm.limit) else "below"
    return f"{text}, {side} the limit of {_number(alarm, alarm.limit)}."


def _number(alarm: Alarm, value: float) -> str:
    unit = _UNITS.get(alarm.unit or "", alarm.unit or "")
    return f"{value:.{_DECIMALS.get(alarm.metric or '', 0)}f} {unit}".rstrip()


def _doubts(alarm: Alarm) -> list[str]:
    said = {
        "The sensor was at full scale: the true value may be higher.": alarm.clipped,
        "Samples were lost.": alarm.lossy,
        "The sensor has a fault.": alarm.sensor_fault,
    }
    return [text for text, true in said.items() if true]
