"""The last few messages of a node, packed: what a second copy of one of them is recognised by.

A node that hears no acknowledgement sends again, with the age of that moment; a broker or a server may deliver twice.
So a message is known by its bytes without the age. 32-bit checks: two different messages pass for one once in 4e9
comparisons, and then only where their numbers agree as well.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import NamedTuple

from judder.flow import Uplink
from judder_core import schema

KEPT = 16

_ENTRY = struct.Struct("<BqIId")
_KEY = struct.Struct("<q")
_WORD = struct.Struct("<I")
_BYTES = KEPT * _ENTRY.size


class Entry(NamedTuple):
    """kind: as on air. key: the reading's number, -1 for none. content: check of the bytes without the age. link:
    check of session and frame counter, or of the server's id; 0 where there is neither. at_s: when it was true, NaN
    where unknown."""

    kind: int
    key: int
    content: int
    link: int
    at_s: float

    def at(self) -> float | None:
        return None if self.at_s != self.at_s else self.at_s


def entry(uplink: Uplink, kind: int, number: int | None, at: float | None) -> Entry:
    """at: when it was true."""
    key = -1 if number is None else number
    return Entry(kind, key, content(uplink.payload, kind), link(uplink), math.nan if at is None else at)


def alike(packed: bytes, new: Entry) -> list[Entry]:
    """Those of the same kind that have the contents or the number of `new`, newest first."""
    if _WORD.pack(new.content) not in packed and (new.key < 0 or _KEY.pack(new.key) not in packed):
        return []
    found = map(Entry._make, _ENTRY.iter_unpack(packed))
    return [e for e in found if e.kind == new.kind and (e.content == new.content or e.key == new.key >= 0)]


def add(packed: bytes, entry: Entry) -> bytes:
    return (_ENTRY.pack(*entry) + packed)[:_BYTES]


def sound(packed: bytes) -> bool:
    """Whether these bytes are what `add` makes."""
    return len(packed) <= _BYTES and len(packed) % _ENTRY.size == 0


def link(uplink: Uplink) -> int:
    """What tells one frame of a carrier from the next, where the carrier says."""
    if uplink.fcnt is not None:
        text = f"{uplink.session}|{uplink.fcnt}"
    elif uplink.dedup:
        text = f"id {uplink.dedup}"
    else:
        return 0
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) or 1


# Bytes of an integer or null by its first byte; items in front of an age are nothing else.
_WIDTH = bytes(
    1 + (0, 1, 2, 4, 8)[max(0, (head & 31) - 23)] if head >> 5 < 2 and head & 31 < 28 else 1 for head in range(256)
)
# Kind on air -> items in front of the age, the kind included.
_AGE_AT = {
    kind: 1 + [row[0] for row in rows].index("age")
    for kind, _name, rows in schema.KINDS
    if "age" in [row[0] for row in rows]
}


def content(payload: bytes, kind: int) -> int:
    """Check of a well-formed message without its age."""
    ahead = _AGE_AT.get(kind)
    if ahead is None:
        return zlib.crc32(payload)
    at = 2 if payload[0] == 0x98 else 1
    try:
        for _ in range(ahead):
            at += _WIDTH[payload[at]]
        end = at + _WIDTH[payload[at]]
    except IndexError:  # ends before the age
        return zlib.crc32(payload)
    return zlib.crc32(payload[end:], zlib.crc32(payload[:at]))
