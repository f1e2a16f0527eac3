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
from judder.ingest import chirpstack, tts

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


def without_msgspec(bodies: Sequence[bytes]) -> float:
    """CPU seconds of chirpstack_ours with the standard library alone."""
    quick, chirpstack._quick = chirpstack._quick, None
    try:
        return cpu_s(chirpstack_ours, bodies)
    finally:
        chirpstack._quick = quick


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
    chirpstack_ours(shapes[SHAPES[0]][0])  # the first reading of each length makes its function
    fast: dict[str, list[float]] = {name: [] for name in (*SHAPES, "all")}
    slow: dict[str, list[float]] = {name: [] for name in (*SHAPES, "all")}
    tts_ratios = []
    for _ in range(rounds):
        sums = [0.0, 0.0, 0.0]
        for name, bodies in shapes.items():
            took = cpu_s(chirpstack_by_hand, bodies), cpu_s(chirpstack_ours, bodies), without_msgspec(bodies)
            fast[name].append(took[1] / took[0])
            slow[name].append(took[2] / took[0])
            sums = [a + b for a, b in zip(sums, took, strict=True)]
        fast["all"].append(sums[1] / sums[0])
        slow["all"].append(sums[2] / sums[0])
        tts_ratios.append(cpu_s(tts_ours, from_tts) / cpu_s(tts_by_hand, from_tts))
    for name in (*SHAPES, "all"):
        size = statistics.median(len(body) for body in (shapes.get(name) or [b for bs in shapes.values() for b in bs]))
        limit = f" (limit {LIMIT:g})" if name == "all" else ""
        print(
            f"ChirpStack, {name}, {size:g} bytes: {statistics.median(fast[name]):.2f} x by hand{limit}; "
            f"without msgspec {statistics.median(slow[name]):.2f} x"
        )
    print(f"The Things Stack, {statistics.median(map(len, from_tts)):g} bytes: {statistics.median(tts_ratios):.2f} x")
    return 1 if statistics.median(fast["all"]) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
