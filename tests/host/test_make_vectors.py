"""`make vectors` runs what holds our code against others, `make soak` what goes on for long; both: every full count."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"


def runs(target: str) -> set[str]:
    """Files of tests/ that a target of the Makefile names."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on PATH")
    argv = [make, "--no-print-directory", "-n", "ARGS=", target]
    printed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in printed.splitlines() if "JUDDER_FULL=1" in line]
    return set(re.findall(r"tests/([\w/]+\.py)", line))


def test_every_full_count_is_run_by_one_of_them() -> None:
    vectors, soak = runs("vectors"), runs("soak")
    full = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("test_*.py")
        if re.search(r"environ.*JUDDER_FULL", path.read_text())
    }
    assert len(full) > 10
    assert full <= vectors | soak
    assert not vectors & soak


def test_what_they_are_there_for() -> None:
    vectors, soak = runs("vectors"), runs("soak")
    frames = {"host/lorawan/test_oracle_lora_packet.py", "host/lorawan/test_oracle_tshark.py"}
    assert frames | {"both/test_vectors.py", "both/test_lorawan_frames.py", "both/test_lorawan_airtime.py"} <= vectors
    assert {"both/test_on_micropython.py", "host/lorawan/test_network_frames.py"} <= vectors
    assert {"both/test_lorawan_fuzz.py", "node/test_lorawan_powercut.py"} <= soak


def test_count_of_the_vectors() -> None:
    counts = {
        f"{path.stem} {name}": size(value)
        for path in sorted((TESTS / "vectors").glob("*.json"))
        for name, value in json.loads(path.read_text()).items()
        if size(value)
    }
    print("\nvectors: " + ", ".join(f"{count} of {name}" for name, count in counts.items()))
    # Section by section, the published LoRaWAN 1.0 vectors and the wire format's own.
    assert counts["lorawan_1_0 up"] >= 3 and counts["wire_v1 messages"] > 30


def size(value: Any) -> int:
    """How many vectors a section holds; text is none."""
    entries = list(value.values()) if isinstance(value, dict) else value
    return sum(not isinstance(entry, str) for entry in entries) if isinstance(entries, list) else 0
