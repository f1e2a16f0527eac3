#!/usr/bin/env python3
"""Cost of judder.decode as a multiple of bare cbor2.loads of the same bytes.

Process CPU time, the contenders taking turns within each round, median of the rounds' ratios: so a busy machine changes
the ratio little. Two kinds of readings: with every field 0-15, and as today's firmware sends them (no velocity yet).

    python tests/bench/bench_decode.py [--quick]
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import cbor2

from judder import decode

LIMIT = 3.0  # DESIGN section 7


def readings(count: int, *, velocity: bool) -> list[bytes]:
    """Frames of readings with fields 0-15, values spread over what machines show. Seeded."""
    rng = random.Random(2)
    frames = []
    for sequence in range(count):
        speeds: list[int | None] = [rng.randrange(30, 1200) for _ in range(4)]
        if not velocity:
            speeds = [None] * 4
        frames.append(
            cbor2.dumps(
                [1, rng.randrange(4) << 5, speeds[0], rng.randrange(-100, 900), sequence, rng.randrange(30)]
                + speeds[1:]
                + [rng.randrange(5, 1500) for _ in range(3)]
                + [rng.randrange(50, 6000) for _ in range(3)]
                + [rng.randrange(2700, 3700)]
            )
        )
    return frames


def cpu_s(function: Callable[[bytes], object], frames: Sequence[bytes]) -> float:
    begin = time.process_time()
    for frame in frames:
        function(frame)
    return time.process_time() - begin


def ratio(frames: Sequence[bytes], rounds: int) -> float:
    """Median over rounds of CPU time of decode / of cbor2.loads."""
    cpu_s(decode, frames[:100])  # the first of each length makes its function
    return statistics.median(cpu_s(decode, frames) / cpu_s(cbor2.loads, frames) for _ in range(rounds))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer readings; still 9 rounds")
    quick = parser.parse_args().quick
    count, rounds = (1000, 9) if quick else (8000, 21)
    failed = False
    for name, frames in (
        ("reading, fields 0-15", readings(count, velocity=True)),
        ("reading, fields 0-15, velocity null", readings(count, velocity=False)),
    ):
        measured = ratio(frames, rounds)
        size = statistics.median(len(frame) for frame in frames)
        failed |= measured > LIMIT
        print(f"{name}: {size:g} bytes, decode = {measured:.2f} x cbor2.loads (limit {LIMIT})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
