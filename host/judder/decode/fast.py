"""The quick path for readings and alarms: one pattern match, cbor2, and a function unrolled for the number of items.

A gateway decodes little else. For each number of items a message can have, the first such message makes its pattern
and its function; later ones cost a table look-up. What a pattern does not accept goes to `slowly`, which decides with
the contract's own decoder: an unusual message becomes a record there, anything else a DecodeError with its exact
offset and reason.

The function for readings is generated as source text from the table and compiled here. Written by hand it would be
thirty variants of one function, and a loop over the table takes half as long again. Nothing from outside enters that
text: it holds attribute names, row numbers and divisors of the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2

from judder.decode import build, pattern, records, words
from judder_core import codec, schema

Decoder = Callable[[bytes], records.Record]
_ROWS = {schema.READING: schema.READING_FIELDS, schema.ALARM: schema.ALARM_FIELDS}


def slowly(payload: bytes) -> records.Record:
    """Decode with judder_core.codec: any kind, exact errors."""
    kind, values, extra = codec.decode(payload)
    if values is None:
        return records.Unknown.of(kind_number=kind, payload=payload, items=tuple(extra))
    return build.BUILDERS[kind](values, tuple(extra))


def reading_source(count: int) -> str:
    """Source of the function for readings of `count` items, their kind included."""
    rows = min(count - 1, len(schema.READING_FIELDS))
    names = ["_", *(f"v{i}" for i in range(rows))] + (["*extra"] if count - 1 > rows else [])
    lines = [
        "def decode_reading(payload):",
        "    if match(payload) is None:",
        "        return slowly(payload)",
        f"    {', '.join(names)}, = loads(payload)" if len(names) == 1 else f"    {', '.join(names)} = loads(payload)",
        "    r = Reading()",
        "    try:",
        f"        {', '.join('r.' + name for name in words.STATE_ATTRIBUTES)} = STATES[v0]",
        "    except KeyError:",
        "        return slowly(payload)",
    ]
    absent: list[str] = []
    absent_axes: list[str] = []
    for attribute, (sources, divisor) in build.reading_layout().items():
        found = [_scaled(i, divisor) if i < rows else "None" for i in sources]
        if len(sources) == 1:
            if sources[0] < rows:
                lines.append(f"    r.{attribute} = {found[0]}")
            else:
                absent.append(f"r.{attribute}")
        elif sources[0] >= rows:
            absent_axes.append(f"r.{attribute}")
        else:
            given = [f"v{i} is None" for i in sources if i < rows]
            lines += [
                f"    if {' and '.join(given)}:",
                f"        r.{attribute} = ABSENT",
                "    else:",
                f"        r.{attribute} = a = Axes()",
                f"        a.x = {found[0]}",
                f"        a.y = {found[1]}",
                f"        a.z = {found[2]}",
            ]
    if absent:
        lines.append(f"    {' = '.join(absent)} = None")
    if absent_axes:
        lines.append(f"    {' = '.join(absent_axes)} = ABSENT")
    lines += [f"    r.extra = {'tuple(extra)' if count - 1 > rows else '()'}", "    return r"]
    return "\n".join(lines) + "\n"


def _scaled(i: int, divisor: int) -> str:
    return f"v{i}" if divisor == 1 else f"None if v{i} is None else v{i} / {divisor}"


def _reading(match: Callable[[bytes], object], count: int) -> Decoder:
    space: dict[str, Any] = {
        "match": match,
        "slowly": slowly,
        "loads": cbor2.loads,
        "Reading": records.Reading,
        "Axes": records.Axes,
        "ABSENT": records.ABSENT,
        "STATES": words.STATES,
    }
    exec(compile(reading_source(count), f"<judder reading of {count} items>", "exec"), space)  # noqa: S102  see above
    decoder: Decoder = space["decode_reading"]
    return decoder


def _alarm(match: Callable[[bytes], object], count: int) -> Decoder:
    rows = len(schema.ALARM_FIELDS)
    missing = [None] * (rows + 1 - count)

    def decode_alarm(payload: bytes) -> records.Record:
        if match(payload) is None:
            return slowly(payload)
        values = cbor2.loads(payload)[1:]
        try:
            return build.alarm(values[:rows] + missing, tuple(values[rows:]))
        except KeyError:  # state bits that mean nothing
            return slowly(payload)

    return decode_alarm


def _make(kind: int, count: int) -> Decoder:
    maker = _reading if kind == schema.READING else _alarm
    return maker(pattern.frame(kind, _ROWS[kind], count).fullmatch, count)


_MATCHERS: dict[bytes, Callable[[bytes], object]] = {}


def reading_values(payload: bytes) -> list[Any] | None:
    """Raw values of a reading as they came, those of a newer node included: a list as long as the message.

    None for a message of another kind. Raises DecodeError as decode() does.
    """
    head = payload[:2] if payload[:1] == b"\x98" else payload[:1]
    matches = _MATCHERS.get(head)
    if matches is None:
        count = head[-1] if len(head) == 2 else (head[0] if head else 0) - 0x80
        if not 2 <= count <= pattern.MAX_COUNT or (len(head) == 2) != (count > 23):
            return _values_slowly(payload)
        matches = _MATCHERS[head] = pattern.frame(schema.READING, schema.READING_FIELDS, count).fullmatch
    if matches(payload) is None:
        return _values_slowly(payload)
    values: list[Any] = cbor2.loads(payload)
    del values[0]
    return values if values[0] in words.STATES or not codec.wrong_state(values[0]) else _values_slowly(payload)


def _values_slowly(payload: bytes) -> list[Any] | None:
    kind, values, extra = codec.decode(payload)
    return [*values, *extra] if kind == schema.READING and values is not None else None


# Decoder by array head, or for 24 items and more (head 0x98) by the count that follows. Where an alarm may be as long
# as a reading, a function looks at the kind; elsewhere it is a reading, or the pattern refuses it and `slowly` has it.
_LONG = 0x98
_ALARM_MAX = 1 + len(schema.ALARM_FIELDS) + 3  # of a newer node
SHORT: list[Decoder] = [slowly] * 256
LONG: list[Decoder] = [slowly] * 256


def _first_short(payload: bytes) -> records.Record:
    """The first message of this length: make its decoder and put it in the table."""
    count = payload[0] - 0x80
    read = _make(schema.READING, count)
    if count > _ALARM_MAX:
        SHORT[payload[0]] = read
        return read(payload)
    alarm = _make(schema.ALARM, count)

    def decode_either(payload: bytes) -> records.Record:
        return read(payload) if len(payload) > 1 and payload[1] == schema.READING else alarm(payload)

    SHORT[payload[0]] = decode_either
    return decode_either(payload)


def _first_long(payload: bytes) -> records.Record:
    count = payload[1]
    LONG[count] = read = _make(schema.READING, count)
    return read(payload)


SHORT[0x82:0x98] = [_first_short] * (0x98 - 0x82)
LONG[24 : pattern.MAX_COUNT + 1] = [_first_long] * (pattern.MAX_COUNT + 1 - 24)


def decode(payload: bytes | bytearray | memoryview) -> records.Record:
    """The record a payload holds: Reading, Alarm, Hello, Ack, Command, Capture, Spectrum, or Unknown for a newer kind.

    payload: one whole message as bytes (or bytearray, memoryview), nothing after it.
    Raises DecodeError (reason, offset, hex) when it is no message of the contract, TypeError when it is not bytes.
    """
    data = payload if type(payload) is bytes else as_bytes(payload)
    try:
        head = data[0]
        decoder = LONG[data[1]] if head == _LONG else SHORT[head]
    except IndexError:
        decoder = slowly
    return decoder(data)


def as_bytes(payload: object) -> bytes:
    """bytearray and any memoryview as bytes, once: matcher and cbor2 differ in the views they take."""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    raise TypeError(f"a payload is bytes, not {type(payload).__name__}; of hex digits: bytes.fromhex(...)")
