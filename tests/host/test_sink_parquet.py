"""Parquet files, read back with pyarrow alone: what stands in them, what comes twice, how many there are."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.host import sinks

from judder import decode_batch, sink
from judder.errors import InputError
from judder.flow import Observation
from judder.ingest import files as ingest_files
from judder.sink import Poisoned, SinkDown, durable, parquet_store, rows
from judder.sink.parquet import ParquetOptions, ParquetSink

DAY = 86400


def open_sink(folder: Path, **options: Any) -> ParquetSink:
    return ParquetSink(ParquetOptions(folder=folder, **options))


def read(folder: Path, kind: str = "reading") -> pa.Table:
    return ds.dataset(folder / kind, format="parquet", partitioning="hive").to_table()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))


def sequences(folder: Path) -> list[int]:
    return sorted(read(folder)["sequence"].to_pylist())


def test_a_file_for_each_kind_and_day_of_receipt(tmp_path: Path) -> None:
    with open_sink(tmp_path) as writer:
        writer.write([*sinks.one_of_each(), sinks.reading(9, received_at=sinks.T0 + DAY)])
    kinds = [kind for kind in sink.KINDS if kind != "command"]
    expected = [f"{kind}/day=2025-11-25/00000001-00000001.parquet" for kind in kinds]
    assert files(tmp_path) == sorted([*expected, "reading/day=2025-11-26/00000001-00000001.parquet"])
    assert {str(day) for day in read(tmp_path)["day"].to_pylist()} == {"2025-11-25", "2025-11-26"}


@pytest.mark.parametrize("kind", [kind for kind in sink.KINDS if kind != "command"])
def test_columns_are_those_of_decode_batch_with_who_and_when_in_front(tmp_path: Path, kind: str) -> None:
    batch = [o for o in sinks.one_of_each() if o.record.kind == kind]
    with open_sink(tmp_path) as writer:
        writer.write(batch)
    (path,) = tmp_path.rglob(f"{kind}/*/*.parquet")
    table = pq.ParquetFile(path).read()
    expected, errors = decode_batch([o.uplink.payload for o in batch], kind=kind)
    assert not errors
    own = [name for name in expected.schema.names if name not in rows.NAMES]
    expected = expected.select(own)
    # Parquet's name for what is in a list is another.
    assert table.select(own).cast(expected.schema).to_batches()[0].equals(expected, check_metadata=True)
    same = [
        ours.equals(theirs, check_metadata=True)
        for ours, theirs in zip(table.select(own).schema, expected.schema, strict=True)
    ]
    assert [own[i] for i, is_ in enumerate(same) if not is_] == (["flags"] if kind == "hello" else [])
    assert table.schema.names == [about.name for about in rows.ABOUT] + own


def test_who_and_when(tmp_path: Path) -> None:
    with open_sink(tmp_path) as writer:
        writer.write([sinks.lorawan(sinks.reading(1, problems=("late", "gap:3"))), sinks.reading(2, name="\x00\ud800")])
    first, second = read(tmp_path).to_pylist()
    expected = {
        "node": sinks.NODE,
        "problems": ["late", "gap:3"],
        "name": "Pump 3, drive end",
        "tags": '{"hall":"A"}',
        "uplink_fcnt": 0,
        "uplink_snr_db": 0.0,
        "zone": "B",
        "temperature_c": 41.5,
        "payload": sinks.reading(1).uplink.payload,
    }
    assert {name: first[name] for name in expected} == expected
    assert first["time"].isoformat() == "2025-11-25T04:00:55+00:00"
    assert first["received_at"].isoformat() == "2025-11-25T04:01:00+00:00"
    assert second["name"] == "\ufffd\ufffd" and second["uplink_fcnt"] is None
    (path,) = tmp_path.rglob("*.parquet")
    field = pq.read_schema(path).field("velocity_rms_x_mm_s")
    assert field.metadata[b"unit"] == b"mm/s"


def test_what_is_read_again_is_the_same_message(tmp_path: Path) -> None:
    batch = sinks.one_of_each()
    with open_sink(tmp_path) as writer:
        writer.write(batch)
    for observation in batch:
        (path,) = tmp_path.glob(f"{observation.record.kind}/*/*.parquet")
        assert [found.event for found in ingest_files.read(path)] == [observation.uplink]


def test_what_is_written_twice_is_there_once(tmp_path: Path) -> None:
    batch = [sinks.reading(n) for n in range(20)]
    with open_sink(tmp_path) as writer:
        writer.write([*batch[:10], batch[3]])
        writer.write(batch[5:15])
        before = files(tmp_path)
        writer.write(batch[:15])
        assert files(tmp_path) == before
    with open_sink(tmp_path) as writer:  # a new process, that does not know how far the last one got
        writer.write(batch[::-1])
    assert sequences(tmp_path) == list(range(20))


def test_a_row_is_known_however_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 4)
    with open_sink(tmp_path) as writer:
        for n in range(30):
            writer.write([sinks.reading(2 * n), sinks.reading(2 * n + 1)])
        writer.write([sinks.reading(3), sinks.reading(60)])
    assert sequences(tmp_path) == list(range(61))


def test_only_files_of_the_same_time_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = pq.ParquetFile

    class Watched(real):  # type: ignore[misc,valid-type]
        def read_row_groups(self, groups: Any, columns: Any = None, **more: Any) -> Any:
            asked.append(columns)
            return super().read_row_groups(groups, columns, **more)

    with open_sink(tmp_path) as writer:
        for n in range(5):
            writer.write([sinks.reading(n)])
        monkeypatch.setattr(pq, "ParquetFile", Watched)
        writer.write([sinks.reading(6)])
        assert not asked
        writer.write([sinks.reading(2)])
    assert asked == [["id"]]


def test_small_files_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 4)
    with open_sink(tmp_path) as writer:
        for n in range(22):
            writer.write([sinks.reading(n)])
            assert sequences(tmp_path) == list(range(n + 1))
    day = "reading/day=2025-11-25"
    expected = ["00000001-00000016", "00000017-00000020", "00000021-00000021", "00000022-00000022"]
    assert files(tmp_path) == [f"{day}/{name}.parquet" for name in expected]
    assert read(tmp_path)["sequence"].to_pylist() == list(range(22)), "in the order they came"


def test_the_day_before_becomes_one_file_also_after_a_restart(tmp_path: Path) -> None:
    for n in range(3):
        with open_sink(tmp_path) as writer:
            writer.write([sinks.reading(n), sinks.reading(10 + n)])
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(20, received_at=sinks.T0 + DAY)])
        writer.write([sinks.reading(21, received_at=sinks.T0 + DAY + 1)])
    assert files(tmp_path) == [
        "reading/day=2025-11-25/00000001-00000003.parquet",
        "reading/day=2025-11-26/00000001-00000001.parquet",
        "reading/day=2025-11-26/00000002-00000002.parquet",
    ]
    assert sequences(tmp_path) == [0, 1, 2, 10, 11, 12, 20, 21]


def test_files_do_not_grow_beyond_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 3)
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
        size = next(tmp_path.rglob("*.parquet")).stat().st_size
        writer._store._file_bytes = 7 * size // 2  # three of one row
        for n in range(1, 30):
            writer.write([sinks.reading(n)])
        writer.write([sinks.reading(30, received_at=sinks.T0 + DAY)])
    assert all(path.stat().st_size < 4 * size for path in tmp_path.rglob("*.parquet"))
    assert sequences(tmp_path) == list(range(31))


def test_files_of_a_version_with_fewer_columns_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 3)
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
    (path,) = tmp_path.rglob("*.parquet")
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["kurtosis_x"]), path)
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(1)])
        writer.write([sinks.reading(2)])
    assert len(files(tmp_path)) == 1
    assert read(tmp_path)["kurtosis_x"].to_pylist() == [None, 3.1, 3.1]


def test_a_number_too_large_is_poison_and_nothing_is_written(tmp_path: Path) -> None:
    huge = sinks.hello()
    huge.record.uptime_s = 1 << 63  # type: ignore[attr-defined]
    batch: Sequence[Observation] = [sinks.reading(0), sinks.hello(received_at=sinks.T0 - 9), huge]
    with open_sink(tmp_path) as writer:
        with pytest.raises(Poisoned, match="Parquet has no way") as caught:
            writer.write(batch)
        assert caught.value.index == 2 and not files(tmp_path)
        writer.write(batch[:2])
    assert len(files(tmp_path)) == 2


def test_a_time_no_calendar_has_is_kept_and_known_again(tmp_path: Path) -> None:
    odd = sinks.hello()
    odd.uplink.received_at = odd.heard_at = float("inf")
    with open_sink(tmp_path) as writer:
        writer.write([odd])
        writer.write([odd])
    assert read(tmp_path, "hello")["received_at"].to_pylist() == [None]


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.host import sinks\n"
        "from judder.sink import SinkDown; from judder.sink.parquet import ParquetOptions, ParquetSink\n"
        "try: ParquetSink(ParquetOptions(folder=Path(sys.argv[1]))).write([sinks.reading(1)])\n"
        "except SinkDown as error: print(error)\n"
    )
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert "another process writes to" in done.stdout
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "" and sequences(tmp_path) == [0, 1]


def test_a_full_disk_is_down_and_leaves_nothing(tmp_path: Path) -> None:
    """A process of its own whose files may not grow beyond a limit: the write is cut short, then refused."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from tests.host import sinks\n"
        "from judder.sink import SinkDown; from judder.sink.parquet import ParquetOptions, ParquetSink\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "sink = ParquetSink(ParquetOptions(folder=Path(sys.argv[1])))\n"
        "sink.write([sinks.reading(0)])\n"
        "free = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "for limit in (1, 3000, 20000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, free[1]))\n"
        "    try: sink.write([sinks.reading(1)])\n"
        "    except SinkDown as error: print(error, flush=True)\n"
        "    print(len(list(Path(sys.argv[1]).glob('reading/*/*'))), flush=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, free)\n"
        "sink.write([sinks.reading(1)])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = f"cannot write {tmp_path / 'reading' / 'day=2025-11-25'}: File too large"
    assert done.stdout.splitlines() == [said, "1"] * 3
    assert sequences(tmp_path) == [0, 1]


def test_a_disk_that_does_not_sync_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
        with monkeypatch.context() as patch:
            patch.setattr(durable.os, "fsync", full)
            with pytest.raises(SinkDown, match=r"cannot write .*day=2025-11-25: No space left on device"):
                writer.write([sinks.reading(1)])
        writer.write([sinks.reading(1)])
    assert sequences(tmp_path) == [0, 1]


def test_putting_together_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "FANOUT", 4)
    real, left = parquet_store.os.unlink, [2]

    def unlink(path: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "Input/output error")
        real(path)

    with open_sink(tmp_path) as writer:
        for n in range(3):
            writer.write([sinks.reading(n)])
        with monkeypatch.context() as patch:
            patch.setattr(parquet_store.os, "unlink", unlink)
            writer.write([sinks.reading(3)])  # parts 3 and 4 stay beside the whole
        assert len(files(tmp_path)) == 3 and set(sequences(tmp_path)) == {0, 1, 2, 3}
        writer.write([sinks.reading(4)])
        assert files(tmp_path) == [
            f"reading/day=2025-11-25/{n}.parquet" for n in ("00000001-00000004", "00000005-00000005")
        ]
        assert sequences(tmp_path) == [0, 1, 2, 3, 4]


def test_a_share_that_cannot_sync_folders_or_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.os.fsync

    def fsync(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(22, "Invalid argument")
        real(fd)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
    assert sequences(tmp_path) == [0]

    def flock(_fd: int, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(parquet_store.fcntl, "flock", flock)
    with open_sink(tmp_path) as writer, pytest.raises(SinkDown, match="No locks available"):
        writer.write([sinks.reading(1)])


def test_a_folder_that_cannot_be_made_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        open_sink(tmp_path / "file" / "lake") as writer,
        pytest.raises(SinkDown, match=r"cannot write .*: Not a directory"),
    ):
        writer.write([sinks.reading(0)])


def test_a_broken_file_of_somebody_stops_it_with_its_name(tmp_path: Path) -> None:
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
    (path,) = tmp_path.rglob("*.parquet")
    path.write_bytes(b"PAR1 no")
    with open_sink(tmp_path) as writer, pytest.raises(SinkDown, match=r"00000001-00000001\.parquet.*move it away"):
        writer.write([sinks.reading(1)])


@pytest.mark.parametrize(("options", "key"), [({"compression": "lz5"}, "compression"), ({"file_mb": 0}, "file_mb")])
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        ParquetOptions(**options)


def test_without_pyarrow_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "judder.sink.parquet_store", raising=False)
    monkeypatch.delattr(sink, "parquet_store", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'judder\[batch\]'"):
        ParquetSink(ParquetOptions())
