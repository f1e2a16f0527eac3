"""Payloads of Sparkplug B in Protocol Buffers, fields numbered as in the specification's schema (3.0, section 6.4).

    payload(now_ms, [Metric("bdSeq", 0, INT64, now_ms, alias=1)], seq=0)
    for metric in read(body): ...

Written by hand for the part that readings need: libraries for it pin old MQTT clients, and a generated module pins a
protobuf runtime. Arrays, data sets and templates are not written, and are passed over when read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from judder.errors import InputError

# Data types, section 6.4.16.
INT32, INT64, DOUBLE, BOOLEAN, STRING = 3, 4, 10, 11, 12

# Field numbers.
_TIMESTAMP, _METRICS, _SEQ = 1, 2, 3
_NAME, _ALIAS, _AT, _TYPE, _HISTORICAL, _NULL, _PROPERTIES = 1, 2, 3, 4, 5, 7, 9
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING = 10, 11, 12, 13, 14, 15
_KEYS, _VALUES = 1, 2
_PROPERTY_TYPE, _PROPERTY_STRING = 1, 8

# Wire types (protobuf encoding specification).
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MASK64 = (1 << 64) - 1


@dataclass(slots=True)
class Metric:
    """name: None in data, where the alias stands for it. type: None in data. value: None is null. at_ms: Unix time in
    milliseconds. properties: texts by their key."""

    name: str | None
    value: Any
    type: int | None
    at_ms: int | None
    alias: int | None = None
    historical: bool = False
    properties: tuple[tuple[str, str], ...] = ()


def payload(at_ms: int, metrics: Iterable[bytes], seq: int | None = None) -> bytes:
    """metrics: each as metric() makes it. seq: 0 to 255, None in an NDEATH."""
    parts = [_number(_TIMESTAMP, at_ms)]
    parts += [_length(_METRICS, found) for found in metrics]
    if seq is not None:
        parts.append(_number(_SEQ, seq))
    return b"".join(parts)


def metric(said: Metric, type_: int) -> bytes:
    """type_: of the value, also where the metric does not say it."""
    parts = []
    if said.name is not None:
        parts.append(_length(_NAME, _text(said.name)))
    if said.alias is not None:
        parts.append(_number(_ALIAS, said.alias))
    if said.at_ms is not None:
        parts.append(_number(_AT, said.at_ms))
    if said.type is not None:
        parts.append(_number(_TYPE, said.type))
    if said.historical:
        parts.append(_number(_HISTORICAL, 1))
    if said.value is None:
        parts.append(_number(_NULL, 1))
    if said.properties:
        parts.append(_length(_PROPERTIES, _property_set(said.properties)))
    if said.value is not None:
        parts.append(_value(said.value, type_))
    return b"".join(parts)


def _value(value: Any, type_: int) -> bytes:
    if type_ == INT32:
        return _number(_INT, value & 0xFFFFFFFF)  # two's complement in 32 bits, not sign-extended
    if type_ == INT64:
        return _number(_LONG, value & _MASK64)
    if type_ == DOUBLE:
        return _tag(_DOUBLE, _FIXED64) + struct.pack("<d", value)
    if type_ == BOOLEAN:
        return _number(_BOOLEAN, int(value))
    return _length(_STRING, _text(value))


def _property_set(properties: tuple[tuple[str, str], ...]) -> bytes:
    keys = b"".join(_length(_KEYS, _text(key)) for key, _value in properties)
    values = (_number(_PROPERTY_TYPE, STRING) + _length(_PROPERTY_STRING, _text(value)) for _key, value in properties)
    return keys + b"".join(_length(_VALUES, value) for value in values)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _tag(field, _VARINT) + _varint(value)


def _length(field: int, value: bytes) -> bytes:
    return _tag(field, _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# --- reading: commands of hosts


def read(body: bytes) -> list[Metric]:
    """The metrics of a payload. Raises InputError for bytes that are none."""
    return [_read_metric(_as_bytes(value)) for field, value in _fields(body) if field == _METRICS]


def _read_metric(body: bytes) -> Metric:
    found = Metric(None, None, None, None)
    for field, value in _fields(body):
        if field == _NAME:
            found.name = _as_text(value)
        elif field == _ALIAS:
            found.alias = _as_int(value)
        elif field == _AT:
            found.at_ms = _as_int(value)
        elif field == _TYPE:
            found.type = _as_int(value)
        elif field == _HISTORICAL:
            found.historical = bool(_as_int(value))
        elif field in (_INT, _LONG):
            found.value = _as_int(value)
        elif field == _BOOLEAN:
            found.value = bool(_as_int(value))
        elif field == _STRING:
            found.value = _as_text(value)
        elif field in (_FLOAT, _DOUBLE):
            form = "<f" if field == _FLOAT else "<d"
            raw = _as_bytes(value)
            if len(raw) != struct.calcsize(form):
                raise InputError(f"Sparkplug: field {field} is no number")
            found.value = struct.unpack(form, raw)[0]
    return found


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _read_varint(body, at)
            yield field, value
            continue
        if wire_type == _BYTES:
            size, at = _read_varint(body, at)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise InputError(f"Sparkplug: wire type {wire_type} at byte {at}")
        if size > len(body) - at:
            raise InputError(f"Sparkplug: ends within field {field}")
        yield field, body[at : at + size]
        at += size


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            raise InputError("Sparkplug: ends within a number")
        value |= (body[at] & 0x7F) << shift
        at += 1
        if body[at - 1] < 0x80:
            return value & _MASK64, at
    raise InputError(f"Sparkplug: a number without end at byte {at}")


def _as_int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise InputError("Sparkplug: bytes where a number is expected")
    return value


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise InputError("Sparkplug: a number where bytes are expected")
    return value


def _as_text(value: int | bytes) -> str:
    try:
        return _as_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise InputError("Sparkplug: a text that is not UTF-8") from error
