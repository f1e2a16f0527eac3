"""Keeps a spool within its limits: what every sink has goes; over the limits the oldest goes, counted and said.

Bytes are pages in use, so the file itself never grows past the limit either; beside it stands SQLite's write-ahead log
of a few MiB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from judder.decode.clocks import EARLIEST_S, LATEST_S
from judder.gateway.spool import Spool, bytes_used

# Uplinks kept although every sink has them: a broker that repeats one is recognised by them (judder.gateway.intake).
RECENT = 4096
# How far below its limit a full spool is brought: not one row for each that comes.
_ROOM = 0.95
_STEP = 2000
_VACUUM_PAGES = 256

Report = Callable[[int, dict[str, int], str], object]


@dataclass(frozen=True)
class Limits:
    """max_bytes: pages in use. max_age_s: since an uplink was stored."""

    max_bytes: int = 1 << 30
    max_age_s: float = 30 * 86400


class Keeper:
    """report(uplinks dropped, {sink: of those, how many it had not got}, reason) is called whenever data is lost."""

    def __init__(self, spool: Spool, limits: Limits, report: Report) -> None:
        self._spool = spool
        self._limits = limits
        self._report = report

    def bytes_used(self) -> int:
        with self._spool.reading() as db:
            return bytes_used(db)

    def full(self) -> bool:
        """Over the limit, even without what every sink has."""
        if self.bytes_used() <= self._limits.max_bytes:
            return False
        self._drop_delivered(recent=0)
        return self.bytes_used() > self._limits.max_bytes

    def trim(self, now: float) -> None:
        """To be called now and then. now: Unix time in seconds."""
        self._drop_delivered(RECENT)
        self._drop_old(now)
        self._give_back()

    def make_room(self) -> None:
        """To be called after every store: the oldest go until there is room."""
        if not self.full():
            return
        target = int(self._limits.max_bytes * _ROOM)
        while self.bytes_used() > target:
            with self._spool.reading() as db:
                first, last = _range(db)
            if first > last:
                break  # states of nodes and poison alone; both are bounded
            self._drop(min(last, first + _STEP - 1), "the spool is over its size")

    def _drop_delivered(self, recent: int) -> None:
        with self._spool.reading() as db:
            first, last = _range(db)
            done = db.execute("SELECT coalesce(min(id), 0) FROM cursor").fetchone()[0]
        done = min(done, last - recent)
        while first <= done:
            upto = min(done, first + _STEP - 1)
            with self._spool.changing() as db:
                db.execute("DELETE FROM uplink WHERE id <= ?", (upto,))
            first = upto + 1

    def _drop_old(self, now: float) -> None:
        if not EARLIEST_S <= now <= LATEST_S:
            return  # a clock that is not set must not cost data
        with self._spool.reading() as db:
            first, last = _range(db)
            # Stored before this computer knew the time: of unknown age, so the size alone bounds it.
            kept = db.execute(
                "SELECT id FROM uplink WHERE stored_at >= ? OR stored_at < ? ORDER BY id LIMIT 1",
                (now - self._limits.max_age_s, EARLIEST_S),
            ).fetchone()
        upto = last if kept is None else kept[0] - 1
        if first <= upto:
            self._drop(upto, "older than the spool keeps anything")

    def _drop(self, upto: int, reason: str) -> None:
        with self._spool.changing() as db:
            missed: dict[str, int] = {}
            for sink, cursor in db.execute("SELECT sink, id FROM cursor WHERE id < ?", (upto,)).fetchall():
                missed[sink] = db.execute(
                    "SELECT count(*) FROM uplink WHERE id > ? AND id <= ?", (cursor, upto)
                ).fetchone()[0]
            db.execute("DELETE FROM uplink WHERE id <= ?", (upto,))
            for sink, more in missed.items():
                db.execute("UPDATE cursor SET id = ?, dropped = dropped + ? WHERE sink = ?", (upto, more, sink))
            lost = max(missed.values(), default=0)
            if lost:
                self._spool.count(db, "dropped", lost)
        if lost:
            self._report(lost, missed, reason)

    def _give_back(self) -> None:
        """A little at a time, so that nobody waits."""
        with self._spool.changing() as db:
            if db.execute("PRAGMA freelist_count").fetchone()[0] > _VACUUM_PAGES:
                # One at a time: it gives back a page a step, and sqlite3 takes but one step where no column comes.
                for _ in range(_VACUUM_PAGES):
                    db.execute("PRAGMA incremental_vacuum(1)")


def _range(db: Any) -> tuple[int, int]:
    first, last = db.execute("SELECT min(id), max(id) FROM uplink").fetchone()
    return (1, 0) if first is None else (first, last)
