"""The real esptool, unmodified, against the boot loader emulator: API and command line, RFC 2217 and pty."""

import errno
import importlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loader_board import KNOWN_MAC, LoaderBoard

from judder.device import ports
from judder.device.esptool_adapter import Session
from judder.errors import FlashError, NoBoard, PortBusy, exit_code
from judder.virtual.counters import Counters
from judder.virtual.identity import ESP32, ESP32_C3, ESP32_S3
from judder.virtual.loader import Loader
from judder.virtual.nor import NorFlash
from judder.virtual.ptyport import PtyServer

CHIPS = {
    "esp32": (ESP32, "ESP32-D0WD-V3 (revision v3.1)"),
    "esp32s3": (ESP32_S3, "ESP32-S3 (QFN56) (revision v0.2)"),
    "esp32c3": (ESP32_C3, "ESP32-C3 (QFN32) (revision v0.4)"),
}
FIRMWARE = random.Random(7).randbytes(60_000) + bytes(40_000)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[LoaderBoard]:
    with LoaderBoard(tmp_path / "flash.bin", mac=KNOWN_MAC) as running:
        yield running


def opened(board: LoaderBoard) -> Any:
    return ports.open_port(board.port, timeout_s=3)


@pytest.mark.parametrize("stub", [True, False], ids=["stub", "rom"])
@pytest.mark.parametrize("chip", list(CHIPS))
def test_every_chip_is_detected_written_and_read_back(tmp_path: Path, chip: str, stub: bool) -> None:
    with LoaderBoard(tmp_path / "flash.bin", chip, 4 << 20, KNOWN_MAC, console=b"hello from the application") as board:
        port = opened(board)
        with Session(port, board.port, stub=stub) as session:
            assert session.description() == CHIPS[chip][1]
            assert session.mac() == KNOWN_MAC
            assert session.flash_bytes() == 4 << 20
            session.change_baud(460_800)
            assert board.server.baudrate == 460_800
            # Dirty flash first: what is written must be erased, and nothing else.
            board.flash.program(0x10000 - 4096, bytes(200_000))
            session.write([(0x10000, FIRMWARE), (0x200000, b"file system" * 99 + b".")])
            assert board.flash.read(0x10000, len(FIRMWARE)) == FIRMWARE
            assert board.flash.read(0x200000, 1090) == b"file system" * 99 + b"."
            assert board.flash.read(0x10000 - 4096, 4096) == bytes(4096)
            assert session.read(0x10000 + 59_000, 2000) == FIRMWARE[59_000:61_000]
            session.erase(0x200000, 8192)
            assert board.flash.read(0x200000, 1090) == b"\xff" * 1090
            session.restart(watchdog=False)
        assert port.read(26) == b"hello from the application"
        port.close()
        assert board.counters.over_programs == 0
        assert (board.counters.downloads, board.counters.boots) == (1, 1)


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c3"])
def test_the_chips_watchdog_restarts_it_without_lines(tmp_path: Path, chip: str) -> None:
    with LoaderBoard(tmp_path / "flash.bin", chip) as board:
        port = opened(board)
        with Session(port, board.port) as session:
            session.restart(watchdog=True)
        port.close()
        assert board.counters.boots == 1


def test_what_does_not_read_back_is_an_error(tmp_path: Path) -> None:
    # A cell stuck at zero: it takes the program operation and reads back wrong.
    board = LoaderBoard(tmp_path / "flash.bin")
    program = board.flash.program
    board.flash.program = lambda offset, data: program(offset, data[:100] + b"\0" + data[101:])  # type: ignore[method-assign]
    with board:
        port = opened(board)
        with (
            Session(port, board.port) as session,
            pytest.raises(FlashError, match=r"does not read back .*MD5.*run the command again"),
        ):
            session.write([(0x10000, FIRMWARE)])
        port.close()


def test_nobody_answers(tmp_path: Path) -> None:
    with LoaderBoard(tmp_path / "flash.bin") as board:
        board.server._on_lines = None  # a board whose reset lines are not wired, running its application
        port = opened(board)
        with (
            pytest.raises(NoBoard, match=r"no ESP32 answers .*hold BOOT, press and release RESET") as caught,
            Session(port, board.port, attempts=1),
        ):
            pass
        assert exit_code(caught.value) == 2


def test_a_second_client_is_told_busy(board: LoaderBoard) -> None:
    first = opened(board)
    with pytest.raises(PortBusy, match="in use by another program: close it") as caught:
        opened(board)
    assert exit_code(caught.value) == 2
    first.close()
    opened(board).close()


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("/dev/ttyNONE9", "no such port; 'judder ports' lists"),
        ("rfc2217://127.0.0.1:1", "nothing listens there"),
        ("socket://127.0.0.1:1", "nothing listens there"),
        ("nonsense://x", "cannot be opened"),
    ],
)
def test_ports_that_cannot_be_opened(port: str, said: str) -> None:
    with pytest.raises(NoBoard, match=said) as caught:
        ports.open_port(port)
    assert "\n" not in str(caught.value)
    assert exit_code(caught.value) == 2


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [(errno.EAGAIN, PortBusy, "in use"), (errno.EBUSY, PortBusy, "in use"), (errno.EACCES, NoBoard, "no permission")],
)
def test_what_the_system_says_about_a_device(number: int, kind: type[NoBoard], said: str) -> None:
    serial = importlib.import_module("serial")
    error = ports._explained("/dev/ttyUSB0", serial.SerialException(number, os.strerror(number)))
    assert type(error) is kind and said in str(error)


def test_esptools_settings_from_outside_have_no_effect(tmp_path: Path) -> None:
    # With either of these in force esptool would wait 77 s for an answer, or play another reset sequence.
    (tmp_path / "esptool.cfg").write_text("[esptool]\ntimeout = 77\ncustom_reset_sequence = D0|W9\n")
    (tmp_path / "other.cfg").write_text("[esptool]\ntimeout = 78\n")
    program = (
        "from judder.device import esptool_adapter as a; import os; t = a._load();"
        "print(t.loader.DEFAULT_TIMEOUT, t.loader.cfg.get('custom_reset_sequence'), os.environ['ESPTOOL_CFGFILE'])"
    )
    environment = {**os.environ, "ESPTOOL_CFGFILE": str(tmp_path / "other.cfg"), "ESPTOOL_BAUD": "9600"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["3", "None", str(tmp_path / "other.cfg")]


def test_boards_are_told_apart_when_flashed_at_once(tmp_path: Path) -> None:
    import threading

    seen: dict[int, list[tuple[int, int]]] = {0: [], 1: []}

    def run(number: int) -> None:
        with LoaderBoard(tmp_path / f"{number}.bin") as board:
            port = opened(board)
            data = random.Random(number).randbytes(50_000 * (number + 1))
            with Session(port, board.port) as session:
                session.write([(0x10000, data)], lambda _n, done, total: seen[number].append((done, total)))
            port.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, events in seen.items():
        totals = {total for _done, total in events}
        assert len(totals) == 1 and events[-1][0] == events[-1][1]
        assert 50_000 * (number + 1) <= totals.pop() < 50_000 * (number + 1) + 200


# --- the command line as people run it


def esptool_cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ESPTOOL_")}
    return subprocess.run(
        [sys.executable, "-m", "esptool", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=90,
    )


def test_esptools_command_line_over_a_pty(tmp_path: Path) -> None:
    # No modem lines on a pty: the board waits in download mode, and esptool warns and carries on.
    counters = Counters()
    flash = NorFlash(tmp_path / "flash.bin", 4 << 20, counters)
    loader = Loader(flash, ESP32)
    server = PtyServer(lambda data: server.send(loader.feed(data)), counters)
    (tmp_path / "image.bin").write_bytes(FIRMWARE)
    with server:
        common = ("--port", server.path, "--before", "no-reset", "--after", "no-reset-stub")
        wrote = esptool_cli(*common, "write-flash", "0x10000", "image.bin", cwd=tmp_path)
        assert wrote.returncode == 0, wrote.stdout + wrote.stderr
        assert "Hash of data verified" in wrote.stdout
        again = esptool_cli(*common, "write-flash", "--skip-flashed", "0x10000", "image.bin", cwd=tmp_path)
        assert "skipping write" in again.stdout, again.stdout + again.stderr
        read = esptool_cli(*common, "read-flash", "0x10000", str(len(FIRMWARE)), "back.bin", cwd=tmp_path)
        assert read.returncode == 0, read.stdout + read.stderr
    assert (tmp_path / "back.bin").read_bytes() == FIRMWARE
    assert counters.bytes_programmed == len(FIRMWARE)


@pytest.mark.slow
def test_esptools_command_line_with_pyserials_own_client(board: LoaderBoard, tmp_path: Path) -> None:
    # Slow because of pyserial's own rfc2217 client; proves the server to somebody else's client.
    asked = esptool_cli("--port", board.port, "flash-id", cwd=tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "Detected flash size: 8MB" in asked.stdout and KNOWN_MAC.hex(":") in asked.stdout
