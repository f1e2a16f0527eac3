"""ESP application and boot loader images: read, check, set the flash size.

Format: esptool documentation, "Firmware Image Format": 8-byte header, 16-byte extended header, segments, padding,
one checksum byte at the end of a 16-byte line, SHA-256 of everything before it where the header says so.
"""

from __future__ import annotations

import hashlib
import operator
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from judder.errors import FlashError

MAGIC = 0xE9
HEADER = struct.Struct("<BBBBIB3sHBHH4sB")  # 24 bytes, extended header included
SEGMENT = struct.Struct("<II")
_CHECKSUM_SEED = 0xEF
DIGEST_BYTES = 32
_MAX_SEGMENTS = 16


@dataclass(frozen=True)
class Image:
    """What the header of an image says; size counts the image up to and with its digest, padding after it not."""

    chip_id: int
    flash_size_bytes: int
    size: int
    has_digest: bool


def read(data: bytes) -> Image:
    """Image at the start of `data`, its checksum and digest checked. Raises FlashError saying what is wrong."""
    if len(data) < HEADER.size or data[0] != MAGIC:
        raise FlashError("this is no ESP image: it does not begin with 0xE9")
    _magic, segments, _mode, size_freq, _entry, _wp, _drv, chip_id, *_revisions, has_digest = HEADER.unpack_from(data)
    if not 1 <= segments <= _MAX_SEGMENTS:
        raise FlashError(f"this is no ESP image: it claims {segments} segments")
    at = HEADER.size
    contents: list[bytes] = []
    for _ in range(segments):
        if at + SEGMENT.size > len(data):
            raise FlashError("the ESP image is cut short: download it again")
        _address, length = SEGMENT.unpack_from(data, at)
        at += SEGMENT.size
        if length > len(data) - at:
            raise FlashError("the ESP image is cut short: download it again")
        contents.append(data[at : at + length])
        at += length
    at = at // 16 * 16 + 15
    if at >= len(data) or data[at] != checksum(contents):
        raise FlashError("the ESP image's checksum does not match: it is damaged, download it again")
    at += 1
    if has_digest:
        if data[at : at + DIGEST_BYTES] != hashlib.sha256(data[:at]).digest():
            raise FlashError("the ESP image's SHA-256 does not match: it is damaged, download it again")
        at += DIGEST_BYTES
    return Image(chip_id, 1 << 20 << (size_freq >> 4), at, bool(has_digest))


def with_flash_size(data: bytes, flash_bytes: int) -> bytes:
    """Same image with the flash size in its header, digest renewed; what follows the image stays.

    The second-stage boot loader takes the size from its own header and refuses partitions beyond it, and stock images
    say 4 MB whatever the chip has.
    """
    image = read(data)
    code = (flash_bytes >> 20).bit_length() - 1
    if 1 << 20 << code != flash_bytes or code > 15:
        raise FlashError(f"a flash of {flash_bytes} bytes cannot be written into an image header")
    body = bytearray(data[: image.size])
    body[3] = code << 4 | body[3] & 0x0F
    if image.has_digest:
        del body[-DIGEST_BYTES:]
        body += hashlib.sha256(body).digest()
    return bytes(body) + data[image.size :]


def checksum(segments: Iterable[bytes]) -> int:
    """XOR of all segment bytes, seeded with 0xEF."""
    return reduce(operator.xor, map(_xor, segments), _CHECKSUM_SEED)


def _xor(data: bytes) -> int:
    # Folding one big integer is far quicker than a loop over a megabyte of bytes.
    length = len(data)
    number = int.from_bytes(data, "little")
    while length > 64:
        half = (length + 1) // 2
        number = number >> half * 8 ^ number & (1 << half * 8) - 1
        length = half
    return reduce(operator.xor, number.to_bytes(length, "little"), 0)
