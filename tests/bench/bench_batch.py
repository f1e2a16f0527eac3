#!/usr/bin/env python3
"""Cost of judder.decode_batch: many messages to an Arrow table, errors by row included.

Against bare cbor2.loads of the same bytes, and against `decode` in a loop whose records are made into the same table by
pyarrow (from_pylist), at sizes from 1 to 4096. The bare loop that keeps its records and makes no table is printed
beside it: that is what few messages should be decoded with. Process CPU time, the contenders taking turns within each
round, median of the rounds' ratios.
    python tests/bench/bench_batch.py [--quick]
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cbor2
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import rounds
from tests.bench.bench_decode import readings

from judder import decode, decode_batch
from judder.decode import columns
from judder.decode.batch import batch_schema
from judder.errors import DecodeError

MESSAGES = 4096
LIMIT = 2.5  # DESIGN section 7
SIZES = (1, 2, 3, 4, 8, 16, 32, 63, 64, 65, 96, 128, 192, 256, 512, 1024, 2048, 2049, 4096)
# A round calls each contender so often that it takes this many messages: one small batch is below the clock's step.
A_ROUND = 1024
TURNS = 9


def hurt(frames: Sequence[bytes], share: float) -> list[bytes]:
    """The same with some cut short or longer than they should be."""
    rng = random.Random(5)
    return [
        rng.choice((frame[: rng.randrange(len(frame))], frame + b"\x00")) if rng.random() < share else frame
        for frame in frames
    ]


def loads(frames: Sequence[bytes]) -> None:
    for frame in frames:
        try:
            cbor2.loads(frame)
        except cbor2.CBORDecodeError:
            continue


def loop(frames: Sequence[bytes]) -> tuple[list[object], list[tuple[int, DecodeError]]]:
    """Records and errors, no table."""
    records: list[object] = []
    errors = []
    for row, frame in enumerate(frames):
        try:
            records.append(decode(frame))
        except DecodeError as error:
            records.append(None)
            errors.append((row, error))
    return records, errors


def loop_to_table(frames: Sequence[bytes]) -> pa.RecordBatch:
    rows = [{} if record is None else columns.flat(record) for record in loop(frames)[0]]
    return pa.RecordBatch.from_pylist(rows, schema=batch_schema())


def often(function: Callable[[Sequence[bytes]], object], frames: Sequence[bytes], messages: int) -> Callable[[], None]:
    times = max(1, messages // len(frames))

    def work() -> None:
        for _ in range(times):
            function(frames)

    return work


def against_loads(report: rounds.Report) -> None:
    roomy, short = (readings(MESSAGES, as_sent_today=today) for today in (True, False))
    rng = random.Random(4)
    mixed = [cbor2.dumps(cbor2.loads(frame)[: rng.randint(4, 40)]) for frame in roomy]
    for name, frames in (
        ("fields 0-15", short),
        ("fields 0-15, one in a hundred bad", hurt(short, 0.01)),
        ("as sent today", roomy),
        ("cut to lengths of every kind", mixed),
    ):
        works = {
            "batch": partial(decode_batch, frames),
            "column": partial(decode_batch, pa.array(frames, pa.binary())),
            "loads": partial(loads, frames),
        }
        took = rounds.taken_in_turns(works, TURNS)
        for way, what in (("batch", "list"), ("column", "Arrow column")):
            figure = rounds.median(took, way, "loads")
            report.at_most(f"{MESSAGES} readings, {name}, {what}: decode_batch against cbor2.loads", figure, LIMIT)


def against_loops(messages: int, report: rounds.Report) -> None:
    for name, today in (("fields 0-15", False), ("as sent today", True)):
        frames = readings(MESSAGES, as_sent_today=today)
        print(f"readings, {name}: decode_batch against a loop that makes the same table [and one that makes none]")
        slower = 0
        for size in SIZES:
            some = frames[:size]
            assert decode_batch(some)[0].equals(loop_to_table(some))
            ways = {way.__name__: often(way, some, messages) for way in (decode_batch, loop_to_table, loop)}
            took = rounds.taken_in_turns(ways, TURNS)
            bare = rounds.median(took, "decode_batch", "loop")
            slower = size if bare > 1 else slower
            report.at_most(f"{size:5} [{bare:5.2f}]", rounds.median(took, "decode_batch", "loop_to_table"), 1.0)
        print(f"with more than {slower} readings also quicker than the loop that makes no table")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages a round")
    quick = parser.parse_args().quick
    report = rounds.Report()
    against_loads(report)
    against_loops(A_ROUND // 8 if quick else A_ROUND, report)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
