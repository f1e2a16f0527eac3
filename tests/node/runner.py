"""Run node code under the wheel's MicroPython, with stand-ins for the chip's modules from tests/node/fakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
FAKES = Path(__file__).parent / "fakes"
MICROPYTHON = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def start(script: str | Path, *arguments: str, firmware: Path = FIRMWARE, **environment: str) -> subprocess.Popen[str]:
    """A MicroPython process with its output in a pipe."""
    places = [FAKES, firmware]
    env = {**os.environ, "MICROPYPATH": ":".join([str(place) for place in places]), **environment}
    return subprocess.Popen(
        [MICROPYTHON, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=env,
    )


def run(
    script: str | Path, *arguments: str, timeout_s: float = 120, firmware: Path = FIRMWARE, **environment: str
) -> str:
    """Output of a script that has to succeed."""
    process = start(script, *arguments, firmware=firmware, **environment)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output
