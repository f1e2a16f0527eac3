"""Would the boot ROM and the second-stage boot loader find something to start in this flash?"""

from __future__ import annotations

import struct
from pathlib import Path

from judder.device import partitions
from judder.device.chips import Chip
from judder.device.espimage import MAGIC
from judder.device.layout import SECTOR_BYTES, TABLE_OFFSET, TYPE_APP
from judder.errors import FlashError


def complaint(flash: Path, chip: Chip) -> bytes | None:
    """What they print instead of starting MicroPython, in their words; None when it starts."""
    with flash.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        header = read(chip.boot_loader_offset, 4)
        if header[:1] != bytes((MAGIC,)):
            (word,) = struct.unpack("<I", header)
            return f"invalid header: 0x{word:08x}\r\n".encode() * 3
        try:
            table = partitions.parse(read(TABLE_OFFSET, SECTOR_BYTES))
        except FlashError:
            return b"E (50) flash_parts: partition table corrupted\r\nE (50) boot: Failed to verify partition table\r\n"
        if not any(row.type == TYPE_APP and read(row.offset, 1) == bytes((MAGIC,)) for row in table):
            return b"E (60) boot: No bootable app partitions in the partition table\r\n"
    return None
