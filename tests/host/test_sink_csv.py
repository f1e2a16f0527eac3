"""CSV files, read back with the standard library and as a spreadsheet would."""

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks

from judder import sink
from judder.decode import columns
from judder.sink import rows
from judder.sink.csv import CsvOptions, CsvSink


def open_sink(folder: Path, **options: Any) -> CsvSink:
    return CsvSink(CsvOptions(folder=folder, **options))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_file_for_each_kind_and_day_of_receipt(tmp_path: Path) -> None:
    batch = [*sinks.one_of_each(), sinks.reading(9, received_at=sinks.T0 + 86400)]
    with open_sink(tmp_path) as writer:
        writer.write(batch)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {f"{kind}-2025-11-25.csv" for kind in sink.KINDS if kind != "command"} | {"reading-2025-11-26.csv"}


def test_a_reading_as_a_row(tmp_path: Path) -> None:
    with open_sink(tmp_path) as writer:
        writer.write([sinks.lorawan(sinks.reading(1, problems=("late", "gap:3")))])
    (row,) = read(tmp_path / "reading-2025-11-25.csv")
    expected = {
        "node": sinks.NODE,
        "time": "2025-11-25T04:00:55.000Z",
        "received_at": "2025-11-25T04:01:00.000Z",
        "problems": "late gap:3",
        "name": "Pump 3, drive end",
        "uplink_fcnt": "0",
        "uplink_snr_db": "0.0",
        "zone": "B",
        "clipped": "false",
        "velocity_rms_worst_mm_s": "3.12",
        "velocity_rms_z_mm_s": "1.55",
        "temperature_c": "41.5",
        "battery_mv": "3312",
        "extra": "",
    }
    assert {name: row[name] for name in expected} == expected
    assert list(row)[:3] == ["id", "node", "time"]


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+1", "-2+3", "\t=1", 'a"b,c', "two\r\nlines", "\u0085x", "\ud800"]
)
def test_names_are_neither_formulas_nor_lines(tmp_path: Path, text: str) -> None:
    named = sinks.reading(1, name=text)
    with open_sink(tmp_path) as writer:
        writer.write([named, sinks.reading(2)])
    path = tmp_path / "reading-2025-11-25.csv"
    found = [row["name"] for row in read(path)]
    assert len(found) == 2 and len(path.read_bytes().splitlines()) == 3
    assert not found[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert found[0].lstrip("'") == {
        "\t=1": "=1",
        "two\r\nlines": "two lines",
        "\u0085x": "x",
        "\ud800": "\ufffd",
    }.get(text, text)


def test_what_is_written_twice_is_there_once_also_after_a_torn_line(tmp_path: Path) -> None:
    batch = [sinks.reading(n) for n in range(4)]
    path = tmp_path / "reading-2025-11-25.csv"
    with open_sink(tmp_path) as writer:
        writer.write(batch[:3])
    whole = path.read_bytes()
    for cut in (1, 20, len(whole.splitlines()[-1]), len(whole) - 10, len(whole) - 1):
        path.write_bytes(whole[:-cut])
        with open_sink(tmp_path) as writer:
            writer.write(batch)
            writer.write(batch)
        assert [row["sequence"] for row in read(path)] == ["0", "1", "2", "3"]
    assert len(list(tmp_path.iterdir())) == 1


def test_new_columns_begin_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(0)])
    newer = (*rows.COLUMNS["reading"], ("newer_mm", columns.FLOAT64))
    monkeypatch.setitem(rows.COLUMNS, "reading", newer)
    old = rows.flat
    monkeypatch.setattr(rows, "flat", lambda observation: (*old(observation), 1.5))
    with open_sink(tmp_path) as writer:
        writer.write([sinks.reading(1)])
        writer.write([sinks.reading(2)])
    assert [row["sequence"] for row in read(tmp_path / "reading-2025-11-25.csv")] == ["0"]
    second = read(tmp_path / "reading-2025-11-25-2.csv")
    assert [(row["sequence"], row["newer_mm"]) for row in second] == [("1", "1.5"), ("2", "1.5")]


def test_the_folder_is_one_a_person_can_move(tmp_path: Path) -> None:
    with open_sink(tmp_path / "a" / "b") as writer:
        writer.write([sinks.reading(0)])
        (tmp_path / "a").rename(tmp_path / "c")
        writer.write([sinks.reading(1)])
    assert [len(read(tmp_path / name / "b" / "reading-2025-11-25.csv")) for name in "ca"] == [1, 1]
