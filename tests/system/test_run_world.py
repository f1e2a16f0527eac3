"""Run mode: the clock, the flash and the network as the program finds them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_board import MAC, Recorded, files_in, make_flash

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
        "try: p.readblocks(6, b)\nexcept OSError as e: print(e.args)\n"
        "print(esp32.Partition.find(label='nowhere'), esp32.Partition(esp32.Partition.RUNNING).info()[4])"
    )
    assert said.splitlines() == [
        "(1, 64, 3538944, 24576, 'cfg', False) 6 4096",
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
