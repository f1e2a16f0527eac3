"""What was set aside, for people: looked at, dropped, tried again, also while the gateway runs.

for entry in listing(path): ...
ask(path, [3, 4])         the gateway that has the spool tries them within seconds; outcomes(path) says how it went
retry_wanted(spool, intake)    what it does, or whoever has the spool while no gateway runs
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judder.errors import InputError
from judder.flow import Poison
from judder.gateway import spool_file
from judder.gateway.spool import Aside, Spool, read_poison
from judder.ingest import events, plain, text

if TYPE_CHECKING:
    from judder.gateway.intake import Intake

_AT_ONCE = 500


@dataclass(slots=True)
class Entry:
    """number: by which it is named. at: Unix time in seconds."""

    number: int
    at: float
    aside: Aside

    def to_dict(self) -> dict[str, Any]:
        row = self.aside.row
        told = plain.to_dict(row.uplink)
        about = {"number": self.number, "at": self.at, "stage": self.aside.stage, "reason": self.aside.reason}
        return about | {"from": row.origin} | told


def listing(path: Path, stage: str | None = None) -> list[Entry]:
    """Oldest first. path: of the spool. stage: only those of "event", "foreign", "node", "decode" or "sink:NAME".

    Raises InputError where there is no spool, or none of this version. So do the others here.
    """
    with _opened(path) as db:
        found = [Entry(*one) for one in read_poison(db)]
    return [entry for entry in found if stage in (None, entry.aside.stage)]


def drop(path: Path, numbers: Sequence[int]) -> int:
    """Forget these. Returns how many there were."""
    with _opened(path) as db:
        return sum(db.execute("DELETE FROM poison WHERE id = ?", (number,)).rowcount for number in numbers)


def ask(path: Path, numbers: Sequence[int]) -> None:
    """Want these tried again."""
    with _opened(path) as db:
        db.execute("DELETE FROM retry WHERE outcome IS NOT NULL OR poison NOT IN (SELECT id FROM poison)")
        db.executemany("INSERT OR IGNORE INTO retry (poison) VALUES (?)", [(number,) for number in numbers])


def outcomes(path: Path) -> dict[int, str]:
    """Of those tried since ask(): why it is set aside again, "" for one that is taken."""
    with _opened(path) as db:
        return dict(db.execute("SELECT poison, outcome FROM retry WHERE outcome IS NOT NULL").fetchall())


def retry_wanted(spool: Spool, intake: Intake) -> int:
    """By the owner of the spool. Returns how many were tried. Raises SpoolError."""
    tried = 0
    while found := spool.wanted(_AT_ONCE):
        intake.retry([(number, aside) for number, _at, aside in found])
        tried += len(found)
    return tried


def again(aside: Aside) -> list[events.Event | Poison]:
    """What came, read anew: by another version of this program, or with other rules."""
    uplink = aside.row.uplink
    if aside.stage != "event":
        return [events.sort(uplink)]
    body = uplink.payload.decode("utf-8", "replace")
    found = text.Reader(received_at=uplink.received_at).found(1, body) if body.lstrip().startswith("{") else []
    told = [one.event for one in found]
    if not told or None in told:
        return [Poison(uplink, InputError(aside.reason))]
    return [event for event in told if event is not None]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction beside the gateway that has the spool."""
    if not path.exists():
        raise InputError(f"there is no spool {path}; name the gateway's --config or --data")
    try:
        with contextlib.closing(spool_file.connect(path, "NORMAL")) as db:
            spool_file.check_version(path, db)
            with spool_file.transaction(db):
                yield db
    except sqlite3.Error as error:
        raise spool_file.translated(error, path) from error
