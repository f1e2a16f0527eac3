"""The same reading in formats that gateways know, and what it takes to read each: what bench_decode compares with.

Each peer: (messages, function that reads one). They end in a dictionary of names and scaled values, or in what their
library gives; none of them checks anything beyond its own format. `check` holds what they read against the record.
Readings here have fields 0-18: velocity, acceleration RMS and peak, kurtosis of three axes, temperature, battery.
"""

import json
import math
from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Any

import cayennelpp
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from judder.decode import columns
from judder.decode.records import Axes, Reading

Peer = tuple[list[bytes], Callable[[bytes], Any]]


def said(reading: Reading) -> dict[str, Any]:
    """What a reading says, flat, names with units. What is absent or false is left out, as a frugal sender would."""
    return {name: value for name, value in columns.flat(reading).items() if value is not None and value is not False}


# --- JSON, standard library


def as_json(readings: Sequence[Reading]) -> Peer:
    return [_json(said(reading)) for reading in readings], json.loads


def as_terse_json(readings: Sequence[Reading]) -> Peer:
    """Names of one or two letters: what a sender makes who counts bytes."""
    return [_json(dict(zip(_TERSE, said(reading).values(), strict=False))) for reading in readings], json.loads


_TERSE = [*ascii_lowercase, *(f"{first}{second}" for first in "vap" for second in ascii_lowercase)]


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


# --- Cayenne LPP


def _axes_g(frame: Any, channel: int, axes: Axes) -> None:
    x, y, z = ((mg or 0) / 1000 for mg in axes)
    frame.add_accelerometer(channel, x, y, z)


def as_lpp(readings: Sequence[Reading]) -> Peer:
    """Its types in place of ours: velocity, kurtosis as "analog input" 0.01; acceleration as "accelerometer" 1 mg."""
    messages = []
    for reading in readings:
        frame = cayennelpp.LppFrame()
        frame.add_analog_input(1, reading.velocity_rms_worst_mm_s)
        for channel, velocity in enumerate(reading.velocity_rms_mm_s, 2):
            frame.add_analog_input(channel, velocity)
        _axes_g(frame, 5, reading.acceleration_rms_mg)
        _axes_g(frame, 6, reading.acceleration_peak_mg)
        for channel, kurtosis in enumerate(reading.kurtosis, 12):
            frame.add_analog_input(channel, kurtosis)
        frame.add_temperature(7, reading.temperature_c)
        frame.add_voltage(8, (reading.battery_mv or 0) / 1000)
        frame.add_generic(9, reading.sequence)
        frame.add_generic(10, reading.age_s)
        frame.add_digital_input(11, "_xyz".index(reading.worst_axis or "_"))
        messages.append(bytes(frame))
    return messages, cayennelpp.LppFrame.from_bytes


# --- Sparkplug B: the part of its Payload that a data message with aliases has, field numbers as published

_VALUES = {"int_value": (10, 13), "float_value": (12, 2), "boolean_value": (14, 8), "string_value": (15, 9)}


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_part.proto", package="part", syntax="proto2")
    metric = file.message_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for name, number, type_ in (("alias", 2, 4), ("timestamp", 3, 4), ("datatype", 4, 13)):
        metric.field.add(name=name, number=number, type=type_, label=1)
    for name, (number, type_) in _VALUES.items():
        metric.field.add(name=name, number=number, type=type_, label=1, oneof_index=0)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=4, label=1)
    payload.field.add(name="metrics", number=2, type=11, label=3, type_name=".part.Metric")
    payload.field.add(name="seq", number=3, type=4, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("part.Payload"))


_Payload = _payload_class()
# Of the birth certificate: alias -> name and where the value stands.
_VALUE_OF = {columns.TEXT: "string_value", columns.FLOAT64: "float_value", columns.BOOL: "boolean_value"}
_BORN = [("kind", "string_value")]
_BORN += [(column.name, _VALUE_OF.get(column.type, "int_value")) for column in columns.COLUMNS["reading"]]
_ALIAS = {name: alias for alias, (name, _value) in enumerate(_BORN)}
_DATATYPES = {"int_value": 3, "float_value": 9, "boolean_value": 11, "string_value": 12}


def as_sparkplug(readings: Sequence[Reading]) -> Peer:
    messages = []
    for reading in readings:
        payload = _Payload(timestamp=1_764_043_200_000, seq=(reading.sequence or 0) % 256)
        for name, value in said(reading).items():
            alias = _ALIAS[name]
            place = _BORN[alias][1]
            payload.metrics.add(alias=alias, datatype=_DATATYPES[place], **{place: value})
        messages.append(payload.SerializeToString())
    return messages, _read_sparkplug


def _read_sparkplug(message: bytes) -> dict[str, Any]:
    read = {}
    for metric in _Payload.FromString(message).metrics:
        name, place = _BORN[metric.alias]
        read[name] = getattr(metric, place)
    return read


def check(readings: Sequence[Reading], peer: Peer, resolution: float = 1e-6) -> None:
    """AssertionError unless the peer's messages say what the readings do, to its resolution."""
    messages, read = peer
    for reading, message in zip(readings, messages, strict=True):
        wanted, found = said(reading), read(message)
        if isinstance(found, cayennelpp.LppFrame):
            # In the order they were added; g and V in place of mg and mV.
            numbers = [number for item in found.data for number in item.value]
            ours = [reading.velocity_rms_worst_mm_s, *reading.velocity_rms_mm_s]
            ours += [(mg or 0) / 1000 for mg in (*reading.acceleration_rms_mg, *reading.acceleration_peak_mg)]
            ours += reading.kurtosis
            ours += [reading.temperature_c, (reading.battery_mv or 0) / 1000, reading.sequence, reading.age_s]
            pairs = list(zip(ours, numbers[:-1], strict=True))
        else:
            assert list(found) in (list(wanted), _TERSE[: len(wanted)])
            pairs = list(zip(wanted.values(), found.values(), strict=True))
        for value, theirs in pairs:
            assert value == theirs or math.isclose(value, theirs, rel_tol=1e-6, abs_tol=resolution), (value, theirs)
