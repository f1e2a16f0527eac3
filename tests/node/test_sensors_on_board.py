"""Every sensor on the virtual board: board.toml to pins, the firmware compiled, bus messages to the register model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from on_board import Node, make_flash
from sensor_boards import board_with

from judder.device import assets
from judder.device.repl import Repl
from judder.virtual import factory
from judder.virtual.signal import imbalance
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

# Virtual time without a loss: the fastest sensor for 8 s, or with JUDDER_FULL=1 each for ten minutes (half an hour of
# this computer's). tests/bench/bench_soak.py runs the drivers of all for ten minutes without the board around them.
FULL = bool(os.environ.get("JUDDER_FULL"))
SOAK_S = 600 if FULL else 8

SOAK = """
import board, json
from array import array
from node import config, parts
from node.hal import partition, watchdog
from node.store.records import Records
sensor = parts.vibration(board, config.Config(Records(partition.find("cfg"))).values)
sensor.identify()
sensor.configure(16)
n = 4096
buffers = tuple([array("h", bytes(2 * n)) for _ in range(3)])
blocks = lost = broken = 0
while blocks * n < SECONDS * sensor.NOMINAL_HZ:
    lost += sensor.fill(buffers, n)
    broken += 0 if sensor.contiguous else 1
    blocks += 1
    watchdog.feed()
print(json.dumps({"blocks": blocks, "lost": lost, "broken": broken, "rate_dhz": sensor.rate_dhz}))
"""

# name, bus, thermometer, samples per second
CASES = [
    ("iis3dwb", "spi", "ds18b20", 26_667),
    ("adxl345", "spi", "max31865", 3200),
    ("adxl355", "spi", "max31865", 4000),
    ("lis2dw12", "spi", "tmp117", 1600),
    ("lis3dh", "spi", "ds18b20", 1344),
    ("adxl345", "i2c", "tmp117", 800),
    ("lis3dh", "i2c", "max31865", 1344),
    ("mpu6050", "i2c", "ds18b20", 1000),
]
SOAKED = [(name, bus, rate_hz) for name, bus, _thermometer, rate_hz in (CASES if FULL else CASES[:1])]


@pytest.mark.parametrize(("vibration", "bus", "temperature", "rate_hz"), CASES)
def test_readings(tmp_path: Path, vibration: str, bus: str, temperature: str, rate_hz: int) -> None:
    board, wired, built = board_with(vibration, bus, temperature)
    values = {
        "mode": "continuous",
        "interval_s": 0,
        "block_samples": 1024,
        "vibration_sensor": vibration,
        "temperature_sensor": temperature,
        "range_g": "8",
    }
    stored = {name: settings.from_text(name, value) for name, value in values.items()}
    flash = factory.make_flash(tmp_path / "flash.bin", board, built, stored)
    # 0.7 g RMS on x at a fiftieth of the rate, far above every part's noise and steps.
    source = imbalance(0.7 * 2**0.5, shaft_hz=rate_hz / 50)
    wiring = Wiring.for_board(wired, source, temperature_c=37.0)
    with Node(flash, wiring=wiring) as node:
        readings = node.wait_messages("reading", 3, 60)
        hello = node.of("hello")[0]
        chip = node.board.wiring.vibration
        assert chip is not None
    assert schema.VIBRATION_SENSORS[hello["vibration_sensor"]] == vibration
    last = readings[-1]
    assert not last["state"] & (schema.STATE_SENSOR_FAULT | schema.STATE_LOST | schema.STATE_CLIPPED)
    assert last["acceleration_rms_x"] == pytest.approx(700, rel=0.02)
    # The model's clock is 0.6 % fast.
    assert last["sample_rate"] / 10 == pytest.approx(rate_hz * 1.006, rel=1e-3)
    assert last["temperature"] == pytest.approx(370, abs=2)


@contextmanager
def stopped(node: Node) -> Iterator[Repl]:
    """The REPL of a node that has started."""
    node.wait_messages("hello", 1)
    with Repl(node.board.port) as repl:
        repl.enter()
        yield repl


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("vibration", "bus", "rate_hz"), [(case[0], case[1], case[3]) for case in CASES if FULL or case[0] == "iis3dwb"]
)
def test_soak_loses_nothing(tmp_path: Path, vibration: str, bus: str, rate_hz: int) -> None:
    board, wired, built = board_with(vibration, bus, "tmp117")
    stored = {"vibration_sensor": settings.from_text("vibration_sensor", vibration)}
    flash = factory.make_flash(tmp_path / "flash.bin", board, built, stored)
    with Node(flash, wiring=Wiring.for_board(wired)) as node, stopped(node) as repl:
        chip = node.board.wiring.vibration
        assert chip is not None
        before = chip.samples_made
        found = repl.eval_json(SOAK.replace("SECONDS", str(SOAK_S)), 1800)
        made = chip.samples_made - before
        lost = chip.samples_lost
    assert found["blocks"] * 4096 >= SOAK_S * rate_hz
    assert (found["lost"], found["broken"]) == (0, 1), "one stream, from the first block to the last"
    assert found["rate_dhz"] / 10 == pytest.approx(rate_hz * 1.006, rel=2e-4)
    # Delivered, and not much more than that was made: what waited at the end and came while the sensor settled.
    assert found["blocks"] * 4096 <= made < found["blocks"] * 4096 + 0.5 * rate_hz + 600
    assert lost == 0


# In front of every burst: the node stands still at some of them.
SLOW = """
            FifoSensor.bursts += 1
            if FifoSensor.bursts in (60, 100, 101):
                time.sleep_ms(70)
"""


def test_samples_a_slow_node_lost_are_in_its_readings(tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    shutil.copytree(assets.firmware(), firmware)
    path = firmware / "node" / "sensors" / "fifo.py"
    text = path.read_text()
    for old, new in (
        ("            asked_us = time.ticks_us()\n", SLOW + "            asked_us = time.ticks_us()\n"),
        ('    name = ""\n', '    name = ""\n    bursts = 0\n'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)
    values = {"mode": "continuous", "interval_s": 0, "block_samples": 2048, "vibration_sensor": "iis3dwb"}
    flash = make_flash(tmp_path / "flash.bin", values, firmware)
    with Node(flash) as node:
        readings = node.wait_messages("reading", 12, 60)
        chip = node.board.wiring.vibration
        assert chip is not None
        lossy = [reading for reading in readings if reading["state"] & schema.STATE_LOST]
        assert [reading for reading in readings if reading["samples_lost"]] == lossy
        assert sum(reading["samples_lost"] for reading in lossy) == chip.samples_lost > 3000
    assert 1 <= len(lossy) <= 3
    assert not any(reading["state"] & schema.STATE_ZONE_MASK for reading in lossy)


def test_a_frozen_fifo_is_a_fault_with_its_reason(tmp_path: Path) -> None:
    values = {"mode": "continuous", "interval_s": 0, "block_samples": 1024, "vibration_sensor": "iis3dwb"}
    with Node(make_flash(tmp_path / "flash.bin", values)) as node:
        readings = node.wait_messages("reading", 3, 60)
        assert not any(reading["state"] & schema.STATE_SENSOR_FAULT for reading in readings)
        chip = node.board.wiring.vibration
        assert chip is not None
        chip.frozen = True
        node.wait_line("time stamps that go back: its FIFO is stuck")
        node.wait(lambda: node.of("reading")[-1]["state"] & schema.STATE_SENSOR_FAULT)
        chip.frozen = False
        node.wait(lambda: not node.of("reading")[-1]["state"] & schema.STATE_SENSOR_FAULT)


def test_two_thermometers_on_one_line_and_a_self_test_over_the_repl(tmp_path: Path) -> None:
    board, wired, built = board_with("adxl355", "spi", "ds18b20")
    stored = {
        name: settings.from_text(name, value)
        for name, value in {"vibration_sensor": "adxl355", "temperature_sensor": "ds18b20", "range_g": "4"}.items()
    }
    flash = factory.make_flash(tmp_path / "flash.bin", board, built, stored)
    wiring = Wiring.for_board(wired, temperature_c=21.5)
    other = type(wiring.temperature)(90.0, serial=0x00FEDCBA9876)
    wiring.one_wire = {5: [wiring.temperature, other]}
    with Node(flash, wiring=wiring) as node, stopped(node) as repl:
        search = "import json\nfrom node.sensors import bus\n"
        search += "print(json.dumps([rom.hex() for rom in bus.ds18x20(5).scan()]))"
        found = repl.eval_json(search, 20)
        assert sorted(found) == sorted(chip.rom.hex() for chip in wiring.one_wire[5])
        rows = {
            row["name"]: row for row in repl.eval_json("from node import service; service.self_test()", 30)["checks"]
        }
    wrong = [name for name, row in rows.items() if not row["ok"]]
    assert wrong == []
    assert rows["vibration sensor"]["message"] == "adxl355"
    assert rows["peak"]["high"] == 4000, "at the range of the settings"
    assert {"self-test x", "self-test z", "sample rate", "noise floor"} <= set(rows)
    assert (rows["axis up"]["value"], rows["axis up"]["message"]) == (3, "+z")
    assert rows["temperature"]["value"] in (21.5, 90.0)
