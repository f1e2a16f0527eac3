"""NOR flash in a file: erased to 0xFF by 4 KB sectors, programmed by clearing bits.

A program operation can only turn ones into zeros (Winbond W25Q64JV data sheet, section 8.2.13 "Page Program": the
locations must have been erased), so what lands in the file is the AND of old and new. Code that forgets to erase
finds garbage here as it would on a board, and `over_programs` counts it.

The file is shared: the MicroPython process of run mode opens it as well. Hence unbuffered reads and writes, no cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from judder.virtual.counters import Counters

SECTOR_BYTES = 4096

# hook(operation, offset, data): called before "erase" (data is empty, one sector) and "program". What it raises
# cuts the power: the operation has not happened.
Hook = Callable[[str, int, bytes], None]


class NorFlash:
    """A flash chip of `size` bytes kept in the file at `path`; a new file is blank.

    Raises ValueError for a size that is no multiple of a sector, for a file of another size, and for addresses
    outside the chip.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: int,
        counters: Counters | None = None,
        hook: Hook | None = None,
    ) -> None:
        if size <= 0 or size % SECTOR_BYTES:
            raise ValueError(f"flash size {size} is not a multiple of {SECTOR_BYTES}")
        self.path = Path(path)
        self.size = size
        self.counters = Counters() if counters is None else counters
        self.hook = hook
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            length = os.fstat(self._file).st_size
            if length == 0:
                self._put(0, b"\xff" * size)
            elif length != size:
                raise ValueError(f"{self.path} holds {length} bytes and the flash chip has {size}: use another file")
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Close the file; the contents stay."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> NorFlash:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`."""
        self._check(offset, count)
        parts = []
        while count > 0:
            part = os.pread(self._file, count, offset)
            if not part:
                raise OSError(f"{self.path} was cut short while the board ran")
            parts.append(part)
            offset += len(part)
            count -= len(part)
        return b"".join(parts)

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are zero in `data`; ones leave the flash as it is."""
        self._check(offset, len(data))
        if not data:
            return
        if self.hook is not None:
            self.hook("program", offset, bytes(data))
        old = self.read(offset, len(data))
        if old.count(0xFF) == len(old):
            result = bytes(data)
        else:
            length = len(data)
            merged = int.from_bytes(old, "little") & int.from_bytes(data, "little")
            result = merged.to_bytes(length, "little")
            # 0xFF is how a writer says "leave this byte": only other bytes that came out different are mistakes.
            self.counters.over_programs += sum(
                1 for want, got in zip(data, result, strict=True) if want not in (got, 0xFF)
            )
        self._put(offset, result)
        self.counters.bytes_programmed += len(data)

    def erase_sector(self, number: int) -> None:
        """Set sector `number` to 0xFF."""
        self.erase(number * SECTOR_BYTES, SECTOR_BYTES)

    def erase(self, offset: int, count: int) -> None:
        """Erase every sector that `count` bytes from `offset` touch."""
        first = offset // SECTOR_BYTES
        last = -(-(offset + count) // SECTOR_BYTES)
        self._check(first * SECTOR_BYTES, (last - first) * SECTOR_BYTES)
        if self.hook is None:
            self._put(first * SECTOR_BYTES, b"\xff" * ((last - first) * SECTOR_BYTES))
            self.counters.sectors_erased += last - first
            return
        for sector in range(first, last):
            self.hook("erase", sector * SECTOR_BYTES, b"")
            self._put(sector * SECTOR_BYTES, b"\xff" * SECTOR_BYTES)
            self.counters.sectors_erased += 1

    def _put(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, offset)
            offset += written
            view = view[written:]

    def _check(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            raise ValueError(f"{count} bytes at 0x{offset:x} are outside a flash chip of {self.size} bytes")
