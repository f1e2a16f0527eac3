#!/usr/bin/env python3
"""What Spark adds: raw payloads in Parquet to readings in Parquet, on local[1], against one process with pyarrow.

CPU time of everything that takes part (this process, Java, Python workers), and time on the wall, the two taking turns,
after a run that is not counted; median of the ratios. One process uses one thread. Also what Spark's start costs, in
messages that one process decodes and writes in that time.
    python tests/bench/bench_spark.py [--quick]

Without pyspark or Java it says so and measures nothing: make spark.
"""

import argparse
import contextlib
import importlib.util
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_decode import readings

RECIPE = Path(__file__).parents[2] / "host" / "integrations" / "spark" / "backfill.py"
LIMIT = 6.0  # of the time on the wall
ROWS = 10_000  # of one batch: what Spark hands to its workers


def backfill() -> Any:
    spec = importlib.util.spec_from_file_location("backfill", RECIPE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_raw(path: Path, count: int) -> None:
    """A file of readings as sent today, the same 20,000 over and over; one in a hundred cut short."""
    frames = [frame[:-1] if i % 100 == 7 else frame for i, frame in enumerate(readings(20_000, as_sent_today=True))]
    schema = pa.schema([("node", pa.string()), ("received_at", pa.float64()), ("payload", pa.binary())])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, count, len(frames)):
            some = frames[: count - first]
            nodes = [f"{(first + i) % 500:016x}" for i in range(len(some))]
            times = [1_764_000_000.0 + (first + i) / 8 for i in range(len(some))]
            writer.write_table(pa.table([nodes, times, pa.array(some, pa.binary())], schema=schema))


def one_process(recipe: Any, raw: Path, out: Path) -> int:
    """Rows written. The same decoder, fed by pyarrow."""
    rows = 0
    with contextlib.ExitStack() as stack:
        batches = pq.ParquetFile(raw).iter_batches(ROWS, use_threads=False)
        writer = None
        for batch in recipe.decoder("reading")(batches):
            good = batch.filter(pa.compute.equal(batch.column("kind"), "reading"))
            writer = writer or stack.enter_context(pq.ParquetWriter(out, good.schema))
            writer.write_batch(good)
            rows += good.num_rows
    return rows


def with_spark(recipe: Any, spark: Any, raw: Path, out: Path) -> None:
    frame = spark.read.parquet(str(raw))
    records = frame.mapInArrow(recipe.decoder("reading"), recipe.schema_of(frame, "reading"))
    records.where(records.kind == "reading").write.mode("overwrite").parquet(str(out))


def processes() -> Iterator[list[str]]:
    """Fields of /proc/*/stat (proc_pid_stat(5)) from the state on, the process id in front."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield [path.parent.name, *path.read_text().rpartition(")")[2].split()]


def cpu_s() -> float:
    """Of this process and all that came of it, those already gone included."""
    found = {row[0]: row for row in processes()}
    mine, size = {str(os.getpid())}, 0
    while len(mine) != size:
        size = len(mine)
        mine |= {pid for pid, row in found.items() if row[2] in mine}
    ticks = sum(int(tick) for pid in mine if pid in found for tick in found[pid][12:16])
    return ticks / os.sysconf("SC_CLK_TCK")


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """(CPU seconds, seconds on the wall)."""
    cpu, wall = cpu_s(), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    return cpu_s() - cpu, wall


def measure(count: int, turns: int, folder: Path) -> bool:
    """Whether the goal is met."""
    recipe = backfill()
    raw = folder / "raw.parquet"
    write_raw(raw, count)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    begin = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        spark = recipe.session("local[1]")
    start = time.perf_counter() - begin
    spark.sparkContext.setLogLevel("ERROR")
    try:
        works = (
            lambda: one_process(recipe, raw, folder / "one"),
            lambda: with_spark(recipe, spark, raw, folder / "out"),
        )
        first = [cost(work)[1] for work in works]
        rounds = [[cost(work) for work in works] for _ in range(turns)]
    finally:
        spark.stop()
    cpu, wall = (statistics.median(there[i] / here[i] for here, there in rounds) for i in (0, 1))
    each = statistics.median(here[1] for here, _there in rounds) / count
    print(f"{count:,} messages: Spark local[1] takes {cpu:.1f} x the CPU time of one process, {wall:.1f} x its time")
    print(f"its start and first job cost the time of {(start + first[1] - wall * first[0]) / each:,.0f} messages more")
    print(f"goal: at most {LIMIT:g} x the time{'' if wall <= LIMIT else '  OVER'}")
    return wall <= LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages, 3 rounds instead of 9")
    quick = parser.parse_args().quick
    if importlib.util.find_spec("pyspark") is None or not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        print("not measured: pyspark or Java is missing; make spark")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        met = measure(*((100_000, 3) if quick else (500_000, 9)), Path(folder))
    return 0 if met or quick else 1


if __name__ == "__main__":
    sys.exit(main())
