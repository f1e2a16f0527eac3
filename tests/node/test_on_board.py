"""The firmware, compiled and booted from flash, on the virtual board: what a node does from its first start on."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_board import BOARD, Node, Sine, level, make_flash

from judder.device import layout
from judder.device.repl import Repl
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

FIRMWARE = Path(__file__).parents[2] / "firmware"
CONTINUOUS = {"mode": "continuous", "interval_s": 0}


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.bin"


# --- starting


def test_a_node_nobody_provisioned_says_hello_and_nothing_else(flash: Path) -> None:
    with Node(make_flash(flash, None)) as node:
        hellos = node.wait_messages("hello", 4)
        assert {kind for kind, _values in node.messages} == {"hello"}
    first = hellos[0]
    assert first["flags"] & schema.HELLO_NOT_PROVISIONED
    assert (first["board"], first["settings_crc"], first["reset_cause"]) == (BOARD.number, 0, 1)
    assert (first["vibration_sensor"], first["temperature_sensor"]) == (2, 2)
    assert [hello["uptime"] for hello in hellos[:4]] == pytest.approx([0, 10, 20, 30], abs=1)


def test_a_bare_board_measures_its_synthetic_signal(flash: Path) -> None:
    values = {**CONTINUOUS, "vibration_sensor": "synthetic", "temperature_sensor": "synthetic"}
    with Node(make_flash(flash, values), wiring=Wiring()) as node:
        hello = node.wait_messages("hello", 1)[0]
        readings = node.wait_messages("reading", 5)
    assert hello["flags"] & schema.HELLO_SYNTHETIC
    for number, reading in enumerate(readings[:5]):
        assert reading["sequence"] == number
        assert not reading["state"] & schema.STATE_SENSOR_FAULT
        # What node/sensors/synthetic.py promises.
        rms = [reading[f"acceleration_rms_{axis}"] for axis in "xyz"]
        assert rms == pytest.approx([355.7, 172.5, 86.3], abs=0.8)
        assert (reading["temperature"], reading["sample_rate"]) == (250, 256_000)


def test_a_board_without_its_sensors_reports_faults_and_goes_on(flash: Path) -> None:
    with Node(make_flash(flash, CONTINUOUS), wiring=Wiring()) as node:
        readings = node.wait_messages("reading", 3)
    for reading in readings:
        assert reading["state"] & schema.STATE_SENSOR_FAULT
        assert "acceleration_rms_x" not in reading
        assert "temperature" not in reading


def test_boot_button_held_means_safe_mode(flash: Path) -> None:
    wiring = Wiring.for_board(BOARD)
    wiring.inputs[0] = 0
    with Node(make_flash(flash, CONTINUOUS), wiring=wiring) as node:
        node.wait_line("judder: safe mode")
        with Repl(node.board.port) as repl:
            repl.enter()
            answer = repl.eval_json("from node import service; service.describe()", 10)
        assert answer["provisioned"]
        assert node.messages == []


@pytest.mark.parametrize("damage", ["blank", "garbage", "first block"])
def test_a_damaged_slot_ends_at_the_repl_with_one_line(flash: Path, damage: str) -> None:
    make_flash(flash, CONTINUOUS)
    slot = layout.find(layout.layout(BOARD.flash_bytes), "app_a")
    data = bytearray(flash.read_bytes())
    if damage == "blank":
        data[slot.offset : slot.end] = b"\xff" * slot.size
    elif damage == "garbage":
        data[slot.offset : slot.end] = np.random.default_rng(1).bytes(slot.size)
    else:
        data[slot.offset : slot.offset + 2 * 4096] = bytes(2 * 4096)
    flash.write_bytes(data)
    with Node(flash) as node:
        node.wait_line("flash the board again")
        assert node.board.counters.boots == 1
        # On a machine that is slow to answer this resets the board, and it says so again.
        with Repl(node.board.port) as repl:
            repl.enter()
            assert repl.eval_json("print(40 + 2)", 10) == 42
        boots = node.board.counters.boots
    assert sum("judder:" in text for text in node.lines) == boots


def test_a_slot_with_a_broken_module_ends_at_the_repl(flash: Path, tmp_path: Path) -> None:
    tree = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, tree)
    (tree / "node" / "cycle.py").write_text("import nothing_of_that_name\n")
    with Node(make_flash(flash, CONTINUOUS, tree)) as node:
        node.wait_line("judder: the application does not load")
        assert node.board.counters.boots == 1


# --- measuring


@pytest.mark.parametrize("rms_g", [0.05, 1.0, 6.0])
def test_rms_and_peak_are_those_of_the_signal(flash: Path, rms_g: float) -> None:
    with Node(make_flash(flash, CONTINUOUS), Sine(lambda _t: rms_g)) as node:
        readings = node.wait_messages("reading", 6)
    for reading in readings[:6]:
        rms = [reading[f"acceleration_rms_{axis}"] for axis in "xyz"]
        peak = [reading[f"acceleration_peak_{axis}"] for axis in "xyz"]
        # A block is not a whole number of periods: at most half a period of 24 is left over. Then 1 mg of rounding.
        shape = rms_g * 1000 * np.array([1, 0.5, 0.25])
        assert rms == pytest.approx(shape, rel=0.02, abs=1)
        assert peak == pytest.approx(shape * np.sqrt(2), rel=0.02, abs=1)
        assert reading["samples_lost"] == 0
        assert (reading["state"] >> schema.STATE_AXIS_SHIFT & 3) == 1
        assert (reading["temperature"], reading["battery"]) == (240, pytest.approx(3700, abs=5))


def test_a_signal_beyond_the_range_is_marked(flash: Path) -> None:
    with Node(make_flash(flash, {**CONTINUOUS, "range_g": "2"}), Sine(lambda _t: 2.0)) as node:
        reading = node.wait_messages("reading", 2)[1]
    assert reading["state"] & schema.STATE_CLIPPED
    assert reading["acceleration_peak_x"] == pytest.approx(2000, rel=0.01)


def test_sample_rate_is_the_chips_not_the_nominal_one(flash: Path) -> None:
    wiring = Wiring.for_board(BOARD, Sine(lambda _t: 0.5), rate_hz=26_123.0)
    with Node(make_flash(flash, CONTINUOUS), wiring=wiring) as node:
        readings = node.wait_messages("reading", 8)
    assert readings[7]["sample_rate"] == pytest.approx(261_230, rel=2e-4)


def test_alarm_comes_at_once_with_its_reading_and_clears(flash: Path) -> None:
    values = {"mode": "continuous", "interval_s": 3600, "acceleration_rms_warning_mg": 500}
    values["acceleration_rms_danger_mg"] = 2000
    story = Sine(lambda t: 0.1 if t < 2 else 0.8 if t < 4 else 3.0 if t < 6 else 0.1)
    with Node(make_flash(flash, values), story) as node:
        alarms = node.wait(lambda: node.of("alarm") and level(node.of("alarm")[-1]) == 0 and node.of("alarm"))
        readings = node.wait_messages("reading", 1 + len(alarms))
    # The machine stops in the middle of a block, which may be a warning of its own on the way down.
    assert [level(alarm) for alarm in alarms] in ([1, 2, 0], [1, 2, 1, 0])
    assert {alarm["metric"] for alarm in alarms} == {2}
    assert [alarm["limit"] for alarm in alarms][:2] == [500, 2000]
    assert alarms[-1]["value"] < 450 < 500 <= alarms[0]["value"] < 2000 <= alarms[1]["value"]
    # Each came with the reading it was found in, and there are no others but the first of the interval.
    assert [reading["sequence"] for reading in readings] == list(range(1 + len(alarms)))
    assert [alarm["sequence"] for alarm in alarms] == list(range(1, 1 + len(alarms)))
    assert [level(reading) for reading in readings] == [0] + [level(alarm) for alarm in alarms]


def test_limits_of_zero_are_off(flash: Path) -> None:
    with Node(make_flash(flash, CONTINUOUS), Sine(lambda _t: 8.0)) as node:
        node.wait_messages("reading", 10)
    assert node.of("alarm") == []


# --- duty


def test_duty_sleeps_between_readings_and_forgets_nothing(flash: Path) -> None:
    values = {"mode": "duty", "interval_s": 600, "acceleration_rms_warning_mg": 500}
    with Node(make_flash(flash, values), Sine(lambda t: 0.1 if t < 1000 else 1.0)) as node:
        readings = node.wait_messages("reading", 6)
        alarms = node.of("alarm")
        hellos = node.of("hello")
        assert node.board.counters.boots >= 5
        # Virtual time: 600 s a cycle, boot included.
        assert node.board.now_us / 1e6 == pytest.approx(600 * node.board.counters.boots, rel=0.35)
    assert [reading["sequence"] for reading in readings[:6]] == list(range(6))
    assert [level(reading) for reading in readings[:6]] == [0, 0, 1, 1, 1, 1]
    assert len(alarms) == 1, "said once; the level went through the deep sleep"
    assert len(hellos) == 1, "at the start, not at every wake"


def test_power_off_starts_counting_afresh(flash: Path) -> None:
    with Node(make_flash(flash, {"mode": "duty", "interval_s": 600})) as node:
        node.wait_messages("reading", 3)
        node.board.power_cut()
        node.messages.clear()
        node.board.restart()
        reading = node.wait_messages("reading", 1)[0]
        hello = node.wait_messages("hello", 1)[0]
    assert reading["sequence"] == 0
    assert (hello["boots"], hello["reset_cause"]) == (1, 1)


# --- what goes wrong


def _sabotaged(tmp_path: Path, file: str, old: str, new: str) -> Path:
    tree = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, tree)
    path = tree / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return tree


def test_a_crash_is_shown_and_restarts_later_each_time(flash: Path, tmp_path: Path) -> None:
    tree = _sabotaged(tmp_path, "node/modes.py", "        changed = node.measure(patient=False)\n", "        1 // 0\n")
    with Node(make_flash(flash, CONTINUOUS, tree)) as node:
        node.wait_line("judder: crashed", 3)
        hellos = node.wait_messages("hello", 3)
    crashes = [text for text in node.lines if "crashed" in text]
    assert ["5 s" in crashes[0], "10 s" in crashes[1], "20 s" in crashes[2]] == [True] * 3
    assert any("ZeroDivisionError" in text for text in node.lines)
    assert [hello["reset_cause"] for hello in hellos[:3]] == [1, 2, 2]


def test_ctrl_c_during_the_pause_of_a_crash_reaches_the_repl(flash: Path, tmp_path: Path) -> None:
    tree = _sabotaged(tmp_path, "node/modes.py", "        changed = node.measure(patient=False)\n", "        1 // 0\n")
    with Node(make_flash(flash, CONTINUOUS, tree), clock="real") as node:
        node.wait_line("judder: crashed")
        with Repl(node.board.port) as repl:
            repl.enter()
            assert repl.eval_json("print(6 * 7)", 10) == 42


def test_a_node_that_hangs_is_bitten_and_goes_on_counting(flash: Path, tmp_path: Path) -> None:
    hang = "        while node.state.sequence == 200:\n            ticks.sleep_ms(10)\n"
    place = "        node.obey()\n        node.tick()\n"
    tree = _sabotaged(tmp_path, "node/modes.py", place, hang + place)
    # The synthetic sensor is quick to simulate: 200 blocks are 32 s, and the dog is armed after 15.
    values = {**CONTINUOUS, "vibration_sensor": "synthetic", "watchdog_s": 10}
    with Node(make_flash(flash, values, tree)) as node:
        hellos = node.wait_messages("hello", 2, 60)
        node.wait(lambda: node.of("reading")[-1]["sequence"] > 201)
    assert hellos[1]["reset_cause"] == 3
    numbers = [reading["sequence"] for reading in node.of("reading")]
    assert numbers == list(range(len(numbers))), "the watchdog took no number twice and none away"


def test_ctrl_c_stops_the_application_and_soft_reset_starts_it(flash: Path) -> None:
    with Node(make_flash(flash, CONTINUOUS), clock="real") as node:
        node.wait_messages("reading", 2)
        node.board.type(b"\x03")
        node.wait_line("judder: stopped")
        node.wait(lambda: node.prompt)
        count = len(node.of("reading"))
        node.board.type(b"\x04")
        node.wait(lambda: len(node.of("reading")) > count + 1)
        assert node.of("hello")[-1]["reset_cause"] == 5


# --- service


def test_service_refuses_what_is_wrong_and_keeps_what_was(flash: Path) -> None:
    # In step with this computer, and standing still while that is busy: the self-test measures a sample rate.
    with Node(make_flash(flash, {"interval_s": 77, "mode": "continuous"}), pace=1.0) as node:

        def call(text: str) -> dict[str, Any]:
            return repl.eval_json(f"from node import service; service.{text}", 20)

        def send(payload: bytes, digest: str | None = None) -> dict[str, Any]:
            assert call(f"begin({len(payload)})")["ok"]
            assert call(f"append('{payload.hex()}')")["ok"]
            return call(f"commit('{digest or hashlib.sha256(payload).hexdigest()}')")

        node.wait_messages("reading", 1)
        with Repl(node.board.port) as repl:
            repl.enter()
            before = call("describe()")
            assert before["generation"] == 1
            good = settings.pack({"interval_s": 5, "node_key": bytes(range(32))})
            assert not call("commit('00')")["ok"], "nothing begun"
            assert not call("begin(0)")["ok"]
            assert not call("begin(100000)")["ok"]
            assert call("begin(4)")["ok"]
            assert not call("append('zz')")["ok"]
            assert not call("append('0011223344')")["ok"], "more than announced"
            assert not call("commit('00')")["ok"], "incomplete"
            assert "damaged" in send(good, "00" * 32)["error"]
            assert "interval_s" in send(bytes.fromhex("a10b1a000fffff"))["error"]
            assert not send(b"\xff\xff\xff")["ok"]
            # Well-formed, and a contradiction: link wifi without a network.
            assert "wifi_ssid" in send(bytes.fromhex("a11401"))["error"]
            assert call("describe()") == before, "nothing changed"

            answer = send(good)
            assert answer == {"ok": True, "generation": 2, "sha256": hashlib.sha256(good).hexdigest()}
            after = call("describe()")
            assert (after["generation"], after["settings_sha256"]) == (2, answer["sha256"])
            assert bytes(range(32)).hex() not in json.dumps(after)

            checks = {check["name"]: check for check in call("self_test()")["checks"]}
            failed = [name for name, check in checks.items() if not check["ok"]]
            assert failed == []
            assert {"vibration sensor", "self-test x", "self-test y", "self-test z", "sample rate"} <= set(checks)
            assert {"temperature", "battery", "free memory", "settings record"} <= set(checks)

            assert call("wipe()")["ok"]
            assert not call("describe()")["provisioned"]


def test_self_test_names_what_is_missing(flash: Path) -> None:
    with Node(make_flash(flash, CONTINUOUS), wiring=Wiring(), clock="real") as node:
        node.wait_messages("reading", 1)
        with Repl(node.board.port) as repl:
            repl.enter()
            answer = repl.eval_json("from node import service; service.self_test()", 20)
    failed = {check["name"]: check["message"] for check in answer["checks"] if not check["ok"]}
    assert "WHO_AM_I" in failed["vibration sensor"]
    assert "does not answer on I2C 0, address 0x48" in failed["temperature"]
