#!/usr/bin/env python3
"""Cost of judder.decode against bare cbor2.loads of the same bytes, and against other formats of the same reading.

Process CPU time, the contenders taking turns within each round, median of the rounds' ratios.
    python tests/bench/bench_decode.py [--quick]
"""

import argparse
import random
import statistics
import sys
from pathlib import Path

import cbor2

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import rounds

from judder import decode

LIMIT = 3.0  # DESIGN section 7
OF_PEERS = 18  # last field of the readings that all formats carry
# Format -> its cost is at least so many times that of decode.
PEERS = {"pycayennelpp": 20.0, "json of the standard library": 2.0, "Sparkplug with aliases, protobuf": 1.5}
TERSE = "json with names of a letter or two"  # for comparison, no limit: it says what is what in letters only


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


def cut(frames: list[bytes], last: int) -> list[bytes]:
    """The same readings with fields 0..last."""
    return [cbor2.dumps(cbor2.loads(frame)[: last + 1]) for frame in frames]


def against_loads(frames: list[bytes], turns: int) -> float:
    """CPU time of decode / of cbor2.loads."""
    took = rounds.taken_in_turns(
        {"decode": rounds.each(decode, frames), "loads": rounds.each(cbor2.loads, frames)}, turns
    )
    return rounds.median(took, "decode", "loads")


def against_peers(frames: list[bytes], turns: int, report: rounds.Report) -> None:
    from tests.bench import peers

    records = [decode(frame) for frame in frames]
    makers = (peers.as_lpp, peers.as_json, peers.as_sparkplug, peers.as_terse_json)
    found = dict(zip((*PEERS, TERSE), (make(records) for make in makers), strict=True))
    works = {"decode": rounds.each(decode, frames)}
    for name, (messages, read) in found.items():
        peers.check(records[:50], (messages[:50], read), 0.011)
        works[name] = rounds.each(read, messages)
    took = rounds.taken_in_turns(works, turns)
    for name, (messages, _read) in found.items():
        line = f"{name}, {statistics.median(map(len, messages)):g} bytes, against decode"
        report.at_least(line, rounds.median(took, name, "decode"), PEERS.get(name, 0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer readings; still 9 rounds")
    quick = parser.parse_args().quick
    count, turns = (500, 9) if quick else (4000, 21)
    report = rounds.Report()
    for name, frames in (
        ("reading, fields 0-15", readings(count, as_sent_today=False)),
        ("reading as sent today", readings(count, as_sent_today=True)),
    ):
        size = statistics.median(map(len, frames))
        report.at_most(f"{name}, {size:g} bytes: decode against cbor2.loads", against_loads(frames, turns), LIMIT)
    against_peers(cut(readings(count // 4, as_sent_today=True), OF_PEERS), turns, report)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
