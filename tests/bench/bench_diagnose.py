#!/usr/bin/env python3
"""Bearing diagnosis: how often a defect is named rightly, wrongly, not at all; how often a healthy machine is accused.

    python tests/bench/bench_diagnose.py [CASES]

CASES of each kind, 60 if not given: other seeds than the tests'. Exits with 1 when a healthy machine is accused, or
when more than 2 in 100 defects of races and elements get a wrong name.
"""

import json
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "host"), str(ROOT / "firmware")]

from tests.host import test_diagnose_false_alarms as healthy  # noqa: E402
from tests.host.bearing_faults import FAULTS, random_case  # noqa: E402

from judder.diagnose import Bearing, diagnose  # noqa: E402
from judder.virtual.recording import Recording  # noqa: E402

RECORDINGS = ROOT.parent / "shared" / "data" / "bearings"
FIRST_SEED = 10_000
HEALTHY = {
    "white noise": healthy.white,
    "coloured noise": healthy.coloured,
    "noise below a step": healthy.coarse,
    "imbalance": healthy.of("imbalance"),
    "misalignment": healthy.of("misalignment"),
    "clipped": healthy.of("clipped"),
    "square wave": healthy.square,
    "rubbing": healthy.rubbing,
}


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    wrong_races = detection(cases)
    accused = false_alarms(2 * cases)
    recordings()
    if accused:
        print(f"BROKEN: {accused} healthy machines accused")
    if wrong_races > 0.02 * cases * 9:
        print(f"BROKEN: {wrong_races} wrong names")
    return 1 if accused or wrong_races > 0.02 * cases * 9 else 0


def detection(cases: int) -> int:
    """Table of outcomes; returns how many defects of races and elements got a wrong name."""
    print(f"{cases} bearings each, 6-16 elements, 300-3600 r/min, slip to 1.5 %, 60-100 turns")
    print("ringing / noise  defect            named  as one of two  wrongly  not told from shaft  nothing found")
    wrong = 0
    for ratio in (2.0, 0.7, 0.35):
        for fault in FAULTS:
            found = Counter(outcome(fault, FIRST_SEED + seed, ratio) for seed in range(cases))
            columns = [found[name] for name in ("named", "one of two", "wrong", "blurred", "nothing")]
            print(
                f"{ratio:15g}  {fault:16} {columns[0]:6} {columns[1]:14} {columns[2]:8} {columns[3]:20} {columns[4]:14}"
            )
            wrong += found["wrong"] if fault != "cage" else 0
    return wrong


def outcome(fault: str, seed: int, ratio: float) -> str:
    case = random_case(fault, seed, ratio)
    found = diagnose(case.samples(), case.rate_hz, case.rpm, Bearing(**case.multiples))
    if not found.findings:
        return "blurred" if fault in found.verdict else "nothing"
    first = found.findings[0]
    if fault in first.alternatives or (fault == first.fault and first.alternatives):
        return "one of two"
    return "named" if fault == first.fault else "wrong"


def false_alarms(cases: int) -> int:
    print(f"\n{cases} healthy machines each")
    total = 0
    for name, make in HEALTHY.items():
        verdicts = healthy.accused(make, cases, first_seed=FIRST_SEED)
        total += len(verdicts)
        print(f"{name:20} accused {len(verdicts)}")
    return total


def recordings() -> None:
    if not (RECORDINGS / "recordings.json").is_file():
        print(f"\nno recordings of real bearings in {RECORDINGS.name}: a clone has none")
        return
    print("\nreal bearings, each channel whole, then in blocks of 4096 samples")
    bearing = Bearing.known("6205")
    for name, entry in json.loads((RECORDINGS / "recordings.json").read_text()).items():
        recording = Recording.load(RECORDINGS / entry["file"], entry["fs_hz"], entry["scale_g"])
        for channel, title in enumerate(entry["channels"]):
            samples = recording.values_g[:, channel]
            rate_hz, rpm = entry["fs_hz"], entry["rpm"]
            whole = diagnose(samples, rate_hz, rpm, bearing)
            parts = [samples[at : at + 4096] for at in range(0, len(samples) - 4095, 4096)]
            blocks = Counter(diagnose(part, rate_hz, rpm, bearing).fault or "nothing" for part in parts)
            words = ", ".join(f"{count} {fault}" for fault, count in blocks.items())
            print(f"{name:11} {title}  {whole.verdict}; blocks: {words}")


if __name__ == "__main__":
    sys.exit(main())
