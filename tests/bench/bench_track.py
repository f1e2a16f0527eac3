#!/usr/bin/env python3
"""Tracker: cost of judging a message as a multiple of decoding it, and memory for 100,000 nodes.

Process CPU time, the two taking turns within each round, median of the ratios. Memory is what tracemalloc counts after
every node has filled its memory of recent messages.
    python tests/bench/bench_track.py [--quick]
"""

import argparse
import json
import statistics
import sys
import time
import tracemalloc

from judder import decode
from judder.decode.track import Tracker
from judder.flow import Uplink
from judder_core import codec, schema

T0 = 1_764_000_000.0
_NAMES = [row[0] for row in schema.READING_FIELDS]
MESSAGES = 20  # of each node: more than a tracker remembers of one


def frame(sequence: int, node: int) -> bytes:
    """Fields 0-15 of a reading, as in bench_decode."""
    values: list[object] = [(sequence * 7 + node + i * 13) % 1200 for i in range(_NAMES.index("battery") + 1)]
    values[0] = 0
    values[_NAMES.index("sequence")], values[_NAMES.index("age")] = sequence, 2
    return codec.encode(schema.READING, values)


def cost(nodes: int, rounds: int) -> float:
    """Median over rounds of CPU time of feed / of decode; a round is one reading of each node."""
    tracker = Tracker()
    ratios = []
    for sequence in range(rounds):
        uplinks = [Uplink(f"{n:016x}", frame(sequence, n), T0 + 60 * sequence, "mqtt") for n in range(nodes)]
        begin = time.process_time()
        records = [decode(uplink.payload) for uplink in uplinks]
        middle = time.process_time()
        for uplink, record in zip(uplinks, records, strict=True):
            tracker.feed(uplink, record)
        ratios.append((time.process_time() - middle) / (middle - begin))
    assert not tracker.counts, tracker.counts
    return statistics.median(ratios[2:])


def memory(nodes: int) -> tuple[float, float]:
    """(bytes in memory, bytes as JSON) for each node, when all of them remember as much as they can."""
    one = Tracker()
    for sequence in range(MESSAGES):
        data = frame(sequence, 1)
        uplink = Uplink("0" * 16, data, T0 + 60 * sequence, "mqtt", session="s", fcnt=sequence)
        one.feed(uplink, decode(data))
    text = json.dumps(one.to_dict()["nodes"]["0" * 16])
    tracemalloc.start()
    tracker = Tracker(limit=nodes)
    for n in range(nodes):
        tracker.restore({"version": 1, "nodes": {f"{n:016x}": json.loads(text)}})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / nodes, len(text) + 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer nodes")
    quick = parser.parse_args().quick
    nodes = 2_000 if quick else 100_000
    print(f"feed = {cost(1000, 13):.2f} x decode of the same reading, fields 0-15")
    held, text = memory(nodes)
    print(f"{nodes:,} nodes: {held:.0f} bytes each, {held * nodes / 1e6:.0f} MB; as JSON {text:.0f} bytes each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
