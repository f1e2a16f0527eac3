"""Checked values of a message -> its record. The decoder's ordinary path; `fast` has the unrolled one for readings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from judder.decode import records, words
from judder_core import schema

Values = Sequence[Any]

# Row name without its axis + this = attribute of Reading.
UNIT_SUFFIX = {"mm/s": "_mm_s", "mg": "_mg", "degC": "_c", "mV": "_mv", "s": "_s", "Hz": "_hz", "mJ": "_mj", "1": ""}

# Attribute of Reading -> the rows it comes from, one or three (x, y, z), and their divisor. The state has words.
ReadingLayout = dict[str, tuple[list[int], int]]


def reading_layout() -> ReadingLayout:
    """Where each attribute of a Reading stands, derived from the table."""
    layout: ReadingLayout = {}
    for i, (name, _type, unit, divisor, _low, _high, _meaning) in enumerate(schema.READING_FIELDS):
        if unit == "bits":
            continue
        stem = name[:-2] if name[-2:] in ("_x", "_y", "_z") else name
        layout.setdefault(stem + UNIT_SUFFIX[unit], ([], divisor))[0].append(i)
    return layout


_LAYOUT = reading_layout()


def reading(values: Values, extra: tuple[Any, ...]) -> records.Reading:
    """values: one for each row of the table."""
    record = records.Reading()
    _set_state(record, values[0])
    for attribute, (rows, divisor) in _LAYOUT.items():
        found = [None if values[i] is None else words.scaled(values[i], divisor) for i in rows]
        if len(rows) == 1:
            setattr(record, attribute, found[0])
        elif found == [None, None, None]:
            setattr(record, attribute, records.ABSENT)
        else:
            setattr(record, attribute, records.Axes.of(x=found[0], y=found[1], z=found[2]))
    record.extra = extra
    return record


def alarm(values: Values, extra: tuple[Any, ...]) -> records.Alarm:
    record = records.Alarm()
    state, metric, value, limit, record.sequence, record.age_s = values
    _set_state(record, state)
    if metric is None:
        # Without the metric nobody can say what the numbers mean.
        record.metric = record.unit = None
        divisor = 1
    else:
        record.metric, record.unit, divisor = words.metric(metric)
    record.value = None if value is None else words.scaled(value, divisor)
    record.limit = None if limit is None else words.scaled(limit, divisor)
    record.extra = extra
    return record


_SNR_DIVISOR = next(row[3] for row in schema.HELLO_FIELDS if row[0] == "snr")


def hello(values: Values, extra: tuple[Any, ...]) -> records.Hello:
    given = dict(zip((row[0] for row in schema.HELLO_FIELDS), values, strict=True))
    return records.Hello.of(
        firmware=words.version(given["firmware"]),
        micropython=words.version(given["micropython"]),
        board=given["board"],
        reset_cause=words.word(schema.RESET_CAUSES, given["reset_cause"]),
        uptime_s=given["uptime"],
        battery_mv=given["battery"],
        queue_depth=given["queue_depth"],
        dropped=given["dropped"],
        settings_crc=given["settings_crc"],
        tls_library=words.version(given["tls_library"] or None),
        flags=words.flags(given["flags"]),
        vibration_sensor=words.word(schema.VIBRATION_SENSORS, given["vibration_sensor"]),
        temperature_sensor=words.word(schema.TEMPERATURE_SENSORS, given["temperature_sensor"]),
        link=words.word(schema.LINKS, given["link"]),
        boots=given["boots"],
        link_failures=given["link_failures"],
        downlinks_refused=given["downlinks_refused"],
        joins=given["joins"],
        join_failures=given["join_failures"],
        uplinks=given["uplinks"],
        downlinks=given["downlinks"],
        data_rate=given["data_rate"],
        rssi_dbm=given["rssi"],
        snr_db=None if given["snr"] is None else words.scaled(given["snr"], _SNR_DIVISOR),
        extra=extra,
    )


def ack(values: Values, extra: tuple[Any, ...]) -> records.Ack:
    tag, status, detail, settings_crc = values
    return records.Ack.of(
        tag=tag, status=words.word(schema.ACK_STATUSES, status), detail=detail, settings_crc=settings_crc, extra=extra
    )


_LINES_AT = 3
_BANDS_AT = _LINES_AT + 2 * schema.SPECTRUM_LINES


def spectrum(values: Values, extra: tuple[Any, ...]) -> records.Spectrum:
    axis, sequence, resolution = values[:_LINES_AT]
    rows = schema.SPECTRUM_FIELDS
    lines = []
    for i in range(_LINES_AT, _BANDS_AT, 2):
        # A line that lost its velocity to the link's limit is no line.
        if values[i] is not None and values[i + 1] is not None:
            lines.append((words.scaled(values[i], rows[i][3]), words.scaled(values[i + 1], rows[i + 1][3])))
    bands = [
        None if values[i] is None else words.scaled(values[i], rows[i][3])
        for i in range(_BANDS_AT, _BANDS_AT + schema.SPECTRUM_BANDS)
    ]
    while bands and bands[-1] is None:
        bands.pop()
    return records.Spectrum.of(
        axis=words.word(schema.AXES, axis),
        sequence=sequence,
        resolution_hz=None if resolution is None else words.scaled(resolution, rows[2][3]),
        lines=tuple(lines),
        bands_velocity_rms_mm_s=tuple(bands),
        extra=extra,
    )


def command(values: Values, extra: tuple[Any, ...]) -> records.Command:
    tag, action, argument, settings = values
    return records.Command.of(
        tag=tag,
        action=words.word(schema.COMMAND_ACTIONS, action),
        argument=argument,
        settings=settings,
        extra=extra,
    )


def capture(values: Values, extra: tuple[Any, ...]) -> records.Capture:
    capture, index, count, content, axis, sequence, sample_rate, scale, samples, first, data = values
    return records.Capture.of(
        capture=capture,
        index=index,
        count=count,
        content=words.word(schema.CAPTURE_CONTENTS, content),
        axis=words.word(schema.AXES, axis),
        sequence=sequence,
        sample_rate_hz=None if sample_rate is None else words.scaled(sample_rate, schema.CAPTURE_FIELDS[6][3]),
        scale_ug=scale,
        samples=samples,
        first=first,
        data=data,
        extra=extra,
    )


BUILDERS: dict[int, Callable[[Values, tuple[Any, ...]], records.Record]] = {
    schema.HELLO: hello,
    schema.READING: reading,
    schema.ALARM: alarm,
    schema.CAPTURE: capture,
    schema.ACK: ack,
    schema.SPECTRUM: spectrum,
    schema.COMMAND: command,
}


def _set_state(record: records.Reading | records.Alarm, state: int) -> None:
    (
        record.zone,
        record.alarm_level,
        record.worst_axis,
        record.clipped,
        record.lossy,
        record.band_not_covered,
        record.not_running,
        record.clock_not_set,
        record.sensor_fault,
    ) = words.STATES[state]
