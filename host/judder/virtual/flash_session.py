"""One write or one read of the boot loader: the flash side of FLASH_BEGIN .. FLASH_END and of READ_FLASH."""

from __future__ import annotations

import hashlib
import zlib

from judder.virtual import slip
from judder.virtual.nor import SECTOR_BYTES, NorFlash

_INFLATE_FAILED = (0x0B, 0xC7)
_TOO_LITTLE = (0x06, 0xC8)
_TOO_MUCH = (0x06, 0xC9)


class LoaderFault(Exception):
    """A request the loader answers with an error. codes: (number the ROM gives, number the stub gives)."""

    def __init__(self, codes: tuple[int, int]) -> None:
        self.codes = codes
        super().__init__(f"0x{codes[0]:02x}/0x{codes[1]:02x}")


def md5(data: bytes) -> bytes:
    """Digest as the chip computes it; a checksum here, no secret depends on it."""
    return hashlib.md5(data, usedforsecurity=False).digest()


class FlashSession:
    """A span of flash being written. The ROM erases it when the session begins, the stub as the data arrives.

    size: bytes of flash. sent_size: bytes announced on the wire (blocks x block size), compressed where `compressed`.
    """

    def __init__(
        self, flash: NorFlash, offset: int, size: int, sent_size: int, *, compressed: bool, is_rom: bool
    ) -> None:
        if offset + size > flash.size:
            raise ValueError("outside the flash chip")
        self._flash = flash
        self._position = offset
        self._is_rom = is_rom
        self._end = offset + size
        self._erased_to = offset - offset % SECTOR_BYTES
        self._inflate = zlib.decompressobj() if compressed else None
        self._sent_left = sent_size
        if is_rom and size:
            flash.erase(offset, size)
            self._erased_to = -(-self._end // SECTOR_BYTES) * SECTOR_BYTES

    def write(self, block: bytes) -> None:
        """One data block as it came over the wire."""
        if len(block) > self._sent_left:
            raise LoaderFault(_TOO_MUCH)
        self._sent_left -= len(block)
        if self._inflate is not None:
            try:
                block = self._inflate.decompress(block)
            except zlib.error:
                raise LoaderFault(_INFLATE_FAILED) from None
            if self._position + len(block) > self._end:
                raise LoaderFault(_TOO_MUCH)
        # The last uncompressed block is padded with 0xFF to the block size.
        block = block[: self._end - self._position]
        if not block:
            return
        end = self._position + len(block)
        if end > self._erased_to:
            self._flash.erase(self._erased_to, end - self._erased_to)
            self._erased_to = -(-end // SECTOR_BYTES) * SECTOR_BYTES
        self._flash.program(self._position, block)
        self._position = end

    def finish(self) -> None:
        """The host says that was all. The ROM's size is rounded up, so only the stub can tell that some is missing."""
        if self._position < self._end and not self._is_rom:
            raise LoaderFault(_TOO_LITTLE)


class ReadSession:
    """READ_FLASH of the stub: frames of `block` bytes, at most `in_flight` unacknowledged, then the MD5 of all."""

    def __init__(self, flash: NorFlash, offset: int, size: int, block: int, in_flight: int) -> None:
        if offset + size > flash.size or block == 0:
            raise ValueError("outside the flash chip")
        self._data = flash.read(offset, size)
        self._block = block
        self._window = block * max(1, in_flight)
        self._sent = 0
        self.done = False

    def begin(self) -> bytes:
        """Frames sent before the first acknowledgement."""
        return self.acknowledged(0)

    def acknowledged(self, total: int) -> bytes:
        """The host has `total` bytes -> the frames that follow."""
        frames = []
        while self._sent < min(len(self._data), total + self._window):
            frames.append(slip.encode(self._data[self._sent : self._sent + self._block]))
            self._sent = min(len(self._data), self._sent + self._block)
        if total >= len(self._data):
            frames.append(slip.encode(md5(self._data)))
            self.done = True
        return b"".join(frames)
