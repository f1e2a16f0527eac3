"""The metrics of a node as a Sparkplug device: from the columns of the contract, so a new row of that is a new metric.

    reading/velocity_rms_x_mm_s   alarm/alarm_level   hello/firmware   spectrum/x/line1_frequency_hz   link/rssi_dbm

groups(observation) tells what an observation says: values by a metric's number, and when they were true. What was not
sent is null. A unit stands in the name, and in the property engUnit, where hosts look for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from judder.decode import columns
from judder.flow import Observation
from judder.sink import rows
from judder.sink.spb import wire

KINDS = ("reading", "alarm", "hello", "spectrum")

_TYPES = {
    columns.INT32: wire.INT32,
    columns.INT64: wire.INT64,
    columns.FLOAT64: wire.DOUBLE,
    columns.BOOL: wire.BOOLEAN,
    columns.TEXT: wire.STRING,
    columns.TEXTS: wire.STRING,
}
# Units of the contract as people write them.
_UNITS = {"degC": "°C"}
_LINK = ("name", "gateway", "data_rate", "rssi_dbm", "snr_db")
_PROBLEMS = "problems"


class Definition(NamedTuple):
    """type: of wire."""

    name: str
    type: int
    unit: str = ""


class Group(NamedTuple):
    """Metrics that are news together. name: of the group. at_s: when they were true, None: no clock can be believed.
    values: number of a metric -> value; None is null."""

    name: str
    at_s: float | None
    values: dict[int, Any]


def _definitions() -> list[Definition]:
    found = []
    for kind in KINDS:
        for folder in (f"spectrum/{axis}" for axis in "xyz") if kind == "spectrum" else (kind,):
            for column in columns.COLUMNS[kind]:
                if column.name != "axis":
                    unit = _UNITS.get(column.unit, column.unit)
                    found.append(Definition(f"{folder}/{column.name}", _TYPES[column.type], unit))
    texts = [Definition(f"link/{name}", wire.STRING) for name in (*_LINK[:3], _PROBLEMS)]
    return [
        *found,
        *texts,
        Definition("link/rssi_dbm", wire.DOUBLE, "dBm"),
        Definition("link/snr_db", wire.DOUBLE, "dB"),
    ]


# A metric's number is its index here.
DEFINITIONS = tuple(_definitions())
_NUMBERS = {definition.name: i for i, definition in enumerate(DEFINITIONS)}
_OWN = {
    folder: [
        (i, column.name)
        for column in columns.COLUMNS[folder.split("/")[0]]
        if (i := _NUMBERS.get(f"{folder}/{column.name}")) is not None
    ]
    for folder in (*KINDS[:3], *(f"spectrum/{axis}" for axis in "xyz"))
}


def groups(observation: Observation) -> list[Group]:
    """Of kinds in KINDS; empty for a spectrum that names no axis."""
    record = observation.record
    folder = record.kind
    if folder == "spectrum":
        folder += f"/{record.axis}"  # type: ignore[attr-defined]
    if folder not in _OWN:
        return []
    row = columns.flat(record)
    own = {number: _plain(row[name]) for number, name in _OWN[folder]}
    uplink = observation.uplink
    link: dict[int, Any] = {_NUMBERS[f"link/{name}"]: _plain(getattr(uplink, name)) for name in _LINK}
    link[_NUMBERS["link/problems"]] = " ".join(observation.problems)
    received = observation.heard_at if observation.heard_at is not None else observation.at
    return [Group(folder, observation.at, own), Group("link", received, link)]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = " ".join(value)
    return rows.line(value) if isinstance(value, str) else value
