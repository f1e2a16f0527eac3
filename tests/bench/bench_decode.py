#!/usr/bin/env python3
"""Cost of judder.decode as a multiple of bare cbor2.loads of the same bytes.

Process CPU time, the contenders taking turns within each round, median of the rounds' ratios: so a busy machine changes
the ratio little.
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


def readings(count: int, *, as_sent_today: bool) -> list[bytes]:
    """Frames of readings, values spread over what machines show. Seeded.

    Fields 0-15 in full; or what the firmware sends over a roomy link: everything but the energy spent.
    """
    rng = random.Random(2)
    frames = []
    for sequence in range(count):
        speeds = [rng.randrange(30, 1200) for _ in range(4)]
        message = [
            1,
            rng.randrange(4) << 5,
            speeds[0],
            rng.randrange(-100, 900),
            sequence,
            rng.randrange(30),
            *speeds[1:],
        ]
        message += [rng.randrange(5, 1500) for _ in range(3)] + [rng.randrange(50, 6000) for _ in range(3)]
        message += [rng.randrange(2700, 3700)]
        if as_sent_today:
            kurtosis, envelope = [rng.randrange(150, 900) for _ in range(3)], [rng.randrange(5, 900) for _ in range(3)]
            lines = [rng.randrange(low, 10 * low) for _ in range(3) for low in (100, 20)]
            message += [*kurtosis, *envelope, *lines, rng.randrange(266000, 267000), 0, None, 100, 1000]
            message += [rng.randrange(-200, 200) for _ in range(3)] + [rng.randrange(50, 5000) for _ in range(3)]
        frames.append(cbor2.dumps(message))
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
        ("reading, fields 0-15", readings(count, as_sent_today=False)),
        ("reading as sent today", readings(count, as_sent_today=True)),
    ):
        measured = ratio(frames, rounds)
        size = statistics.median(len(frame) for frame in frames)
        failed |= measured > LIMIT
        print(f"{name}, {size:g} bytes: decode = {measured:.2f} x cbor2.loads (limit {LIMIT:g})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
