"""judder flash, as a library and as a command, against the boot loader emulator: the good path and the bad ones."""

import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loader_board import LoaderBoard

from judder.device import boards, images, layout, partitions
from judder.device.events import Event
from judder.device.flash import FlashReport, compose, flash, split
from judder.errors import FlashError, NoBoard, Timeout, WrongChip, exit_code
from judder.virtual.identity import ESP32
from judder.virtual.image import synthetic_micropython
from judder.virtual.loader import Loader
from judder.virtual.nor import NorFlash
from judder_core import codec, line

BOARD = boards.load("virtual-esp32s3")
NODE = bytes.fromhex("02420ffffe010203")
HELLO = b"boot noise\r\n" + (line.encode(NODE, codec.encode(0, [100, 12400, 1, 1, 3])) + "\r\n").encode()
CFG = layout.find(layout.layout(8 << 20), "cfg")
RING = layout.find(layout.layout(8 << 20), "ring")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> images.Images:
    """File systems from a small tree: what is in them does not matter here."""
    folder = tmp_path_factory.mktemp("firmware")
    for name in ("boot.py", "main.py", "judder_core/__init__.py", "node/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"NAME = {name!r}\n")
    return images.build(BOARD, firmware=folder)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "flash.bin"


def expected(made: images.Images) -> dict[int, bytes]:
    regions = compose(BOARD, synthetic_micropython("esp32s3"), made)
    return {region.offset: region.data for region in regions}


def holds_everything(board: LoaderBoard, made: images.Images) -> bool:
    return all(board.flash.read(offset, len(data)) == data for offset, data in expected(made).items())


def run(board: LoaderBoard, made: images.Images, **options: object) -> FlashReport:
    return flash(board.port, BOARD, images=made, **options)  # type: ignore[arg-type]


def test_one_pass_writes_verifies_and_hears_hello(path: Path, made: images.Images) -> None:
    events: list[Event] = []
    with LoaderBoard(path, console=HELLO) as board:
        report = run(board, made, on_event=events.append)
        assert holds_everything(board, made)
        assert report.hello == {
            "node": NODE.hex(),
            "firmware": 100,
            "micropython": 12400,
            "board": 1,
            "reset_cause": 1,
            "uptime": 3,
        }
        assert not report.skipped and report.chip == "ESP32-S3" and report.flash_bytes == 8 << 20
        assert (report.wire_bytes_out, report.turns) == (board.counters.bytes_in, board.counters.turns)
        assert board.counters.over_programs == 0
    steps = list(dict.fromkeys(event.step for event in events))
    assert steps == ["connect", "compare", "erase", "write", "restart", "hello"]
    write = [event for event in events if event.step == "write"]
    assert [event.done for event in write] == sorted(event.done for event in write)
    assert write[0].done == 0 and write[-1].done == write[-1].total == report.bytes_written
    json.dumps([event.to_dict() for event in events] + [report.to_dict()])


def test_the_wire_stays_within_its_budget(path: Path, made: images.Images) -> None:
    # Reference, measured with esptool alone: 1.74 MB firmware 1 069 816 B and 77 turns, a file system about 40 KB and
    # 15 turns. On top: the stub, detection, and one MD5 per region. The second run sent 9.3 KB there.
    with LoaderBoard(path, console=HELLO) as board:
        first = run(board, made)
        second = run(board, made)
    assert first.wire_bytes_out < 1_250_000 and first.turns < 260
    assert second.skipped and second.bytes_written == 0
    assert second.wire_bytes_out < 13_000 and second.turns < 120


def test_without_the_stub_it_only_takes_longer(path: Path, made: images.Images) -> None:
    with LoaderBoard(path, console=HELLO) as board:
        report = run(board, made, stub=False)
        assert holds_everything(board, made)
        assert report.hello is not None


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """esptool waits for a vanished board seven times a second: once is enough here."""
    monkeypatch.setattr(importlib.import_module("esptool.cmds"), "DEFAULT_CONNECT_ATTEMPTS", 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after", [1, 1_000_000])
def test_a_board_unplugged_in_the_middle_is_finished_by_the_next_run(
    path: Path, made: images.Images, after: int
) -> None:
    with (
        LoaderBoard(path, console=HELLO, cut_after_bytes=after) as board,
        pytest.raises(FlashError, match=r"lost the board .*plug it in again and run the same command") as caught,
    ):
        run(board, made)
    assert exit_code(caught.value) == 3 and "\n" not in str(caught.value)
    with LoaderBoard(path, console=HELLO) as board:
        # Whole regions that were there already are not sent again.
        there = sum(
            len(piece.data)
            for piece in split(compose(BOARD, synthetic_micropython("esp32s3"), made))
            if board.flash.read(piece.offset, len(piece.data)) == piece.data
        )
        report = run(board, made)
        assert holds_everything(board, made)
        assert report.bytes_written == report.bytes_total - there == board.counters.bytes_programmed
        assert report.hello is not None
    if after == 1_000_000:
        # At least three of the seven 256 KB pieces of MicroPython were kept, on flash and on the wire.
        assert there >= 3 * 256 * 1024
        assert report.wire_bytes_out < 1_120_000 * (report.bytes_written / report.bytes_total) + 200_000


def test_settings_and_readings_survive_unless_erased(path: Path, made: images.Images) -> None:
    with LoaderBoard(path, console=HELLO) as board:
        run(board, made)
        board.flash.program(CFG.offset, b"settings")
        board.flash.program(RING.offset, b"readings")
        assert run(board, made).erased == []
        assert board.flash.read(CFG.offset, 8) == b"settings"
        assert board.flash.read(RING.offset, 8) == b"readings"
        assert run(board, made, erase=True).erased == ["cfg", "ring"]
        assert board.flash.read(CFG.offset, CFG.size) == b"\xff" * CFG.size
        assert board.flash.read(RING.offset, 8) == b"\xff" * 8


def test_what_another_layout_left_is_emptied(path: Path, made: images.Images) -> None:
    # A board that ran stock MicroPython: its table, and its file system where cfg and ring will be.
    with LoaderBoard(path, console=HELLO) as board:
        stock = synthetic_micropython("esp32s3")
        board.flash.program(0x8000, stock[0x8000:0x9000])
        board.flash.program(0x9000, b"nvs is kept: same place, same size")
        board.flash.program(0x200000, b"old file system" * 1000)
        board.flash.program(CFG.offset - 100, b"left over " * 100)
        report = run(board, made)
        assert report.erased == ["app_b", "cfg"]
        assert board.flash.read(CFG.offset, CFG.size) == b"\xff" * CFG.size
        assert board.flash.read(0x9000, 3) == b"nvs"
        assert holds_everything(board, made)


@pytest.mark.usefixtures("impatient")
def test_cut_off_before_the_table_is_written_it_empties_again(path: Path, made: images.Images) -> None:
    with LoaderBoard(path, cut_after_bytes=1) as board:
        board.flash.program(CFG.offset, b"left over")
        board.counters.bytes_programmed = 0
        with pytest.raises(FlashError):
            run(board, made)
    with LoaderBoard(path, console=HELLO) as board:
        with pytest.raises(FlashError, match="no partition table"):
            partitions.parse(board.flash.read(0x8000, 4096))
        board.flash.program(CFG.offset, b"left over again")
        assert run(board, made).erased == ["cfg"]


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_wrong_chip_is_refused_and_goes_back_to_its_application(path: Path, made: images.Images, chip: str) -> None:
    with LoaderBoard(path, chip) as board:
        with pytest.raises(WrongChip, match=r"board virtual-esp32s3 has an ESP32-S3: choose the board") as caught:
            run(board, made)
        assert exit_code(caught.value) == 3
        assert (board.counters.bytes_programmed, board.counters.sectors_erased, board.counters.boots) == (0, 0, 1)


def test_flash_smaller_than_the_board_says_is_refused(path: Path, made: images.Images) -> None:
    with LoaderBoard(path, flash_size=4 << 20) as board:
        with pytest.raises(FlashError, match=r"has 4 MB, board virtual-esp32s3 says 8 MB"):
            run(board, made)
        assert (board.counters.bytes_programmed, board.counters.sectors_erased, board.counters.boots) == (0, 0, 1)


def test_flash_larger_than_the_board_says_is_fine(path: Path, made: images.Images) -> None:
    with LoaderBoard(path, flash_size=16 << 20, console=HELLO) as board:
        assert run(board, made).flash_bytes == 16 << 20


def test_an_image_too_big_is_refused_before_the_board_is_touched(path: Path, made: images.Images) -> None:
    big = path.with_name("big.bin")
    big.write_bytes(synthetic_micropython("esp32s3", 0x10000 + 0x1F0000 + 0x8000))
    with LoaderBoard(path) as board:
        with pytest.raises(FlashError, match=r"too big: \d+ bytes, its partition holds 2031616 bytes"):
            run(board, made, micropython_file=big)
        assert board.counters.bytes_in == 0


def test_a_node_that_never_says_hello(path: Path, made: images.Images) -> None:
    said = b"Traceback (most recent call last):\r\njudder: no application (OSError)\r\n>>> "
    with LoaderBoard(path, console=said) as board:
        with pytest.raises(
            Timeout, match=r"flashed and verified.*it said: 'judder: no application.*judder decode"
        ) as e:
            run(board, made, hello_timeout_s=1)
        assert exit_code(e.value) == 4
        assert holds_everything(board, made)
        assert run(board, made, wait_hello=False).hello is None


def test_a_port_without_reset_lines_tells_which_buttons_to_press(path: Path, made: images.Images) -> None:
    # A serial server that passes raw bytes: somebody presses the buttons, here whoever reads the events.
    other = replace(BOARD, chip=boards.load("esp32-generic").chip)
    loader = Loader(NorFlash(path, 8 << 20), ESP32)
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []
    events: list[Event] = []

    def serve() -> None:
        client, _ = listener.accept()
        clients.append(client)
        while data := client.recv(65536):
            client.sendall(loader.feed(data))

    def press(event: Event) -> None:
        events.append(event)
        if event.step == "press RESET":
            clients[0].sendall(HELLO)

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        port = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        report = flash(port, other, images=made, on_event=press, baud=115_200)
    thread.join(5)
    assert report.hello is not None and loader.flash.counters.bytes_programmed == report.bytes_written
    pressed = {event.step: event.message for event in events if event.step.startswith("press")}
    assert pressed == {
        "press BOOT": "this port has no reset lines: hold BOOT, press and release RESET, release BOOT",
        "press RESET": "press and release RESET on the board now",
    }


def test_esptools_variables_are_reported_as_ignored(
    path: Path, made: images.Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPTOOL_BAUD", "9600")
    events: list[Event] = []
    with LoaderBoard(path, console=HELLO) as board:
        run(board, made, on_event=events.append)
        assert board.server.baudrate == 115_200  # back to the console's
    assert [event.message for event in events if event.step == "note"] == [
        "ignored: ESPTOOL_BAUD (judder's own options decide)"
    ]
    assert os.environ["ESPTOOL_BAUD"] == "9600"


# --- the command


def judder(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    return subprocess.run(
        [sys.executable, "-m", "judder.cli.main", *arguments],
        capture_output=True,
        text=True,
        env=variables,
        timeout=120,
    )


def test_command_reports_in_json(path: Path) -> None:
    with LoaderBoard(path, console=HELLO) as board:
        done = judder("flash", "--port", board.port, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert {entry["event"] for entry in lines[:-1]} == {"progress"}
    assert lines[-1]["event"] == "report" and lines[-1]["hello"]["node"] == NODE.hex()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("flash", "--port", "/dev/ttyNONE9"), 2, "no such port"),
        (("flash", "--board", "esp32-generic", "--port", "/dev/ttyNONE9"), 3, "--micropython FILE"),
        (("flash", "--board", "nonsense"), 1, "no board 'nonsense'"),
        (("build", "--board", "nonsense"), 1, "no board 'nonsense'"),
        (("flash", "--no-such-option"), 1, "No such option"),
    ],
)
def test_command_ends_in_one_line_and_the_right_code(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = judder(*arguments)
    assert done.returncode == code
    assert said in done.stderr and "Traceback" not in done.stderr


def test_build_command_writes_images_and_prints_sizes(tmp_path: Path) -> None:
    done = judder("build", "--board", "esp32-generic", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "node/__init__.mpy" in done.stdout and "of 655360 bytes used" in done.stdout
    assert (tmp_path / "out/app_a.img").stat().st_size == 0xA0000
    rows = [json.loads(text) for text in judder("build", "--json").stdout.splitlines()]
    assert {"vfs", "app_a"} == {row["partition"] for row in rows if "partition_bytes" in row}


def test_ports_command_lists_virtual_boards(tmp_path: Path) -> None:
    (tmp_path / "bench-1").mkdir()
    (tmp_path / "bench-1" / "flash.bin").touch()
    done = judder("ports", "--json", JUDDER_VIRTUAL_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    listed = {row["port"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert listed["virtual:bench-1"]["state"] == listed["virtual"]["state"] == "virtual"


def test_no_port_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = importlib.import_module("judder.device.ports")
    monkeypatch.setattr(ports, "_attached", list)
    with pytest.raises(NoBoard, match="plug a board in and try again, or try --port virtual"):
        ports.choose(None, boards.load("esp32-generic"))
    assert ports.choose(None, BOARD) == "virtual"
    two = [ports.PortInfo(f"/dev/ttyUSB{n}", "", "free", usb="10c4:ea60") for n in (0, 1)]
    monkeypatch.setattr(ports, "_attached", lambda: two)
    with pytest.raises(NoBoard, match=r"several ports: choose one with --port \(/dev/ttyUSB0, /dev/ttyUSB1\)"):
        ports.choose(None, boards.load("esp32-generic"))


def test_a_board_that_names_no_image_says_where_to_get_one(path: Path, made: images.Images) -> None:
    other = replace(BOARD, micropython=boards.load("esp32s3-generic").micropython)
    with LoaderBoard(path) as board:
        with pytest.raises(FlashError, match=r"ESP32_GENERIC_S3/ and pass it with --micropython"):
            flash(board.port, other, images=made)
        assert board.counters.bytes_in == 0
