"""For the tests of the gateway: a clock, a sink and a log that tests hold in their hands, uplinks, full disks."""

import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.host import tracking

from judder.flow import Observation, Uplink
from judder.gateway import spool_file
from judder.gateway.intake import Arrival
from judder.gateway.log import Log
from judder.gateway.spool import Row, Spool
from judder.sink import SinkDown, SinkOptions
from judder.sink.base import BaseSink

NODE, OTHER = "70b3d57ed0000001", "70b3d57ed0000002"
T0 = tracking.T0


class Clock:
    """Unix time, or monotonic seconds: it goes when the test says so."""

    def __init__(self, now: float = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Told(Log):
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(self.stream, as_json=True, level="debug", clock=lambda: T0)

    def rows(self, event: str = "") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [row for row in found if event in ("", row["event"])]


class Kept(BaseSink):
    """Takes everything and keeps it. refuse: called with the batch before; what it raises is what write() raises."""

    name = "kept"

    def __init__(self, refuse: Callable[[Sequence[Observation]], object] = lambda _batch: None, **options: Any) -> None:
        super().__init__(SinkOptions(**{"linger_s": 0.0, **options}))
        self.refuse = refuse
        self.batches: list[list[Observation]] = []
        self.closed = False

    def write(self, batch: Sequence[Observation]) -> None:
        self.refuse(batch)
        self.batches.append(list(batch))

    def close(self) -> None:
        self.closed = True

    @property
    def payloads(self) -> list[bytes]:
        return [one.uplink.payload for batch in self.batches for one in batch]


def down(_batch: object) -> None:
    raise SinkDown("no answer from http://127.0.0.1:9")


def uplink(sequence: int, node: str = NODE, at_s: float | None = None, **said: Any) -> Uplink:
    """A reading of that number, a minute after the one before."""
    at = T0 + (60.0 * sequence if at_s is None else at_s)
    return Uplink(node, tracking.reading(sequence), at, said.pop("source", "mqtt"), **said)


def arrivals(*numbers: int, node: str = NODE) -> list[Arrival]:
    return [Arrival(uplink(number, node)) for number in numbers]


def rows(*numbers: int) -> list[Row]:
    return [Row("plant", uplink(number)) for number in numbers]


def payloads(*numbers: int) -> list[bytes]:
    return [tracking.reading(number) for number in numbers]


def open_spool(folder: Path, **given: Any) -> Spool:
    given.setdefault("free", lambda _folder: 1 << 40)
    return Spool(folder / "spool.db", log=lambda _line: None, **given)


class Disk:
    """Connections to a spool whose disk is full at the test's word: by SQLite's own quota of pages."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    def connect(self, path: Path, synchronous: str) -> sqlite3.Connection:
        self._open.append(spool_file.connect(path, synchronous))
        return self._open[-1]

    def full(self, is_full: bool = True) -> None:
        for connection in self._open:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages if is_full else 1 << 30}")
