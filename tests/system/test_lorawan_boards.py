"""The node's MAC and radio drivers on virtual boards, in one air with gateways and a network server.

Everything is real but the application, in whose place a few lines carry out what the MAC asks for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from run_board import Recorded, file_system

sys.path.insert(0, str(Path(__file__).parents[1] / "host" / "lorawan"))
from device_double import APP_KEY, JOIN_EUI, eui

from judder.device import boards, images
from judder.device.layout import find, layout
from judder.virtual import factory
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.audit import describe
from judder.virtual.lorawan.ledger import Ledger
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.server import NetworkServer
from judder.virtual.nor import NorFlash
from judder.virtual.wiring import Wiring

BOOT = (Path(__file__).parents[2] / "firmware" / "boot.py").read_text()
SHELL = """
import binascii, cryptolib, json, os, time
import board
from node.link.lorawan import IDLE, RECEIVE, SAVE, TRANSMIT, WAIT, regions, session
from node.link.lorawan.mac import Mac
from node.link.radio import HEARD, SENT, spi

key = binascii.unhexlify("%(key)s")
identity = session.otaa(binascii.unhexlify("%(eui)s"), binascii.unhexlify("%(join_eui)s"), key)
identity.sub_band = %(sub_band)d
identity.data_rate = %(data_rate)d
radio = spi.radio(board)
radio.start()
last = time.ticks_ms()
uptime = 0
late = 0

def now():
    global last, uptime
    t = time.ticks_ms()
    uptime += time.ticks_diff(t, last)
    last = t
    return uptime

def until():
    while True:
        found = radio.poll()
        if found is not None:
            return found
        time.sleep_ms(2)

mac = Mac(regions.find("%(region)s"), identity, lambda key: cryptolib.aes(key, 1), os.urandom, now())

def work():
    global late
    while True:
        action = mac.next(now())
        kind = action[0]
        if kind == IDLE:
            return
        if kind == SAVE:
            mac.saved(now())
        elif kind == WAIT:
            time.sleep_ms(max(1, action[1] - now()))
        elif kind == TRANSMIT:
            radio.transmit(*action[1:])
            assert until() == SENT
            mac.sent(now())
        elif kind == RECEIVE:
            radio.stage(*action[2:])
            radio.listen(time.ticks_add(radio.ended_us, action[1]))
            late = max(late, radio.late_us)
            if until() == HEARD:
                mac.heard(now(), radio.frame, radio.rssi_dbm, radio.snr_qdb)
            else:
                mac.silent(now())

time.sleep(%(first_s)d)
taken = []
acked = 0
for n in range(%(count)d):
    while True:
        mac.send(now(), 2, bytes((%(number)d, n)), n %% 4 == 0)
        work()
        if mac.outcome():
            break
    acked += n %% 4 == 0
    taken += [binascii.hexlify(payload).decode() for port, payload, fcnt in mac.downlinks]
    mac.downlinks.clear()
    radio.sleep()
    time.sleep(%(pause_s)d)
print("<" + json.dumps([acked, taken, late]) + ">")
"""


class Fleet:
    """Boards with a radio chip, their network, and what the shell of each prints at its end."""

    def __init__(self, folder: Path, region: str, chips: list[str], *, count: int, pause_s: int, loss: float = 0.0):
        self.plan = regions.find(region)
        self.air = Air(125.0, loss=loss)
        self.gateways = [network_plan.make_gateway(self.air, bytes([0] * 7 + [n]), self.plan) for n in (1, 2)]
        self.server = NetworkServer(self.air, self.plan, self.gateways)
        self.ledger = Ledger(self.air, self.gateways)
        self.boards: list[Recorded] = []
        self.wirings: list[Wiring] = []
        for number, chip in enumerate(chips, 1):
            self.server.add(f"node {number}", eui(number), JOIN_EUI, APP_KEY)
            fixed = self.plan.fixed
            shell = SHELL % {
                "eui": eui(number).hex(),
                "join_eui": JOIN_EUI.hex(),
                "key": APP_KEY.hex(),
                "region": region.lower(),
                "sub_band": 2 if fixed else 0,
                "data_rate": 0 if fixed else 4,
                "number": number,
                "count": count,
                "pause_s": pause_s,
                "first_s": 7 * number,
            }
            board = boards.load(f"virtual-esp32s3-{chip}")
            flash = factory.make_flash(folder / f"{number}.bin", board, images.build(board), None)
            vfs = find(layout(board.flash_bytes), "vfs")
            with NorFlash(flash, board.flash_bytes) as file:
                file.erase(vfs.offset, vfs.size)
                file.program(vfs.offset, file_system({"boot.py": BOOT, "main.py": shell}, vfs.size))
            wiring = Wiring.for_board(board, medium=self.air)
            recorded = Recorded(flash, wiring=wiring, clock="virtual")
            assert wiring.radio is not None
            wiring.radio.station = self.air.station(f"node-{number}", recorded.board.clock, gain_dbi=2.0)
            self.boards.append(recorded)
            self.wirings.append(wiring)

    def run(self, timeout_s: float) -> list[str]:
        try:
            for recorded in self.boards:
                recorded.__enter__()
            return [recorded.wait(r"<(\[.*?)>|Traceback.*?Error.*?\n", timeout_s)[0] for recorded in self.boards]
        finally:
            for recorded in self.boards:
                recorded.board.stop()
            self.air.finish()


@pytest.mark.slow
@pytest.mark.parametrize("region", ["EU868", "US915", "AS923-1"])
def test_boards_join_and_talk(tmp_path: Path, region: str) -> None:
    fleet = Fleet(tmp_path, region, ["sx1262", "sx1276", "sx1262"], count=8, pause_s=60)
    for number in (1, 2, 3):
        fleet.server.enqueue(eui(number), 9, bytes((number,)), confirmed=True)
    said = fleet.run(120)
    assert not fleet.server.violations, describe(fleet.server.violations)
    assert not fleet.air.timeline.errors
    assert not fleet.air.timeline.set_aside
    for number, text in enumerate(said, 1):
        assert text == f'<[2, ["{number:02x}"], 0]>'
    uplinks = {event.body["data"] for event in fleet.server.events if event.kind == "up"}
    assert len(uplinks) == 24
