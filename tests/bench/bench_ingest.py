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

LIMIT = 0.5  # ChirpStack, with msgspec
VECTORS = Path(__file__).parents[1] / "vectors" / "servers.json"
NODES = 200


def events(name: str, key: Sequence[str], frames: Sequence[bytes]) -> list[bytes]:
    """The vector of this name, again for each frame, with its node, counter and payload."""
    vector = next(v for v in json.loads(VECTORS.read_text())["events"] if v["description"] == name)
    whole = vector["body"]
    rng = random.Random(3)
    made = []
    for i, frame in enumerate(frames):
        part = whole
        for step in key:
            part = part[step]
        part["frm_payload" if "frm_payload" in part else "data"] = base64.b64encode(frame).decode()
        part["f_cnt" if "f_cnt" in part else "fCnt"] = i + 1
        ids = whole.get("deviceInfo") or whole["end_device_ids"]
        ids["dev_eui" if "dev_eui" in ids else "devEui"] = f"{0x70B3D57ED0000000 + rng.randrange(NODES):016x}"
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


def stdlib(function: Callable[[bytes], Any], module: Any) -> Callable[[Sequence[bytes]], float]:
    """CPU seconds for all bodies, without msgspec."""

    def run(bodies: Sequence[bytes]) -> float:
        quick, module._quick = module._quick, None
        try:
            return cpu_s(function)(bodies)
        finally:
            module._quick = quick

    return run


def cpu_s(function: Callable[[bytes], Any]) -> Callable[[Sequence[bytes]], float]:
    def run(bodies: Sequence[bytes]) -> float:
        begin = time.process_time()
        for body in bodies:
            function(body)
        return time.process_time() - begin

    return run


def ratios(bodies: Sequence[bytes], rounds: int, base: Any, *ours: Any) -> list[float]:
    """For each of ours: median over rounds of its CPU time / that of base."""
    found: list[list[float]] = [[] for _ in ours]
    for _ in range(rounds):
        by_hand_s = base(bodies)
        for row, run in zip(found, ours, strict=True):
            row.append(run(bodies) / by_hand_s)
    return [statistics.median(row) for row in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer events; still 9 rounds")
    quick = parser.parse_args().quick
    count, rounds = (500, 9) if quick else (3000, 21)
    frames = readings(count, as_sent_today=False)
    failed = False
    for name in ("up, one gateway", "up, two gateways", "up, codec object"):
        bodies = events(f"chirpstack: {name}", (), frames)
        chirpstack_ours(bodies[0])
        fast, slow = ratios(
            bodies,
            rounds,
            cpu_s(chirpstack_by_hand),
            cpu_s(chirpstack_ours),
            stdlib(chirpstack_ours, chirpstack),
        )
        if chirpstack._quick is None:
            print(f"ChirpStack {name}: msgspec is not installed; {slow:.2f} x by hand with the standard library")
            continue
        failed |= fast > LIMIT
        size = statistics.median(map(len, bodies))
        print(
            f"ChirpStack {name}, {size:g} bytes: {fast:.2f} x by hand (limit {LIMIT:g}); without msgspec {slow:.2f} x"
        )
    bodies = events("tts: up", ("uplink_message",), frames)
    (same,) = ratios(bodies, rounds, cpu_s(tts_by_hand), cpu_s(tts_ours))
    print(f"The Things Stack up, {statistics.median(map(len, bodies)):g} bytes: {same:.2f} x by hand")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
