"""The spool's file: tables, opening, one owner at a time, and what happens to a damaged one.

SQLite in WAL mode. One connection commits with synchronous=FULL: what it committed is on the disk (or what the disk
says is). A second one, synchronous=NORMAL, writes what may be lost in a power cut because it would only be done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judder.errors import InputError, JudderError
from judder.sink import durable

VERSION = 1
_BUSY_S = 30
# Freed by a checkpoint at this many pages of 4 KiB (SQLite's own default); a longer file is cut to this.
_WAL_BYTES = 4 << 20

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- AUTOINCREMENT: a number is never given twice, so a cursor never skips anything.
CREATE TABLE uplink (
  id INTEGER PRIMARY KEY AUTOINCREMENT, stored_at REAL NOT NULL, origin TEXT NOT NULL, node TEXT NOT NULL,
  received_at REAL, measured_at REAL, heard_at REAL, payload BLOB NOT NULL, problems TEXT NOT NULL, rest TEXT NOT NULL
);
-- id: the last uplink this sink is done with. dropped: uplinks it never got because the spool was over its limits.
CREATE TABLE cursor (sink TEXT PRIMARY KEY, id INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE position (source TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- Of the Tracker. Replacing a row moves it to the end: the longest silent come first.
CREATE TABLE node (node TEXT NOT NULL UNIQUE, state TEXT NOT NULL);
CREATE TABLE poison (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
  origin TEXT NOT NULL, uplink INTEGER, node TEXT NOT NULL, received_at REAL, measured_at REAL, heard_at REAL,
  payload BLOB NOT NULL, problems TEXT NOT NULL, rest TEXT NOT NULL, UNIQUE (stage, uplink)
);
-- Poison somebody wants tried again. outcome: NULL until it was, then why it was set aside again, '' if it was taken.
CREATE TABLE retry (poison INTEGER PRIMARY KEY, outcome TEXT);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

Connect = Callable[[Path, str], Any]
Log = Callable[[str], object]


class SpoolError(JudderError):
    """The spool could not be written or read just now: the disk is full, or gone. Nothing of the call was done."""


class SpoolDamaged(SpoolError):
    """What is in the file makes no sense any more. Start again: it is then set aside and a new one begun."""


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection for any thread, one at a time. synchronous: "FULL" or "NORMAL"."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        set_up(connection, synchronous)
    except BaseException:
        connection.close()
        raise
    return connection


def set_up(connection: Any, synchronous: str) -> None:
    # Before the first table, else it takes no effect: pages are given back after a long outage.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


@contextlib.contextmanager
def transaction(db: Any) -> Iterator[None]:
    """All or nothing. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


class SpoolInUse(InputError):
    """Another process has it."""


class Lock:
    """The file's owner: one process. Raises SpoolInUse when another one has it."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        try:
            durable.make_folder(path.parent)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(f"cannot keep a spool at {path}: {error.strerror}; name another place") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise SpoolInUse(f"the spool {path} is in use by process {owner or '?'}; is a gateway running?") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_spool(path: Path, log: Log, connect: Connect = connect) -> tuple[Any, Any]:
    """(connection with FULL, connection with NORMAL) to a spool that is there or begun. A damaged one is moved aside.

    Raises InputError for a spool of a newer version or one that may not be read, SpoolError when the disk says no.
    """
    with_damage: str | None = None
    try:
        return _open(path, connect)
    except SpoolDamaged as error:
        with_damage = str(error)
    aside = f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(path.with_name(path.name + aside + ending))
    log(f"{path} is damaged ({with_damage}); it is kept as {path.name}{aside} and a new one is begun")
    return _open(path, connect)


def _open(path: Path, connect: Connect) -> tuple[Any, Any]:
    connections: list[Any] = []
    try:
        connections.append(connect(path, "FULL"))
        _prepare(path, connections[0])
        connections.append(connect(path, "NORMAL"))
    except BaseException as error:
        for connection in connections:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise translated(error, path) from error
        raise
    return connections[0], connections[1]


def check_version(path: Path, connection: Any, new: bool = False) -> int:
    """0 for a file just begun, where that is allowed. Raises InputError."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version != VERSION and not (new and version == 0):
        raise InputError(
            f"{path} is a spool of version {version}, this is for {VERSION}; update judder, or move it away"
        )
    return version


def _prepare(path: Path, connection: Any) -> None:
    if check_version(path, connection, new=True) == 0:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            if statement.strip():
                connection.execute(statement)
        # Part of the client ids at brokers: two gateways must never share one.
        connection.execute("INSERT INTO about VALUES ('identity', ?)", (secrets.token_hex(4),))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    # Ended in order, it was whole when it was closed; a crash is what leaves damage, where the disk lied.
    elif not connection.execute("SELECT 1 FROM about WHERE name = 'closed'").fetchone():
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise SpoolDamaged(str(found).splitlines()[0])
    connection.execute("DELETE FROM about WHERE name = 'closed'")


def translated(error: sqlite3.Error, path: Path) -> SpoolError:
    """SQLite's error as ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return SpoolDamaged(str(error))
    return SpoolError(f"the spool {path}: {error}")
