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
    image[0x200000:0x240000] = b"\xff" * 0x40000
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait(r"Performing initial setup\r\n.*>>> $")
    assert list(files_in(flash)) == ["boot.py"]
    image[0x200000:0x200010] = b"not a file syste"
    flash.write_bytes(image)
    with Recorded(flash) as board:
        board.wait("filesystem appears to be corrupted")
    assert flash.read_bytes()[0x200000:0x240000] == bytes(image[0x200000:0x240000])


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


# --- clock


def test_an_hour_passes_in_no_time(idle: Recorded) -> None:
    before = idle.board.now_us
    started = time.monotonic()
    said = idle.exec(
        "import time\na = time.ticks_ms(); t = time.time(); time.sleep(3600)\n"
        "print(time.ticks_diff(time.ticks_ms(), a), time.time() - t)"
    )
    assert time.monotonic() - started < 2
    assert [round(int(word), -1) for word in said.split()] == [3_600_000, 3600]
    assert 3600e6 <= idle.board.now_us - before < 3601e6


def test_pace_holds_virtual_time_back(flash: Path) -> None:
    make_flash(flash, main="")
    with Recorded(flash, clock="virtual", pace=10) as board:
        board.wait(FRIENDLY)
        started = time.monotonic()
        board.exec("import time\nfor i in range(10): time.sleep(1)")
        assert 0.8 < time.monotonic() - started < 3


def test_ticks_wrap_as_on_the_chip(idle: Recorded) -> None:
    said = idle.exec(
        "import time\n"
        "print(time.ticks_add(2**30 - 1, 5), time.ticks_diff(4, 2**30 - 1), time.ticks_diff(2**30 - 1, 4))\n"
        "time.sleep(400 * 3600); a = time.ticks_ms(); time.sleep(1)\n"
        "print(a < 2**30, time.ticks_diff(time.ticks_ms(), a))"
    )
    assert said.splitlines() == ["4 5 -5", "True 1000"]


def test_calendar_is_that_of_the_esp32(idle: Recorded) -> None:
    # Expected values: CPython's calendar.timegm((2026, 3, 1, ...)) - 946684800 (seconds from 1970 to 2000).
    said = idle.exec(
        "import time, machine\nmachine.RTC().datetime((2026, 3, 1, 6, 12, 34, 56, 0))\n"
        "print(time.mktime((2026, 3, 1, 12, 34, 56, 0, 0)), time.gmtime()[:6], time.time())"
    )
    import calendar

    seconds = calendar.timegm((2026, 3, 1, 12, 34, 56)) - 946684800
    assert said == f"{seconds} (2026, 3, 1, 12, 34, 56) {seconds}\n"


def test_waiting_for_a_socket_takes_real_time_and_for_nothing_none(idle: Recorded) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = idle.exec(
            "import socket, select, time\n"
            f"s = socket.socket(); s.connect(socket.getaddrinfo('127.0.0.1', {port})[0][-1])\n"
            "p = select.poll(); p.register(s, select.POLLIN)\n"
            "a = time.ticks_ms(); r = p.poll(200); print(r, time.ticks_diff(time.ticks_ms(), a))\n"
            "a = time.ticks_ms(); r = select.poll().poll(60000); print(r, time.ticks_diff(time.ticks_ms(), a))"
        )
    first, second = said.splitlines()
    assert first.startswith("[] ") and 200 <= int(first[3:]) < 400
    assert second.startswith("[] ") and 60_000 <= int(second[3:]) < 60_010


def test_timers_fire_while_the_node_sleeps(idle: Recorded) -> None:
    said = idle.exec(
        "import machine, time\nhits = []\n"
        "t = machine.Timer(0, period=100, callback=lambda t: hits.append(time.ticks_ms()))\n"
        "time.sleep_ms(1050); t.deinit(); time.sleep(5)\nprint(len(hits))"
    )
    assert said == "10\n"


# --- flash


def test_what_the_node_writes_littlefs_python_reads(idle: Recorded, flash: Path) -> None:
    idle.exec("f = open('log.txt', 'w')\nfor i in range(500): f.write('line %d\\n' % i)\nf.close()")
    idle.board.stop()
    assert files_in(flash)["log.txt"].decode() == "".join(f"line {i}\n" for i in range(500))


def test_raw_partitions_have_nor_rules(idle: Recorded) -> None:
    # The sequence of the ESP32 emulator: program 0x0F, then 0xF3 over it, reads 0x03.
    said = idle.exec(
        "import esp32\np = esp32.Partition.find(esp32.Partition.TYPE_DATA, label='cfg')[0]\n"
        "print(p.info(), p.ioctl(4, 0), p.ioctl(5, 0))\n"
        "b = bytearray(2)\n"
        "p.ioctl(6, 1); p.readblocks(1, b, 10); print(b)\n"
        "p.writeblocks(1, b'\\x0f\\xaa', 10); p.writeblocks(1, b'\\xf3\\xaa', 10); p.readblocks(1, b, 10); print(b)\n"
        "big = bytes(range(256)) * 32\np.writeblocks(0, big); c = bytearray(8192)\n"
        "p.readblocks(0, c); print(c == big)\n"
        "try: p.readblocks(4, b)\nexcept OSError as e: print(e.args)\n"
        "print(esp32.Partition.find(label='nowhere'), esp32.Partition(esp32.Partition.RUNNING).info()[4])"
    )
    assert said.splitlines() == [
        "(1, 64, 3538944, 16384, 'cfg', False) 4 4096",
        "bytearray(b'\\xff\\xff')",
        "bytearray(b'\\x03\\xaa')",
        "True",
        "(-260, 'ESP_ERR_INVALID_SIZE')",
        "[] factory",
    ]
    counters = idle.board.counters
    assert (counters.sectors_erased, counters.over_programs, counters.bytes_programmed) == (3, 1, 8196)


# What flash holds where eight zeros were being programmed: nothing of it, half of it, all of it.
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("drop", b"\xff" * 8),
        ("torn", b"\x00\x00\x00\x0f" + b"\xff" * 4),
        ("complete", b"\x00" * 8),
    ],
)
def test_power_goes_at_the_flash_operation_asked_for(idle: Recorded, flash: Path, mode: str, expected: bytes) -> None:
    cfg = 0x360000
    find = "import esp32\np = esp32.Partition.find(1, label='cfg')[0]\n"
    idle.exec(find + "p.ioctl(6, 0); p.writeblocks(0, bytes(16), 64)")
    idle.board.cut_power_at_flash(2, mode)
    idle.board.restart()
    idle.exec(find)
    idle.board.type(b"p.ioctl(6, 0); p.writeblocks(0, bytes(8), 0); p.writeblocks(0, bytes(8), 128)\x04")
    assert idle.board.power_lost.wait(5)
    assert idle.board.state == "off"
    data = flash.read_bytes()[cfg : cfg + 4096]
    assert data[:8] == expected
    assert data[64:72] == b"\xff" * 8  # the erase before it has happened
    assert data[128:136] == b"\xff" * 8  # the program after it has not
    idle.board.restart()
    assert idle.exec("print('up')") == "up\n"


def test_a_torn_erase_is_half_an_erase(idle: Recorded, flash: Path) -> None:
    idle.exec("import esp32\np = esp32.Partition.find(1, label='cfg')[0]\np.writeblocks(0, bytes(4096))")
    idle.board.cut_power_at_flash(1, "torn")
    idle.board.restart()
    idle.exec("import esp32\np = esp32.Partition.find(1, label='cfg')[0]")
    idle.board.type(b"p.ioctl(6, 0)\x04")
    assert idle.board.power_lost.wait(5)
    assert flash.read_bytes()[0x360000:0x361000] == b"\xff" * 2048 + bytes(2048)


def test_a_power_cut_kills_at_once_and_restart_brings_it_back(idle: Recorded) -> None:
    idle.board.type(b"while True: pass\r\r\r")
    before = children()
    idle.board.power_cut()
    assert len(children()) == len(before) - 1
    idle.board.restart()
    assert idle.exec("print('up')") == "up\n"


# --- Wi-Fi


def test_wlan_connects_while_there_is_an_access_point(idle: Recorded) -> None:
    joined = (
        "import network, time\nw = network.WLAN(network.STA_IF); w.active(True); w.connect('net', 'secret')\n"
        "print(w.status() == network.STAT_CONNECTING)\n"
        "t = time.ticks_ms()\nwhile w.status() == network.STAT_CONNECTING: time.sleep_ms(50)\n"
        "print(w.isconnected(), w.status(), w.config('mac').hex(), time.ticks_diff(time.ticks_ms(), t) > 1000)"
    )
    assert idle.exec(joined) == f"True\nTrue 1010 {MAC.hex()} True\n"
    idle.board.access_point.up = False
    assert idle.exec("print(w.isconnected(), w.status())") == "False 201\n"
    idle.board.access_point.up = True
    idle.board.access_point.key = "other"
    assert idle.exec("print(w.isconnected(), w.status())") == "False 202\n"


# --- tidiness and cost


def test_nothing_is_left_running(flash: Path) -> None:
    make_flash(flash, main="while True: pass\n")
    before = children()
    with Recorded(flash) as board:
        assert len(children() - before) == 1
        board.board.power_cut()
        board.board.restart()
    assert children() == before


def test_the_node_dies_with_the_supervisor(flash: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    make_flash(flash, main="while True: pass\n")
    program = tmp_path / "owner.py"
    program.write_text(
        "import sys, time\nfrom judder.virtual.board import VirtualBoard\n"
        f"b = VirtualBoard({str(flash)!r}).start()\nprint(b._supervisor._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        node = int(owner.stdout.readline())
        owner.kill()
    deadline = time.monotonic() + 5
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
