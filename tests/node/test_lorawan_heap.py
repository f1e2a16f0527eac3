"""A LoRaWAN node's heap does not grow: 10,000 uplinks under MicroPython, in both word sizes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from runner import FAKES, FIRMWARE, MICROPYTHON
from tests.tools import micropython32

BOTH = Path(__file__).parents[1] / "both"


def life(command: list[str], *arguments: str) -> str:
    environment = {**os.environ, "MICROPYPATH": f"{BOTH}:{FIRMWARE}"}
    argv = [*command, "-X", "heapsize=2m", str(FAKES / "lorawan_heap.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=150, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("region", ["eu868", "us915"])
@pytest.mark.parametrize("runtime", ["wheel", "i386"])
def test_ten_thousand_uplinks_leave_the_heap_as_it_was(runtime: str, region: str) -> None:
    command = [MICROPYTHON] if runtime == "wheel" else micropython32.command()
    if command is None:
        message = f"32-bit MicroPython not available: {micropython32.why()}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    output = life(command, region, "10500")
    assert output.endswith("heap growth 0\n"), output
    # One record for 64 uplinks, and one for the channel that the network adds.
    saves = int(output.split("saves ")[1].split()[0])
    ups = int(output.split("uplinks ")[1].split()[0])
    assert ups >= 10_000 and saves <= ups // 64 + 2, output


def test_the_count_would_notice() -> None:
    output = life([MICROPYTHON], "us915", "2100", "leak")
    assert int(output.split("heap growth ")[1]) > 1000
