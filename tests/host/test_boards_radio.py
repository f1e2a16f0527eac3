"""[radio] of board.toml: the boards with one, what reaches the node, mistakes named with what is allowed."""

import ast
from pathlib import Path

import pytest

from judder.device import boards
from judder.device.build import board_module
from judder.errors import BoardError

BASE = """
[board]
name = "bench-2"
number = 1002
title = "A board with a radio"
chip = "esp32"
[flash]
size_mb = 4
[pins]
spi_sck = 14
spi_mosi = 13
spi_miso = 36
spi_cs = 25
i2c_scl = 22
i2c_sda = 21
[sensors]
vibration = "iis3dwb"
temperature = "tmp117"
spi_id = 2
i2c_id = 0
i2c_tmp117 = 0x48
[radio]
"""
SX1262 = """
chip = "sx1262"
spi_id = 1
sck = 5
mosi = 27
miso = 19
cs = 18
reset = 23
busy = 32
dio1 = 33
tcxo_mv = 1800
dio2_switch = true
enable = [{ pin = 26, level = 0 }, { pin = 4, level = 1 }]
pmu = "axp"
pa_gain_db = 11
"""
SX1276 = """
chip = "sx1276"
spi_id = 1
sck = 5
mosi = 27
miso = 19
cs = 18
reset = 23
dio0 = 26
dio1 = 35
switch_rx = 32
switch_tx = 33
"""
RAK3172 = """
chip = "rak3172"
uart_id = 2
tx = 17
rx = 16
"""


def load(tmp_path: Path, radio: str) -> boards.Board:
    path = tmp_path / "board.toml"
    path.write_text(BASE + radio)
    return boards.load(path)


def constants(board: boards.Board) -> dict[str, object]:
    lines = [line.split(" = ", 1) for line in board_module(board).splitlines()]
    return {name: ast.literal_eval(value) for name, value in lines}


# chip, sck, mosi, miso, cs, reset, busy, dio0, dio1: the table of LoRa boards in the sources named in their files.
PINS = {
    "heltec-v2": ("sx1276", 5, 27, 19, 18, 14, None, 26, 35),
    "heltec-v3": ("sx1262", 9, 10, 11, 8, 12, 13, None, 14),
    "lilygo-t3-v16": ("sx1276", 5, 27, 19, 18, 23, None, 26, 33),
    "lilygo-t3-s3": ("sx1262", 5, 6, 3, 7, 8, 34, None, 33),
    "lilygo-tbeam": ("sx1262", 5, 27, 19, 18, 23, 32, None, 33),
}


@pytest.mark.parametrize("name", PINS)
def test_pins_of_boards_people_have(name: str) -> None:
    radio = boards.load(name).radio
    assert radio is not None
    found = (radio.chip, radio.sck, radio.mosi, radio.miso, radio.cs, radio.reset, radio.busy, radio.dio0, radio.dio1)
    assert found == PINS[name]
    # TCXO and antenna switch: on the SX1262 boards 1.8 V on DIO3, and DIO2; the SX1276 ones have a crystal.
    assert (radio.tcxo_mv, radio.dio2_switch) == ((1800, True) if radio.chip == "sx1262" else (None, False))


def test_every_pin_of_a_real_board_says_where_it_comes_from() -> None:
    for name in (*PINS, "esp32-generic-rak3172"):
        text = boards.load(name).path.read_text()
        assert "Not yet tried on hardware" in text
        before = text.split("[radio]\n")[1].split("chip = ")[0]
        assert before.startswith("# "), f"{name}: [radio] names no source"


def test_a_board_without_a_radio_says_so() -> None:
    found = constants(boards.load("esp32-generic"))
    assert [name for name in found if name.startswith("RADIO_")] == ["RADIO_CHIP"]
    assert found["RADIO_CHIP"] is None


def test_what_is_wired_reaches_the_node(tmp_path: Path) -> None:
    found = constants(load(tmp_path, SX1262))
    radio = {name.removeprefix("RADIO_").lower(): value for name, value in found.items() if name.startswith("RADIO_")}
    wires = ["spi_id", "sck", "mosi", "miso", "cs", "reset", "busy", "dio1"]
    assert [radio.pop(name) for name in wires] == [1, 5, 27, 19, 18, 23, 32, 33]
    assert {name: value for name, value in radio.items() if value is not None} == {
        "chip": "sx1262",
        "tcxo_mv": 1800,
        "dio2_switch": True,
        "pmu": "axp",
        "pa_gain_db": 11,
        "enable": ((26, 0), (4, 1)),
    }
    found = constants(load(tmp_path, SX1276))
    assert [found[f"RADIO_{name}"] for name in ("CHIP", "DIO0", "DIO1", "BUSY", "SWITCH_RX", "SWITCH_TX")] == [
        *("sx1276", 26, 35, None, 32, 33),
    ]
    assert (found["RADIO_DIO2_SWITCH"], found["RADIO_ENABLE"], found["RADIO_PA_GAIN_DB"]) == (False, (), 0)


# As the modules come from their makers.
@pytest.mark.parametrize(
    ("lines", "baudrate"),
    [
        (RAK3172, 115200),
        (RAK3172.replace("rak3172", "wioe5"), 9600),
        (RAK3172 + "baudrate = 57600\nreset = 4\n", 57600),
    ],
)
def test_a_modem_has_its_makers_speed_unless_the_board_says_otherwise(
    tmp_path: Path, lines: str, baudrate: int
) -> None:
    found = constants(load(tmp_path, lines))
    assert [found[f"RADIO_{name}"] for name in ("UART_ID", "TX", "RX", "BAUDRATE")] == [2, 17, 16, baudrate]
    assert found["RADIO_SPI_ID"] is None


def test_dio1_of_an_sx1276_may_be_missing(tmp_path: Path) -> None:
    radio = load(tmp_path, SX1276.replace("dio1 = 35", "")).radio
    assert radio is not None and radio.dio1 is None


@pytest.mark.parametrize(
    ("radio", "old", "new", "said"),
    [
        (SX1262, '"sx1262"', '"sx1261"', '[radio] chip = \'sx1261\': must be one of "sx1262", "sx1276", "rak3172"'),
        (SX1262, 'chip = "sx1262"', "", "[radio] chip: missing"),
        (SX1262, "busy = 32", "", "[radio] busy: missing, needed by what the board has; must be a GPIO number"),
        (SX1262, "dio1 = 33", "dio0 = 33", "[radio] dio0: the sx1262 has no use for it (it takes chip, spi_id"),
        (SX1262, "busy", "bussy", "[radio] bussy: unknown key; did you mean 'busy'?"),
        (SX1262, "reset = 23", "reset = 34", "[radio] reset = 34: that pin of the ESP32 is an input only"),
        (SX1262, "cs = 18", "cs = 20", "[radio] cs = 20: the ESP32 has no such pin to offer"),
        (SX1262, "cs = 18", "cs = 25", "[pins] spi_cs = 25: [radio] cs is on the same pin"),
        (SX1262, "cs = 18", "cs = 5", "[radio] sck = 5: [radio] cs is on the same pin"),
        (SX1262, "pin = 26", "pin = 33", "[radio] dio1 = 33: [radio] enable 0 is on the same pin"),
        (SX1262, "pin = 26", "pin = 35", "[radio] enable 0 = 35: that pin of the ESP32 is an input only"),
        (SX1262, "level = 0 ", "level = 2 ", "must be a list such as [{ pin = 21, level = 0 }]"),
        (SX1262, "level = 0 ", "level = true ", "must be a list such as"),
        (SX1262, "spi_id = 1", "spi_id = 2", "[radio] spi_id = 2: the sensors are on it"),
        (SX1262, "tcxo_mv = 1800", "tcxo_mv = 1500", "must be one of 1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300"),
        (SX1262, "dio2_switch = true", "dio2_switch = 1", "[radio] dio2_switch = 1: must be true or false"),
        (SX1262, "pa_gain_db = 11", "switch_rx = 2", "DIO2 drives the antenna switch"),
        (SX1262, "pa_gain_db = 11", "pa_gain_db = 31", "[radio] pa_gain_db = 31: must be an integer from 0 to 30"),
        (SX1262, 'pmu = "axp"', 'pmu = "axp192"', "[radio] pmu = 'axp192': must be one of \"axp\""),
        (SX1276, "dio0 = 26", "", "[radio] dio0: missing"),
        (SX1276, "dio0 = 26", "dio0 = 26\nbusy = 4", "[radio] busy: the sx1276 has no use for it"),
        (SX1276, "dio0 = 26", "dio0 = 26\ndio2_switch = true", "[radio] dio2_switch: the sx1276 has no use for it"),
        (RAK3172, "tx = 17", "", "[radio] tx: missing"),
        (RAK3172, "uart_id = 2", "uart_id = 0", "[radio] uart_id = 0: must be one of 1, 2"),
        (RAK3172, "rx = 16", "rx = 16\nspi_id = 1", "[radio] spi_id: the rak3172 has no use for it"),
        (RAK3172, "rx = 16", "rx = 16\nbaudrate = 115201", "[radio] baudrate = 115201: must be one of 4800"),
        (RAK3172, "tx = 17", "tx = 39", "[radio] tx = 39: that pin of the ESP32 is an input only"),
    ],
)
def test_mistakes_name_the_key_and_what_is_allowed(tmp_path: Path, radio: str, old: str, new: str, said: str) -> None:
    assert old in radio
    with pytest.raises(BoardError) as caught:
        load(tmp_path, radio.replace(old, new, 1))
    assert said in str(caught.value)


def test_a_power_chip_needs_the_sensors_i2c_bus(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    text = (BASE + SX1262).replace('"tmp117"', '"synthetic"').replace("i2c_scl = 22\n", "").replace("i2c_id = 0\n", "")
    path.write_text(text)
    with pytest.raises(BoardError, match=r"\[pins\] i2c_scl: missing.*\(and 1 more"):
        boards.load(path)


def test_a_chip_with_one_bus_has_no_second_one(tmp_path: Path) -> None:
    text = BASE + RAK3172.replace("tx = 17", "tx = 4").replace("rx = 16", "rx = 5")
    text = text.replace('"esp32"', '"esp32c3"').replace('"iis3dwb"', '"synthetic"').replace("spi_id = 2\n", "")
    for pin in ("spi_sck = 14", "spi_mosi = 13", "spi_miso = 36", "spi_cs = 25"):
        text = text.replace(pin + "\n", "")
    text = text.replace("i2c_scl = 22", "i2c_scl = 6").replace("i2c_sda = 21", "i2c_sda = 7")
    path = tmp_path / "board.toml"
    path.write_text(text)
    with pytest.raises(BoardError, match=r"\[radio\] uart_id = 2: the ESP32-C3 has 1"):
        boards.load(path)
