"""Partition layout and table against DESIGN section 3 and against Espressif's own reader of the format."""

import hashlib
import itertools
import struct

import pytest

from judder.device import layout, partitions
from judder.errors import BoardError, FlashError

# DESIGN section 3, 4 MB board: (label, offset, size). Unlike there cfg is two sectors larger, for what a LoRaWAN link
# keeps, and half of vfs, a loader of 16 KB, goes to the two slots: modules of a few hundred bytes take 4 KB each.
DESIGN = {
    "vfs": (0x200000, 0x20000),
    "app_a": (0x220000, 0xA0000),
    "app_b": (0x2C0000, 0xA0000),
    "cfg": (0x360000, 0x6000),
    "ring": (0x366000, 0x9A000),
}
# Stock MicroPython, ports/esp32/partitions-4MiB.csv.
STOCK = {"nvs": (0x9000, 0x6000), "phy_init": (0xF000, 0x1000), "factory": (0x10000, 0x1F0000)}
# Subtypes the plan was tried with: nvs 2, phy 1, factory app 0, vfs 0x81, slots 0x82, raw 0x40.
SUBTYPES = {"nvs": 2, "phy_init": 1, "factory": 0, "vfs": 0x81, "app_a": 0x82, "app_b": 0x82, "cfg": 0x40, "ring": 0x40}


def test_four_megabytes_are_laid_out_as_designed() -> None:
    rows = layout.layout(4 << 20)
    assert {row.label: (row.offset, row.size) for row in rows} == {**STOCK, **DESIGN}
    assert {row.label: row.subtype for row in rows} == SUBTYPES


@pytest.mark.parametrize("megabytes", [4, 8, 16, 32])
def test_partitions_touch_without_overlap_and_end_with_the_flash(megabytes: int) -> None:
    rows = layout.layout(megabytes << 20)
    for before, after in itertools.pairwise(rows):
        assert before.end <= after.offset
    assert rows[-1].end == megabytes << 20
    assert all(row.offset % 4096 == 0 and row.size % 4096 == 0 for row in rows)


def test_less_than_four_megabytes_is_refused() -> None:
    with pytest.raises(BoardError, match="too small"):
        layout.layout(2 << 20)


def test_table_has_the_bytes_of_the_format() -> None:
    sector = partitions.encode(layout.layout(4 << 20))
    assert len(sector) == 4096
    # ESP-IDF, "Partition Tables": magic AA 50, type, subtype, offset, size, label of 16, flags.
    assert sector[:32] == b"\xaa\x50\x01\x02" + struct.pack("<II", 0x9000, 0x6000) + b"nvs".ljust(16, b"\0") + bytes(4)
    end = 8 * 32
    assert sector[end : end + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert sector[end + 16 : end + 32] == hashlib.md5(sector[:end]).digest()
    assert set(sector[end + 32 :]) == {0xFF}


def test_table_reads_back() -> None:
    rows = layout.layout(8 << 20)
    read = partitions.parse(partitions.encode(rows))
    assert [(row.label, row.type, row.subtype, row.offset, row.size) for row in read] == [
        (row.label, row.type, row.subtype, row.offset, row.size) for row in rows
    ]


def test_a_damaged_or_missing_table_is_refused() -> None:
    sector = bytearray(partitions.encode(layout.layout(4 << 20)))
    sector[40] ^= 1
    with pytest.raises(FlashError, match="MD5"):
        partitions.parse(bytes(sector))
    for nothing in (b"\xff" * 4096, bytes(4096), b""):
        with pytest.raises(FlashError, match="no partition table"):
            partitions.parse(nothing)


def test_a_label_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 16"):
        partitions.encode([layout.Partition("seventeen-letters", 1, 2, 0x9000, 0x1000)])
