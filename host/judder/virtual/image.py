"""A stand-in for a MicroPython download: images that are valid to every tool that checks them, and no code in them.

Flashing a virtual board does its real work with it (size, compression, checksums, partition table), while what then
runs is MicroPython's build for this computer. Size and compressibility are those of a generic 1.2x release: about
1.7 MB that deflate to 61 %. The same bytes every time.
"""

from __future__ import annotations

import hashlib
import struct

from judder.device import espimage
from judder.device.chips import CHIPS, Chip
from judder.device.layout import TABLE_OFFSET, TYPE_APP, TYPE_DATA, Partition
from judder.device.partitions import encode

SIZE_BYTES = 1_740_000
APP_OFFSET = 0x10000

_BOOT_LOADER_BYTES = 0x4A00
_MMU_PAGE_BYTES = 0x10000
_FACTORY_BYTES = 0x1F0000

# The table of a stock image (toolkit of ESP-IDF: "factory app, no OTA", MicroPython's partitions-4MiB.csv).
STOCK_TABLE = (
    Partition("nvs", TYPE_DATA, 0x02, 0x9000, 0x6000),
    Partition("phy_init", TYPE_DATA, 0x01, 0xF000, 0x1000),
    Partition("factory", TYPE_APP, 0x00, APP_OFFSET, _FACTORY_BYTES),
)

# (boot loader's IRAM and DRAM, application's mapped constants, DRAM, IRAM, mapped code), from the memory maps of the
# technical reference manuals.
_ADDRESSES = {
    "esp32": (0x40078000, 0x3FFF0030, 0x3F400020, 0x3FFB0000, 0x40080000, 0x400D0020),
    "esp32s3": (0x403C9700, 0x3FCE3810, 0x3C0D0020, 0x3FC91000, 0x40374000, 0x42000020),
    "esp32c3": (0x403CC710, 0x3FCD5820, 0x3C0D0020, 0x3FC8F000, 0x40380000, 0x42000020),
}


def synthetic_micropython(chip_name: str, size: int = SIZE_BYTES) -> bytes:
    """A download for `chip_name`, to be written at the chip's boot loader offset: boot loader, table, application."""
    chip = CHIPS[chip_name]
    base = chip.boot_loader_offset
    boot_iram, boot_dram, *application = _ADDRESSES[chip_name]
    boot_loader = _image(chip, [(boot_dram, _filler(b"boot dram", 0x900)), (boot_iram, _filler(b"boot", 0x4000))])
    if len(boot_loader) > _BOOT_LOADER_BYTES:
        raise AssertionError("the stand-in boot loader outgrew its room")
    data = boot_loader.ljust(TABLE_OFFSET - base, b"\xff") + encode(STOCK_TABLE)
    data = data.ljust(APP_OFFSET - base, b"\xff")
    return data + _application(chip, application, size - len(data))


def _application(chip: Chip, addresses: list[int], size: int) -> bytes:
    rodata_at, dram_at, iram_at, text_at = addresses
    rodata_bytes, dram_bytes, iram_bytes = 0x6A000, 0x5000, 0x13000
    description = _description()
    rodata = description + _filler(b"rodata", rodata_bytes - len(description))
    segments = [
        (rodata_at, rodata),
        (dram_at, _filler(b"dram", dram_bytes)),
        (iram_at, _filler(b"iram", iram_bytes)),
    ]
    # Mapped code must lie in the file at the same place within an MMU page as in memory: a padding segment sees to it.
    head = espimage.HEADER.size + sum(espimage.SEGMENT.size + len(data) for _address, data in segments)
    padding = (text_at - head - 2 * espimage.SEGMENT.size) % _MMU_PAGE_BYTES
    segments.append((0, bytes(padding)))
    used = head + espimage.SEGMENT.size + padding + espimage.SEGMENT.size
    tail = 16 + espimage.DIGEST_BYTES  # checksum line and digest
    text_bytes = (size - used - tail) // 4 * 4
    segments.append((text_at, _filler(b"text", text_bytes)))
    return _image(chip, segments)


def _description() -> bytes:
    """esp_app_desc_t (ESP-IDF, "App Image Format"): magic, version, project, time, date, IDF version."""
    return struct.pack(
        "<II8x32s32s16s16s32s32s80x",
        0xABCD5432,
        0,
        b"synthetic",
        b"judder-stand-in",
        b"00:00:00",
        b"Jan  1 1970",
        b"none",
        bytes(32),
    )


def _image(chip: Chip, segments: list[tuple[int, bytes]]) -> bytes:
    mode_dio, size_4mb_80mhz = 2, 0x2F
    entry = segments[-1][0]
    data = bytearray(
        espimage.HEADER.pack(
            *(espimage.MAGIC, len(segments), mode_dio, size_4mb_80mhz, entry, 0xEE, bytes(3)),
            *(chip.image_chip_id, 0, 0, 0xFFFF, bytes(4), 1),
        )
    )
    for address, contents in segments:
        data += espimage.SEGMENT.pack(address, len(contents)) + contents
    data += bytes(15 - len(data) % 16)
    data.append(espimage.checksum(segment for _address, segment in segments))
    data += hashlib.sha256(data).digest()
    return bytes(data)


def _filler(name: bytes, size: int) -> bytes:
    """Bytes that deflate to about 61 %: noise with runs between, as machine code with its literal pools."""
    noise = hashlib.shake_128(b"judder stand-in " + name).digest(size)
    unit, noisy = 64, 38
    return b"".join(
        (noise[at : at + noisy] + bytes((at >> 8 & 0xFF, at & 0xC0)) * 13)[: min(unit, size - at)]
        for at in range(0, size, unit)
    )
