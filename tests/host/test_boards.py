"""Board descriptions: the ones that ship are sound, and a mistake is named with file, key and what is allowed."""

import ast
from pathlib import Path

import pytest

from judder.device import boards
from judder.device.build import board_module
from judder.errors import BoardError, exit_code

VIRTUAL_BOARDS = tuple(f"virtual-esp32s3{radio}" for radio in ("", "-rak3172", "-sx1262", "-sx1276", "-wioe5"))
REAL_BOARDS = (
    *("esp32-generic", "esp32s3-generic", "esp32-generic-rak3172"),
    *("heltec-v2", "heltec-v3", "lilygo-t3-v16", "lilygo-t3-s3", "lilygo-tbeam"),
)

GOOD = """
[board]
name = "bench-1"
number = 1001
title = "A board on a bench"
chip = "esp32"
[flash]
size_mb = 4
[pins]
spi_sck = 18
spi_mosi = 23
spi_miso = 19
spi_cs = 5
i2c_scl = 22
i2c_sda = 21
battery_adc = 35
[sensors]
vibration = "iis3dwb"
temperature = "tmp117"
spi_id = 2
i2c_id = 0
i2c_tmp117 = 0x48
[battery]
numerator = 2
denominator = 1
"""


def load(tmp_path: Path, text: str) -> boards.Board:
    path = tmp_path / "board.toml"
    path.write_text(text)
    return boards.load(path)


def test_the_boards_that_ship_are_sound_and_told_apart() -> None:
    loaded = [boards.load(name) for name in boards.names()]
    assert {board.name for board in loaded} == {*REAL_BOARDS, *VIRTUAL_BOARDS}
    assert sorted(board.number for board in loaded) == list(range(1, len(loaded) + 1))
    for board in loaded:
        assert board.path.parent.name == board.name


def test_real_boards_record_no_hash_that_nobody_computed() -> None:
    for name in REAL_BOARDS:
        source = boards.load(name).micropython
        assert source.url is None and source.sha256 is None and not source.synthetic
        assert source.page.startswith("https://micropython.org/download/")


def test_a_whole_description_is_read(tmp_path: Path) -> None:
    board = load(tmp_path, GOOD)
    assert (board.chip.name, board.flash_bytes, board.mpy_arch) == ("esp32", 4 << 20, "xtensawin")
    assert (board.pins.spi_cs, board.pins.led) == (5, None)
    assert board.sensors.i2c_tmp117 == 0x48
    assert board.battery == boards.Battery(2, 1)


OTHERS = """
vibration = "adxl345"
vibration_bus = "i2c"
vibration_address = 0x53
temperature = "max31865"
rtd = "pt1000"
rtd_wires = 4
rtd_reference_ohm = 4300
mains_hz = 60
"""


def other_sensors(lines: str) -> str:
    text = GOOD.replace('vibration = "iis3dwb"\ntemperature = "tmp117"\n', lines.strip() + "\n")
    return text.replace("spi_cs = 5", "spi_cs = 5\ntemperature_cs = 15\nonewire = 4")


def test_wires_of_other_sensors_are_read_and_reach_the_node(tmp_path: Path) -> None:
    board = load(tmp_path, other_sensors(OTHERS))
    sensors = board.sensors
    assert (sensors.vibration_bus, sensors.vibration_address) == ("i2c", 0x53)
    assert (sensors.rtd, sensors.rtd_wires, sensors.rtd_reference_ohm, sensors.mains_hz) == ("pt1000", 4, 4300, 60)
    lines = [line.split(" = ") for line in board_module(board).splitlines()]
    constants = {name: ast.literal_eval(value) for name, value in lines}
    named = ("VIBRATION", "VIBRATION_BUS", "VIBRATION_ADDRESS", "TEMPERATURE", "TEMPERATURE_CS", "ONEWIRE")
    assert [constants[name] for name in named] == ["adxl345", "i2c", 0x53, "max31865", 15, 4]
    named = ("RTD_OHM", "RTD_WIRES", "RTD_REFERENCE_OHM", "MAINS_HZ")
    assert [constants[name] for name in named] == [1000, 4, 4300, 60]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"adxl345"', '"adxl355"', '[sensors] vibration_bus = "i2c": the adxl355 has only spi'),
        ('"adxl345"', '"lis3dh"', "[sensors] vibration_address = 0x53: the lis3dh answers at 0x18 or 0x19"),
        ("vibration_address = 0x53", "", "[sensors] vibration_address: missing, needed by what the board has"),
        ("vibration_address = 0x53", "vibration_address = 0x54", "must be one of 0x18, 0x19, 0x1d, 0x53, 0x68, 0x69"),
        ('vibration_bus = "i2c"', 'vibration_bus = "uart"', 'must be one of "spi", "i2c"'),
        ("temperature_cs = 15", "", "[pins] temperature_cs: missing"),
        ("temperature_cs = 15", "temperature_cs = 35", "that pin of the ESP32 is an input only"),
        (
            'rtd = "pt1000"',
            "",
            '[sensors] rtd: missing, needed by what the board has; must be one of "pt100", "pt1000"',
        ),
        ("rtd_wires = 4", "rtd_wires = 5", "[sensors] rtd_wires = 5: must be one of 2, 3, 4"),
        ("rtd_reference_ohm = 4300", "rtd_reference_ohm = 43", "often 430 or 4300"),
        ("mains_hz = 60", "mains_hz = 16", "[sensors] mains_hz = 16: must be one of 50, 60"),
        ('"max31865"\n', '"ds18b20"\n#', ""),
    ],
)
def test_mistakes_in_the_wires_of_sensors(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = other_sensors(OTHERS)
    assert old in text
    text = text.replace(old, new, 1)
    if not said:
        assert load(tmp_path, text).sensors.temperature == "ds18b20"
        said, text = "[pins] onewire: missing", text.replace("onewire = 4", "")
    with pytest.raises(BoardError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_folder_and_path_name_the_same_board(tmp_path: Path) -> None:
    board = load(tmp_path, GOOD)
    assert boards.load(str(tmp_path) + "/") == board == boards.load(str(tmp_path / "board.toml"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'chip = "esp32"',
            'chip = "esp8266"',
            '[board] chip = \'esp8266\': must be one of "esp32", "esp32s3", "esp32c3"',
        ),
        ("number = 1001", "number = true", "[board] number = True: must be an integer from 1 to 65535"),
        ("number = 1001", "", "[board] number: missing"),
        ("size_mb = 4", "size_mb = 2", "[flash] size_mb = 2: must be one of 4, 8, 16, 32"),
        ("spi_sck = 18", "spi_skc = 18", "[pins] spi_skc: unknown key; did you mean 'spi_sck'?"),
        ("[battery]", "[batery]", "[batery]: unknown table; did you mean 'battery'?"),
        ("spi_cs = 5", "spi_cs = 6", "[pins] spi_cs = 6: the ESP32 has no such pin to offer"),
        ("spi_cs = 5", "spi_cs = 34", "[pins] spi_cs = 34: that pin of the ESP32 is an input only"),
        ("spi_cs = 5", "spi_cs = 18", "[pins] spi_sck = 18: spi_cs is on the same pin"),
        ("spi_cs = 5", "", "[pins] spi_cs: missing, needed by what the board has"),
        ("battery_adc = 35", "battery_adc = 4", "no ADC that works beside Wi-Fi (allowed: 32-39)"),
        ("i2c_tmp117 = 0x48", "i2c_tmp117 = 0x47", "must be an address from 0x48 to 0x4b"),
        ('"iis3dwb"', '"adxl999"', 'must be one of "none", "synthetic", "iis3dwb"'),
        ("denominator = 1", "denominator = 0", "[battery] denominator = 0: must be an integer from 1 to 1000"),
        ("[flash]", '[micropython]\nurl = "https://x.example/a.bin"\n[flash]', "url and sha256: only ever together"),
        ("[flash]", "[flash", "is not valid TOML"),
    ],
)
def test_mistakes_name_file_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(BoardError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    text = str(caught.value)
    assert said in text
    assert text.startswith(str(tmp_path / "board.toml"))
    assert "\n" not in text.removeprefix(str(tmp_path))
    assert exit_code(caught.value) == 1


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"and 3 more in this file"):
        load(tmp_path, GOOD.replace("spi_sck", "sck").replace("spi_mosi", "mosi").replace("number", "nummer", 1))


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(BoardError, match=r"no board 'esp32-generc'; did you mean 'esp32-generic'"):
        boards.load("esp32-generc")


def test_a_path_without_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no such file"):
        boards.load(tmp_path / "nothing.toml")
