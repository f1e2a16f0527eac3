"""Parquet files and power cuts at every step: nothing lost that write() returned for, nothing twice afterwards."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.host import disk_cut, sinks

from judder.flow import Observation
from judder.sink import durable, parquet_store
from judder.sink.parquet import ParquetOptions, ParquetSink

DAY = 86400
# Of two days, with two kinds, and so many that files are put together twice over.
BATCHES: list[list[Observation]] = [[sinks.reading(2 * n), sinks.reading(2 * n + 1)] for n in range(5)]
BATCHES[2].append(sinks.alarm())
BATCHES += [[sinks.reading(20 + n, received_at=sinks.T0 + DAY + n)] for n in range(2)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 2)


def open_sink(root: Path) -> ParquetSink:
    return ParquetSink(ParquetOptions(folder=root / "lake"))


def recorded(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[disk_cut.Step]:
    """Steps of writing BATCHES, each followed by the mark of its number."""
    root.mkdir()
    recorder = disk_cut.Recorder(root)
    with monkeypatch.context() as patch, open_sink(root) as sink:
        patch.setattr(durable, "os", recorder)
        patch.setattr(parquet_store, "os", recorder)
        for number, batch in enumerate(BATCHES, 1):
            sink.write(batch)
            recorder.mark(number)
    return recorder.steps


def kept(root: Path) -> list[tuple[str, int]]:
    """(kind, sequence) of every row a reader finds, repetitions included."""
    found = []
    for path in sorted(root.glob("lake/*/*/[0-9]*.parquet")):
        found += [(row["kind"], row["sequence"]) for row in pq.ParquetFile(path).read(["kind", "sequence"]).to_pylist()]
    return sorted(found)


def of(batches: list[list[Observation]]) -> list[tuple[str, int]]:
    return sorted((o.record.kind, o.record.sequence) for batch in batches for o in batch)  # type: ignore[attr-defined]


def survivals(cut: int) -> Iterator[Callable[[], bool]]:
    """Of what was not synced: nothing, everything, some of it."""
    yield lambda: False
    yield lambda: True
    for seed in range(10 if os.environ.get("JUDDER_FULL") else 1):
        draw = random.Random(1000 * cut + seed)
        yield lambda draw=draw: draw.random() < 0.5  # type: ignore[misc]


def judge(
    steps: list[disk_cut.Step], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int = 1
) -> tuple[int, list[str]]:
    """(different disks, what was wrong): each cut, then a start that writes again what a gateway would."""
    cuts, wrong = 0, []
    judged = set()
    monkeypatch.setattr(durable, "os", disk_cut.Recorder(tmp_path))  # which syncs nothing, for that takes long
    for cut in range(0, len(steps) + 1, every):
        for number, survives in enumerate(survivals(cut)):
            root = tmp_path / f"cut{cut}-{number}"
            root.mkdir()
            disk_cut.disk(steps, cut, survives, root)
            done = max((step[1] for step in steps[:cut] if step[0] == "mark"), default=0)
            state = (done, *sorted((str(p.relative_to(root)), p.is_file() and p.read_bytes()) for p in root.rglob("*")))
            if state in judged:
                continue
            judged.add(state)
            cuts += 1
            try:
                lost = set(of(BATCHES[:done])) - set(kept(root))
                if lost:
                    wrong.append(f"cut {cut}: lost {sorted(lost)}")
                    continue
                with open_sink(root) as sink:
                    # The last that returned may come again, too.
                    for batch in BATCHES[max(0, done - 1) :]:
                        sink.write(batch)
                if kept(root) != of(BATCHES):
                    wrong.append(f"cut {cut}: {kept(root)}")
            except Exception as error:  # a file in part, say
                wrong.append(f"cut {cut}: {error!r}")
    return cuts, wrong


def test_nothing_is_lost_or_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = recorded(tmp_path / "whole", monkeypatch)
    assert sum(step[0] == "unlink" for step in steps) > 8, "files were put together"
    cuts, wrong = judge(steps, tmp_path, monkeypatch, every=1 if os.environ.get("JUDDER_FULL") else 2)
    assert cuts > 40 and not wrong, wrong[:3]


@pytest.mark.parametrize("left_out", ["sync", "sync folder"])
def test_a_sync_left_out_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    steps = [step for step in recorded(tmp_path / "whole", monkeypatch) if step[0] != left_out]
    _cuts, wrong = judge(steps, tmp_path, monkeypatch, every=11)
    assert wrong


def test_removing_before_the_whole_is_there_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = parquet_store.Store._place

    def hasty(self: parquet_store.Store, folder: Path, first: int, last: int, schema: object, tables: object) -> object:
        tables = list(tables)  # type: ignore[call-overload]
        if last > first:
            parquet_store._remove([f.path for f in self._folders[folder] if f.first >= first and f.last <= last])
        return real(self, folder, first, last, schema, tables)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(parquet_store.Store, "_place", hasty)
        patch.setattr(parquet_store, "_remove", _forgiving(parquet_store._remove))
        steps = recorded(tmp_path / "whole", monkeypatch)
    _cuts, wrong = judge(steps, tmp_path, monkeypatch, every=3)
    assert any("lost" in line for line in wrong)


def _forgiving(remove: Callable[[list[Path]], None]) -> Callable[[list[Path]], None]:
    return lambda paths: remove([path for path in paths if path.exists()])
