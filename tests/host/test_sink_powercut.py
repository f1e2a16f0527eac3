"""Files of sinks and power cuts at every step: nothing lost that write() returned for, nothing twice afterwards."""

import contextlib
import errno
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.host import disk_cut, sinks

from judder.flow import Observation
from judder.gateway.spool import Spool
from judder.sink import append, durable, parquet_store
from judder.sink.ndjson import NdjsonOptions, NdjsonSink
from judder.sink.parquet import ParquetOptions, ParquetSink
from judder.sink.sparkplug import NumbersInFile
from judder.sink.sqlite import SqliteOptions, SqliteSink

FULL = bool(os.environ.get("JUDDER_FULL"))
DAY = 86400
# Of two days, with two kinds, and so many that files of Parquet are put together twice over.
BATCHES: list[list[Observation]] = [[sinks.reading(2 * n), sinks.reading(2 * n + 1)] for n in range(5)]
BATCHES[2].append(sinks.alarm())
BATCHES += [[sinks.reading(20 + n, received_at=sinks.T0 + DAY + n)] for n in range(2)]
Rows = list[tuple[str, int]]


class Lake:
    def open(self, root: Path) -> Any:
        return ParquetSink(ParquetOptions(folder=root / "lake"))

    def kept(self, root: Path) -> Rows:
        """(kind, sequence) of every row a reader finds, repetitions included."""
        paths = root.glob("lake/*/*/[0-9]*.parquet")
        tables = [pq.ParquetFile(path).read(["kind", "sequence"]) for path in paths]
        return sorted((row["kind"], row["sequence"]) for table in tables for row in table.to_pylist())


class Lines:
    def open(self, root: Path) -> Any:
        return NdjsonSink(NdjsonOptions(path=root / "new" / "folder" / "r.ndjson", daily=True))

    def kept(self, root: Path) -> Rows:
        texts = [path.read_text() for path in root.glob("new/folder/*.ndjson")]
        whole = [text[: text.rfind("\n") + 1] for text in texts]  # a line in part is none yet
        rows = [json.loads(line) for text in whole for line in text.splitlines()]
        return sorted((row["kind"], row["sequence"]) for row in rows)


STORES = (Lake(), Lines())
every_store = pytest.mark.parametrize("store", STORES, ids=["parquet", "ndjson"])


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 2)


def watched(patch: pytest.MonkeyPatch, recorder: disk_cut.Recorder) -> None:
    for module in (durable, parquet_store, append):
        patch.setattr(module, "os", recorder)


def write(store: Any, root: Path, recorder: disk_cut.Recorder, first: int = 0) -> None:
    """BATCHES from number `first` on, each followed by the mark of how many are done."""
    sink = store.open(root)
    try:
        for number, batch in enumerate(BATCHES[first:], first + 1):
            sink.write(batch)
            recorder.mark(number)
    finally:
        sink.close()


def done(steps: list[disk_cut.Step]) -> int:
    return max((step[1] for step in steps if step[0] == "mark"), default=0)


def recorded(store: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> list[disk_cut.Step]:
    root.mkdir()
    recorder = disk_cut.Recorder(root)
    with monkeypatch.context() as patch:
        watched(patch, recorder)
        write(store, root, recorder)
    return recorder.steps


def of(batches: list[list[Observation]]) -> Rows:
    return sorted((o.record.kind, o.record.sequence) for batch in batches for o in batch)  # type: ignore[attr-defined]


def survivals(cut: int) -> Iterator[Callable[[], bool]]:
    """Of what was not synced: nothing, everything, some of it."""
    yield lambda: False
    yield lambda: True
    for seed in range(10 if FULL else 1):
        draw = random.Random(1000 * cut + seed)
        yield lambda draw=draw: draw.random() < 0.5  # type: ignore[misc]


def judge(
    store: Any, steps: list[disk_cut.Step], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int = 1
) -> tuple[int, list[str]]:
    """(different disks, what was wrong): each cut, then a start that writes again what a gateway would."""
    wrong: list[str] = []
    judged = set()
    for cut in range(0, len(steps) + 1, every):
        for number, survives in enumerate(survivals(cut)):
            root = tmp_path / f"cut{cut}-{number}"
            root.mkdir()
            disk_cut.disk(steps, cut, survives, root)
            acked = done(steps[:cut])
            state = (
                acked,
                *sorted((str(p.relative_to(root)), p.is_file() and p.read_bytes()) for p in root.rglob("*")),
            )
            if state in judged:
                continue
            judged.add(state)
            recorder = disk_cut.Recorder(root)
            try:
                lost = set(of(BATCHES[:acked])) - set(store.kept(root))
                if lost:
                    wrong.append(f"cut {cut}: lost {sorted(lost)}")
                    continue
                with monkeypatch.context() as patch:
                    watched(patch, recorder)
                    write(store, root, recorder, max(0, acked - 1))  # the last that returned may come again, too
                if store.kept(root) != of(BATCHES):
                    wrong.append(f"cut {cut}: {store.kept(root)}")
            except Exception as error:  # a file in part, say
                wrong.append(f"cut {cut}: {error!r}")
    return len(judged), wrong


@every_store
def test_nothing_is_lost_or_twice(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = recorded(store, tmp_path / "whole", monkeypatch)
    if store is STORES[0]:
        assert sum(step[0] == "unlink" for step in steps) > 8, "files were put together"
    disks, wrong = judge(store, steps, tmp_path, monkeypatch, every=1 if FULL or store is STORES[1] else 5)
    assert disks > 12 and not wrong, wrong[:3]


@every_store
def test_killed_before_a_sync_started_again_and_then_the_power_goes(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the killed process wrote is seen by the next, which must not take it for what is on the disk."""
    count = len(recorded(store, tmp_path / "whole", monkeypatch))
    killed = 0
    for step in range(0, count, 1 if FULL or store is STORES[1] else 6):
        root, after = tmp_path / f"run{step}", tmp_path / f"disk{step}"
        root.mkdir()
        after.mkdir()
        recorder = disk_cut.Recorder(root, killed_at=step)
        with monkeypatch.context() as patch:
            watched(patch, recorder)
            with contextlib.suppress(disk_cut.Killed):
                write(store, root, recorder)
            killed += done(recorder.steps) < len(BATCHES)
            recorder.killed_at = None
            write(store, root, recorder, max(0, done(recorder.steps) - 1))
        disk_cut.disk(recorder.steps, len(recorder.steps), lambda: False, after)
        assert sorted(set(store.kept(after))) == of(BATCHES), step
    assert killed > 5


# --- that these tests would notice


@every_store
@pytest.mark.parametrize("left_out", ["sync", "sync folder"])
def test_a_sync_left_out_is_noticed(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    steps = [step for step in recorded(store, tmp_path / "whole", monkeypatch) if step[0] != left_out]
    _disks, wrong = judge(store, steps, tmp_path, monkeypatch, every=11)
    assert wrong


@every_store
def test_no_sync_at_a_start_is_noticed(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sync_folder", lambda _folder: None)
    with pytest.raises(AssertionError):
        test_killed_before_a_sync_started_again_and_then_the_power_goes(store, tmp_path, monkeypatch)


def test_removing_before_the_whole_is_there_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, remove = parquet_store.Store._place, parquet_store._remove

    def hasty(self: Any, folder: Path, first: int, last: int, schema: Any, tables: Any) -> Any:
        tables = list(tables)
        if last > first:
            remove([f.path for f in self._folders[folder] if f.first >= first and f.last <= last])
        return place(self, folder, first, last, schema, tables)

    with monkeypatch.context() as patch:
        patch.setattr(parquet_store.Store, "_place", hasty)
        patch.setattr(parquet_store, "_remove", lambda paths: remove([path for path in paths if path.exists()]))
        steps = recorded(STORES[0], tmp_path / "whole", monkeypatch)
    _disks, wrong = judge(STORES[0], steps, tmp_path, monkeypatch, every=9)
    assert any("lost" in line for line in wrong)


# --- files of others in folders of ours


def _bdseq(path: Path) -> None:
    NumbersInFile(path).use(7)
    assert path.read_text() == "7\n"


def _spool(path: Path) -> None:
    Spool(path).close()


def _sqlite(path: Path) -> None:
    with SqliteSink(SqliteOptions(path=path)) as sink:
        sink.write([sinks.reading(1)])


@pytest.mark.parametrize("make", [_bdseq, _spool, _sqlite])
def test_names_of_new_folders_are_on_the_disk(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite syncs the folder its files are in, and none above it: what was acknowledged would be gone with those."""
    synced, real = set(), durable.sync_folder
    monkeypatch.setattr(durable, "sync_folder", lambda folder: (synced.add(folder), real(folder)))
    make(tmp_path / "new" / "folder" / "file")
    wanted = {tmp_path, tmp_path / "new"} | ({tmp_path / "new" / "folder"} if make is _bdseq else set())
    assert wanted <= synced


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EROFS])
def test_a_folder_that_has_no_sync_is_no_fault(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync(2): EROFS, EINVAL: the descriptor is bound to what does not support synchronization. A disk that fails is
    another matter."""
    said = [number]

    def fsync(_fd: int) -> None:
        raise OSError(said[0], os.strerror(said[0]))

    monkeypatch.setattr(durable.os, "fsync", fsync)
    durable.make_folder(tmp_path / "new")
    said[0] = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        durable.make_folder(tmp_path / "newer")
