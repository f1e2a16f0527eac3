"""Parquet files in folders by kind and day: added whole, put together when they are many, no row twice.

A file's name says which parts it holds: 00000001-00000032.parquet is the first 32 put together. What lies within
another's range is left over from a power cut between putting together and removing, and goes. So readers may meet a row
in two files for that moment, or until the next start after a cut; its id is then the same. They never miss one.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from judder.sink import SinkDown, durable

# So many neighbours of one size become one of the next.
FANOUT = 32
_NAME = re.compile(r"(\d{8,})-(\d{8,})\.parquet")
_GROUP_ROWS = 64 * 1024
_LOCK = ".lock"


@dataclass(slots=True)
class _File:
    """first, last: parts it holds. spans: of each row group, the earliest and latest received_at; None: not known."""

    path: Path
    first: int
    last: int
    bytes: int
    spans: list[tuple[Any, Any] | None]

    @property
    def size_class(self) -> int:
        held, size = self.last - self.first + 1, 0
        while held >= FANOUT:
            held //= FANOUT
            size += 1
        return size


class Store:
    """file_bytes: what files are put together to at most. Raises SinkDown."""

    def __init__(self, root: Path, file_bytes: int, compression: str) -> None:
        self._root = root
        self._file_bytes = file_bytes
        self._compression = compression
        self._lock = -1
        self._folders: dict[Path, list[_File]] = {}  # the longest unused first
        self._loose: dict[str, set[str]] = {}  # kind -> days with more than one file

    def add(self, kind: str, day: str, table: pa.Table) -> None:
        """On the disk when it returns, without the rows that are there already."""
        folder = self._root / kind / f"day={day}"
        try:
            self._open()
            files = self._files(folder)
            new = self._unknown(files, table)
            if new.num_rows:
                number = files[-1].last + 1 if files else 1
                files.append(self._place(folder, number, number, new.schema, [new]))
                self._loose.setdefault(kind, set()).add(day)
        except (OSError, pa.ArrowException) as error:
            self._folders.pop(folder, None)
            raise SinkDown(f"cannot write {folder}: {_words(error)}") from error
        try:
            self._gather(folder)
            self._finish_a_day(kind)
        except (OSError, pa.ArrowException):
            # What was to be kept is kept. The next looks at what there is, and tries again.
            self._folders.clear()

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1
        self._folders.clear()

    def _open(self) -> None:
        if self._lock >= 0 and (self._root / _LOCK).exists():
            return
        self.close()
        durable.make_folder(self._root)
        lock = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if not isinstance(error, BlockingIOError):
                raise
            raise SinkDown(f"another process writes to {self._root}: give each a folder of its own") from error
        self._lock = lock
        for folder in self._root.glob("*/day=*"):
            if len(_tidied(folder)) > 1:
                self._loose.setdefault(folder.parent.name, set()).add(folder.name.removeprefix("day="))

    def _files(self, folder: Path) -> list[_File]:
        """Of a folder, in order of their parts; it is made."""
        files = self._folders.pop(folder, None)
        if files is None or not folder.is_dir():
            durable.make_folder(folder)
            # What a process that was killed renamed may not be on the disk yet, and is about to be taken as if it were.
            durable.sync_folder(folder)
            files = [_described(path) for path in _tidied(folder)]
        self._folders[folder] = files
        while len(self._folders) > 16:
            del self._folders[next(iter(self._folders))]
        return files

    def _unknown(self, files: Sequence[_File], table: pa.Table) -> pa.Table:
        """Rows whose ids are in none of the files."""
        span = _span(table)
        for file in files:
            groups = [i for i, other in enumerate(file.spans) if _overlap(span, other)]
            if groups:
                with pq.ParquetFile(file.path) as opened:
                    known = opened.read_row_groups(groups, ["id"])["id"]
                table = table.filter(pc.invert(pc.is_in(table["id"], known)))
        return table

    def _place(self, folder: Path, first: int, last: int, schema: pa.Schema, tables: Iterable[pa.Table]) -> _File:
        path = folder / f"{first:08d}-{last:08d}.parquet"
        with durable.placing(path) as file, pq.ParquetWriter(file, schema, compression=self._compression) as writer:
            for table in tables:
                writer.write_table(table, _GROUP_ROWS)
        return _described(path)

    # --- putting together

    def _gather(self, folder: Path) -> None:
        """As long as the last FANOUT files are of one class, they become one of the next."""
        files = self._folders[folder]
        while True:
            run = files[-FANOUT:]
            if len(run) < FANOUT or len({file.size_class for file in run}) > 1 or not self._may_merge(run):
                return
            files[-FANOUT:] = [self._merge(run)]

    def _finish_a_day(self, kind: str) -> None:
        """The oldest of the days that are over."""
        days = self._loose.get(kind, set())
        if len(days) < 2:
            return
        day = min(days)
        files = self._files(self._root / kind / f"day={day}")
        i = 0
        while i < len(files):
            run = files[i : i + 1]
            while i + len(run) < len(files) and self._may_merge([*run, files[i + len(run)]]):
                run.append(files[i + len(run)])
            if len(run) > 1:
                files[i : i + len(run)] = [self._merge(run)]
            i += 1
        days.discard(day)

    def _may_merge(self, run: Sequence[_File]) -> bool:
        return sum(file.bytes for file in run) <= self._file_bytes

    def _merge(self, run: Sequence[_File]) -> _File:
        schema = pa.unify_schemas([pq.read_schema(file.path) for file in run])
        merged = self._place(run[0].path.parent, run[0].first, run[-1].last, schema, _joined(run, schema))
        _remove(file.path for file in run)
        return merged


def _joined(run: Sequence[_File], schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows of all, a row group at a time. Files of versions with fewer columns get nulls in the others."""
    held = [schema.empty_table()]
    for file in run:
        with pq.ParquetFile(file.path) as opened:
            for i in range(opened.num_row_groups):
                held.append(opened.read_row_group(i, use_threads=False))
                if sum(table.num_rows for table in held) >= _GROUP_ROWS:
                    yield pa.concat_tables(held, promote_options="default").combine_chunks()
                    held = held[:1]
    yield pa.concat_tables(held, promote_options="default").combine_chunks()


def _tidied(folder: Path) -> list[Path]:
    """Its files in order, after what a power cut left over is removed."""
    found, stale = [], []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match:
            found.append((int(match[1]), -int(match[2]), path))
        elif path.name.startswith(".") and path.name.endswith(".new"):
            stale.append(path)
    kept: list[Path] = []
    covered = 0
    for _first, last, path in sorted(found):
        if -last <= covered:
            stale.append(path)
        else:
            kept.append(path)
            covered = -last
    if stale:
        durable.sync_folder(folder)  # the names of those that stay, before the others go
        _remove(stale)
    return kept


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        os.unlink(path)  # noqa: PTH108  # what tests of power cuts watch


def _described(path: Path) -> _File:
    match = _NAME.fullmatch(path.name)
    assert match
    try:
        with pq.ParquetFile(path) as file:
            spans = [_group_span(file.metadata.row_group(i)) for i in range(file.metadata.num_row_groups)]
    except pa.ArrowException as error:
        raise SinkDown(
            f"{path} is no Parquet file, and none of ours is ever in part: move it away ({error})"
        ) from error
    return _File(path, int(match[1]), int(match[2]), path.stat().st_size, spans)


def _group_span(group: Any) -> tuple[Any, Any] | None:
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema == "received_at":
            said = column.statistics
            return (said.min, said.max) if said and said.has_min_max and said.null_count == 0 else None
    return None


def _span(table: pa.Table) -> tuple[Any, Any] | None:
    column = table["received_at"]
    if column.null_count or not len(column):
        return None
    found = pc.min_max(column).as_py()
    return found["min"], found["max"]


def _overlap(one: tuple[Any, Any] | None, other: tuple[Any, Any] | None) -> bool:
    return one is None or other is None or (one[0] <= other[1] and other[0] <= one[1])


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
