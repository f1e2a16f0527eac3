"""Runs the other files of this folder, unchanged, on MicroPython: the 64-bit wheel and a 32-bit build."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tools import micropython32

HERE = Path(__file__).parent
FILES = sorted(path.name for path in HERE.glob("test_*.py") if path != Path(__file__))


def _command(runtime: str) -> tuple[list[str] | None, str]:
    """How to start a runtime, or None and why it can't be had."""
    if runtime == "i386":
        argv = micropython32.command()
        return argv, "" if argv else micropython32.why()
    beside = Path(sys.executable).with_name("micropython")
    return ([str(beside)], "") if beside.exists() else (None, f"no micropython beside {sys.executable}: run make setup")


@pytest.mark.parametrize("runtime", ["wheel", "i386"])
@pytest.mark.parametrize("file", FILES)
def test_same_file_on_micropython(runtime: str, file: str) -> None:
    argv, why = _command(runtime)
    if argv is None:
        message = f"{runtime} MicroPython not available: {why}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run(
        [*argv, "-X", "heapsize=16m", str(HERE / "run.py"), file], capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok   {file[:-3]}." in done.stdout, done.stdout


def test_there_is_something_to_run() -> None:
    assert len(FILES) >= 6


def test_runner_notices_a_failing_test(tmp_path: Path) -> None:
    argv, why = _command("wheel")
    if argv is None:
        pytest.skip(why)
    for name in ("run.py", "portable.py"):
        (tmp_path / name).write_text((HERE / name).read_text())
    (tmp_path / "test_wrong.py").write_text("def test_sum():\n    assert 1 + 1 == 3\n")
    done = subprocess.run(
        [*argv, str(tmp_path / "run.py"), "test_wrong.py"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "FAIL test_wrong.test_sum" in done.stdout
