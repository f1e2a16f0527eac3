"""The real firmware on virtual boards with a LoRaWAN modem, in an air with a gateway and a network server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lorawan_world import World

from judder.device import boards, images
from judder.virtual.lorawan.audit import describe
from judder_core import schema

Make = Callable[..., World]


@pytest.fixture(scope="module", params=["rak3172", "wioe5"])
def built(request: pytest.FixtureRequest) -> images.Images:
    return images.build(boards.load(f"virtual-esp32s3-{request.param}"))


@pytest.fixture
def world(tmp_path: Path, built: images.Images) -> Iterator[Make]:
    made: list[World] = []

    def make(region: str = "EU868", **values: Any) -> World:
        made.append(World(tmp_path, built, region, built.board.name, **values))
        made[-1].__enter__()
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)
        assert one.air.timeline.errors == []
        assert one.server.violations == [], describe(one.server.violations)


def joins(it: World) -> int:
    return sum(event.kind == "join" for event in it.server.events)


def test_a_node_asleep_between_readings_does_not_join_again(world: Make) -> None:
    it = world()
    it.wait(lambda: len(it.of("reading")) >= 5)
    assert [reading.sequence for reading in it.of("reading")][:5] == list(range(5))
    counters = [up.get("fCnt", 0) for up in it.ups]
    assert counters == list(range(len(counters))), "one session over every deep sleep"
    assert joins(it) == 1
    assert it.node.counters.boots >= 4
    it.command("request", schema.REQUESTS.index("hello"))
    hello = it.wait(lambda: it.of("hello")[1:])[0]
    assert (hello.link, hello.joins, hello.join_failures, hello.downlinks) == ("lorawan", 1, 0, 1)
    assert (hello.data_rate, hello.rssi_dbm) == (5, pytest.approx(-80, abs=20))
    assert it.modem is not None
    assert it.modem.starts == 1


def test_settings_over_the_air_are_proved_acknowledged_and_kept(world: Make) -> None:
    it = world()
    it.wait(lambda: it.of("reading"))
    it.command("settings", changes={"interval_s": 30, "lorawan_confirm": "all"})
    ack = it.wait(lambda: it.of("ack"))[0]
    assert (ack.tag, ack.status) == (7, "done")
    before = len(it.ups)
    it.wait(lambda: len(it.ups) >= before + 3)
    assert all(up.get("confirmed") for up in it.ups[before:])


def test_a_power_cut_loses_no_reading_for_good(world: Make) -> None:
    it = world()
    it.wait(lambda: len(it.of("reading")) >= 3)
    it.node.power_cut()
    it.node.restart()
    before = len(it.of("reading"))
    it.wait(lambda: len(it.of("reading")) >= before + 3)
    assert joins(it) == 2, "modem and node had lost their power"


def test_a_modem_that_restarts_by_itself_is_joined_again(world: Make) -> None:
    it = world(mode="continuous", interval_s=20)
    it.wait(lambda: len(it.of("reading")) >= 2)
    assert it.modem is not None
    with it.air.lock:
        it.modem.restart(it.node.clock.now_us + 5_000_000)
    it.wait(lambda: joins(it) == 2, 90)
    before = len(it.of("reading"))
    it.wait(lambda: len(it.of("reading")) >= before + 2, 90)


def test_a_modem_that_is_not_there_is_said_and_the_node_measures_on(world: Make) -> None:
    it = world(mode="continuous", interval_s=5)
    assert it.modem is not None
    it.node.power_cut()
    it.modem.present = False
    it.lines.clear()
    it.node.restart()
    it.wait(lambda: any("is it powered, wired, and set to this speed?" in line for line in it.lines))
    it.wait(lambda: [one for one in it.console if one.kind == "hello"])
    assert not any("Traceback" in line for line in it.lines)
