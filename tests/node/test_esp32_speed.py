"""What a user of each sensor gets on a chip that needs its time: the whole firmware on the virtual board, its kernels'
time charged by their instruction counts, the rest by estimates with room (fakes/slow.py). 160 MHz, the slowest chip's.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from esp32_speed import tree
from on_board import Node
from sensor_boards import board_with

from judder.device import assets
from judder.virtual import factory
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

FIRMWARE = assets.firmware()
HZ, RMS_G = 157.0, 0.5
MM_S = RMS_G * 9806.65 / (2 * math.pi * HZ)
MACHINE = {"machine_group": "2", "machine_support": "rigid", "machine_power_w": 75000, "machine_speed_rpm": 1480}
BAD = schema.STATE_CLIPPED | schema.STATE_SENSOR_FAULT

# Part, bus, rate asked, block, thermometer, seconds watched.
CONTINUOUS = [
    ("iis3dwb", "spi", 0, 4096, "tmp117", 9),
    ("iis3dwb", "spi", 0, 1024, "ds18b20", 9),
    ("adxl345", "spi", 0, 4096, "ds18b20", 6),
    ("adxl345", "spi", 0, 1024, "max31865", 7),
    ("adxl345", "i2c", 0, 1024, "tmp117", 9),
    ("adxl355", "spi", 0, 4096, "ds18b20", 6),
    ("adxl355", "spi", 0, 1024, "tmp117", 7),
    ("lis2dw12", "spi", 0, 4096, "tmp117", 9),
    ("lis2dw12", "spi", 0, 256, "ds18b20", 7),
    ("lis3dh", "spi", 0, 4096, "tmp117", 10),
    ("lis3dh", "spi", 5376, 4096, "max31865", 4),
    ("lis3dh", "spi", 5376, 512, "tmp117", 5),
    ("mpu6050", "i2c", 0, 4096, "ds18b20", 14),
]
DUTY = [(part, bus, rate, block) for part, bus, rate, block, _thermometer, _s in CONTINUOUS if block == 4096]


class Machine:
    """157 Hz on x, 0.5 g RMS, gravity on z, 10 mg of noise."""

    rate_hz = None

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        t = t0_s + np.arange(n) / rate_hz
        out = np.random.default_rng(round(t0_s * 1e6) % (1 << 31)).normal(0, 0.01, (n, 3))
        out[:, 0] += RMS_G * math.sqrt(2) * np.sin(2 * np.pi * HZ * t)
        out[:, 2] += 1
        return out

    def ended(self, _t_s: float) -> bool:
        return False


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("slow") / "firmware")


def watch(folder: Path, firmware: Path, case: tuple[Any, ...], mode: str, seconds: float) -> list[dict[str, Any]]:
    """Readings of a node's first seconds (of its own time)."""
    part, bus, rate, block, thermometer = case
    board, wired, built = board_with(part, bus, thermometer, firmware)
    values = {
        "mode": mode,
        "interval_s": 0,
        "block_samples": block,
        "vibration_sensor": part,
        "temperature_sensor": thermometer,
        "range_g": "8",
        "sample_rate_hz": rate,
        **MACHINE,
    }
    stored = {name: settings.from_text(name, value) for name, value in values.items()}
    flash = factory.make_flash(folder / "flash.bin", board, built, stored)
    wiring = Wiring.for_board(wired, Machine(), temperature_c=37.0)
    with Node(flash, wiring=wiring) as node:
        node.wait(lambda: node.board.now_us > seconds * 1e6)
        return list(node.of("reading"))


def is_right(reading: dict[str, Any]) -> bool:
    """A velocity, and a zone of it: 4.97 mm/s is D for a rigid machine of group 2."""
    velocity = reading.get("velocity_rms_x")
    if velocity is None:
        return False
    assert velocity == pytest.approx(100 * MM_S, rel=0.02)
    assert reading["state"] & schema.STATE_ZONE_MASK == 4 or reading["state"] & (schema.STATE_LOST | BAD)
    return bool(reading["state"] & schema.STATE_ZONE_MASK)


def name(case: tuple[Any, ...]) -> str:
    return "-".join(str(word) for word in case[:4])


@pytest.mark.parametrize("case", CONTINUOUS, ids=name)
def test_continuous_gives_velocity_with_every_sensor(tmp_path: Path, slow: Path, case: tuple[Any, ...]) -> None:
    readings = watch(tmp_path, slow, case[:5], "continuous", case[5])
    assert not any(reading["state"] & BAD for reading in readings)
    # Some blocks go by before the node knows that it is slow; after that every reading has a velocity, and a
    # temperature, however long the thermometer takes.
    last = readings[-3:]
    assert len(last) >= 2 and all(is_right(reading) for reading in last), readings
    assert all(reading["temperature"] == pytest.approx(370, abs=2) for reading in last)


@pytest.mark.parametrize("case", DUTY, ids=name)
def test_duty_gives_velocity_with_every_sensor(tmp_path: Path, slow: Path, case: tuple[Any, ...]) -> None:
    readings = watch(tmp_path, slow, (*case, "ds18b20"), "duty", 16)
    assert readings and all(is_right(reading) and "temperature" in reading for reading in readings)


def test_the_clock_would_notice(tmp_path: Path) -> None:
    """A node that does not find out how slow it is never fills a record of the fastest sensor."""
    blind = tree(tmp_path / "firmware")
    readings = watch(tmp_path, _with(blind, "if self._gaps >= _GAPS:", "if False:"), CONTINUOUS[0][:5], "continuous", 9)
    assert len(readings) > 20 and not any("velocity_rms_x" in reading for reading in readings)


def test_a_thermometer_leaves_the_stream_alone(tmp_path: Path) -> None:
    """Even where processing takes no time: a conversion of 0.75 s is longer than any FIFO."""
    case = ("iis3dwb", "spi", 0, 1024, "ds18b20")
    (tmp_path / "as it is").mkdir()
    readings = watch(tmp_path / "as it is", FIRMWARE, case, "continuous", 6)
    told = ["velocity_rms_x" in reading for reading in readings]
    assert told.index(True) == 31 and all(told[31:]), "one stream from the first block on"
    # As it was: a fixed time for every thermometer, whenever that is over.
    hasty = Path(shutil.copytree(FIRMWARE, tmp_path / "firmware"))
    hasty = _with(hasty, "self._temperature.CONVERSION_MS", "150")
    hasty = _with(hasty, "elif self.quiet or now_ms", "elif True or now_ms")
    hasty = _with(hasty, "if self._gaps >= _GAPS:", "if False:")
    readings = watch(tmp_path, hasty, case, "continuous", 6)
    assert len(readings) > 31 and not any("velocity_rms_x" in reading for reading in readings)


def _with(firmware: Path, old: str, new: str) -> Path:
    path = firmware / "node" / "cycle.py"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return firmware
