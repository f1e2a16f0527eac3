"""Capture and features allocate nothing: the compiled firmware under MicroPython, with its heap locked."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner import FAKES, MICROPYTHON, start

from judder.device import build


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    build.compile_tree("x64", folder)
    return folder


@pytest.mark.parametrize("samples", [256, 1000, 4096])
def test_a_block_allocates_nothing(compiled: Path, samples: int) -> None:
    assert Path(MICROPYTHON).exists()
    process = start(FAKES / "heap.py", str(samples), firmware=compiled)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert output.strip() == "bytes per 20 blocks 0"


def test_the_lock_would_notice(compiled: Path, tmp_path: Path) -> None:
    script = tmp_path / "leaky.py"
    text = (FAKES / "heap.py").read_text()
    script.write_text(text.replace("    lost = sensor.fill", "    leak = [n]\n    lost = sensor.fill"))
    process = start(script, "256", firmware=compiled)
    output, _ = process.communicate(timeout=60)
    assert "MemoryError" in output
