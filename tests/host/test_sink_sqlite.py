"""The SQLite sink, read by sqlite3 itself: every kind, twice is once, full disks, readers, new columns."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks

from judder.sink import Poisoned, SinkDown, rows
from judder.sink.sqlite import SqliteOptions, SqliteSink


def open_sink(path: Path, connect: Any = sqlite3.connect) -> SqliteSink:
    return SqliteSink(SqliteOptions(path=path), connect)


def asked(path: Path, sql: str) -> list[dict[str, Any]]:
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute(sql)]
    finally:
        db.close()


def test_a_table_for_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "judder.db"
    with open_sink(path) as sink:
        sink.write(sinks.one_of_each())
    (row,) = asked(path, "SELECT * FROM reading")
    assert list(row) == [name for name, _type in rows.COLUMNS["reading"]]
    assert (row["node"], row["zone"], row["velocity_rms_x_mm_s"], row["temperature_c"]) == (sinks.NODE, "B", 3.01, 41.5)
    assert row["time"] == row["measured_at"] == "2025-11-25T04:00:55.000Z"
    assert (row["uplink_fcnt"], row["uplink_snr_db"], row["name"]) == (0, 0.0, "Pump 3, drive end")
    assert row["clipped"] == 0 and json.loads(row["tags"]) == {"hall": "A"}
    assert row["payload"] == sinks.one_of_each()[0].uplink.payload
    kinds = ["reading", "alarm", "hello", "capture", "spectrum", "ack", "unknown"]
    assert [asked(path, f"SELECT count(*) AS n FROM {kind}")[0]["n"] for kind in kinds] == [1] * 7
    # SQLite's own date functions take the times.
    assert asked(path, "SELECT unixepoch(time) AS t FROM reading") == [{"t": int(sinks.T0) + 55}]


def test_written_twice_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    with open_sink(path) as sink:
        sink.write([sinks.reading(n) for n in range(20)])
        sink.write([sinks.reading(n) for n in range(10, 30)])
    with open_sink(path) as sink:
        sink.write([sinks.reading(n) for n in range(31)])
    assert asked(path, "SELECT sequence AS s FROM reading ORDER BY rowid") == [{"s": n} for n in range(31)]


def test_a_full_disk_then_room(tmp_path: Path) -> None:
    made: list[sqlite3.Connection] = []
    pages = 200

    def connect(*given: Any, **more: Any) -> sqlite3.Connection:
        made.append(sqlite3.connect(*given, **more))
        made[-1].execute(f"PRAGMA max_page_count = {pages}")
        return made[-1]

    path = tmp_path / "judder.db"
    sink = open_sink(path, connect)
    sink.write([sinks.reading(1)])
    many = [sinks.reading(n) for n in range(2, 3000)]
    with pytest.raises(SinkDown, match="full"):
        sink.write(many)
    assert len(asked(path, "SELECT id FROM reading")) == 1
    pages = 1 << 20
    sink.write(many)
    sink.close()
    assert len(asked(path, "SELECT id FROM reading")) == 2999


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkDown, match="cannot write"):
        open_sink(tmp_path / "file" / "judder.db").write([sinks.reading(1)])


def test_somebody_reads_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    with open_sink(path) as sink:
        sink.write([sinks.reading(1)])
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM reading").fetchone() == (1,)
        sink.write([sinks.reading(2)])
        assert reader.execute("SELECT count(*) FROM reading").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM reading").fetchone() == (2,)
        reader.close()


def test_a_file_of_an_older_version_gets_the_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE reading (id TEXT PRIMARY KEY, node TEXT, time TEXT)")
        db.execute("INSERT INTO reading VALUES ('old', 'n', 't')")
    db.close()
    with open_sink(path) as sink:
        sink.write([sinks.reading(1)])
    found = asked(path, "SELECT id, zone FROM reading ORDER BY rowid")
    assert found[0] == {"id": "old", "zone": None} and found[1]["zone"] == "B"


def test_a_number_sqlite_cannot_hold(tmp_path: Path) -> None:
    """And the table made in the same transaction is there for those after it."""
    bad = sinks.reading(1)
    bad.uplink.fcnt = 1 << 70
    path = tmp_path / "judder.db"
    with open_sink(path) as sink:
        with pytest.raises(Poisoned) as caught:
            sink.write([sinks.reading(0), bad])
        assert caught.value.index == 1
        sink.write([sinks.reading(0)])
    assert len(asked(path, "SELECT id FROM reading")) == 1


def test_what_no_text_can_hold(tmp_path: Path) -> None:
    odd = sinks.reading(1, name="Pump \ud800\x00 3\n")
    path = tmp_path / "judder.db"
    with open_sink(path) as sink:
        sink.write([odd])
    assert asked(path, "SELECT name FROM reading")[0]["name"] == "Pump \ufffd\ufffd 3"
