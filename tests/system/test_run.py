"""Run mode: real MicroPython boots from the flash file and behaves as an ESP32 does around its program."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_board import MAC, Recorded, files_in, make_flash

from judder.errors import DeviceError, InputError
from judder.virtual.board import VirtualBoard

FRIENDLY = r">>> $"


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.bin"


@pytest.fixture
def idle(flash: Path) -> Iterator[Recorded]:
    """A board at its REPL, virtual clock."""
    make_flash(flash, main="")
    with Recorded(flash, clock="virtual") as board:
        board.wait(FRIENDLY)
        yield board


def children() -> set[int]:
    """Processes this one started that still exist."""
    mine = str(os.getpid())
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == mine:
            found.add(int(path.parent.name))
    return found


# --- start


def test_boot_and_main_run_from_the_flash_file_in_one_namespace(flash: Path) -> None:
    make_flash(flash, boot="x = 41\nprint('boot', __name__)\n", main="print('main', x + 1)\n")
    with Recorded(flash) as board:
        board.wait(r"rst:0x1 \(POWERON\).*boot __main__\r\nmain 42\r\n.*>>> $")
        assert board.exec("print(x)") == "41\n"


def test_the_node_sees_an_esp32(idle: Recorded) -> None:
    said = idle.exec(
        "import sys, os, machine\n"
        "print(sys.platform, sys.implementation._machine, sys.path, os.listdir('/'))\n"
        "print(machine.unique_id().hex(), machine.reset_cause(), machine.wake_reason())\n"
        "from sys import stdout\nprint(stdout.write('') is not None)"
    )
    assert said.splitlines() == [
        "esp32 Judder virtual board with ESP32S3 ['', '.frozen', '/lib'] ['main.py']",
        f"{MAC.hex()} 1 0",
        "True",
    ]


def test_an_exception_in_main_lands_in_the_repl(flash: Path) -> None:
    make_flash(flash, main="print('a')\n1/0\n")
    with Recorded(flash) as board:
        text = board.wait(r"Traceback.*>>> $").group()
    assert '\r\n  File "main.py", line 2, in <module>\r\nZeroDivisionError: divide by zero\r\n' in text


def test_an_exception_in_boot_keeps_main_from_running(flash: Path) -> None:
    make_flash(flash, boot="raise ValueError('no')\n", main="print('main ran')\n")
    with Recorded(flash) as board:
        board.wait(r"ValueError: no\r\n.*>>> $")
        assert "main ran" not in board.text


def test_sys_exit_is_a_soft_reset(flash: Path) -> None:
    # MicroPython pull request 15486 (in 1.24): SystemExit does a soft reset on bare-metal ports.
    make_flash(flash, main="import machine, sys\nif machine.reset_cause() != 5: sys.exit()\nprint('again')\n")
    with Recorded(flash) as board:
        board.wait(r"MPY: soft reboot\r\nagain\r\n.*>>> $")


def test_a_blank_chip_says_what_the_rom_says(flash: Path) -> None:
    with Recorded(flash) as board:
        board.wait(r"invalid header: 0xffffffff")
        assert board.board.state == "halted"


def test_a_missing_partition_table_and_application_are_told_apart(flash: Path) -> None:
    image = bytearray(make_flash(flash).read_bytes())
    image[0x8000:0x9000] = b"\xff" * 4096
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait("partition table")
    make_flash(flash)
    image = bytearray(flash.read_bytes())
    image[0x10000] = 0xFF
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait("No bootable app partitions")


def test_a_blank_vfs_is_formatted_and_a_damaged_one_is_not(flash: Path) -> None:
    image = bytearray(make_flash(flash).read_bytes())
    image[0x200000:0x220000] = b"\xff" * 0x20000
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait(r"Performing initial setup\r\n.*>>> $")
    assert list(files_in(flash)) == ["boot.py"]
    image[0x200000:0x200010] = b"not a file syste"
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait("filesystem appears to be corrupted")
    assert flash.read_bytes()[0x200000:0x220000] == bytes(image[0x200000:0x220000])


def test_no_micropython_says_what_to_install(flash: Path) -> None:
    with pytest.raises(InputError, match="no MicroPython at '/nowhere/micropython'"):
        VirtualBoard(flash, micropython="/nowhere/micropython")


def test_a_program_that_is_no_micropython_is_an_error(flash: Path) -> None:
    make_flash(flash)
    board = VirtualBoard(flash, micropython="/bin/false")
    try:
        with pytest.raises(DeviceError, match="does not start"):
            board.start()
    finally:
        board.stop()


# --- console


def test_print_puts_cr_before_lf_and_the_buffer_does_not(idle: Recorded) -> None:
    idle.clear()
    idle.board.type(b"import sys;print('a');n=sys.stdout.buffer.write(b'x\\ny\\r\\nz\\n');print('b')\r")
    idle.wait(r"\r\na\r\nx\ny\r\nz\nb\r\n>>> $")


def test_the_console_takes_every_byte_while_interrupts_are_off(idle: Recorded) -> None:
    idle.exec("import sys, micropython")
    idle.clear()
    idle.board.type(
        b"micropython.kbd_intr(-1); print('go'); d = sys.stdin.buffer.read(256); micropython.kbd_intr(3)\x04"
    )
    idle.wait(r"go\r\n")
    idle.board.type(bytes(range(256)))
    idle.wait(r"\x04\x04>")
    assert idle.exec("print(d == bytes(range(256)))") == "True\n"


def test_ctrl_c_stops_an_endless_loop(idle: Recorded) -> None:
    idle.board.type(b"while True: pass\r\r\r")
    time.sleep(0.3)
    idle.clear()
    idle.board.type(b"\x03")
    idle.wait(r"KeyboardInterrupt: \r\n>>> ")
    assert idle.exec("print('alive')") == "alive\n"


def test_ctrl_c_at_the_moment_of_start_stops_the_program(flash: Path) -> None:
    make_flash(flash, main="n = 0\nwhile True: n += 1\n")
    with Recorded(flash) as board:
        board.board.reset()
        board.board.type(b"\x03")
        board.wait(r"KeyboardInterrupt.*>>> $")


def test_many_interrupts_in_a_row_do_no_harm(idle: Recorded) -> None:
    for _ in range(20):
        idle.clear()
        idle.board.type(b"while True: pass\r\r\r")
        idle.wait(r"\r\n\.\.\. .*\r\n")
        time.sleep(0.01)
        idle.board.type(b"\x03" * 5)
        idle.wait("KeyboardInterrupt")
    assert idle.exec("print(6 * 7)") == "42\n"
    assert idle.board.counters.boots == 1


def test_interrupts_in_the_middle_of_transfers_leave_the_bus_usable(idle: Recorded) -> None:
    program = (
        "import machine\nspi = machine.SPI(1, 8000000, polarity=1, phase=1)\n"
        "cs = machine.Pin(10, machine.Pin.OUT, value=1)\n"
        "def who():\n cs(0); spi.write(b'\\x8f'); r = spi.read(1)[0]; cs(1); return r\n"
    )
    idle.exec(program)
    for _ in range(15):
        idle.clear()
        idle.board.type(b"while True: who()\n\x04")
        time.sleep(0.02)
        idle.board.type(b"\x03")
        idle.wait(r"KeyboardInterrupt: \r\n\x04>")
        assert idle.exec("cs(1); print(who())") == "123\n"


# --- resets and sleep


def test_soft_reset_closes_files_and_forgets_names(idle: Recorded) -> None:
    idle.exec("f = open('left_open.txt', 'w'); f.write('kept'); x = 1")
    idle.board.type(b"\x02")
    idle.wait(r">>> $")
    idle.clear()
    idle.board.type(b"\x04")
    idle.wait(r"MPY: soft reboot\r\n.*>>> $")
    assert idle.exec("import machine; print('x' in globals(), machine.reset_cause())") == "False 5\n"
    assert idle.exec("print(open('left_open.txt').read())") == "kept\n"


def test_soft_reset_in_raw_mode_runs_boot_and_not_main(flash: Path) -> None:
    make_flash(flash, boot="print('boot')\n", main="print('main')\n")
    with Recorded(flash) as board:
        board.wait(FRIENDLY)
        board.exec("pass")
        board.clear()
        board.board.type(b"\x04")
        text = board.wait(r"soft reboot\r\n.*raw REPL; CTRL-B to exit\r\n>").group()
    assert "boot\r\n" in text
    assert "main" not in text
    assert "MicroPython" not in text  # no friendly banner


def test_machine_reset_starts_anew_and_keeps_rtc_memory(idle: Recorded) -> None:
    idle.exec("import machine; machine.RTC().memory(b'state')")
    idle.clear()
    idle.board.type(b"machine.reset()\x04")
    idle.wait(r"rst:0xc .*>>> $")
    assert idle.exec("import machine; print(machine.reset_cause(), machine.RTC().memory())") == "2 b'state'\n"
    assert idle.board.counters.boots == 2


def test_deep_sleep_keeps_rtc_memory_and_says_why_it_woke(flash: Path) -> None:
    program = (
        "import machine, time\n"
        "rtc = machine.RTC()\n"
        "n = len(rtc.memory())\n"
        "print('wake', n, machine.reset_cause(), machine.wake_reason(), time.time())\n"
        "rtc.memory(rtc.memory() + b'x')\n"
        "if n < 3: machine.deepsleep(600000)\n"
    )
    make_flash(flash, main=program)
    started = time.monotonic()
    with Recorded(flash, clock="virtual") as board:
        text = board.wait(r"wake 0 1 0 0.*wake 1 4 4 (\d+).*wake 2 4 4 (\d+).*wake 3 4 4 (\d+).*>>> $")
        assert [round(int(text[i]) / 600) for i in (1, 2, 3)] == [1, 2, 3]
        assert board.board.now_us > 1800e6
    assert time.monotonic() - started < 5


def test_rtc_memory_holds_2048_bytes_and_power_off_clears_it(idle: Recorded) -> None:
    idle.exec("import machine; machine.RTC().memory(bytes(2048))")
    assert (
        idle.exec(
            "try: machine.RTC().memory(bytes(2049))\nexcept ValueError as e: print(e, len(machine.RTC().memory()))"
        )
        == "buffer too long 2048\n"
    )
    idle.board.restart()
    assert idle.exec("import machine; print(machine.reset_cause(), machine.RTC().memory())") == "1 b''\n"
    assert idle.exec("import time; print(time.time(), time.gmtime()[:3])") == "0 (2000, 1, 1)\n"


def test_a_sleep_without_end_is_ended_by_the_reset_button(idle: Recorded) -> None:
    idle.board.type(b"import machine; machine.deepsleep()\r")
    deadline = time.monotonic() + 5
    while idle.board.state != "asleep" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert idle.board.state == "asleep"
    idle.board.reset()
    assert idle.exec("print('up')") == "up\n"


def test_real_clock_deep_sleep_takes_its_time(flash: Path) -> None:
    make_flash(flash, main="import machine\nif machine.reset_cause() == 1: machine.deepsleep(500)\nprint('woke')\n")
    with Recorded(flash) as board:
        started = time.monotonic()
        board.wait("woke")
        assert 0.4 < time.monotonic() - started < 5


@pytest.mark.parametrize("clock", ["real", "virtual"])
@pytest.mark.parametrize("lazy", ["while True: pass", "import time\nwhile True: time.sleep(0.05)"])
def test_the_watchdog_bites(flash: Path, clock: str, lazy: str) -> None:
    main = (
        "import machine, time\n"
        "if machine.reset_cause() == 3:\n print('bitten')\n"
        "else:\n"
        " dog = machine.WDT(timeout=500)\n"
        " for i in range(5): time.sleep(0.3); dog.feed()\n"
        " print('fed')\n"
    )
    main += "".join(f" {line}\n" for line in lazy.splitlines())
    make_flash(flash, main=main)
    with Recorded(flash, clock=clock) as board:
        board.wait(r"fed\r\n.*rst:0x7 .*bitten\r\n.*>>> $", 15)


def test_a_watchdog_can_be_given_more_time(idle: Recorded) -> None:
    said = idle.exec(
        "import machine, time\nmachine.WDT(timeout=1000)\nmachine.WDT(timeout=3600000)\ntime.sleep(60)\nprint('ok')"
    )
    assert said == "ok\n"


def test_a_crash_of_micropython_is_a_reset(idle: Recorded) -> None:
    os.kill(idle.board._supervisor._process.pid, 11)  # type: ignore[union-attr]
    idle.wait(r"Guru Meditation Error.*rst:0xc.*>>> $")


# --- tidiness and cost


def test_a_power_cut_kills_at_once_and_restart_brings_it_back(idle: Recorded) -> None:
    idle.board.type(b"while True: pass\r\r\r")
    before = children()
    idle.board.power_cut()
    assert len(children()) == len(before) - 1
    idle.board.restart()
    assert idle.exec("print('up')") == "up\n"


def test_nothing_is_left_running(flash: Path) -> None:
    make_flash(flash, main="while True: pass\n")
    before = children()
    with Recorded(flash) as board:
        assert len(children() - before) == 1
        board.board.power_cut()
        board.board.restart()
    assert children() == before


@pytest.mark.parametrize("start", [[], ["nohup"]], ids=["plain", "nohup"])
def test_the_node_dies_with_the_supervisor(flash: Path, tmp_path: Path, start: list[str]) -> None:
    import subprocess
    import sys

    make_flash(flash, main="while True: pass\n")
    program = tmp_path / "owner.py"
    program.write_text(
        "import sys, time\nfrom judder.virtual.board import VirtualBoard\n"
        f"b = VirtualBoard({str(flash)!r}).start()\nprint(b._supervisor._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([*start, sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        node = int(owner.stdout.readline())
        owner.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{node}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{node}").exists()


def test_starting_is_quick(flash: Path) -> None:
    make_flash(flash, main="print('up')\n")
    best = 9.9
    for _ in range(3):
        started = time.monotonic()
        with Recorded(flash, clock="virtual") as board:
            board.wait("up")
            best = min(best, time.monotonic() - started)
    assert best < 0.3
