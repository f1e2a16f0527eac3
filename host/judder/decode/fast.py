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
from judder_core.errors import DecodeError

Decoder = Callable[[bytes], records.Record]
_ROWS = {schema.READING: schema.READING_FIELDS, schema.ALARM: schema.ALARM_FIELDS}


def slowly(payload: bytes) -> records.Record:
    """Decode with judder_core.codec: any kind, exact errors."""
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise TypeError(f"a payload is bytes, not {type(payload).__name__}; of hex digits: bytes.fromhex(...)")
    payload = bytes(payload)
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
            x, y, z = (f"v{i}" if i < rows else "None" for i in sources)
            lines += [
                f"    if {x} is {y} is {z} is None:",
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


_MAKERS = {schema.READING: _reading, schema.ALARM: _alarm}


def _make(kind: int, count: int) -> Decoder:
    return _MAKERS[kind](pattern.frame(kind, _ROWS[kind], count).fullmatch, count)


# Decoder by second byte, then first byte: of a short message its kind and the array head 0x80 + count. A table by
# small integers costs half of what a dict of two-byte keys does.
_SHORT = range(0x82, 0x98)
_LONG = 0x98  # array head with the count in the next byte, 24 and more
_plain_row: list[Decoder] = [slowly] * 256
DECODERS: list[list[Decoder]] = [_plain_row] * 256
_long: dict[bytes, Decoder] = {}


def _first_short(payload: bytes) -> records.Record:
    kind, head = payload[1], payload[0]
    DECODERS[kind][head] = decoder = _make(kind, head - 0x80)
    return decoder(payload)


def _decode_long(payload: bytes) -> records.Record:
    key = bytes(payload[1:3])
    decoder = _long.get(key)
    if decoder is None:
        if len(key) < 2 or key[1] not in _MAKERS:
            return slowly(payload)
        decoder = _long[key] = _make(key[1], key[0])
    return decoder(payload)


for _kind in _MAKERS:
    DECODERS[_kind] = [_first_short if _head in _SHORT else slowly for _head in range(256)]
_long_row: list[Decoder] = [_decode_long if _head == _LONG else slowly for _head in range(256)]
for _count in range(24, pattern.MAX_COUNT + 1):
    DECODERS[_count] = _long_row


def decode(payload: bytes) -> records.Record:
    """The record a payload holds: Reading, Alarm, Hello, Ack, Command, Capture, or Unknown for a newer kind.

    payload: one whole message as bytes (or bytearray, memoryview), nothing after it.
    Raises DecodeError (reason, offset, hex) when it is no message of the contract, TypeError when it is not bytes.
    """
    try:
        decoder = DECODERS[payload[1]][payload[0]]
    except (LookupError, TypeError):
        decoder = slowly
    return decoder(payload)


__all__ = ["DecodeError", "decode"]
