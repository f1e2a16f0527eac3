"""judder replay on signals no machine makes: each is flagged or refused, none becomes a number that looks right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judder.cli.main import main

RATE_HZ = 3200
BLOCK = 1024
# 3 s; a record of velocity is 4096 samples.
T_S = np.arange(9 * BLOCK) / RATE_HZ
PROFILE = """[settings]
machine_group = "2"
machine_support = "rigid"
machine_power_w = 75000
machine_speed_rpm = 1480
acceleration_rms_warning_mg = 100
"""
GOOD = np.random.default_rng(3).normal(0, 0.006, (len(T_S), 3))
GOOD[:, 0] += 0.5 * np.sin(2 * np.pi * 50 * T_S)
GOOD[:, 2] += 1


class Replay:
    """The command on a recording. code, blocks, summary (of --all --json), notes."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], data: np.ndarray, *options: str) -> None:
        np.save(folder / "r.npy", data)
        (folder / "profile.toml").write_text(PROFILE)
        profile = [] if "--profile" in options else ["--profile", str(folder / "profile.toml")]
        rate = [] if "--rate" in options else ["--rate", str(RATE_HZ)]
        arguments = ["replay", str(folder / "r.npy"), *rate, *profile, "--block", str(BLOCK), *options]
        self.code = 0
        try:
            main([*arguments, "--all", "--json"])
        except SystemExit as ended:
            self.code = int(ended.code or 0)
        self.out, self.err = capsys.readouterr()
        lines = [json.loads(line) for line in self.out.splitlines()]
        self.blocks: list[dict[str, Any]] = [line for line in lines if line.get("event") == "block"]
        self.summary: dict[str, Any] = lines[-1] if self.code == 0 else {}
        self.notes = "\n".join(self.summary.get("notes", ()))

    def refused(self, words: str) -> bool:
        """Exit code 7, one line with these words, and nothing else."""
        return (self.code, self.blocks) == (7, []) and words in self.err and len(self.err.strip().splitlines()) == 1

    def has_no_numbers(self) -> bool:
        channels = [channel for found in (*self.blocks, self.summary) for channel in found["channels"].values()]
        return all(set(channel.values()) == {None} for channel in channels)


def test_control(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Replay(tmp_path, capsys, GOOD)
    assert (found.code, found.summary["zone"], found.summary["alarm"]) == (0, "D", "danger")
    # 0.5 g peak at 50 Hz: 0.5 / sqrt(2) x 9806.65 / (2 pi 50) = 11.04 mm/s.
    assert found.summary["channels"]["x"]["velocity_rms_mm_s"] == pytest.approx(11.04, rel=0.02)
    assert not found.summary["clipped"] and not found.summary["sensor_fault"]


@pytest.mark.parametrize(
    "data",
    [np.zeros((len(T_S), 3)), np.zeros(len(T_S)), np.tile([0.3, -0.2, 1.0], (len(T_S), 1))],
    ids=["zeros", "zeros on one channel", "dc"],
)
def test_one_value_all_along(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: np.ndarray) -> None:
    found = Replay(tmp_path, capsys, data)
    assert found.has_no_numbers() and all(block["sensor_fault"] for block in found.blocks)
    assert (found.summary["sensor_fault"], found.summary["zone"], found.summary["alarm"]) == (True, None, "none")
    assert "SENSOR FAULT" in found.notes and "one and the same value on every axis" in found.notes
    assert "no velocity: a sensor fault" in found.notes


def test_full_scale_square_wave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = GOOD.copy()
    data[:, 0] = 16 * np.where(np.sin(2 * np.pi * 50 * T_S) >= 0, 1, -1)
    found = Replay(tmp_path, capsys, data)
    assert all(block["clipped"] and block["zone"] is None for block in found.blocks)
    assert (found.summary["clipped"], found.summary["zone"]) == (True, None)
    # Cutting off makes an RMS smaller only, so that alarm stands, and no other is raised.
    assert {alarm["metric"] for alarm in found.summary["alarms"]} == {"acceleration_rms"}


def test_saturated_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = GOOD.copy()
    data[:, 0] *= 5
    found = Replay(tmp_path, capsys, data, "--range", "2")
    assert all(block["clipped"] and block["zone"] is None for block in found.blocks)


def test_integers_at_their_end_were_clipped_when_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = np.clip(GOOD / 0.00025 * 20, -32768, 32767).round().astype(np.int16)
    found = Replay(tmp_path, capsys, counts, "--scale", "0.00025")
    assert all(block["clipped"] and block["zone"] is None for block in found.blocks)
    assert found.summary["clipped"] and found.summary["zone"] is None
    assert "clipped when it was recorded" in found.notes
    once = (GOOD / 0.00025).round().astype(np.int16)
    once[2 * BLOCK + 7, 1] = -32768
    found = Replay(tmp_path, capsys, once, "--scale", "0.00025")
    assert [block["clipped"] for block in found.blocks] == [False, False, True] + [False] * 6
    # Records are four blocks: the first two hold that sample, and the second is told until the third is full.
    assert {block["zone"] for block in found.blocks} == {None}


def test_flat_tops_below_full_scale_are_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = GOOD.copy()
    data[:, 0] = np.clip(data[:, 0], -0.3, 0.3)
    assert "flat tops, x at 0.3 g, x at -0.3 g" in Replay(tmp_path, capsys, data).notes
    # Tops of a slow sine are flat too, once rounded.
    data[:, 0] = np.round(0.01 * np.sin(2 * np.pi * 10 * T_S), 3)
    assert "flat" not in Replay(tmp_path, capsys, data).notes


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float) -> None:
    data = GOOD.copy()
    data[5000, 1] = value
    found = Replay(tmp_path, capsys, data)
    assert found.refused("1 samples are not numbers, the first in row 5000")


def test_one_value_that_stands_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-32768 for a sample that is missing, a usual mark."""
    counts = (GOOD / 0.000488).round().astype(np.int16)
    counts[2 * BLOCK + 7, 1] = -32768
    found = Replay(tmp_path, capsys, counts, "--scale", "0.000488")
    assert found.blocks[2]["clipped"] and found.summary["clipped"]
    assert found.blocks[2]["zone"] is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_that_sticks(tmp_path: Path, capsys: pytest.CaptureFixture[str], axis: int) -> None:
    data = GOOD.copy()
    data[3 * BLOCK :, axis] = data[3 * BLOCK, axis]
    found = Replay(tmp_path, capsys, data)
    assert [block["sensor_fault"] for block in found.blocks] == [False] * 3 + [True] * 6
    assert all(set(channel.values()) == {None} for channel in found.blocks[3]["channels"].values())
    assert found.summary["sensor_fault"] and "an axis that gave others" in found.notes


def test_a_channel_that_is_not_connected_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = GOOD.copy()
    data[:, 1] = 0.123
    found = Replay(tmp_path, capsys, data)
    assert "y: one value all along" in found.notes


def test_a_sensor_that_stops_in_the_middle_of_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.tile(GOOD, (2, 1))
    stops = 2 * 4096 + 2500
    data[stops:] = data[stops]
    found = Replay(tmp_path, capsys, data, "--block", "4096")
    assert [block["sensor_fault"] for block in found.blocks] == [False, False, True, True]
    assert all(set(channel.values()) == {None} for channel in found.blocks[2]["channels"].values())
    assert found.blocks[1]["zone"] == "D" and found.blocks[2]["zone"] is None


@pytest.mark.parametrize("count", [0, 1, 255])
def test_too_few_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    found = Replay(tmp_path, capsys, GOOD[:count])
    assert found.refused("record")


def test_too_few_for_velocity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Replay(tmp_path, capsys, GOOD[: 3 * BLOCK])
    assert found.summary["channels"]["x"]["velocity_rms_mm_s"] is None and found.summary["zone"] is None
    assert "no velocity: the recording ends before" in found.notes


def test_a_rate_that_is_off_by_20_percent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The node measures its rate and counts with that: right numbers from a sensor 20 % off its nominal 26 667 Hz."""
    rate_hz = 21_333
    t = np.arange(12 * 4096) / rate_hz
    data = np.random.default_rng(1).normal(0, 0.006, (len(t), 3))
    data[:, 0] += 0.5 * np.sin(2 * np.pi * 50 * t)
    found = Replay(tmp_path, capsys, data, "--rate", str(rate_hz), "--block", "4096")
    assert found.summary["fs_hz"] == pytest.approx(rate_hz, rel=1e-3)
    assert found.summary["channels"]["x"]["velocity_rms_mm_s"] == pytest.approx(11.04, rel=0.02)
    assert found.summary["channels"]["x"]["lines"][0]["hz"] == pytest.approx(50, abs=0.1)


@pytest.mark.parametrize("rate", ["5", "200000"])
def test_rates_a_replay_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: str) -> None:
    found = Replay(tmp_path, capsys, GOOD, "--rate", rate)
    assert found.refused("a replay takes 10 to 131072 Hz")


def test_counts_without_a_scale_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Replay(tmp_path, capsys, (GOOD / 0.00025).round().astype(np.int16))
    assert found.refused("--scale")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            'machine_group = "size"\nmachine_power_w = 11000\nmachine_speed_rpm = 1480',
            "the standard begins above 15 kW",
        ),
        ('machine_group = "2"\nmachine_power_w = 15000\nmachine_speed_rpm = 1480', "the standard begins above 15 kW"),
        ('machine_group = "2"\nmachine_speed_rpm = 119', "120 to 30,000 r/min"),
        ('machine_group = "1"\nmachine_speed_rpm = 30001', "120 to 30,000 r/min"),
        ('machine_group = "size"\nmachine_shaft_height_mm = 150\nmachine_speed_rpm = 1480', "begin at 160 mm"),
    ],
)
def test_outside_the_standard(tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, words: str) -> None:
    profile = tmp_path / "outside.toml"
    profile.write_text(f"[settings]\n{settings}\n")
    found = Replay(tmp_path, capsys, GOOD, "--profile", str(profile))
    assert {found.summary["zone"], *(block["zone"] for block in found.blocks)} == {None}
    assert "no zone: " in found.notes and words in found.notes
    assert found.summary["channels"]["x"]["velocity_rms_mm_s"] == pytest.approx(11.04, rel=0.02)
    assert found.summary["alarm"] == "none", "no limits follow from a table that does not apply"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("acceleration_rms_warning_mg = 500\nacceleration_rms_danger_mg = 300", "acceleration_rms_danger_mg"),
        ("velocity_rms_warning_cmm_s = 500\nvelocity_rms_danger_cmm_s = 300", "velocity_rms_danger_cmm_s"),
        ("temperature_rise_warning_dc = 300\ntemperature_rise_danger_dc = 100", "temperature_rise_danger_dc"),
        ("baseline_warning_percent = 300\nbaseline_danger_percent = 200", "baseline_danger_percent"),
        (
            'machine_group = "user"\nmachine_speed_rpm = 1480\n'
            "zone_ab_cmm_s = 300\nzone_bc_cmm_s = 200\nzone_cd_cmm_s = 700",
            "zone_bc_cmm_s",
        ),
        ("band1_low_hz = 200\nband1_high_hz = 100", "band1_high_hz"),
    ],
)
def test_limits_in_the_wrong_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, name: str
) -> None:
    profile = tmp_path / "wrong.toml"
    profile.write_text(f"[settings]\n{settings}\n")
    found = Replay(tmp_path, capsys, GOOD, "--profile", str(profile))
    assert found.refused(name)


def test_limits_of_the_command_line_in_the_wrong_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Replay(tmp_path, capsys, GOOD, "--warning", "500", "--danger", "300")
    assert found.refused("300 is below the warning limit 500")
