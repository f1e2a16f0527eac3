#!/usr/bin/env python3
"""What it costs to write a reading, beside decoding it: sinks to files whole, others up to what they would send.

A batch of whole readings (67 columns with what the carrier said), to new files each time. Process CPU time, syncing
included as far as it is ours; the contenders take turns within each round, median of the rounds' ratios.
    python tests/bench/bench_sinks.py [--quick]
"""

import argparse
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import rounds
from tests.host import sinks

from judder import decode
from judder.flow import Observation
from judder.sink import postgres, senml
from judder.sink.csv import CsvOptions, CsvSink
from judder.sink.influx import InfluxOptions, InfluxSink
from judder.sink.ndjson import NdjsonOptions, NdjsonSink
from judder.sink.parquet import ParquetOptions, ParquetSink
from judder.sink.prometheus_exporter import Exporter
from judder.sink.sqlite import SqliteOptions, SqliteSink

READINGS = 1000
TURNS = 9
Work = Callable[[], object]


def works(batch: Sequence[Observation], root: Path) -> dict[str, Work]:
    payloads = [observation.uplink.payload for observation in batch]
    number = itertools.count()

    def folder() -> Path:
        return root / str(next(number))

    def to(make: Callable[[Path], object]) -> Work:
        def work() -> None:
            with make(folder()) as sink:  # type: ignore[attr-defined]
                sink.write(batch)

        return work

    def prometheus() -> None:
        exporter = Exporter("", 0, 1e9, 1000, lambda: sinks.T0)
        for observation in batch:
            exporter.take(observation)

    influx = InfluxSink(InfluxOptions(url="http://127.0.0.1:1"))
    return {
        "decode": rounds.each(decode, payloads),
        "ndjson": to(lambda path: NdjsonSink(NdjsonOptions(path=path / "r.ndjson"))),
        "csv": to(lambda path: CsvSink(CsvOptions(folder=path))),
        "sqlite": to(lambda path: SqliteSink(SqliteOptions(path=path / "r.db"))),
        "parquet": to(lambda path: ParquetSink(ParquetOptions(folder=path))),
        "influx (lines)": lambda: [influx._line(i, observation) for i, observation in enumerate(batch)],
        "postgres (rows)": lambda: [postgres._row(i, observation) for i, observation in enumerate(batch)],
        "senml (packs)": lambda: [senml.pack(observation) for observation in batch],
        "prometheus (taken)": prometheus,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="few readings")
    count = 50 if parser.parse_args().quick else READINGS
    batch = [sinks.lorawan(sinks.reading(number)) for number in range(count)]
    root = Path(tempfile.mkdtemp(prefix="judder-bench-"))
    try:
        took = rounds.taken_in_turns(works(batch, root), TURNS)
    finally:
        shutil.rmtree(root)
    for name in took[0]:
        if name != "decode":
            print(f"{name}: {rounds.median(took, name, 'decode'):.0f} x decode")


if __name__ == "__main__":
    main()
