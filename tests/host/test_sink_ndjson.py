"""NDJSON files: what stands in them, full disks, torn lines, what is written twice."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.host import sinks

from judder.ingest import files
from judder.sink import Poisoned, SinkDown, append
from judder.sink.ndjson import NdjsonOptions, NdjsonSink


def open_sink(path: Path, **options: object) -> NdjsonSink:
    return NdjsonSink(NdjsonOptions(path=path, **options))  # type: ignore[arg-type]


def test_a_line_says_who_when_what_and_how_it_came(tmp_path: Path) -> None:
    path = tmp_path / "new" / "readings.ndjson"
    with open_sink(path) as sink:
        sink.write(sinks.one_of_each())
    rows = [json.loads(line) for line in sinks.lines(path)]
    assert [row["kind"] for row in rows] == ["reading", "alarm", "hello", "capture", "spectrum", "ack", "unknown"]
    first = rows[0]
    assert (first["node"], first["received_at"], first["measured_at"]) == (sinks.NODE, sinks.T0 + 60, sinks.T0 + 55)
    assert first["velocity_rms_mm_s"] == {"x": 3.01, "y": 3.12, "z": 1.55} and first["temperature_c"] == 41.5
    # A frame count or SNR of zero is a value.
    assert first["uplink"] == {
        "source": "chirpstack",
        "port": 2,
        "fcnt": 0,
        "session": "01a2b3c4",
        "rssi_dbm": -101.0,
        "snr_db": 0.0,
        "gateway": "0016c001f1500001",
        "data_rate": "SF7BW125",
        "frequency_hz": 868100000,
        "name": "Pump 3, drive end",
        "tags": {"hall": "A"},
    }
    assert rows[1]["uplink"] == {"source": "mqtt"}


def test_judder_decode_reads_the_file_again(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson"
    with open_sink(path) as sink:
        sink.write(sinks.one_of_each())
    command = [sys.executable, "-m", "judder.cli.main", "decode", "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    kept, again = ([json.loads(line) for line in text] for text in (sinks.lines(path), done.stdout.splitlines()))
    for old, new in zip(kept, again, strict=True):
        assert new == {name: old[name] for name in new}


def test_what_is_read_again_is_the_same_message(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson"
    batch = sinks.one_of_each()
    with open_sink(path) as sink:
        sink.write(batch)
    again = [found.event for found in files.read(path)]
    assert again == [observation.uplink for observation in batch]


def test_what_is_written_twice_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson"
    batch = [sinks.reading(n) for n in range(20)]
    with open_sink(path) as sink:
        sink.write(batch[:10])
        sink.write(batch[5:15])
    with open_sink(path) as sink:  # a new process, that does not know how far the last one got
        sink.write(batch[10:])
    assert [json.loads(line)["sequence"] for line in sinks.lines(path)] == list(range(20))


def test_a_torn_line_goes_and_its_observation_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "readings.ndjson"
    monkeypatch.setattr(append.os, "fsync", lambda _fd: None)  # two thousand of them take their time
    with open_sink(path) as sink:
        sink.write([sinks.reading(0), sinks.reading(1)])
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    # All lengths about the ends of lines, and a good many within.
    every = 1 if os.environ.get("JUDDER_FULL") else 13
    for length in sorted({*range(0, len(whole), every), *range(second - 3, second + 3), len(whole) - 1}):
        path.write_bytes(whole[:length])
        with open_sink(path) as sink:
            sink.write([sinks.reading(1)])
        kept = [json.loads(line)["sequence"] for line in sinks.lines(path)]
        assert kept == ([0, 1] if length >= second else [1])


def test_a_file_of_each_day_of_receipt(tmp_path: Path) -> None:
    days = [sinks.reading(n, received_at=sinks.T0 + n * 86400) for n in range(6)]
    late = sinks.reading(9, received_at=sinks.T0)
    with open_sink(tmp_path / "r.ndjson", daily=True) as sink:
        sink.write([*days, late])
        sink.write([*days, late])
    found = {path.name: len(sinks.lines(path)) for path in sorted(tmp_path.iterdir())}
    assert found == {f"r-2025-11-{day}.ndjson": 1 + (day == 25) for day in range(25, 31)}


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "readings.ndjson"
    with open_sink(path) as sink:
        sink.write([sinks.reading(0)])
        path.rename(tmp_path / "readings.ndjson.1")
        sink.write([sinks.reading(1)])
    assert [json.loads(line)["sequence"] for line in sinks.lines(path)] == [1]


def test_a_full_disk_leaves_whole_batches(tmp_path: Path) -> None:
    """A process of its own whose files may not grow beyond a limit: the write is cut short, then refused."""
    path = tmp_path / "readings.ndjson"
    program = (
        "import sys, signal; from pathlib import Path; from tests.host import sinks\n"
        "from judder.sink import SinkDown; from judder.sink.ndjson import NdjsonOptions, NdjsonSink\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "sink = NdjsonSink(NdjsonOptions(path=Path(sys.argv[1])))\n"
        "for n in range(0, 100, 5):\n"
        "    try: sink.write([sinks.reading(n + i) for i in range(5)])\n"
        "    except SinkDown as error: print(n, error); break\n"
    )
    limit = 20_000
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    number, reason = done.stdout.split(" ", 1)
    assert int(number) > 0 and "File too large" in reason and str(path) in reason
    kept = [json.loads(line)["sequence"] for line in sinks.lines(path)]
    assert kept == list(range(int(number)))
    with open_sink(path) as sink:  # there is room again
        sink.write([sinks.reading(int(number) + i) for i in range(5)])
    assert [json.loads(line)["sequence"] for line in sinks.lines(path)] == list(range(int(number) + 5))


def test_no_space_is_down_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "readings.ndjson"
    real = os.write
    left = [1500]

    def write(fd: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        taken = real(fd, data[: left[0]])
        left[0] -= taken
        return taken

    with open_sink(path) as sink:
        monkeypatch.setattr(append.os, "write", write)
        with pytest.raises(SinkDown, match="No space left"):
            sink.write([sinks.reading(0), sinks.reading(1)])
        assert path.read_bytes() == b""
        monkeypatch.setattr(append.os, "write", real)
        sink.write([sinks.reading(0), sinks.reading(1)])
    assert len(sinks.lines(path)) == 2


def test_a_folder_that_cannot_be_made_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with open_sink(tmp_path / "file" / "readings.ndjson") as sink, pytest.raises(SinkDown, match="cannot write"):
        sink.write([sinks.reading(0)])


def test_a_number_json_cannot_carry_is_poison(tmp_path: Path) -> None:
    bad = sinks.reading(1)
    bad.measured_at = float("nan")
    with open_sink(tmp_path / "r.ndjson") as sink:
        with pytest.raises(Poisoned, match="JSON") as caught:
            sink.write([sinks.reading(0), bad])
        assert caught.value.index == 1
        sink.write([sinks.reading(0)])
    assert len(sinks.lines(tmp_path / "r.ndjson")) == 1
