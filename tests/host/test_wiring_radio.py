"""The radio of a board.toml on a virtual board's pins: levels a chip drives, and pins that reach the chip."""

import struct
from dataclasses import replace

import pytest

from judder.device import boards
from judder.device.boards import Board, Radio
from judder.virtual.bus import Bus, Frame
from judder.virtual.chips.sx1262 import Sx1262
from judder.virtual.chips.sx1276 import Sx1276
from judder.virtual.standin import _wire as wire
from judder.virtual.wiring import Wiring

BOARD = boards.load("virtual-esp32s3-sx1262")
RESET, BUSY, CS = 14, 21, 15


class Node:
    """Messages to a bus as the stand-in modules send them."""

    def __init__(self, board: Board) -> None:
        self.wiring = Wiring.for_board(board)
        self.bus = Bus(self.wiring)
        self.now_us = 0
        self.wiring.power_on()
        radio = board.radio
        assert radio is not None
        pins = (radio.sck, radio.mosi, radio.miso)
        self.send(wire.SPI_INIT, struct.pack("<BIBBBBB", radio.spi_id, 8_000_000, 0, 0, *pins))

    def send(self, operation: int, payload: bytes) -> bytes:
        return self.bus.handle(Frame(operation, True, 1, self.now_us, payload))

    def set(self, pin: int, level: int) -> None:
        self.send(wire.PIN_SET, bytes((pin, level)))

    def get(self, pin: int) -> int:
        return self.send(wire.PIN_GET, bytes((pin,)))[0]

    def spi(self, data: bytes) -> bytes:
        self.set(CS, 0)
        answer = self.send(wire.SPI_DUPLEX, bytes((2,)) + data)
        self.set(CS, 1)
        return answer


def test_busy_is_a_function_of_board_time_and_reset_reaches_the_chip() -> None:
    node = Node(BOARD)
    assert isinstance(node.wiring.radio, Sx1262)
    assert node.get(BUSY) == 1
    node.now_us = 3500
    assert node.get(BUSY) == 0
    node.set(RESET, 0)
    assert node.get(BUSY) == 1
    node.now_us = 10_000
    node.set(RESET, 1)
    node.now_us = 13_499
    assert node.get(BUSY) == 1
    node.now_us = 13_500
    assert node.get(BUSY) == 0


def test_a_command_is_carried_out_when_chip_select_rises() -> None:
    node = Node(BOARD)
    node.now_us = 5000
    node.set(CS, 0)
    node.send(wire.SPI_WRITE, b"\x02\x89\x7f")  # Calibrate: 3.5 ms
    node.now_us = 6000
    assert node.get(BUSY) == 0
    node.set(CS, 1)
    node.now_us = 9499
    assert node.get(BUSY) == 1
    node.now_us = 9500
    assert node.get(BUSY) == 0
    assert node.wiring.radio is not None and node.wiring.radio.faults == []


def with_radio(**changes: object) -> Board:
    assert BOARD.radio is not None
    return replace(BOARD, radio=replace(BOARD.radio, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("on", "released"), [(0, False), (1, True)])
def test_a_supply_pin_and_what_a_reset_of_the_processor_does_to_it(on: int, released: bool) -> None:
    """Pins are inputs after a reset; here a pull-up keeps them high."""
    node = Node(with_radio(enable=((36, on),)))
    radio = node.wiring.radio
    assert radio is not None and not radio.powered
    node.set(36, 1 - on)
    assert not radio.powered and node.get(BUSY) == 1
    node.set(36, on)
    assert radio.powered
    node.bus.reset()
    assert radio.powered == released
    node.wiring.power_on()
    assert not radio.powered


def test_switch_pins_reach_the_chip() -> None:
    node = Node(with_radio(dio2_switch=False, switch_rx=33, switch_tx=34))
    radio = node.wiring.radio
    assert radio is not None and radio.switch == "pins"
    node.set(34, 1)
    assert radio.switch_levels == {"rx": 0, "tx": 1}


def test_an_sx1276_and_its_pins() -> None:
    node = Node(boards.load("virtual-esp32s3-sx1276"))
    node.now_us = 20_000
    chip = node.wiring.radio
    assert isinstance(chip, Sx1276)
    assert node.spi(b"\x42\x00")[1] == 0x12
    assert (node.get(21), node.get(38)) == (0, 0)
    node.spi(b"\x8d\x00")
    assert "LoRa register" in chip.faults[0]


def test_a_modem_or_no_radio_is_no_chip() -> None:
    for board in (boards.load("esp32-generic-rak3172"), boards.load("virtual-esp32s3")):
        assert Wiring.for_board(board).radio is None


def test_the_sensors_stay_where_they_were() -> None:
    plain = Wiring.for_board(boards.load("virtual-esp32s3"))
    wiring = Wiring.for_board(BOARD)
    assert set(plain.spi) < set(wiring.spi) and len(wiring.spi) == 2
    assert {bus: set(chips) for bus, chips in plain.i2c.items()} == {
        bus: set(chips) for bus, chips in wiring.i2c.items()
    }
    fed = Wiring.for_board(replace(BOARD, radio=Radio("sx1262", 2, 18, 17, 16, 15, 14, 21, dio1=38, pmu="axp")))
    assert 0x34 in next(iter(fed.i2c.values()))
