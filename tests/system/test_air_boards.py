"""Boards that share an air, each a MicroPython of its own: in step whatever they do, and nobody waits for ever.

The radio is a test double of a few lines; it knows the time of its board and the air, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from run_board import Recorded, make_flash

from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.station import Station
from judder.virtual.wiring import SpiPins, Wiring

TUNING = Tuning(868_100_000, 7, 125_000)
AIRTIME_US = 50_000

# say(n): transmit one byte. listen(ms): bytes heard from now on for so long, asking every 10 ms.
DRIVER = """
import machine, sys, time
spi = machine.SPI(1, 8000000, sck=12, mosi=11, miso=13)
cs = machine.Pin(10, machine.Pin.OUT, value=1)
def call(*data):
    b = bytearray(data); cs(0); spi.write_readinto(b, b); cs(1)
    return b
def say(n):
    call(1, n)
    time.sleep_ms(60)
def listen(ms):
    end = time.ticks_add(time.ticks_ms(), ms)
    got = []
    call(2)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        b = call(3, 0, 0)
        if b[1]:
            got.append(b[2])
            call(2)
        else:
            time.sleep_ms(10)
    return got
"""


class Radio:
    """SPI chip: 1 n sends a byte, 2 opens the receiver, 3 0 0 answers with 1 and a byte once one has come."""

    spi_modes = (0,)
    max_baudrate = 10_000_000

    def __init__(self, air: Air) -> None:
        self.air = air
        self.station: Station | None = None
        self._opened_us = 0

    def power_on(self) -> None:
        pass

    def select(self, now_us: int) -> None:
        pass

    def deselect(self, now_us: int) -> None:
        pass

    def exchange(self, data: bytes, now_us: int) -> bytes:
        station = self.station
        assert station is not None
        if data[0] == 1:
            self.air.transmit(Emission(station, now_us, now_us + AIRTIME_US, TUNING, 14.0, data[1:]))
        elif data[0] == 2:
            self._opened_us = now_us
        elif (found := self.air.heard(station, TUNING, self._opened_us, 0, now_us)) is not None:
            return bytes((3, 1, found.emission.payload[0]))
        return bytes(len(data))


class Fleet:
    """Boards by name, each running its program; everything they print ends in DONE."""

    def __init__(self, folder: Path, programs: Mapping[str, str], **options: float) -> None:
        self.air = Air(100.0, **options)  # type: ignore[arg-type]
        self.boards: dict[str, Recorded] = {}
        for name, program in programs.items():
            radio = Radio(self.air)
            flash = make_flash(folder / f"{name}.bin", boot=DRIVER, main=program)
            wiring = Wiring(spi={SpiPins(12, 11, 13, 10): radio})
            self.boards[name] = board = Recorded(flash, clock="virtual", wiring=wiring)
            radio.station = self.air.station(name, board.board.clock)

    def __enter__(self) -> Fleet:
        for board in self.boards.values():
            board.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        for board in self.boards.values():
            board.board.stop()
        self.air.close()

    def said(self, name: str, timeout_s: float = 120.0) -> str:
        return self.boards[name].wait(r"<(.*?)>", timeout_s)[1]


# Every 700 ms one byte; hot computing and cold sleeping in between must make no difference.
BUSY = "for n in range(20):\n say({first} + n)\n x = sum(range(20000))\n time.sleep_ms(637)\nprint('<done>')\n"
EARS = "print('<%s>' % listen(20000))\n"


def test_who_hears_what_does_not_depend_on_who_computes_faster(tmp_path: Path) -> None:
    def run(folder: Path) -> str:
        folder.mkdir()
        # Two that collide now and then, an ear, and one that says something once and sleeps for a day.
        programs = {
            "one": BUSY.format(first=100),
            "two": "time.sleep_ms(300)\nfor n in range(20):\n say(200 + n)\n time.sleep_ms(651)\nprint('<done>')\n",
            "ear": EARS,
            "sleeper": "say(99)\nmachine.deepsleep(86400000)\n",
        }
        with Fleet(folder, programs) as fleet:
            heard = fleet.said("ear")
            assert not fleet.air.timeline.set_aside
            assert not fleet.air.timeline.errors
            return heard

    first = run(tmp_path / "a")
    numbers = [int(word) for word in first.strip("[]").split(",")]
    # Both begin within 300 ms of each other and drift by 14 ms a turn: most are heard, some collide.
    assert 25 <= len(numbers) <= 40
    assert [n for n in numbers if 100 <= n < 120] == sorted(n for n in numbers if 100 <= n < 120)
    assert run(tmp_path / "b") == first


@pytest.mark.parametrize(
    "program",
    [
        "say(1)\nmachine.deepsleep()\n",  # for ever
        "say(1)\n",  # ends at the prompt
        "say(1)\n1 // 0\n",
        "time.sleep(1000000)\n",
        "time.sleep(5)\nmachine.WDT(timeout=1000)\nwhile True: pass\n",  # the watchdog bites, again and again
    ],
    ids=["asleep", "prompt", "crash", "far ahead", "watchdog"],
)
def test_a_board_that_ends_early_holds_nobody_up(tmp_path: Path, program: str) -> None:
    with Fleet(tmp_path, {"ear": EARS, "one": BUSY.format(first=100), "ends": program}) as fleet:
        assert "119" in fleet.said("ear")
        assert not fleet.air.timeline.set_aside


def test_a_board_without_power_holds_nobody_up_and_comes_back(tmp_path: Path) -> None:
    programs = {"ear": "print('<%s>' % listen(100000))\n", "one": "n = 0\nwhile True:\n say(7)\n time.sleep(1)\n"}
    with Fleet(tmp_path, programs) as fleet:
        one, ear = fleet.boards["one"].board, fleet.boards["ear"].board
        while ear.now_us < 5_000_000:
            time.sleep(0.01)
        started = time.monotonic()
        one.power_cut()
        assert time.monotonic() - started < 5, "a board that waits for others dies at once too"
        cut_us = ear.now_us
        while ear.now_us < cut_us + 5_000_000:
            time.sleep(0.01)
        one.restart()
        heard = fleet.said("ear").split(",")
        assert 20 < len(heard) < 100
        assert not fleet.air.timeline.set_aside


def test_power_goes_while_a_board_waits_for_another(tmp_path: Path) -> None:
    # `slow` moves only when typed at: it holds `ear`, which stands in heard(), until somebody loses patience.
    with Fleet(tmp_path, {"ear": EARS, "slow": "while True: pass\n"}) as fleet:
        fleet.boards["ear"].board.clock.watchers.append(lambda: None)
        deadline = time.monotonic() + 20
        while not any(member.waits for member in fleet.air.timeline._members):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started = time.monotonic()
        fleet.boards["ear"].board.power_cut()
        assert time.monotonic() - started < 5
        assert fleet.boards["ear"].board.state == "off"


def test_a_board_that_hangs_is_set_aside(tmp_path: Path) -> None:
    with Fleet(tmp_path, {"ear": EARS, "hangs": "while True: pass\n"}, patience_s=2.0) as fleet:
        fleet.said("ear")
        assert fleet.air.timeline.set_aside == ["hangs"]


def test_real_time(tmp_path: Path) -> None:
    air = Air(100.0, real=True)
    programs = {"one": "time.sleep_ms(700)\nfor n in range(3):\n say(n + 1)\n time.sleep_ms(100)\nprint('<done>')\n"}
    programs["ear"] = "print('<%s>' % listen(3000))\n"
    boards = {}
    with air:
        for name, program in programs.items():
            radio = Radio(air)
            flash = make_flash(tmp_path / f"{name}.bin", boot=DRIVER, main=program)
            boards[name] = Recorded(flash, clock="real", wiring=Wiring(spi={SpiPins(12, 11, 13, 10): radio}))
            radio.station = air.station(name, boards[name].board.clock)
        try:
            for board in boards.values():
                board.__enter__()
            assert boards["ear"].wait(r"<(.*?)>", 20)[1] == "[1, 2, 3]"
        finally:
            for board in boards.values():
                board.board.stop()
