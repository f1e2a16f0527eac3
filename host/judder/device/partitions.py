"""ESP partition tables: rows <-> the 4 KB sector at 0x8000.

Format: ESP-IDF programming guide, "Partition Tables": 32-byte entries `<HBBII16sI` with magic 0x50AA, closed by an
entry of 0xEBEB, fourteen 0xFF and the MD5 of all entries before it; the rest of the 0xC00 bytes is 0xFF.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from judder.device.layout import SECTOR_BYTES, Partition
from judder.errors import FlashError

_ENTRY = struct.Struct("<HBBII16sI")
_MAGIC = 0x50AA
_MD5_MARK = b"\xeb\xeb" + b"\xff" * 14
_TABLE_BYTES = 0xC00


def encode(partitions: Sequence[Partition]) -> bytes:
    """Rows -> the sector, padded with 0xFF. Raises ValueError for a label over 16 bytes or too many rows."""
    table = b""
    for row in partitions:
        label = row.label.encode()
        if len(label) > 16:
            raise ValueError(f"partition label '{row.label}' is longer than 16 bytes")
        table += _ENTRY.pack(_MAGIC, row.type, row.subtype, row.offset, row.size, label, 0)
    table += _MD5_MARK + hashlib.md5(table, usedforsecurity=False).digest()
    if len(table) > _TABLE_BYTES:
        raise ValueError(f"{len(partitions)} partitions do not fit a table of {_TABLE_BYTES} bytes")
    return table.ljust(SECTOR_BYTES, b"\xff")


def parse(sector: bytes) -> tuple[Partition, ...]:
    """The sector -> rows (all of them with keep False). Raises FlashError for what is no table or a damaged one."""
    rows: list[Partition] = []
    for at in range(0, min(len(sector), _TABLE_BYTES) - _ENTRY.size + 1, _ENTRY.size):
        raw = sector[at : at + _ENTRY.size]
        if raw[:16] == _MD5_MARK:
            if raw[16:] != hashlib.md5(sector[:at], usedforsecurity=False).digest():
                raise FlashError("the partition table's MD5 does not match: the image is damaged, download it again")
            return tuple(rows)
        magic, kind, subtype, offset, size, label, _flags = _ENTRY.unpack(raw)
        if magic != _MAGIC:
            break
        rows.append(Partition(label.rstrip(b"\0").decode("utf-8", "replace"), kind, subtype, offset, size))
    if not rows:
        raise FlashError("there is no partition table where one belongs (offset 0x8000)")
    return tuple(rows)  # tables older than ESP-IDF 3.1 end without an MD5
