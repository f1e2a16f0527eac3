#!/usr/bin/env python3
"""judder.js: bytes, and CPU time of an uplink in QuickJS, cold as ChirpStack runs it: new runtime, script, one call.

Beside it an empty script, the readable one, and a runtime that is kept. Process CPU time, median of the rounds. Lower
bounds: ChirpStack adds a Buffer module of its own.
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
DEADLINE_US = 100_000  # ChirpStack and The Things Stack stop a codec then
EMPTY = "function decodeUplink(input) { return { data: {} }; }"


def cold(script: str, call: str) -> None:
    context = Context()
    context.eval(script)
    context.eval(call)


def median_us(work: Callable[[str], object], calls: list[str], rounds: int) -> float:
    figures = []
    for _ in range(rounds):
        begin = time.process_time()
        for call in calls:
            work(call)
        figures.append((time.process_time() - begin) / len(calls) * 1e6)
    return statistics.median(figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer uplinks; still 9 rounds")
    count = 40 if parser.parse_args().quick else 200
    small = (ROOT / generate.CODEC).read_text(encoding="utf-8")
    readable = (ROOT / generate.READABLE_CODEC).read_text(encoding="utf-8")
    print(f"judder.js: {len(small)} of {codec.MAX_BYTES} bytes; readable: {len(readable)} bytes")
    for name, as_sent_today in (("fields 0-15", False), ("every field", True)):
        frames = readings(count, as_sent_today=as_sent_today)
        calls = [f"decodeUplink({json.dumps({'bytes': list(frame), 'fPort': 2})})" for frame in frames]
        empty = median_us(lambda call: cold(EMPTY, call), calls, 9)
        taken = median_us(lambda call: cold(small, call), calls, 9)
        long = median_us(lambda call: cold(readable, call), calls, 9)
        warm = Context()
        warm.eval(small)
        again = median_us(warm.eval, calls, 9)
        print(
            f"reading, {name}: cold {taken:.0f} us of {LIMIT_US}, {taken / DEADLINE_US:.1%} of a server's deadline;"
            f" an empty script {empty:.0f} us; the readable one {long:.0f} us; warm {again:.0f} us"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
