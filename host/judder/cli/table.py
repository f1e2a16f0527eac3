"""Readings as rows for people, alarms as lines between them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from judder.decode.records import Alarm, Hello, Reading, Record

_WIDTHS = (8, -14, 5, -8, -4, 6, 6, 6, 6, 7, 6, 6, 6)
# vel: velocity RMS of the worst axis, which decides the zone.
_NAMES = ("time", "", "no.", "state", "zone", "vel", "RMS x", "y", "z", "peak x", "y", "z", "temp")
_UNITS = ("s", "", "", "", "", "mm/s", "mg", "mg", "mg", "mg", "mg", "mg", "degC")
_COLOURS = {"none": None, "warning": "yellow", "danger": "red"}


class ReadingTable:
    """lines(record, time_s, what) -> the lines to print; the head comes with the first reading."""

    def __init__(self) -> None:
        self._headed = False

    def lines(self, record: Record, time_s: float, what: str = "") -> list[str]:
        if isinstance(record, Reading):
            head = [] if self._headed else [click.style(_row(_NAMES), bold=True), click.style(_row(_UNITS), dim=True)]
            self._headed = True
            return head + [_reading(record, time_s, what)]
        if isinstance(record, Alarm):
            return [_alarm(record, time_s)]
        if isinstance(record, Hello):
            flags = f" ({', '.join(record.flags)})" if record.flags else ""
            text = (
                f"HELLO firmware {record.firmware}, MicroPython {record.micropython}, {record.vibration_sensor}{flags}"
            )
            return [f"{time_s:8.1f}  {text}"]
        return []


def _reading(record: Reading, time_s: float, what: str) -> str:
    bad = [name for name, is_set in _flags(record) if is_set]
    state = bad[0] if bad else ("ok" if record.alarm_level == "none" else record.alarm_level.upper())
    rms, peak = record.acceleration_rms_mg, record.acceleration_peak_mg
    velocity = record.velocity_rms_worst_mm_s
    cells = [f"{time_s:.1f}", what, str(record.sequence), state, record.zone or "-"]
    cells.append("-" if velocity is None else f"{velocity:.2f}")
    cells += ["-" if value is None else f"{value:g}" for value in (*rms, *peak)]
    cells.append("-" if record.temperature_c is None else f"{record.temperature_c:.1f}")
    text = _row(cells)
    return click.style(text, fg=_COLOURS.get(record.alarm_level))


def _flags(record: Reading) -> list[tuple[str, bool]]:
    return [("FAULT", record.sensor_fault), ("LOSSY", record.lossy), ("CLIPPED", record.clipped)]


def _alarm(record: Alarm, time_s: float) -> str:
    if record.alarm_level == "none":
        text = f"back to normal: {record.metric} {record.value:g} {record.unit}, below {record.limit:g}"
        return click.style(f"{time_s:8.1f}  {text}", fg="green", bold=True)
    text = f"ALARM {record.alarm_level}: {record.metric} {record.value:g} {record.unit} on {record.worst_axis}, "
    return click.style(f"{time_s:8.1f}  {text}limit {record.limit:g}", fg=_COLOURS[record.alarm_level], bold=True)


def _row(cells: Sequence[str]) -> str:
    """Cells in columns; a negative width aligns to the left and cuts what is too long."""
    pairs = zip(cells, _WIDTHS, strict=True)
    return " ".join(f"{cell[:-width]:{-width}}" if width < 0 else f"{cell:>{width}}" for cell, width in pairs)
