"""The radio drivers on virtual boards: compiled, under MicroPython, through the pins and buses of board.toml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from on_board import Node
from radio_bench import CHIPS
from tests.radio_air import OneOther

from judder.device import boards, images
from judder.device.boards import Radio
from judder.device.repl import Repl
from judder.virtual import factory
from judder.virtual.chips.axp import ADDRESS, Axp
from judder.virtual.chips.radio import LoraRadio
from judder.virtual.lorawan.air import Emission, Medium, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.medium import Air
from judder.virtual.wiring import Wiring

PROGRAM = """
import board, gc, json, time
from node.link import radio
from node.link.radio import spi

def until(r, limit_ms=20000):
    begin = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), begin) < limit_ms:
        found = r.poll()
        if found is not None:
            return found
        time.sleep_ms(1)

def run(what):
    try:
        return what()
    except radio.RadioError as error:
        return "RadioError: " + str(error)
"""


class Answering(OneOther):
    """Answers each uplink a second after its end: by its first byte with so many bytes, 0 with none."""

    def __init__(self) -> None:
        super().__init__()
        self.tuning: Tuning | None = None

    def transmit(self, emission: Emission) -> None:
        super().transmit(emission)
        if emission.payload[0]:
            tuning = self.tuning or replace(emission.tuning, inverted_iq=True)
            self.says(emission.end_us + 1_000_000, tuning, bytes(range(emission.payload[0])))


@dataclass
class Rig:
    """A running board at its REPL."""

    node: Node
    repl: Repl
    wiring: Wiring

    @property
    def radio(self) -> LoraRadio:
        assert self.wiring.radio is not None
        return self.wiring.radio

    def __call__(self, program: str) -> Any:
        return self.repl.eval_json(PROGRAM + program, 60)


_built: dict[Any, images.Images] = {}


@contextmanager
def rig(folder: Path, chip: str, air: Medium | None = None, radio: Radio | None = None, **wires: Any) -> Iterator[Rig]:
    """The board with that chip, or with [radio] as given; wires: attributes of its radio model to set."""
    board = boards.load(f"virtual-esp32s3-{chip}")
    board = board if radio is None else replace(board, radio=radio)
    key = (chip, radio)
    if key not in _built:
        _built[key] = images.build(board)
    flash = factory.make_flash(folder / "flash.bin", board, _built[key], {})
    wiring = Wiring.for_board(board, medium=air)
    for name, value in wires.items():
        setattr(wiring.radio, name, value)
    node = Node(flash, wiring=wiring)
    if isinstance(air, Air):
        assert wiring.radio is not None
        wiring.radio.station = air.station("node", node.board.clock)
    with node:
        node.wait_messages("hello", 1)
        with Repl(node.board.port) as repl:
            repl.enter()
            yield Rig(node, repl, wiring)


ROUND = """
r = spi.radio(board)
r.start()
said = []
for size, sf, hz, symbols in CASES:
    r.transmit(bytes((size,)) + bytes(20), 868100000, 9, 125000, 14)
    row = [until(r)]
    r.stage(868100000, sf, hz, symbols)
    r.listen(time.ticks_add(r.ended_us, 990000))
    row += [until(r), r.late_us]
    row.append(bytes(r.frame).hex() if row[1] == radio.HEARD else "")
    said.append(row)
r.sleep()
print(json.dumps(said))
"""


@pytest.mark.parametrize("chip", CHIPS)
def test_uplinks_windows_and_downlinks(tmp_path: Path, chip: str) -> None:
    rates = [(7, 125_000, 40), (12, 125_000, 6), (7, 500_000, 161), (10, 500_000, 24)]
    cases = [(size, sf, hz, symbols) for sf, hz, symbols in rates for size in (0, 33)]
    air = Answering()
    with rig(tmp_path, chip, air) as board:
        found = []
        for case in cases:
            air.tuning = Tuning(868_100_000, case[1], case[2], True)
            found += board(ROUND.replace("CASES", repr([case])))
        windows = board.radio.windows
        assert board.radio.faults == []
    for (size, _sf, _hz, _symbols), row, window, uplink in zip(cases, found, windows, air.sent, strict=True):
        assert row == [1, 2 if size else 3, 0, bytes(range(size)).hex()]
        assert abs(window.opened_us - uplink.end_us - 990_000) <= 3000
        assert (uplink.payload, uplink.tuning.sync_word, uplink.power_dbm) == (bytes((size,)) + bytes(20), 0x34, 14)


@pytest.mark.parametrize("chip", CHIPS)
def test_in_the_air_of_virtual_boards(tmp_path: Path, chip: str) -> None:
    """Another station answers, on a clock that waits for this board's."""
    with Air(110.0) as air, rig(tmp_path, chip, air) as board:
        gateway = air.station("gateway")

        def answer(uplink: Emission) -> None:
            if uplink.sender is not gateway:
                tuning = replace(uplink.tuning, inverted_iq=True)
                start_us = uplink.end_us + 1_000_000
                end_us = start_us + airtime_us(20, tuning.sf, tuning.bandwidth_hz, crc=False)
                air.transmit(Emission(gateway, start_us, end_us, tuning, 27.0, bytes(range(20)), 8, False))

        air.on_emission.append(answer)
        found = board(ROUND.replace("CASES", repr([(1, 9, 125_000, 40)] * 2)))
        assert found == [[1, 2, 0, bytes(range(20)).hex()]] * 2
        assert board.radio.faults == [] and air.timeline.errors == []


@pytest.mark.parametrize(
    ("chip", "said"),
    [
        ("sx1262", "RadioError: no SX1262 on SPI 2, chip select 15: BUSY stays high"),
        ("sx1276", "RadioError: no SX1276 on SPI 2, chip select 15: its version reads 0xff instead of 0x12"),
    ],
)
def test_a_radio_that_is_not_there(tmp_path: Path, chip: str, said: str) -> None:
    with rig(tmp_path, chip, absent=True) as board:
        assert board("print(json.dumps(run(spi.radio(board).start)))") == said


def test_a_board_without_a_radio_has_no_driver(tmp_path: Path) -> None:
    with rig(tmp_path, "sx1262") as board:
        found = board("class Bare:\n    RADIO_CHIP = None\nprint(json.dumps(spi.radio(Bare)))")
        assert found is None


SX1276 = Radio("sx1276", 2, 18, 17, 16, 15, 14, dio0=21, tcxo_mv=3300, switch_rx=33, switch_tx=34, enable=((38, 1),))
SX1262 = Radio(
    "sx1262", 2, 18, 17, 16, 15, 14, busy=21, dio1=38, dio2_switch=True, tcxo_mv=1800, pmu="axp", pa_gain_db=5
)


def test_supply_pin_antenna_switch_tcxo_and_no_dio1(tmp_path: Path) -> None:
    air = Answering()
    air.tuning = Tuning(868_100_000, 7, 125_000, True)
    with rig(tmp_path, "sx1276", air, SX1276) as board:
        radio = board.radio
        assert not radio.powered
        cases = repr([(33, 7, 125_000, 40), (0, 7, 125_000, 6)])
        assert [row[1] for row in board(ROUND.replace("CASES", cases))] == [2, 3]
        assert radio.powered and radio.faults == []
        assert [emission.power_dbm for emission in air.sent] == [14, 14]


@pytest.mark.parametrize("kind", ["axp192", "axp2101"])
def test_a_power_chip_feeds_the_radio(tmp_path: Path, kind: str) -> None:
    with rig(tmp_path, "sx1262", radio=SX1262) as board:
        bus = next(iter(board.wiring.i2c.values()))
        power = bus[ADDRESS]
        assert isinstance(power, Axp)
        power.kind = kind
        power.power_on()
        before = bytes(power.registers)
        assert board(ROUND.replace("CASES", repr([(0, 7, 125_000, 6)])))[0][:2] == [1, 3]
        assert power.radio_mv == 3300
        changed = [place for place in range(256) if before[place] != power.registers[place]]
        assert set(changed) <= ({0x12, 0x28} if kind == "axp192" else {0x90, 0x93})
        if kind == "axp192":
            # DCDC1 and DCDC3, which feed the rest of the board, stay as they are; so does LDO3's voltage.
            assert power.registers[0x12] & ~4 == before[0x12] & ~4
            assert power.registers[0x28] & 0x0F == before[0x28] & 0x0F
        assert board.radio.emissions[0].power_dbm == 9, "the amplifier adds 5 dB"
        assert board.radio.faults == []


def test_a_power_chip_that_is_missing_or_another(tmp_path: Path) -> None:
    with rig(tmp_path, "sx1262", radio=SX1262) as board:
        bus: Any = next(iter(board.wiring.i2c.values()))
        bus[ADDRESS].registers[3] = 0x41
        said = board("print(json.dumps(run(spi.radio(board).start)))")
        assert said == "RadioError: the power chip at 0x34 is of type 0x41: neither AXP192 nor AXP2101"
        del bus[ADDRESS]
        said = board("print(json.dumps(run(spi.radio(board).start)))")
        assert said.startswith("RadioError: the power chip that feeds the radio does not answer at 0x34")


def test_aes_is_there_on_the_virtual_board(tmp_path: Path) -> None:
    """What the MAC is given on a board: ECB encryption of one block (FIPS 197, appendix C.1)."""
    program = (
        "import cryptolib\naes = cryptolib.aes(bytes(range(16)), 1)\n"
        "print(json.dumps(aes.encrypt(bytes([17 * n for n in range(16)])).hex()))"
    )
    with rig(tmp_path, "sx1262") as board:
        assert board(program) == "69c4e0d86a7b0430d8cdb78070b4c55a"
