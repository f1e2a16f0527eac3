"""What the boot ROM and the second-stage boot loader do before MicroPython starts: say why, look for it in flash."""

from __future__ import annotations

import struct
from pathlib import Path

from judder.device import partitions
from judder.device.chips import Chip
from judder.device.espimage import MAGIC
from judder.device.layout import SECTOR_BYTES, TABLE_OFFSET, TYPE_APP
from judder.errors import FlashError
from judder.virtual.identity import ChipIdentity

# machine.reset_cause() of the esp32 port.
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
# ESP32-S3 technical reference manual, table "Reset Source".
_CAUSES = {
    PWRON_RESET: "0x1 (POWERON)",
    HARD_RESET: "0xc (RTC_SW_CPU_RST)",
    WDT_RESET: "0x7 (TG0WDT_SYS_RST)",
    DEEPSLEEP_RESET: "0x5 (DSLEEP)",
}


def greeting(identity: ChipIdentity, cause: int) -> bytes:
    """First lines after a reset that is not a soft one."""
    return f"{identity.banner}rst:{_CAUSES[cause]},boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n".encode()


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
