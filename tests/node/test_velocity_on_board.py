"""Velocity, zone, spectrum and quality bits as a node sends them, on the virtual board, each against arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from on_board import BOARD, Node, Sine, make_flash

from judder.virtual.wiring import Wiring
from judder_core import schema

HZ = 157.0
MACHINE = {"machine_group": "2", "machine_support": "rigid", "machine_power_w": 75000, "machine_speed_rpm": 1480}


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.bin"


def mm_s(rms_g: float, hz: float = HZ) -> float:
    return rms_g * 9.80665 * 1000 / (2 * math.pi * hz)


def test_duty_takes_as_many_blocks_as_velocity_needs(flash: Path) -> None:
    values = {"mode": "duty", "interval_s": 60, "spectrum": "on", "band1_low_hz": 100, "band1_high_hz": 200}
    values |= {"band3_low_hz": 300, "band3_high_hz": 400, **MACHINE}
    with Node(make_flash(flash, values), Sine(lambda _t: 0.5, HZ)) as node:
        reading, again = node.wait_messages("reading", 2)[:2]
        spectra = node.wait_messages("spectrum", 6)
    # 0.5 g RMS at 157 Hz on x, half of that on y, a quarter on z: 4.97 mm/s is zone D of a rigid machine of group 2.
    assert reading["velocity_rms_worst"] == reading["velocity_rms_x"] == pytest.approx(100 * mm_s(0.5), abs=1)
    assert reading["velocity_rms_z"] == pytest.approx(100 * mm_s(0.125), abs=1)
    assert reading["state"] & schema.STATE_ZONE_MASK == 4
    assert reading["state"] >> schema.STATE_AXIS_SHIFT & schema.STATE_AXIS_MASK == 1
    assert not reading["state"] & schema.STATE_BAND_NOT_COVERED
    assert (reading["band_low"], reading["band_high"]) == (100, 1000)
    assert reading["line_frequency_x"] == 1570
    assert reading["line_velocity_rms_x"] == pytest.approx(100 * mm_s(0.5), rel=0.01)
    assert reading["kurtosis_x"] == 150 and abs(reading["skewness_x"]) <= 1
    assert again["velocity_rms_x"] == reading["velocity_rms_x"]
    for index, spectrum in enumerate(spectra):
        axis = index % 3 + 1
        assert (spectrum["axis"], spectrum["sequence"]) == (axis, [reading, again][index // 3]["sequence"])
        assert spectrum["resolution"] == pytest.approx(reading["sample_rate"] / 8 / 4096 * 100, abs=2)
        expected = 100 * mm_s(0.5 / 2 ** (axis - 1))
        assert spectrum["line1_frequency"] == 1570
        assert spectrum["line1_velocity_rms"] == pytest.approx(expected, rel=0.02)
        assert spectrum["band1_velocity_rms"] == pytest.approx(expected, rel=0.02)
        assert spectrum["band3_velocity_rms"] <= 1
        assert "band2_velocity_rms" not in spectrum


def test_continuous_has_velocity_from_the_eighth_block_on(flash: Path) -> None:
    values = {"mode": "continuous", "interval_s": 0, "velocity_rms_warning_cmm_s": 300}
    with Node(make_flash(flash, values), Sine(lambda t: 0.2 if t < 4 else 0.5, HZ)) as node:
        alarm = node.wait_messages("alarm", 1)[0]
        readings = node.of("reading")
    told = ["velocity_rms_worst" in reading for reading in readings]
    assert told.index(True) == 7 and all(told[7:])
    assert readings[7]["velocity_rms_worst"] == pytest.approx(100 * mm_s(0.2), abs=1)
    assert (alarm["metric"], alarm["limit"]) == (1, 300)
    assert 300 < alarm["value"] <= 100 * mm_s(0.5) + 1
    assert "spectrum" not in [kind for kind, _values in node.messages]


def test_what_gives_one_value_all_along_is_a_fault_and_no_number(flash: Path) -> None:
    values = {"mode": "continuous", "interval_s": 0, **MACHINE}
    with Node(make_flash(flash, values), Sine(lambda _t: 0.0)) as node:
        readings = node.wait_messages("reading", 10)
    for reading in readings:
        assert reading["state"] & schema.STATE_SENSOR_FAULT
        assert not reading["state"] & schema.STATE_ZONE_MASK
        assert "velocity_rms_worst" not in reading and "acceleration_rms_x" not in reading


def test_a_sensor_that_stops_and_comes_back(flash: Path) -> None:
    """Its element stops, its registers still answer: the driver, the reading and the console say so."""
    values = {"mode": "continuous", "interval_s": 0, **MACHINE}
    with Node(make_flash(flash, values), Sine(lambda _t: 0.5, HZ)) as node:
        node.wait(lambda: any(reading["state"] & schema.STATE_ZONE_MASK for reading in node.of("reading")))
        chip = node.board.wiring.vibration
        assert chip is not None
        chip.halted = True
        node.wait_line("judder: sensor fault: iis3dwb on SPI 1, chip select 10 delivers no samples")
        count = len(node.of("reading"))
        faulty = node.wait_messages("reading", count + 3)[count : count + 3]
        chip.halted = False
        node.wait_line("judder: the sensors answer again")
        back = len(node.of("reading"))
        readings = node.wait_messages("reading", back + 12)
    for reading in faulty:
        assert reading["state"] & schema.STATE_SENSOR_FAULT
        assert not reading["state"] & schema.STATE_ZONE_MASK
        assert "velocity_rms_worst" not in reading and "acceleration_rms_x" not in reading
    # No record reaches over the time it stood still.
    velocities = [reading["velocity_rms_x"] for reading in readings if "velocity_rms_x" in reading]
    assert velocities == pytest.approx([100 * mm_s(0.5)] * len(velocities), abs=1)
    assert readings[-1]["state"] & schema.STATE_ZONE_MASK == 4


def test_a_clipped_record_has_no_zone(flash: Path) -> None:
    values = {"mode": "continuous", "interval_s": 0, "range_g": "2", **MACHINE}
    # Just within 2 g, then for one block far beyond.
    with Node(make_flash(flash, values), Sine(lambda t: 5.0 if 2.0 < t < 2.2 else 0.5, HZ)) as node:
        readings = node.wait_messages("reading", 40)
    clipped = [bool(reading["state"] & schema.STATE_CLIPPED) for reading in readings]
    zones = [reading["state"] & schema.STATE_ZONE_MASK for reading in readings]
    first, last = clipped.index(True), len(clipped) - 1 - clipped[::-1].index(True)
    # The block itself, and every reading of a record that holds it: up to a record and a half.
    assert all(clipped[first : last + 1]) and 8 <= last - first <= 13
    assert not any(zones[first : last + 1])
    assert zones[8] == 4 and zones[last + 1] == 4


class Slow:
    """A sine on x, noise on all: a source that knows its own rate, as a recording does."""

    rate_hz = 1000.0

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        t = t0_s + np.arange(n) / rate_hz
        out = np.random.default_rng(round(t0_s * 1000)).normal(0, 0.002, (n, 3))
        out[:, 0] += 0.1 * math.sqrt(2) * np.sin(2 * np.pi * 25 * t)
        return out

    def ended(self, _t_s: float) -> bool:
        return False


def test_a_slow_stream_says_what_it_covers(flash: Path) -> None:
    values = {"mode": "duty", "interval_s": 60, "block_samples": 1024}
    wiring = Wiring.for_board(BOARD, Slow(), rate_hz=1000.0)
    with Node(make_flash(flash, values), wiring=wiring) as node:
        reading = node.wait_messages("reading", 1)[0]
    assert reading["state"] & schema.STATE_BAND_NOT_COVERED
    assert (reading["band_low"], reading["band_high"]) == (100, 390)
    assert reading["velocity_rms_x"] == pytest.approx(100 * mm_s(0.1, 25), rel=0.02)
    assert "envelope_rms_x" not in reading
