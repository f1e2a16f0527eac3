"""The firmware on the virtual board with a broker: delivery, networks and brokers that come and go, commands, sleep."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest
from on_board import Node, Sine, level, make_flash, named

from judder.ingest.broker import Broker
from judder_core import codec, schema

INTERVAL, WARNING, SSID = 11, 40, 21


class Watcher:
    """Everything below judder/ on a broker; sends commands. `ups`: (kind name, values by field name)."""

    def __init__(self, port: int) -> None:
        self.ups: list[tuple[str, dict[str, Any]]] = []
        self.status: list[bytes] = []
        self.retained: list[bytes] = []
        self.node = ""
        self._news = threading.Condition()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda *_: self._client.subscribe("judder/#", 1)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(10)

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._news:
            _root, self.node, what = message.topic.split("/")
            if what == "up":
                self.ups.append(named(message.payload))
            elif what == "status":
                (self.retained if message.retain else self.status).append(message.payload)
            self._news.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [values for name, values in self.ups if name == kind]

    def wait(self, condition: Any, timeout_s: float = 100.0) -> Any:
        deadline = time.monotonic() + timeout_s
        with self._news:
            while not (value := condition()):
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"not within {timeout_s:g} s: {self.ups[-5:]}"
                self._news.wait(min(left_s, 0.2))
            return value

    def sequences(self) -> list[int]:
        return [reading["sequence"] for reading in self.of("reading")]

    def command(self, *values: object) -> None:
        payload = codec.encode(schema.COMMAND, list(values))
        self._client.publish(f"judder/{self.node}/down", payload, 1).wait_for_publish(10)

    def stop(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as made:
        yield made


@pytest.fixture
def watcher(broker: Broker) -> Iterator[Watcher]:
    made = Watcher(broker.port)
    yield made
    made.stop()


def flash(folder: Path, port: int, **more: object) -> Path:
    values: dict[str, object] = {
        "mode": "continuous",
        "interval_s": 1,
        "link": "wifi",
        "wifi_ssid": "hall",
        "wifi_password": "password",
        "mqtt_host": "127.0.0.1",
        "mqtt_port": port,
        "timeout_s": 3,
        **more,
    }
    return make_flash(folder / "flash.bin", values)


def test_readings_and_alarms_reach_the_broker(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    path = flash(tmp_path, broker.port, acceleration_rms_warning_mg=500)
    story = Sine(lambda t: 0.1 if t < 8 else 0.9 if t < 16 else 0.1)
    with Node(path, story, pace=8) as node:
        watcher.wait(lambda: len(watcher.of("alarm")) == 2)
        watcher.wait(lambda: len(watcher.of("reading")) > 16)
        hello = node.of("hello")[0]
    assert watcher.of("hello")[0]["settings_crc"] == hello["settings_crc"]
    assert watcher.of("hello")[0]["link"] == 1
    assert [level(alarm) for alarm in watcher.of("alarm")] == [1, 0]
    numbers = watcher.sequences()
    assert numbers == list(range(len(numbers)))
    assert all(reading["samples_lost"] == 0 for reading in watcher.of("reading"))
    assert watcher.status[0] == b"online"
    # The power is gone, so the broker speaks for the node (MQTT 3.1.2.5).
    watcher.wait(lambda: watcher.status[-1] == b"offline")


@pytest.mark.parametrize("kind", ["amqtt", None])
def test_broker_killed_mid_run_loses_nothing_and_ages_are_right(tmp_path: Path, kind: str | None) -> None:
    with Broker(kind) as broker:
        first = Watcher(broker.port)
        with Node(flash(tmp_path, broker.port), clock="real") as node:
            first.wait(lambda: len(first.of("reading")) >= 3)
            broker.kill()
            first.stop()
            node.wait_line("next try")
            time.sleep(4)
            broker.start()
            second = Watcher(broker.port)
            second.wait(lambda: [r for r in second.of("reading") if r["age"] == 0], 60)
            second.stop()
    # A broker that is killed forgets what it has acknowledged and not yet handed on: one message at most.
    numbers = sorted(set(first.sequences() + second.sequences()))
    assert len(numbers) >= numbers[-1] - numbers[0]
    late = second.of("reading")
    ages = [reading["age"] for reading in late]
    assert max(ages) >= 4
    # One reading a second: what is older by n readings is older by n seconds.
    for older, newer in itertools.pairwise(late):
        if newer["age"]:
            assert older["age"] - newer["age"] == pytest.approx(newer["sequence"] - older["sequence"], abs=1)


def test_broker_absent_at_start(tmp_path: Path) -> None:
    with Broker() as broker:
        broker.kill()
        with Node(flash(tmp_path, broker.port), clock="real") as node:
            node.wait_line("next try")
            assert node.of("hello"), "on the console, whatever the link"
            time.sleep(2)
            broker.start()
            watcher = Watcher(broker.port)
            watcher.wait(lambda: {0, 1, 2} <= set(watcher.sequences()), 60)
            watcher.wait(lambda: [r for r in watcher.of("reading") if r["age"] == 0], 60)
            watcher.stop()
    numbers = watcher.sequences()
    assert numbers == list(range(len(numbers)))


def test_network_that_comes_and_goes(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    with Node(flash(tmp_path, broker.port), pace=10) as node:
        watcher.wait(lambda: len(watcher.of("reading")) >= 2)
        node.board.access_point.up = False
        node.wait_line("lost")
        node.wait_line("cannot be joined")
        node.board.access_point.up = True
        seen = len(watcher.of("reading"))
        watcher.wait(lambda: [r for r in watcher.of("reading")[seen:] if r["age"] == 0], 60)
    numbers = watcher.sequences()
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))


# --- downlinks


def test_settings_over_the_air(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    with Node(flash(tmp_path, broker.port, interval_s=2), clock="real") as node:
        watcher.wait(lambda: len(watcher.of("reading")) >= 1)
        before = watcher.of("hello")[0]
        # Not over the air, out of range, and then a good one.
        watcher.command(1, 0, None, {SSID: "elsewhere", INTERVAL: 1})
        watcher.command(2, 0, None, {INTERVAL: 100_000})
        watcher.wait(lambda: len(watcher.of("ack")) >= 2)
        watcher.command(3, 0, None, {INTERVAL: 1, WARNING: 700})
        watcher.wait(lambda: len(watcher.of("ack")) >= 3)
        after = watcher.wait(lambda: [h for h in watcher.of("hello") if h["settings_crc"] != before["settings_crc"]])[0]
        seen = len(watcher.of("reading"))
        watcher.wait(lambda: len(watcher.of("reading")) > seen)
        assert node.board.counters.boots == 2, "it restarts with its new settings"
    acks = {ack["tag"]: ack for ack in watcher.of("ack")}
    assert [(acks[tag]["status"], acks[tag]["detail"]) for tag in (1, 2, 3)] == [(4, SSID), (3, INTERVAL), (0, 0)]
    assert acks[1]["settings_crc"] == acks[2]["settings_crc"] == before["settings_crc"]
    assert acks[3]["settings_crc"] == after["settings_crc"]
    assert after["reset_cause"] == 2
    numbers = watcher.sequences()
    assert sorted(set(numbers)) == list(range(max(numbers) + 1)), "the restart cost no number and no reading"


def test_a_capture_is_the_block_it_says(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    path = flash(tmp_path, broker.port, interval_s=3600, block_samples=2048)
    with Node(path, Sine(lambda _t: 1.0, 500.0), pace=4):
        watcher.wait(lambda: watcher.of("reading"))
        watcher.command(7, 1, 2 + 256)
        watcher.wait(lambda: watcher.of("ack"))
        parts = watcher.wait(
            lambda: (
                watcher.of("capture")
                and len(watcher.of("capture")) == watcher.of("capture")[0]["count"]
                and watcher.of("capture")
            )
        )
    parts = sorted(parts, key=lambda part: part["index"])
    data = np.frombuffer(b"".join(part["data"] for part in parts), dtype="<i2")
    assert len(data) == parts[0]["samples"] == 2048
    g = data.astype(float) * parts[0]["scale"] / 1e6
    assert g.std() == pytest.approx(1.0, rel=0.01)
    rate_hz = parts[0]["sample_rate"] / 10
    spectrum = np.abs(np.fft.rfft(g * np.hanning(len(g))))
    assert np.argmax(spectrum) * rate_hz / len(g) == pytest.approx(500, abs=rate_hz / len(g))


def test_requests_and_reboot(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    with Node(flash(tmp_path, broker.port, interval_s=3600), clock="real") as node:
        watcher.wait(lambda: watcher.of("reading"))
        watcher.command(1, 1, 1)
        watcher.wait(lambda: len(watcher.of("reading")) == 2)
        watcher.command(2, 1, 0)
        watcher.wait(lambda: len(watcher.of("hello")) == 2)
        watcher.command(3, 2)
        watcher.wait(lambda: len(watcher.of("hello")) == 3)
        assert node.board.counters.boots == 2
    assert [(ack["tag"], ack["status"]) for ack in watcher.of("ack")] == [(1, 0), (2, 0), (3, 0)]
    assert watcher.of("reading")[1]["age"] == 0


# --- duty


def test_duty_keeps_readings_in_rtc_memory_until_the_network_is_back(tmp_path: Path) -> None:
    with Broker() as broker:
        watcher = Watcher(broker.port)
        with Node(flash(tmp_path, broker.port, mode="duty", interval_s=120)) as node:
            watcher.wait(lambda: len(watcher.of("reading")) >= 1)
            node.board.access_point.up = False
            boots = node.board.counters.boots
            node.wait(lambda: node.board.counters.boots >= boots + 6, 60)
            node.board.access_point.up = True
            watcher.wait(lambda: len(watcher.of("reading")) >= 7, 60)
            watcher.wait(lambda: watcher.of("reading")[-1]["age"] < 60, 60)
        watcher.stop()
    numbers = watcher.sequences()
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    # Frozen readings keep everything up to the battery, and their age: 120 s apart.
    old = [reading for reading in watcher.of("reading") if reading["age"] > 100]
    assert len(old) >= 3
    assert all("battery" in reading and "acceleration_peak_z" in reading for reading in old)
    for older, newer in itertools.pairwise(old):
        gap = newer["sequence"] - older["sequence"]
        if gap > 0:
            assert older["age"] - newer["age"] == pytest.approx(120 * gap, rel=0.1)
