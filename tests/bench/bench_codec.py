#!/usr/bin/env python3
"""judder.js: bytes, and CPU time of an uplink in QuickJS, cold as ChirpStack runs it: new runtime, script, one call.

In microseconds and, less dependent on the machine, as a multiple of making an empty runtime, which took EMPTY_US where
the limit was set. Process CPU time; contenders take turns within each round, medians of the rounds. Lower bounds:
ChirpStack adds a Buffer module of its own.
    python tests/bench/bench_codec.py [--quick]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from quickjs import Context
from tests.bench.bench_decode import readings

from judder.integrate import codec, generate

ROOT = Path(__file__).parents[2]
LIMIT_US = 1000  # of a cold decode
EMPTY_US = 125
DEADLINE_US = 100_000  # ChirpStack and The Things Stack stop a codec then


def empty(_call: str) -> None:
    Context()


def cold(script: str) -> Callable[[str], None]:
    def run(call: str) -> None:
        context = Context()
        context.eval(script)
        context.eval(call)

    return run


def warm(script: str) -> Callable[[str], None]:
    context = Context()
    context.eval(script)

    def run(call: str) -> None:
        context.eval(call)

    return run


def cpu_us(work: Callable[[str], None], calls: list[str]) -> float:
    begin = time.process_time()
    for call in calls:
        work(call)
    return (time.process_time() - begin) / len(calls) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer uplinks; still 9 rounds")
    quick = parser.parse_args().quick
    count, rounds = (30, 9) if quick else (100, 21)
    small = (ROOT / generate.CODEC).read_text(encoding="utf-8")
    readable = (ROOT / generate.READABLE_CODEC).read_text(encoding="utf-8")
    print(f"judder.js: {len(small)} of {codec.MAX_BYTES} bytes; readable: {len(readable)} bytes")
    for name, as_sent_today in (("fields 0-15", False), ("every field", True)):
        frames = readings(count, as_sent_today=as_sent_today)
        calls = [f"decodeUplink({json.dumps({'bytes': list(frame), 'fPort': 2})})" for frame in frames]
        contenders = (empty, cold(small), cold(readable), warm(small))
        figures = [[cpu_us(work, calls) for work in contenders] for _ in range(rounds)]
        nothing, taken, long, again = (statistics.median(column) for column in zip(*figures, strict=True))
        ratio = statistics.median(row[1] / row[0] for row in figures)
        print(
            f"reading, {name}: cold {taken:.0f} us, {taken / DEADLINE_US:.1%} of a server's deadline; {ratio:.1f} x an"
            f" empty runtime's {nothing:.0f} us (limit {LIMIT_US / EMPTY_US:g}); readable {long:.0f} us;"
            f" runtime kept {again:.0f} us"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
