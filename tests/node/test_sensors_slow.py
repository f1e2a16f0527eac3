"""DS18B20 and MAX31865 drivers against the register models of their parts. On CPython."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from chips import Time

import judder.virtual
from judder.virtual.chips import max31865 as max31865_chip
from judder.virtual.chips.ds18b20 import Ds18b20, crc8
from judder.virtual.chips.max31865 import OPEN, OVERVOLTAGE, SHORT, Max31865
from node.sensors import SensorError, ds18b20, max31865


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    for module in (ds18b20, max31865):
        monkeypatch.setattr(module, "time", made)
    return made


# --- DS18B20, through a stock-like ds18x20


class Line:
    """onewire.OneWire over the model's bits, as much of it as ds18x20 uses."""

    SKIP_ROM = 0xCC

    def __init__(self, chip: Ds18b20, clock: Time) -> None:
        self.chip = chip
        self.clock = clock

    def reset(self, required: bool = False) -> bool:
        self.clock.now_us += 960
        present = self.chip.reset(self.clock.now_us)
        if required and not present:
            raise RuntimeError
        return present

    def writebyte(self, value: int) -> None:
        for place in range(8):
            self.clock.now_us += 70
            self.chip.write_bit(value >> place & 1, self.clock.now_us)

    def write(self, data: bytes) -> None:
        for value in data:
            self.writebyte(value)

    def readinto(self, buffer: bytearray) -> None:
        for index in range(len(buffer)):
            buffer[index] = sum(self.chip.read_bit(self.clock.now_us) << place for place in range(8))

    def select_rom(self, rom: bytes) -> None:
        self.reset()
        self.writebyte(0x55)
        self.write(rom)

    def scan(self) -> list[bytes]:
        return [self.chip.rom] if self.reset() else []

    @staticmethod
    def crc8(data: bytes) -> int:
        return crc8(data)


def stock_driver(line: Line) -> Any:
    path = Path(judder.virtual.__file__).with_name("standin") / "ds18x20.py"
    spec = importlib.util.spec_from_file_location("ds18x20_standin", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.DS18X20(line)


def thermometer(clock: Time, celsius: Any = 24.0) -> tuple[Ds18b20, ds18b20.DS18B20]:
    chip = Ds18b20(celsius)
    return chip, ds18b20.DS18B20(stock_driver(Line(chip, clock)), "1-Wire on pin 4")


# Data sheet table 1, temperature / data relationship.
@pytest.mark.parametrize(
    ("raw", "celsius", "decidegrees"),
    [(0x07D0, 125, 1250), (0x0191, 25.0625, 251), (0x00A2, 10.125, 101), (0x0008, 0.5, 5), (0, 0, 0)]
    + [(0xFFF8, -0.5, -5), (0xFF5E, -10.125, -101), (0xFE6F, -25.0625, -251), (0xFC90, -55, -550)],
)
def test_ds18b20_conversion_of_the_data_sheets_examples(
    clock: Time, raw: int, celsius: float, decidegrees: int
) -> None:
    assert ds18b20.decidegrees(raw) == decidegrees
    chip, sensor = thermometer(clock, celsius)
    sensor.identify()
    assert sensor.read() == decidegrees
    assert chip._raw & 0xFFFF == raw


def test_ds18b20_waits_only_for_what_is_left(clock: Time) -> None:
    _chip, sensor = thermometer(clock)
    sensor.identify()
    began = clock.now_us
    sensor.start()
    assert clock.now_us - began < 10_000, "starting takes no time"
    clock.sleep_ms(700)
    assert sensor.read() == 240
    assert clock.now_us - began < 770_000


def test_ds18b20_wrong_checksum_absence_and_another_chip(clock: Time) -> None:
    chip, sensor = thermometer(clock)
    sensor.identify()
    chip.damage = True
    with pytest.raises(SensorError, match="pin 4: CRC"):
        sensor.read()
    chip.damage = False
    assert sensor.read() == 240
    chip.present = False
    with pytest.raises(SensorError, match="pin 4"):
        sensor.read()
    with pytest.raises(SensorError, match="no ds18b20"):
        sensor.identify()
    assert [row[1] for row in sensor.self_test()] == [False]
    chip.present = True
    chip.rom = b"\x10" + chip.rom[1:]  # a DS18S20: other resolution, other registers
    with pytest.raises(SensorError, match="no ds18b20"):
        sensor.identify()


def test_ds18b20_power_on_value_is_refused(clock: Time) -> None:
    chip, sensor = thermometer(clock)
    sensor.identify()
    sensor.start()
    chip.power_on()  # a loose wire
    with pytest.raises(SensorError, match="lost its supply"):
        sensor.read()
    assert sensor.read() == 240, "found and marked again"
    # It came back, was marked, and did not hear the order to convert.
    chip.power_on()
    sensor.identify()
    sensor.start()
    chip._done_us = None
    with pytest.raises(SensorError, match="85 degC"):
        sensor.read()


def test_ds18b20_real_85_degrees_are_believed_once_it_is_known_to_convert(clock: Time) -> None:
    readings = iter((84.9375, 85.0, 85.0))
    _chip, sensor = thermometer(clock, lambda _t: next(readings))
    sensor.identify()
    assert [sensor.read() for _ in range(3)] == [849, 850, 850]


# --- MAX31865


class Spi:
    """bus.SpiDevice(..., read=0, write=0x80) on the model."""

    name = "SPI 1, chip select 7"

    def __init__(self, chip: Max31865, clock: Time) -> None:
        self.chip = chip
        self.clock = clock

    def _transfer(self, data: bytes) -> bytes:
        self.clock.now_us += 40
        self.chip.select()
        answer = self.chip.exchange(data, self.clock.now_us)
        self.chip.deselect()
        return answer

    def burst(self, register: int, buffer: Any) -> None:
        buffer[:] = self._transfer(bytes((register,)) + bytes(len(buffer)))[1:]

    def read(self, register: int) -> int:
        return self._transfer(bytes((register, 0)))[1]

    def write(self, register: int, value: int) -> None:
        self._transfer(bytes((register | 0x80, value)))


def resistor(
    clock: Time, celsius: float, ohm: int = 100, reference: int = 430, wires: int = 3, mains_hz: int = 50
) -> tuple[Max31865, max31865.MAX31865]:
    chip = Max31865(celsius, float(ohm), float(reference))
    return chip, max31865.MAX31865(Spi(chip, clock), ohm, reference, wires, mains_hz)


# IEC 60751 table for Pt100: temperature and resistance in ohm.
@pytest.mark.parametrize(
    ("celsius", "ohm"),
    [(-200, 18.52), (-100, 60.26), (-50, 80.31), (0, 100.0), (25, 109.73), (100, 138.51), (200, 175.86)]
    + [(400, 247.09), (600, 313.71), (850, 390.48)],
)
def test_resistance_of_the_standards_table(celsius: int, ohm: float) -> None:
    assert max31865.resistance(celsius * 1000) / 1e10 == pytest.approx(ohm, abs=0.006)
    # Within a hundredth of an ohm the other way, 0.03 degC.
    assert max31865.decidegrees(round(ohm * 1e10)) == pytest.approx(celsius * 10, abs=1)


def test_conversion_is_the_inverse_of_callendar_van_dusen() -> None:
    for tenth in range(-1999, 8500, 7):
        ratio = round(max31865_chip.resistance_ratio(tenth / 10) * 1e12)
        assert max31865.decidegrees(ratio) == tenth
    assert max31865.decidegrees(0) == -2001
    assert max31865.decidegrees(5 * 10**12) == 8501


@pytest.mark.parametrize(("ohm", "reference"), [(100, 430), (1000, 4300), (100, 400)])
@pytest.mark.parametrize("celsius", [-180.0, -40.0, 0.0, 23.4, 99.9, 480.0])
@pytest.mark.parametrize("mains_hz", [50, 60])
def test_max31865_temperature(clock: Time, ohm: int, reference: int, celsius: float, mains_hz: int) -> None:
    chip, sensor = resistor(clock, celsius, ohm, reference, mains_hz=mains_hz)
    sensor.identify()
    began = clock.now_us
    sensor.start()
    assert clock.now_us - began < 6000, "starting waits for the bias alone"
    # A step of the converter is 0.034 degC, 0.045 at the hot end.
    assert sensor.read() == pytest.approx(celsius * 10, abs=1)
    assert clock.now_us - began < 75_000
    assert chip._registers[0] & 0x80 == 0, "bias off: no current, no heat"
    assert chip._registers[0] & 0x11 == 0x10 | (mains_hz == 50)


@pytest.mark.parametrize("wires", [2, 3, 4])
def test_max31865_wires(clock: Time, wires: int) -> None:
    chip, sensor = resistor(clock, 20.0, wires=wires)
    sensor.identify()
    assert bool(chip._registers[0] & 0x10) == (wires == 3)


@pytest.mark.parametrize(("fault", "words"), [(OPEN, "open"), (SHORT, "short"), (OVERVOLTAGE, "supply")])
def test_max31865_faults_are_named_and_go_away(clock: Time, fault: str, words: str) -> None:
    chip, sensor = resistor(clock, 20.0)
    sensor.identify()
    chip.fault = fault
    for _ in range(2):
        with pytest.raises(SensorError, match=words):
            sensor.read()
    assert [row[1] for row in sensor.self_test()] == [False]
    chip.fault = None
    assert sensor.read() == pytest.approx(200, abs=1)


def test_max31865_absent_and_the_wrong_resistor(clock: Time) -> None:
    chip, sensor = resistor(clock, 20.0)
    chip.absent = True
    with pytest.raises(SensorError, match="do not keep"):
        sensor.identify()
    with pytest.raises(SensorError, match="settings"):
        sensor.read()
    # A Pt1000 behind the 430 ohm of a Pt100 board: more than full scale, which the chip reports as open.
    wrong = Max31865(20.0, 1000.0, 430.0)
    with pytest.raises(SensorError, match="open"):
        max31865.MAX31865(Spi(wrong, clock), 100, 430, 3, 50).read()
    # A Pt100 where a Pt1000 was said: far below -200 degC.
    cold = Max31865(20.0, 100.0, 4300.0)
    with pytest.raises(SensorError, match="no temperature of a 1000 ohm"):
        max31865.MAX31865(Spi(cold, clock), 1000, 4300, 3, 50).read()
