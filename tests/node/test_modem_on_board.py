"""The modem drivers on a virtual board: compiled, under MicroPython, through the UART and pins of board.toml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from modem_bench import JOIN_EUI, NODE_ID, SETTINGS, Table, command
from on_board import BOARD, Node

from judder.device import images
from judder.device.boards import Radio
from judder.device.repl import Repl
from judder.virtual import factory
from judder.virtual.modems.network import Answer, Prompt
from judder.virtual.modems.rak3172 import Rak3172
from judder.virtual.modems.wioe5 import WioE5
from judder.virtual.wiring import Wiring

RESET, SUPPLY = 15, 16
CHIPS = {"rak3172": 115_200, "wioe5": 9600}
both = pytest.mark.parametrize("chip", list(CHIPS))

PROGRAM = """
import board, json, os, time
from node.link import modem
from node.hal import watchdog

said = []
began = time.ticks_ms()

def make(session=b"", asleep_ms=0):
    return modem.make(board, VALUES, bytes.fromhex(NODE_ID), os.urandom, said.append, session, asleep_ms)

def work(link, until, limit_s=300):
    downs = []
    end = time.ticks_add(time.ticks_ms(), limit_s * 1000)
    while time.ticks_diff(end, time.ticks_ms()) > 0 and not until():
        link.step(20)
        watchdog.feed()
        downs += [one.hex() for one in link.poll()]
    return downs

def send(link, message, confirmed=True):
    downs = work(link, link.ready)
    if link.send(message, confirmed) is None:
        downs += work(link, lambda: link.outcome() is not None)
    return link.outcome(), downs

def deliver(link, message):
    downs = []
    for _ in range(9):
        outcome, came = send(link, message)
        downs += came
        if outcome:
            break
    return downs
"""


class Rig:
    """A running board at its REPL, with a modem; network: a table."""

    def __init__(self, repl: Repl, wiring: Wiring, network: Table, settings: dict[str, Any]) -> None:
        self._repl = repl
        self.network = network
        assert wiring.modem is not None
        self.modem: Rak3172 | WioE5 = wiring.modem
        self._head = f"VALUES = {settings!r}\nNODE_ID = {NODE_ID.hex()!r}\n{PROGRAM}"

    def __call__(self, program: str) -> Any:
        return self._repl.eval_json(self._head + program, 120)


@contextmanager
def rig(chip: str, folder: Path, settings: dict[str, Any] | None = None, **pins: Any) -> Iterator[Rig]:
    radio = Radio(chip=chip, uart_id=2, tx=17, rx=18, baudrate=CHIPS[chip], **pins)
    board = replace(BOARD, radio=radio)
    flash = factory.make_flash(folder / "flash.bin", board, images.build(board), None)
    network = Table()
    wiring = Wiring.for_board(board, network=Prompt(network))
    with Node(flash, wiring=wiring) as node:
        node.wait_messages("hello", 1)
        with Repl(node.board.port) as repl:
            repl.enter()
            yield Rig(repl, wiring, network, {**SETTINGS, "lorawan_data_rate": 5, **(settings or {})})


@both
def test_joins_sends_and_hears(chip: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path) as run:
        run.network.answers = [Answer(acknowledged=True, downlink=command(5))]
        found = run("""
link = make()
downs = deliver(link, bytes((0x83, 1, 2, 7)))
downs += deliver(link, bytes((0x98, 0x40, 2)) + bytes(239))
report = dict(link.report())
print(json.dumps([said, downs, link.limit(), link.failures, report["joins"], report["data_rate"]]))
""")
        assert f": joined as {NODE_ID.hex().upper()}, firmware {run.modem.version}" in found[0][0]
        assert found[1:] == [[command(5).payload.hex()], 242, 0, 1, 5]
        assert run.network.joins[0][0].join_eui == JOIN_EUI
        assert run.network.messages == [(2, bytes((0x83, 1, 2, 7))), (3, bytes((0x98, 0x40, 2)) + bytes(239))]


@both
def test_wakes_without_joining_again(chip: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path, {"mode": 0}) as run:
        found = run("""
link = make()
deliver(link, bytes((0x83, 1, 2, 7)))
link.close()
session = link.session()
time.sleep(30)
watchdog.feed()
link = make(session, 30000)
began = time.ticks_ms()
work(link, link.ready)
took_ms = time.ticks_diff(time.ticks_ms(), began)
deliver(link, bytes((0x83, 1, 3, 7)))
print(json.dumps([took_ms, len(session), link.failures]))
""")
        assert found[0] < 1500
        assert found[1:] == [20, 0]
        assert len(run.network.joins) == 1
        assert [payload[2] for _, payload in run.network.messages] == [2, 3]


@both
def test_supply_and_reset_are_at_their_pins(chip: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path, reset=RESET, enable=((SUPPLY, 1),)) as run:
        assert not run.modem.powered
        run("link = make()\nwork(link, link.ready)\nprint(json.dumps(said))")
        assert run.modem.powered
        starts = run.modem.starts
        run("from machine import Pin\nlink = make()\nlink._uart.reset()\nprint(json.dumps(Pin(15).value()))")
        assert run.modem.starts == starts + 1


@both
def test_noise_and_silence_are_no_end(chip: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path) as run:
        run.modem.damage = lambda data: bytes(value ^ (0x55 if value % 7 == 0 else 0) for value in data)
        said = run("link = make()\nwork(link, link.ready, 60)\nprint(json.dumps(said))")
        assert said
        assert all("next try in" in line for line in said)
        run.modem.damage = None
        run.modem.present = False
        said = run("link = make()\nwork(link, link.ready, 30)\nprint(json.dumps(said))")
        assert "is it powered, wired, and set to this speed?" in said[0]
        run.modem.present = True
        assert run("link = make()\nwork(link, link.ready)\nprint(json.dumps(link.ready()))") is True
