"""host/integrations/spark/backfill.py: as real Spark jobs where pyspark and Java are, and its parts without Spark."""

import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.host.test_decode_batch import damaged, readings

from judder import decode_batch
from judder.decode import columns

SCRIPT = Path(__file__).parents[2] / "host" / "integrations" / "spark" / "backfill.py"
MISSING = [
    name
    for name, there in (
        ("pyspark (make spark)", importlib.util.find_spec("pyspark")),
        ("Java", shutil.which("java") or os.environ.get("JAVA_HOME")),
    )
    if not there
]


def load() -> Any:
    spec = importlib.util.spec_from_file_location("backfill", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raw(count: int) -> pa.Table:
    """Readings, one in ten of them damaged, HELLOs, a kind that is not known, and null; with columns of a gateway's."""
    rng = random.Random(5)
    payloads: list[bytes | None] = list(readings(count, rng))
    for row in range(0, count, 10):
        payloads[row] = damaged(payloads[row] or b"", b"\x00", rng)[0]
    for row in range(5, count, 50):
        payloads[row] = rng.choice((cbor2.dumps([0, 100, 12900, 3, 1, 40 + row]), cbor2.dumps([9, row]), None))
    return pa.table(
        {
            "row": pa.array(range(count), pa.int64()),
            "node": [f"{row % 7:016x}" for row in range(count)],
            "received_at": [1_764_000_000.0 + row / 8 for row in range(count)],
            "payload": pa.array(payloads, pa.binary()),
        }
    )


def single_process(table: pa.Table, kind: str) -> pa.Table:
    """The rows of a kind, without Spark and without the recipe."""
    records = pa.Table.from_batches([decode_batch(table.column("payload"), kind=kind)[0]])
    for name in ("received_at", "node", "row"):
        records = records.add_column(0, name, table.column(name))
    return records.filter(pa.compute.equal(records.column("kind"), kind))


@pytest.mark.parametrize("kind", columns.COLUMNS)
def test_what_spark_is_given_row_by_row(kind: str) -> None:
    table = raw(600)
    batches = table.to_batches(max_chunksize=100)
    made = pa.Table.from_batches(load().decoder(kind)(batches))
    assert made.column("row").equals(table.column("row"))
    wanted = single_process(table, kind)
    of_kind = made.filter(pa.compute.equal(made.column("kind"), kind)).drop_columns("error")
    assert of_kind.equals(wanted)
    bad = pa.Table.from_batches(load().refused(batches))
    errors = decode_batch(table.column("payload"))[1]
    assert bad.column("row").to_pylist() == [error.row for error in errors]
    assert bad.column("error").to_pylist() == [str(error.error) for error in errors]
    with_error = made.filter(pa.compute.is_valid(made.column("error")))
    assert with_error.column("error").equals(bad.column("error"))


def test_kinds_are_those_there_are() -> None:
    assert set(load().KINDS) == set(columns.COLUMNS)


@pytest.mark.parametrize(
    ("raw_columns", "said"),
    [
        ({"node": "string"}, "RAW has no column 'payload' of bytes, but node (string)"),
        ({"payload": "string"}, "RAW has no column 'payload' of bytes, but payload (string)"),
        ({"payload": "binary", "sequence": "int", "kind": "string"}, "named as those of a reading: kind, sequence;"),
        ({"payload": "binary", "error": "string"}, "named as those of a reading: error;"),
    ],
)
def test_what_cannot_be_done_is_said_before_it_begins(raw_columns: dict[str, str], said: str) -> None:
    load().check({"payload": "binary", "node": "string", "received_at": "double"}, "unknown")
    with pytest.raises(SystemExit, match=re.escape(said)):
        load().check(raw_columns, "reading")


# --- with Spark


@pytest.fixture
def spark() -> None:
    if MISSING:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"without {' and '.join(MISSING)}")


needs_spark = pytest.mark.usefixtures("spark")


def job(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # Compiled once over: a job of seconds does not earn back the second compiler's work.
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments), "--master", "local[2]"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)


@needs_spark
@pytest.mark.timeout(600)  # Java starts, and Spark within it: half a minute where others use the processors too
def test_a_job_gives_what_one_process_gives(tmp_path: Path) -> None:
    table = raw(6_000)
    source, out = tmp_path / "raw", tmp_path / "out"
    source.mkdir()
    for part in range(3):
        pq.write_table(table.slice(2_000 * part, 2_000), source / f"{part}.parquet")
    done = job(source, out, "--kind", "reading", "--kind", "hello")
    assert done.returncode == 0, done.stderr
    counts = dict(pair.split(": ") for pair in done.stdout.strip().splitlines()[-1].split(", "))
    assert counts["raw"] == "6000"
    for kind in ("reading", "hello"):
        found = pq.read_table(out / kind).sort_by("row")
        wanted = single_process(table, kind)
        assert found.num_rows == int(counts[kind]) == wanted.num_rows > 0
        assert found.schema.names == wanted.schema.names
        assert found.cast(wanted.schema).equals(wanted)
    bad = pq.read_table(out / "bad").sort_by("row")
    errors = decode_batch(table.column("payload"))[1]
    assert [str(error.error) for error in errors] == bad.column("error").to_pylist()
    assert bad.column("payload").equals(table.take([error.row for error in errors]).column("payload"))
    assert bad.num_rows == int(counts["bad"]) > 0


@needs_spark
def test_without_java_the_error_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "JAVA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(tmp_path / "out"), "--master", "local[1]"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=150)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Spark does not start")
    assert "is there a Java, 17 or newer?" in done.stderr.splitlines()[-1]
