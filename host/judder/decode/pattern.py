"""Table rows -> one regular expression that accepts exactly the frames the contract accepts.

cbor2 is fast and lenient: it takes bytes after the end, integers spelled longer than needed, floats, booleans and
values out of range. A compiled bytes pattern refuses all of those in one call of C, in half the time cbor2 takes to
decode; encoding again and comparing would take more than twice that. It is made from the table, so the two cannot
disagree, and tests hold it against judder_core.codec on mutated frames.

For a message of a given number of items the pattern spells: array head, kind, then each row's integers in their
shortest form (RFC 8949 section 3 and 4.2.1) within low..high, or null; then any integer or null for items beyond the
table. The first row may not be null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from judder_core import cbor, schema

Row = tuple[str, str, str, int, int, int, str]

_NULL = rb"\xf6"
# Forms with an argument: additional information, bytes that follow, lowest and highest argument of the shortest form.
_FORMS = (
    (25, 2, 0x100, 0xFFFF),
    (24, 1, 24, 0xFF),
    (26, 4, 0x10000, 0xFFFFFFFF),
    (27, 8, 0x100000000, 0xFFFFFFFFFFFFFFFF),
)
_LOWEST, _HIGHEST = -(1 << 64), (1 << 64) - 1


def frame(kind: int, rows: tuple[Row, ...], count: int) -> re.Pattern[bytes]:
    """Pattern of a message with `count` items, its kind included. Every row up to there must be of type "int"."""
    head = bytearray(cbor.head_size(count))
    cbor.put_head(head, 0, 4, count)
    parts = [_literal(bytes(head)), _literal(cbor.encode(kind))]
    for i in range(count - 1):
        if i < len(rows):
            _name, type_, _unit, _divisor, low, high, _meaning = rows[i]
            if type_ != "int":
                raise ValueError(f"row {i} is no integer")
            parts.append(integers(low, high, null=i > 0))
        else:
            parts.append(integers(_LOWEST, _HIGHEST, null=True))
    return re.compile(b"".join(parts), re.DOTALL)


def heads(low: int, high: int) -> Iterator[tuple[int, int, int, int]]:
    """First bytes that integers within low..high have in their shortest form: (byte, bytes of argument that follow,
    lowest argument, highest)."""
    for major, first, last in ((0x00, max(low, 0), high), (0x20, max(-1 - high, 0), -1 - low)):
        for info in range(first, min(last, 23) + 1):
            yield major + info, 0, info, info
        for info, width, lowest, highest in _FORMS:
            if max(first, lowest) <= min(last, highest):
                yield major + info, width, max(first, lowest), min(last, highest)


def integers(low: int, high: int, *, null: bool = False) -> bytes:
    """Pattern of the shortest spelling of every integer within low..high, and of null where asked."""
    short = [_NULL] if null else []
    long: list[bytes] = []
    for head, width, lowest, highest in heads(low, high):
        if width:
            long.append(_range(head, head) + _digits(lowest, highest, width))
        else:
            short.append(_range(head, head))
    # Two-byte arguments first: most fields of a reading have one.
    return b"(?:" + b"|".join([*long[:2], b"[" + b"".join(short) + b"]" if short else b"(?!)", *long[2:]]) + b")"


def _digits(low: int, high: int, width: int) -> bytes:
    """Pattern of the big-endian numbers of `width` bytes within low..high."""
    if low == 0 and high == (1 << 8 * width) - 1:
        return b"." * width
    if width == 1:
        return b"[" + _range(low, high) + b"]"
    shift = 8 * (width - 1)
    rest = (1 << shift) - 1
    first, last = low >> shift, high >> shift
    if first == last:
        return _range(first, first) + _digits(low & rest, high & rest, width - 1)
    ends = []
    if low & rest:
        ends.append(_range(first, first) + _digits(low & rest, rest, width - 1))
        first += 1
    if high & rest != rest:
        ends.append(_range(last, last) + _digits(0, high & rest, width - 1))
        last -= 1
    if first <= last:
        # "not zero" is one comparison for the matcher, a range a walk over a set.
        middle = rb"[^\x00]" if (first, last) == (1, 0xFF) else b"[" + _range(first, last) + b"]"
        ends.insert(0, middle + _digits(0, rest, width - 1))
    return ends[0] if len(ends) == 1 else b"(?:" + b"|".join(ends) + b")"


def _range(first: int, last: int) -> bytes:
    """Bytes first..last as they stand in a character class; a single one also stands alone."""
    return _literal(bytes([first])) if first == last else _literal(bytes([first])) + b"-" + _literal(bytes([last]))


def _literal(data: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in data)


MAX_COUNT = 1 + len(schema.READING_FIELDS) + 32  # longer messages go through judder_core.codec
