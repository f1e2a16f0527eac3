"""judder flash onto a whole virtual board: what the loader wrote is what MicroPython boots and says HELLO from."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from judder.device import boards, ports, virtual_boards
from judder.device.flash import flash
from judder.errors import InputError, PortBusy, Timeout, exit_code
from judder.virtual.board import VirtualBoard

pytestmark = pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="MicroPython's build for PCs exists for Linux and macOS"
)
BOARD = boards.load(boards.DEFAULT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JUDDER_VIRTUAL_DIR", str(tmp_path))
    yield tmp_path
    ports.stop_virtual_boards()


def test_a_blank_board_is_flashed_boots_and_reports(folder: Path) -> None:
    report = flash("virtual:bench-1", BOARD)
    mac = virtual_boards.mac_of("virtual:bench-1")
    assert report.hello is not None
    # EUI-64 from a MAC: FF FE in the middle (IEEE Guidelines for EUI).
    assert report.hello["node"] == (mac[:3] + b"\xff\xfe" + mac[3:]).hex()
    assert report.hello["board"] == BOARD.number
    assert report.mac == mac.hex(":")
    assert (folder / "bench-1" / "flash.bin").stat().st_size == 8 << 20
    assert ports.shown(ports.resolve("virtual:bench-1")) == "virtual:bench-1"


def test_flash_is_kept_and_the_next_process_finds_it(folder: Path) -> None:
    flash("virtual", BOARD, wait_hello=False)
    ports.stop_virtual_boards()
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "judder.cli.main", "flash", "--port", "virtual", "--json"],
        capture_output=True,
        text=True,
        env=variables,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["skipped"] and report["hello"] is not None
    assert virtual_boards.existing() == [("virtual", folder / "default")]


def test_a_virtual_board_runs_in_one_process_only(folder: Path) -> None:
    first = ports.virtual_board("virtual:mine")
    assert ports.virtual_board("virtual:mine") is first
    program = "from judder.device import ports; ports.virtual_board('virtual:mine')"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=variables, timeout=60)
    assert "PortBusy: the virtual board 'virtual:mine' runs in another process" in done.stderr
    assert exit_code(PortBusy()) == 2
    assert folder.joinpath("mine", "flash.bin").exists()


@pytest.mark.parametrize("name", ["virtual:..", "virtual:a b", "virtual:-x"])
def test_names_that_are_none(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no name for a virtual board"):
        ports.virtual_board(name)
    assert not list(folder.iterdir())


def test_killed_in_the_middle_and_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setattr(importlib.import_module("esptool.cmds"), "DEFAULT_CONNECT_ATTEMPTS", 1)
    path = tmp_path / "flash.bin"

    class Unplugged(Exception):
        pass

    with VirtualBoard(path) as board:

        def pull_the_plug(event: object) -> None:
            if getattr(event, "step", "") == "write" and getattr(event, "done", 0) > 1_000_000:
                raise Unplugged

        with pytest.raises(Unplugged):
            flash(board.port, BOARD, on_event=pull_the_plug)
        half = board.counters.bytes_programmed
    with VirtualBoard(path) as board:
        assert board.state == "halted"  # no partition table yet, so nothing half-written is started
        report = flash(board.port, BOARD)
        assert report.hello is not None
        assert board.counters.bytes_programmed == report.bytes_written <= report.bytes_total - half + 2 * 256 * 1024


def test_over_a_pty_the_chips_watchdog_restarts_it(tmp_path: Path) -> None:
    with VirtualBoard(tmp_path / "flash.bin", pty=True, download=True) as board:
        assert flash(board.port, BOARD).hello is not None


def test_an_application_that_does_not_load_is_quoted(tmp_path: Path) -> None:
    from judder.device import assets, images

    firmware = tmp_path / "firmware"
    for source in assets.firmware().rglob("*.py"):
        target = firmware / source.relative_to(assets.firmware())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())
    (firmware / "node" / "app.py").write_text("raise ValueError('broken on purpose')\n")
    made = images.build(BOARD, firmware=firmware)
    with VirtualBoard(tmp_path / "flash.bin") as board, pytest.raises(Timeout, match="broken on purpose"):
        flash(board.port, BOARD, images=made, hello_timeout_s=4)
