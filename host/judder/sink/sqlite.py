"""Observations to one SQLite file: a table for each kind (reading, alarm, ...), a row each, known by its id.

    sqlite3 judder.db 'SELECT time, node, zone, velocity_rms_worst_mm_s FROM reading ORDER BY time DESC LIMIT 10'

Columns as in CSV: times are UTC texts as 2026-03-01T12:00:00.250Z, which SQLite's date functions take and which sort.
Others may read while it is written (WAL). Nothing is deleted: that is for whoever owns the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.decode import columns
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, SinkDown, SinkOptions, durable, rows
from judder.sink.base import BaseSink

_BUSY_S = 10.0
_AFFINITY = {
    columns.INT32: "INTEGER",
    columns.INT64: "INTEGER",
    columns.BOOL: "INTEGER",
    columns.FLOAT64: "REAL",
    columns.BINARY: "BLOB",
}


@dataclass(slots=True, kw_only=True)
class SqliteOptions(SinkOptions):
    """path: the file; its folder is made."""

    path: Path = Path("judder.db")

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        self.path = Path(self.path)


class SqliteSink(BaseSink):
    """connect: opens the file (tests fill its disk)."""

    name = "sqlite"

    def __init__(self, options: SqliteOptions, connect: Callable[..., Any] = sqlite3.connect) -> None:
        super().__init__(options)
        self._path = options.path
        self._connect = connect
        self._db: Any = None
        self._inserts: dict[str, str] = {}

    def write(self, batch: Sequence[Observation]) -> None:
        try:
            db = self._opened()
            db.execute("BEGIN IMMEDIATE")
            try:
                for index, observation in enumerate(batch):
                    self._insert(db, index, observation)
                db.execute("COMMIT")
            except BaseException:
                self._inserts.clear()  # a table may have been part of it
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise SinkDown(f"cannot write {self._path}: {error}") from error

    def close(self) -> None:
        self._inserts.clear()
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _opened(self) -> Any:
        if self._db is None:
            durable.make_folder(self._path.parent)
            self._db = self._connect(self._path, timeout=_BUSY_S, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        return self._db

    def _insert(self, db: Any, index: int, observation: Observation) -> None:
        kind = observation.record.kind
        if kind not in self._inserts:
            self._inserts[kind] = _prepare(db, kind)
        row = [
            _cell(value, type_)
            for value, (_name, type_) in zip(rows.flat(observation), rows.COLUMNS[kind], strict=True)
        ]
        try:
            db.execute(self._inserts[kind], row)
        except OverflowError as error:
            raise Poisoned(index, f"SQLite has no way to write it: {error}") from error


def _prepare(db: Any, kind: str) -> str:
    """The kind's table, with the columns it has by now; the statement that adds a row."""
    described = [(name, f'"{name}" {_AFFINITY.get(type_, "TEXT")}') for name, type_ in rows.COLUMNS[kind]]
    first, *others = (sql for _name, sql in described)
    db.execute(f'CREATE TABLE IF NOT EXISTS "{kind}" ({first} PRIMARY KEY, {", ".join(others)})')
    db.execute(f'CREATE INDEX IF NOT EXISTS "{kind}_node_time" ON "{kind}" (node, time)')
    there = {row[1] for row in db.execute(f'PRAGMA table_info("{kind}")')}
    for name, sql in described:
        if name not in there:
            db.execute(f'ALTER TABLE "{kind}" ADD COLUMN {sql}')
    names = ", ".join(f'"{name}"' for name, _sql in described)
    return f'INSERT INTO "{kind}" ({names}) VALUES ({", ".join("?" * len(described))}) ON CONFLICT (id) DO NOTHING'


def _cell(value: Any, type_: str) -> Any:
    if value is None or isinstance(value, bytes):
        return value
    if type_ == rows.TIME:
        return rows.iso(value)
    if isinstance(value, (tuple, list)):
        value = " ".join(value)
    if isinstance(value, str):
        return rows.line(value)
    return str(value) if type_ == rows.UUID else value


PLUGIN = Plugin(SqliteOptions, SqliteSink)
