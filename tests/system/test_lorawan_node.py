"""The real firmware on the virtual board over LoRaWAN: readings, commands and their trial, power cuts, a dead radio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lorawan_world import DEV_EUI, World

from judder.device import boards, images
from judder.virtual.lorawan.audit import describe
from judder_core import schema

Make = Callable[..., World]


@pytest.fixture(scope="module")
def lora() -> images.Images:
    return images.build(boards.load("virtual-esp32s3-sx1262"))


@pytest.fixture
def world(tmp_path: Path, lora: images.Images) -> Iterator[Make]:
    made: list[World] = []

    def make(region: str = "EU868", **values: Any) -> World:
        made.append(World(tmp_path, lora, region, **values))
        made[-1].__enter__()
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)
        assert one.server.violations == [], describe(one.server.violations)
        assert one.radio is None or one.radio.faults == []


def test_a_node_asleep_between_readings_keeps_its_session(world: Make) -> None:
    it = world()
    it.wait(lambda: len(it.of("reading")) >= 5)
    numbers = [reading.sequence for reading in it.of("reading")]
    assert numbers[:5] == list(range(5))
    assert len(it.of("hello")) == 1
    assert it.of("hello")[0].link == "lorawan"
    counters = [up.get("fCnt", 0) for up in it.ups]
    assert counters == list(range(len(counters))), "one session over every deep sleep"
    assert it.node.counters.boots >= 4
    assert not it.of("reading")[-1].clock_not_set, "the network told the time"
    # Age is from the measurement to the sending: an exchange or two.
    assert all(reading.age_s <= 20 for reading in it.of("reading"))


def test_settings_over_the_air_are_proved_acknowledged_and_kept(world: Make) -> None:
    it = world()
    it.wait(lambda: it.of("reading"))
    it.command("settings", changes={"interval_s": 30, "lorawan_confirm": "all"})
    ack = it.wait(lambda: it.of("ack"))[0]
    assert (ack.tag, ack.status) == (7, "done")
    before = len(it.ups)
    it.wait(lambda: len(it.ups) >= before + 3)
    assert all(up.get("confirmed") for up in it.ups[before:])
    joins = sum(event.kind == "join" for event in it.server.events)
    assert joins == 1, "new settings, the same session"
    # The trial is over: a later loss of the network does not bring the old ones back.
    it.node.power_cut()
    it.node.restart()
    before = len(it.ups)
    it.wait(lambda: len(it.ups) >= before + 2)
    assert it.ups[-1].get("confirmed")


def test_settings_that_cut_the_node_off_are_taken_back(world: Make) -> None:
    it = world(revert_after=3, lorawan_confirm="none", antenna_gain_db=2)
    it.wait(lambda: it.of("reading"))
    # An antenna of 20 dB, it says: the radio goes down by as much, and out of reach.
    it.path_loss_db = 133.0
    it.command("settings", changes={"antenna_gain_db": 20, "lorawan_adr": "off"})
    it.wait(lambda: any("back to those before" in line for line in it.lines), 90)
    back = it.wait(lambda: [ack for ack in it.of("ack") if ack.status == "taken back"], 90)
    assert back[0].tag == 7
    before = len(it.ups)
    it.wait(lambda: len(it.ups) >= before + 2)


def test_a_power_cut_reuses_no_counter_and_needs_no_join(world: Make) -> None:
    it = world()
    for cut in range(1, 4):
        it.wait(lambda wanted=3 * cut: len(it.ups) >= wanted)
        it.node.power_cut()
        it.node.restart()
    it.wait(lambda: len(it.ups) >= 12)
    counters = [up.get("fCnt", 0) for up in it.ups]
    assert len(set(counters)) == len(counters)
    assert counters == sorted(counters)
    assert sum(event.kind == "join" for event in it.server.events) == 1


def test_us915_at_its_slowest_gets_the_essential_through(world: Make) -> None:
    it = world("US915", lorawan_sub_band=2, lorawan_data_rate=0, lorawan_adr="off", acceleration_rms_warning_mg=1)
    it.wait(lambda: it.of("alarm") and len(it.of("reading")) >= 3)
    assert it.heard[0].kind == "alarm", "goes first"
    assert all(len(up["data"]) <= 16 for up in it.ups), "11 bytes, in base64"
    alarm = it.of("alarm")[0]
    assert (alarm.metric, alarm.alarm_level) == ("acceleration_rms", "warning") and alarm.value > alarm.limit


def test_a_radio_that_is_not_there_is_said_counted_and_the_node_measures_on(world: Make) -> None:
    it = world(mode="continuous", interval_s=5)
    it.wait(lambda: it.of("hello"))
    wiring = it.node.wiring
    spi, driven = dict(wiring.spi), dict(wiring.driven)
    it.node.power_cut()
    wiring.spi = {pins: chip for pins, chip in spi.items() if chip is not it.radio}
    wiring.driven.clear()
    it.lines.clear()
    it.node.restart()
    it.wait(lambda: any("SX1262" in line for line in it.lines))
    assert it.wait(lambda: [one for one in it.console if one.kind == "hello"])
    assert not any("Traceback" in line for line in it.lines)
    # It is back, without a restart.
    wiring.spi.update(spi)
    wiring.driven.update(driven)
    it.command("request", schema.REQUESTS.index("hello"))
    assert it.wait(lambda: [hello for hello in it.of("hello") if hello.link_failures])


def test_asked_for_a_hello_it_says_how_the_radio_does(world: Make) -> None:
    it = world()
    it.wait(lambda: it.of("reading"))
    good = it.server.build(DEV_EUI, port=schema.COMMAND + 1, payload=b"x")
    bit_off, short, anothers = good[:-1] + bytes((good[-1] ^ 1,)), good[:9], good[:1] + bytes(4) + good[5:]
    for phy in (bit_off, short, anothers):
        it.server.inject(DEV_EUI, phy)
    before = len(it.ups)
    it.wait(lambda: len(it.ups) >= before + 4)
    it.command("request", schema.REQUESTS.index("hello"))
    it.wait(lambda: len(it.of("hello")) >= 2)
    hello = it.of("hello")[-1]
    assert hello.joins == 1 and hello.uplinks >= 2
    assert hello.downlinks >= 1
    assert hello.downlinks_refused == 3
    assert -100 <= hello.rssi_dbm <= -70
