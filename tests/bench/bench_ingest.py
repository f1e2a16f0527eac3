#!/usr/bin/env python3
"""A server's event to a record, as a multiple of what an integrator writes by hand.

By hand: json.loads, base64.b64decode, cbor2.loads and a dict with names and scaled values; no checks. Ours: the event
to an Uplink with node, time, session, link; the payload to a checked Reading. Process CPU time, the contenders taking
turns within each round, median of the rounds' ratios.
    python tests/bench/bench_ingest.py [--quick]
"""

import argparse
import base64
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cbor2

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_decode import readings

from judder import decode
from judder.flow import Uplink
from judder.ingest import chirpstack, envelope, tts

LIMIT = 0.5  # all ChirpStack shapes together, with msgspec
VECTORS = Path(__file__).parents[1] / "vectors" / "servers.json"
NODES = 200


SHAPES = ("up, one gateway", "up, two gateways", "up, codec object")


def events(name: str, frames: Sequence[bytes]) -> list[bytes]:
    """The vector of this name, again for each frame, with its payload, its counter and one of NODES nodes."""
    whole = next(v["body"] for v in json.loads(VECTORS.read_text())["events"] if v["description"] == name)
    part, ids = whole.get("uplink_message", whole), whole.get("deviceInfo") or whole["end_device_ids"]
    data, fcnt, node = ("data", "fCnt", "devEui") if part is whole else ("frm_payload", "f_cnt", "dev_eui")
    rng = random.Random(3)
    made = []
    for i, frame in enumerate(frames):
        part[data], part[fcnt] = base64.b64encode(frame).decode(), i + 1
        ids[node] = f"{0x70B3D57ED0000000 + rng.randrange(NODES):016x}"
        made.append(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode())
    return made


def by_hand(payload: bytes) -> dict[str, Any]:
    v = cbor2.loads(payload)
    return {
        "state": v[1],
        "velocity_rms_worst_mm_s": v[2] / 100,
        "temperature_c": v[3] / 10,
        "sequence": v[4],
        "age_s": v[5],
        "velocity_rms_x_mm_s": v[6] / 100,
        "velocity_rms_y_mm_s": v[7] / 100,
        "velocity_rms_z_mm_s": v[8] / 100,
        "acceleration_rms_x_mg": v[9],
        "acceleration_rms_y_mg": v[10],
        "acceleration_rms_z_mg": v[11],
        "acceleration_peak_x_mg": v[12],
        "acceleration_peak_y_mg": v[13],
        "acceleration_peak_z_mg": v[14],
        "battery_mv": v[15],
    }


def chirpstack_by_hand(body: bytes) -> Any:
    return by_hand(base64.b64decode(json.loads(body)["data"]))


def tts_by_hand(body: bytes) -> Any:
    return by_hand(base64.b64decode(json.loads(body)["uplink_message"]["frm_payload"]))


def chirpstack_ours(body: bytes) -> Any:
    event = chirpstack.parse(body, "up")
    return decode(event.payload) if isinstance(event, Uplink) else None


def tts_ours(body: bytes) -> Any:
    event = tts.parse(body)
    return decode(event.payload) if isinstance(event, Uplink) else None


def cpu_s(function: Callable[[bytes], Any], bodies: Sequence[bytes]) -> float:
    begin = time.process_time()
    for body in bodies:
        function(body)
    return time.process_time() - begin


def without_msgspec(function: Callable[[bytes], Any], bodies: Sequence[bytes]) -> float:
    """CPU seconds with the standard library alone."""
    kept = chirpstack._quick, envelope._quick
    chirpstack._quick = envelope._quick = None
    try:
        return cpu_s(function, bodies)
    finally:
        chirpstack._quick, envelope._quick = kept


class Ratios:
    """Of each round: with msgspec and without, to what is written by hand."""

    def __init__(self) -> None:
        self._fast: list[float] = []
        self._slow: list[float] = []

    def add(self, by_hand_s: float, fast_s: float, slow_s: float) -> None:
        self._fast.append(fast_s / by_hand_s)
        self._slow.append(slow_s / by_hand_s)

    @property
    def fast(self) -> float:
        return statistics.median(self._fast)

    def show(self, name: str, bodies: Sequence[bytes], limit: str = "") -> None:
        size = statistics.median(map(len, bodies))
        slow = statistics.median(self._slow)
        print(f"{name}, {size:g} bytes: {self.fast:.2f} x by hand{limit}; without msgspec {slow:.2f} x")


def measure(by_hand_: Callable[[bytes], Any], ours: Callable[[bytes], Any], bodies: Sequence[bytes]) -> list[float]:
    return [cpu_s(by_hand_, bodies), cpu_s(ours, bodies), without_msgspec(ours, bodies)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer events; still 9 rounds")
    quick = parser.parse_args().quick
    count, rounds = (500, 9) if quick else (3000, 21)
    if chirpstack._quick is None:
        print("msgspec is not installed: all figures are of the standard library")
    frames = readings(count, as_sent_today=False)
    shapes = {name: events(f"chirpstack: {name}", frames) for name in SHAPES}
    from_tts = events("tts: up", frames)
    tts_ours(from_tts[0])  # the first reading of a length makes its function
    found = {name: Ratios() for name in (*SHAPES, "all", "tts")}
    for _ in range(rounds):
        sums = [0.0, 0.0, 0.0]
        for name, bodies in shapes.items():
            took = measure(chirpstack_by_hand, chirpstack_ours, bodies)
            found[name].add(*took)
            sums = [a + b for a, b in zip(sums, took, strict=True)]
        found["all"].add(*sums)
        found["tts"].add(*measure(tts_by_hand, tts_ours, from_tts))
    for name, bodies in shapes.items():
        found[name].show(f"ChirpStack, {name}", bodies)
    found["all"].show("ChirpStack, all three", [b for bodies in shapes.values() for b in bodies], f" (limit {LIMIT:g})")
    found["tts"].show("The Things Stack, up", from_tts)
    return 1 if found["all"].fast > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
