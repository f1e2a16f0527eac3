"""Alarms of the compiled firmware on the virtual board: what they remember goes through deep sleep in RTC memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_board import Node, Sine, level, make_flash

from judder_core import schema


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.bin"


def test_confirmation_and_hold_off_go_on_through_deep_sleep(flash: Path) -> None:
    values = {"mode": "duty", "interval_s": 60, "acceleration_rms_warning_mg": 500}
    values |= {"confirm_readings": 3, "confirm_of": 4, "hold_off_s": 600}
    with Node(make_flash(flash, values), Sine(lambda t: 1.0 if 100 < t < 400 else 0.1)) as node:
        node.wait(lambda: node.of("alarm") and level(node.of("alarm")[-1]) == 0)
        up, down = node.of("alarm")
        readings = node.wait_messages("reading", down["sequence"] + 1)
        assert node.board.counters.boots > 10
    loud = [reading["sequence"] for reading in readings if reading["acceleration_rms_x"] > 500]
    assert (level(up), up["limit"], up["sequence"]) == (1, 500, loud[2]), "the third loud reading, each after a sleep"
    # Quiet from the sixth minute on, and held for ten minutes after it was raised.
    assert len(loud) <= 6
    assert 10 <= down["sequence"] - up["sequence"] <= 11
    assert [level(reading) for reading in readings] == [
        int(up["sequence"] <= reading["sequence"] < down["sequence"]) for reading in readings
    ]


def test_a_baseline_is_learned_over_sleeps_and_a_stop_ends_the_alarm(flash: Path) -> None:
    values = {"mode": "duty", "interval_s": 60, "running_floor_mg": 40, "baseline_readings": 4}
    values |= {"baseline_warning_percent": 200, "hold_off_s": 86400}

    # Stands still for two minutes, runs at 100 mg for six, is at three times that, and stops.
    def rms_g(t: float) -> float:
        # Standing still is 1 mg of noise: a sensor that gave one and the same value would be a fault.
        return 0.001 if t < 120 else 0.1 if t < 480 else 0.3 if t < 720 else 0.001

    with Node(make_flash(flash, values), Sine(rms_g)) as node:

        def of_acceleration() -> list:
            # The envelope of such a sine is not nothing either, and has alarms of its own.
            return [alarm for alarm in node.of("alarm") if alarm["metric"] == 2]

        node.wait(lambda: len(of_acceleration()) == 2)
        up, down = of_acceleration()
        readings = node.wait_messages("reading", down["sequence"] + 1)
    assert level(down) == 0
    # Twice what was usual when it ran, not half of what it was on the whole.
    assert (level(up), up["metric"]) == (1, 2)
    assert up["limit"] == pytest.approx(200, abs=2)
    assert up["value"] == pytest.approx(300, abs=3)
    assert not up["state"] & schema.STATE_NOT_RUNNING
    assert down["state"] & schema.STATE_NOT_RUNNING
    assert down["value"] < 40
    for reading in readings:
        stopped = reading["acceleration_rms_x"] < 40
        assert bool(reading["state"] & schema.STATE_NOT_RUNNING) == stopped


def test_a_profile_out_of_scope_is_said_at_the_start(flash: Path) -> None:
    values = {"mode": "continuous", "machine_group": "2", "machine_power_w": 7500, "machine_speed_rpm": 1480}
    with Node(make_flash(flash, values)) as node:
        reading = node.wait_messages("reading", 1)[0]
        node.wait_line("judder: not rated: 7500 W: the standard begins above 15 kW")
    assert reading["state"] & schema.STATE_ZONE_MASK == 0
