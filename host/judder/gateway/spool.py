"""What came in and is not yet with every sink: durable, in order, bounded.

    spool.store(Batch(rows=...))              returns when it is on the disk
    for row in spool.read(after, 500): ...    what a sink has still to get
    spool.advance("influx", row.id)           it has it

Safe for threads. Ids only go up. judder.gateway.bounds keeps it within its limits.
"""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judder.flow import Uplink
from judder.gateway import spool_file
from judder.gateway.spool_file import Connect, Lock, Log, SpoolDamaged, SpoolError

__all__ = ["Aside", "Batch", "Row", "Spool", "SpoolDamaged", "SpoolError"]

# Left on the disk, so that deliveries can still note what they have done and the oldest can be deleted.
RESERVE_BYTES = 16 << 20
# Poison kept for people to look at; beyond it the oldest goes, and is counted.
POISON_KEPT = 10_000
_COLUMNS = "origin, node, received_at, measured_at, heard_at, payload, problems, rest"
# What has no column of its own. Others are in the text as JSON, left out where they are what an Uplink has by itself.
_REST = tuple(n for n in Uplink.__slots__ if n not in ("node", "payload", "received_at"))
_PLAIN = {n: getattr(Uplink("", b"", 0.0, ""), n) for n in _REST}


@dataclass(slots=True)
class Row:
    """An uplink with what the Tracker said of it. origin: name of the [[source]]. id, stored_at: given by the spool."""

    origin: str
    uplink: Uplink
    measured_at: float | None = None
    heard_at: float | None = None
    problems: tuple[str, ...] = ()
    id: int = 0
    stored_at: float = 0.0


@dataclass(slots=True)
class Aside:
    """Something that can never be taken, and why. stage: "event", "node", "decode" or "sink:NAME"."""

    stage: str
    reason: str
    row: Row


@dataclass(slots=True)
class Batch:
    """What is stored at once, or not at all. nodes: state of the Tracker by node. position: (source, where it is)."""

    rows: Sequence[Row] = ()
    aside: Sequence[Aside] = ()
    nodes: Mapping[str, Any] = field(default_factory=dict)
    position: tuple[str, str] | None = None


@dataclass(slots=True)
class Backlog:
    """Of a sink. waiting: uplinks it has still to look at. oldest: when the first of them was stored. dropped: those it
    never got."""

    waiting: int
    oldest: float | None
    dropped: int


@dataclass(slots=True)
class Summary:
    """bytes: in use. dropped, poison_dropped: since the spool was begun."""

    bytes: int
    uplinks: int
    poison: int
    dropped: int
    poison_dropped: int


class Spool:
    """path: the file, made with its folder. connect: makes a connection (tests cut its power). free: bytes left on the
    disk; store() refuses when that is less than RESERVE_BYTES.

    Raises InputError when another gateway has it or it is of a newer version. Every method raises SpoolError when the
    disk says no; nothing of that call is then done.
    """

    def __init__(
        self,
        path: Path,
        *,
        log: Log = print,
        connect: Connect = spool_file.connect,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.path = path
        self._free = free
        self._lock = Lock(path)
        self._writing = threading.Lock()  # SQLite has one writer; waiting here is fairer than its busy handler
        self._using = threading.Lock()  # of the quick connection
        self._damaged = False
        try:
            self._safe, self._quick = spool_file.open_spool(path, log, connect)
            with self._reading() as db:
                self.identity: str = db.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()[0]
        except BaseException:
            self._lock.release()
            raise

    # Coming in.

    def store(self, batch: Batch, now: float) -> int:
        """Returns the id of the latest uplink when everything is durable. now: Unix time in seconds."""
        self.check_room()
        with self._changing(self._safe) as db:
            return self._store(db, batch, now)

    def check_room(self) -> None:
        """Raises SpoolError when the disk is too full to store anything."""
        try:
            left = self._free(self.path.parent)
        except OSError as error:
            raise SpoolError(f"the spool {self.path}: {error.strerror or error}") from error
        if left < RESERVE_BYTES:
            raise SpoolError(f"only {left >> 20} MiB are left on the disk of {self.path}")

    def _store(self, db: Any, batch: Batch, now: float) -> int:
        db.executemany(
            f"INSERT INTO uplink (stored_at, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(now, *_pack(row)) for row in batch.rows],
        )
        if batch.aside:
            self._insert_aside(db, batch.aside, now)
        db.executemany(
            "REPLACE INTO node (node, state) VALUES (?, ?)",
            [(node, json.dumps(state, separators=(",", ":"))) for node, state in batch.nodes.items()],
        )
        if batch.position is not None:
            db.execute("REPLACE INTO position VALUES (?, ?)", batch.position)
        return _last(db)

    def position(self, source: str) -> str | None:
        """Where a source that has places was after what is stored of it."""
        with self._reading() as db:
            found = db.execute("SELECT value FROM position WHERE source = ?", (source,)).fetchone()
        return None if found is None else str(found[0])

    def nodes(self, limit: int) -> dict[str, Any]:
        """State of the Tracker by node, of the `limit` heard last, the longest silent first."""
        with self._reading() as db:
            found = db.execute("SELECT node, state FROM node ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
        return {node: json.loads(state) for node, state in reversed(found)}

    def latest(self, count: int) -> list[Row]:
        """The last uplinks stored, oldest first, also those every sink has."""
        with self._reading() as db:
            found = db.execute(f"SELECT id, stored_at, {_COLUMNS} FROM uplink ORDER BY id DESC LIMIT ?", (count,))
            return [_unpack(values) for values in reversed(found.fetchall())]

    # Going out.

    def attach(self, sinks: Sequence[str]) -> dict[str, int]:
        """These are the sinks from now on; a new one begins with the oldest uplink there is. Returns those that are no
        more, with how many uplinks they had not got."""
        with self._changing(self._quick) as db:
            last = _last(db)
            known = dict(db.execute("SELECT sink, id FROM cursor").fetchall())
            gone = {name: last - known[name] for name in known if name not in sinks}
            db.executemany("DELETE FROM cursor WHERE sink = ?", [(name,) for name in gone])
            first = db.execute("SELECT coalesce(min(id), ?) - 1 FROM uplink", (last + 1,)).fetchone()[0]
            db.executemany("INSERT OR IGNORE INTO cursor (sink, id) VALUES (?, ?)", [(name, first) for name in sinks])
        return gone

    def cursor(self, sink: str) -> int:
        """Id of the last uplink this sink is done with."""
        with self._reading() as db:
            return int(db.execute("SELECT id FROM cursor WHERE sink = ?", (sink,)).fetchone()[0])

    def read(self, after: int, limit: int) -> list[Row]:
        """Uplinks with higher ids, oldest first."""
        with self._reading() as db:
            found = db.execute(
                f"SELECT id, stored_at, {_COLUMNS} FROM uplink WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            ).fetchall()
        return [_unpack(values) for values in found]

    def advance(self, sink: str, done: int) -> None:
        """The sink is done with everything up to this id. A power cut may forget it: then it gets some again."""
        with self._changing(self._quick) as db:
            db.execute("UPDATE cursor SET id = max(id, ?) WHERE sink = ?", (done, sink))

    def set_aside(self, aside: Aside, now: float) -> bool:
        """False when it was set aside before, at the same stage. The row's id says which uplink it is."""
        with self._changing(self._quick) as db:
            return self._insert_aside(db, [aside], now) > 0

    # Poison, for people.

    def poison(self) -> list[tuple[int, float, Aside]]:
        """(number, Unix time, what) of all that was set aside, oldest first."""
        with self._reading() as db:
            return list(read_poison(db))

    def wanted(self, limit: int) -> list[tuple[int, float, Aside]]:
        """As poison(), of those somebody wants tried again (judder.gateway.poison.ask)."""
        with self._reading() as db:
            return list(read_poison(db, "WHERE id IN (SELECT poison FROM retry WHERE outcome IS NULL)", limit))

    def release(self, outcomes: Mapping[int, str], batch: Batch, now: float) -> int:
        """Take these out of what was set aside and store the batch, at once. outcomes: number -> "" where it is taken
        now, else why not. Returns as store() does."""
        self.check_room()
        with self._changing(self._safe) as db:
            db.executemany("DELETE FROM poison WHERE id = ?", [(number,) for number in outcomes])
            db.executemany(
                "UPDATE retry SET outcome = ? WHERE poison = ?", [(clean(why), n) for n, why in outcomes.items()]
            )
            return self._store(db, batch, now)

    def _insert_aside(self, db: Any, asides: Sequence[Aside], now: float) -> int:
        before = db.execute("SELECT total_changes()").fetchone()[0]
        db.executemany(
            f"INSERT OR IGNORE INTO poison (at, stage, reason, uplink, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            [(now, a.stage, clean(a.reason), a.row.id or None, *_pack(a.row)) for a in asides],
        )
        added = int(db.execute("SELECT total_changes()").fetchone()[0] - before)
        over = db.execute("SELECT id FROM poison ORDER BY id DESC LIMIT 1 OFFSET ?", (POISON_KEPT,)).fetchone()
        if added and over:
            gone = db.execute("DELETE FROM poison WHERE id <= ?", (over[0],)).rowcount
            self.count(db, "poison_dropped", gone)
        return added

    @staticmethod
    def count(db: Any, name: str, more: int) -> None:
        """Within a transaction: a counter that outlives this process."""
        db.execute(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, more),
        )

    # For people.

    def backlog(self, sink: str) -> Backlog:
        with self._reading() as db:
            done, dropped = db.execute("SELECT id, dropped FROM cursor WHERE sink = ?", (sink,)).fetchone()
            oldest = db.execute("SELECT stored_at FROM uplink WHERE id > ? ORDER BY id LIMIT 1", (done,)).fetchone()
            return Backlog(max(0, _last(db) - done), None if oldest is None else oldest[0], dropped)

    def summary(self) -> Summary:
        with self._reading() as db:
            first, last = db.execute("SELECT min(id), max(id) FROM uplink").fetchone()
            poison = db.execute("SELECT count(*) FROM poison").fetchone()[0]
            counters = dict(db.execute("SELECT name, value FROM counter").fetchall())
            return Summary(
                bytes_used(db),
                0 if first is None else last - first + 1,
                poison,
                counters.get("dropped", 0),
                counters.get("poison_dropped", 0),
            )

    def close(self) -> None:
        """In order, so that the next start need not check the file; unless it was seen to be damaged."""
        try:
            if not self._damaged:
                with self._changing(self._safe) as db:
                    db.execute("REPLACE INTO about VALUES ('closed', '1')")
        except SpoolError:
            pass  # it will be checked
        finally:
            with self._writing, self._using:
                self._quick.close()
                self._safe.close()
            self._lock.release()

    @contextmanager
    def changing(self) -> Iterator[Any]:
        """A transaction that a power cut may forget as a whole."""
        with self._changing(self._quick) as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self._reading() as db:
            yield db

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._using:
            try:
                yield self._quick
            except sqlite3.Error as error:
                raise self._translated(error) from error

    @contextmanager
    def _changing(self, db: Any) -> Iterator[Any]:
        with self._writing, self._using if db is self._quick else nullcontext():
            try:
                with spool_file.transaction(db):
                    yield db
            except sqlite3.Error as error:
                raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> SpoolError:
        found = spool_file.translated(error, self.path)
        self._damaged = self._damaged or isinstance(found, SpoolDamaged)
        return found


def read_poison(db: Any, where: str = "", limit: int = -1) -> Iterator[tuple[int, float, Aside]]:
    """As Spool.poison, of any connection to a spool: of one that another process is using."""
    found = db.execute(
        f"SELECT id, at, stage, reason, uplink, {_COLUMNS} FROM poison {where} ORDER BY id LIMIT ?", (limit,)
    )
    for number, at, stage, reason, uplink, *values in found:
        yield number, at, Aside(stage, reason, _unpack((uplink or 0, at, *values)))


def bytes_used(db: Any) -> int:
    """Pages in use; what was freed is used again."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _last(db: Any) -> int:
    """The highest id ever given."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'uplink'").fetchone()
    return 0 if found is None else int(found[0])


def clean(text: str) -> str:
    """Without halves of surrogate pairs, which SQLite does not take."""
    return text.encode("utf-8", "replace").decode()


def _pack(row: Row) -> tuple[Any, ...]:
    uplink = row.uplink
    rest = {n: v for n in _REST if (v := getattr(uplink, n)) != _PLAIN[n]}
    return (
        row.origin,
        clean(uplink.node),
        None if math.isnan(uplink.received_at) else uplink.received_at,
        row.measured_at,
        row.heard_at,
        uplink.payload,
        " ".join(row.problems),
        json.dumps(rest, separators=(",", ":"), default=dict),
    )


def _unpack(values: Sequence[Any]) -> Row:
    number, stored_at, origin, node, received_at, measured_at, heard_at, payload, problems, rest = values
    received = math.nan if received_at is None else received_at
    uplink = Uplink(node, bytes(payload), received, **{"source": "", **json.loads(rest)})
    return Row(origin, uplink, measured_at, heard_at, tuple(problems.split()), number, stored_at)
