"""Run node code under the wheel's MicroPython, with stand-ins for the chip's modules from tests/node/fakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRMWARE = Path(os.environ.get("JUDDER_TEST_FIRMWARE") or ROOT / "firmware")
FAKES = Path(__file__).parent / "fakes"
MICROPYTHON = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def start(
    script: str | Path, *arguments: str, path: list[Path] | None = None, **environment: str
) -> subprocess.Popen[str]:
    """A MicroPython process with its output in a pipe."""
    places = [FAKES, *(path or []), FIRMWARE]
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
    script: str | Path, *arguments: str, timeout_s: float = 60, path: list[Path] | None = None, **environment: str
) -> str:
    """Output of a script that has to succeed."""
    process = start(script, *arguments, path=path, **environment)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output
