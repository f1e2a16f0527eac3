"""The lines of a file that grows, in order, through rotation and restarts. No waiting in here.

A position is a text: which file (inode and how it begins) and how far. It is kept by whoever stores the lines.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20
# Of the beginning of a file, by which it is known again: inodes are given anew.
_HEAD = 256


@dataclass(slots=True)
class Line:
    """data: without its end. whole: False for one cut off because it is longer than any event."""

    data: bytes
    whole: bool = True


class Tail:
    """position: where to go on, None for the first time: then at the end of the file with at_end, else at its start.

    A file moved away (rotation) is read to its end, also after a restart while it is in the same folder. One cut short
    (copytruncate) is begun again. replaced: files begun anew because the one of the position was not found any more.
    Raises OSError; a file that is not there yet is none.
    """

    def __init__(self, path: Path, position: str | None = None, *, at_end: bool = False) -> None:
        self.path = path
        self.replaced = 0
        self._fd = -1
        self._offset = 0  # of the first byte that is in no line given
        self._rest = b""
        self._skipping = False
        self._gone = False  # seen at the end of a file that was moved away, once
        self._begin = position
        self._at_end = at_end and position is None

    def lines(self) -> list[Line]:
        """Those that are complete by now, at most a megabyte of them; none when there is nothing new."""
        if self._fd < 0 and not self._open():
            return []
        data = os.pread(self._fd, _CHUNK, self._offset + len(self._rest))
        if not data:
            return self._ended()
        self._gone = False
        *complete, self._rest = (self._rest + data).split(b"\n")
        found = []
        for one in complete:
            self._offset += len(one) + 1
            if self._skipping:
                self._skipping = False
            else:
                found.append(Line(one))
        if len(self._rest) >= _CHUNK:
            if not self._skipping:
                found.append(Line(self._rest, whole=False))
            self._skipping = True
            self._offset += len(self._rest)
            self._rest = b""
        return found

    def position(self) -> str | None:
        """After the lines given so far; None before the file was there."""
        if self._fd < 0:
            return self._begin
        head = _head(self._fd, self._offset)
        return json.dumps({"inode": os.fstat(self._fd).st_ino, "offset": self._offset, **head})

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._offset, self._rest, self._skipping, self._gone = 0, b"", False, False
        if self._begin is not None:
            self._resume(json.loads(self._begin))
            self._begin = None
        elif self._at_end:
            self._offset = os.fstat(self._fd).st_size
        self._at_end = False
        return True

    def _resume(self, wanted: dict[str, int]) -> None:
        """In the file of that position, wherever it is by now."""
        if _is(self._fd, wanted):
            self._offset = wanted["offset"]
            return
        for other in self.path.parent.iterdir():
            if other == self.path or not other.is_file() or other.stat().st_ino != wanted["inode"]:
                continue
            fd = os.open(other, os.O_RDONLY | os.O_CLOEXEC)
            if _is(fd, wanted):
                os.close(self._fd)
                self._fd, self._offset = fd, wanted["offset"]
                return
            os.close(fd)
        self.replaced += 1

    def _ended(self) -> list[Line]:
        here = os.fstat(self._fd)
        if here.st_size < self._offset:
            self._offset, self._rest, self._skipping = 0, b"", False
            return []
        try:
            moved = self.path.stat().st_ino != here.st_ino
        except FileNotFoundError:
            return []  # not there yet
        if not moved:
            return []
        if not self._gone:
            self._gone = True  # whoever moved it may still be writing: once more
            return []
        last = [Line(self._rest)] if self._rest and not self._skipping else []
        self.close()
        self._open()
        return last


def _head(fd: int, offset: int) -> dict[str, int]:
    size = min(offset, _HEAD)
    return {"head": size, "check": zlib.crc32(os.pread(fd, size, 0))}


def _is(fd: int, wanted: dict[str, int]) -> bool:
    here = os.fstat(fd)
    return (
        here.st_ino == wanted["inode"]
        and here.st_size >= wanted["offset"]
        and _head(fd, wanted["head"])["check"] == wanted["check"]
    )
