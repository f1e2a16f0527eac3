"""A file that lines are added to, safely: each write is on the disk when it returns, whole or not at all.

A line that a power cut left unfinished is cut off when the file is opened: it was never acknowledged and comes again.
When the disk is full the file is as long as before. Lines carry an id; those of the last MOST at least are known when
the file is opened, so that what is written again after a crash is there once. Hence no batch may be larger.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from judder.errors import InputError
from judder.sink import SinkDown, SinkOptions, durable

MOST = 10_000
_REMEMBERED = 2 * MOST
_PIECE_BYTES = 1 << 20


def bound(options: SinkOptions) -> None:
    """Raises InputError for larger batches than what is known again after a crash."""
    if options.batch_size > MOST:
        raise InputError(f"batch_size: {options.batch_size} is not at most {MOST}")


class AppendFile:
    """ids: what finds the ids in a piece of the file. header: the first line of a new file, with its end.

    The folder is made. Raises SinkDown when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path, ids: Callable[[bytes], Iterable[str]], header: bytes = b"") -> None:
        self.path = path
        self._ids = ids
        self._header = header
        self._fd = -1
        self._inode = 0
        self._known: dict[str, None] = {}  # oldest first

    def append(self, lines: Iterable[tuple[str, bytes]]) -> int:
        """Add (id, line with its end); those already there are left out. Returns how many were added."""
        try:
            self._open()
            new = {id_: line for id_, line in lines if id_ not in self._known}
            if new:
                self._write(b"".join(new.values()))
                self._remember(new)
        except OSError as error:
            self.close()
            raise SinkDown(f"cannot write {self.path}: {error.strerror or error}") from error
        return len(new)

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        """Again where the file was moved away, as log rotation does."""
        if self._fd >= 0:
            with contextlib.suppress(FileNotFoundError):
                if self.path.stat().st_ino == self._inode:
                    return
            self.close()
        durable.make_folder(self.path.parent)
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._inode = os.fstat(self._fd).st_ino
        self._read_tail()
        # What a process that was killed wrote may not be on the disk yet, and is about to be taken as if it were.
        os.fsync(self._fd)
        durable.sync_folder(self.path.parent)
        if self._header and os.fstat(self._fd).st_size == 0:
            self._write(self._header)

    def _read_tail(self) -> None:
        """Cuts an unfinished line off, and finds the ids of the last MOST lines or more."""
        found: list[list[str]] = []  # of each piece, the last first
        count = 0
        for piece in self._pieces(self._end_of_lines()):
            found.append(list(self._ids(piece)))
            count += len(found[-1])
            if count >= MOST:
                break
        self._known = {}
        for ids in reversed(found):
            self._remember(ids)

    def _pieces(self, end: int) -> Iterator[bytes]:
        """Whole lines before that place, the last first."""
        rest = b""
        while end:
            first = max(0, end - _PIECE_BYTES)
            piece = os.pread(self._fd, end - first, first) + rest
            # What is before `begin` is the end of a line that begins further up.
            begin = (piece.find(b"\n") + 1 or len(piece)) if first else 0
            rest, end = piece[:begin], first
            yield piece[begin:]

    def _end_of_lines(self) -> int:
        size = os.fstat(self._fd).st_size
        first = max(0, size - _PIECE_BYTES)
        tail = os.pread(self._fd, size - first, first)
        end = tail.rfind(b"\n") + 1
        # So long with no end of a line: not what we were writing.
        if end == len(tail) or (first and not end):
            return size
        os.ftruncate(self._fd, first + end)
        return first + end

    def _write(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError:
            # Half a batch must not stay: it would be read as if all were there.
            os.ftruncate(self._fd, size)
            raise

    def _remember(self, ids: Iterable[str]) -> None:
        self._known.update(dict.fromkeys(ids))
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]


def find_uuids(piece: bytes) -> list[str]:
    """Every UUID in a piece of a text file."""
    return [found.decode() for found in _UUID.findall(piece)]


_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
