"""Power cuts while driver, radio, air and network server run: the server's own audit is the judge.

Unlike test_lorawan_powercut.py not every place, but the whole way: frames collide with nothing, windows are opened by
the SX1262's driver, and the network server plans channels and data rates as it does for a fleet.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from link_bench import CONFIRM_ALL, Bench
from tests.powercut import SECTOR_BYTES, Fragile, PowerCut

from judder.virtual.clock import GOING, OFF
from judder_core import codec, schema
from node.message import build
from node.store.records import Records

# In how many messages; JUDDER_FULL=1 (`make soak`) is the full count.
UPLINKS = 200 if os.environ.get("JUDDER_FULL") else 24
BOOT_US = 300_000


class Unplugged(Bench):
    """A bench whose power goes in every second message or so: between steps, or in the middle of a flash operation.

    cuts: how often; torn: how often of these in flash.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, region: str, seed: int, **options: Any) -> None:
        self.chance = random.Random(seed)
        self.flash = Fragile(b"\xff" * (2 * SECTOR_BYTES), self.chance)
        self.ticks_left: int | None = None
        self.cuts = self.torn = 0
        super().__init__(monkeypatch, region, CONFIRM_ALL, **options)

    def save(self, blob: bytes) -> None:
        Records(self.flash).save(blob)

    def _tick(self) -> None:
        if self.ticks_left is not None:
            self.ticks_left -= 1
            if self.ticks_left < 0:
                raise PowerCut

    def arm(self) -> None:
        """Power goes some steps from now, or in one of the next flash operations."""
        self.ticks_left = self.flash.fuse = None
        if self.chance.random() < 0.5:
            self.ticks_left = self.chance.randrange(120)
        if self.chance.random() < 0.5:
            self.flash.fuse = self.chance.randrange(3)

    def restart(self) -> None:
        """Power is back, or only the processor was reset: then RTC memory is as it was."""
        self.cuts += 1
        self.torn += self.flash.fuse is not None and self.flash.fuse < 0
        self.flash = Fragile(bytes(self.flash.image), self.chance)
        self.ticks_left = None
        reset = self.chance.random() < 0.5
        clock = self.time.board
        if not reset:
            clock.become(OFF)
            clock.power_on()
            clock.pass_over(BOOT_US)
            self.time._now_us = BOOT_US
            self.chip.power_on()
            clock.become(GOING)
        else:
            # What it heard since it last wrote is lost to it as well: the audit has to know.
            self.chip.station.power_ons += 1
            self.time.sleep_us(BOOT_US)
        blob = Records(self.flash).load()
        self.vault = [blob] if blob else []
        self.start(self.rtc[-1] if reset and self.rtc else None)


def reading(sequence: int) -> bytes:
    return codec.encode(
        schema.READING, build.reading(0, 250, sequence, [10, 20, 30], [40, 50, 60], 3700, 266_670, 0), 11
    )


@pytest.mark.parametrize(("region", "seed"), [("EU868", 1), ("US915", 2), ("AS923-1", 3)])
def test_the_audit_finds_nothing(monkeypatch: pytest.MonkeyPatch, region: str, seed: int) -> None:
    node = Unplugged(monkeypatch, region, seed, sub_band=2 if region == "US915" else 0)
    delivered = 0
    for number in range(UPLINKS):
        node.arm()
        try:
            if node.run(4000, until=node.link.ready) and node.send(reading(number)):
                delivered += 1
            node.run(20)
        except PowerCut:
            node.restart()
        node.ticks_left = node.flash.fuse = None
    assert node.server.violations == []
    assert node.air.timeline.errors == []
    # What a cut radio was doing is its own affair; nothing else was done to it that its data sheet forbids.
    assert [fault for fault in node.chip.faults if "cut short" not in fault] == []
    session = node.server.devices[next(iter(node.server.devices))]
    print(f"\n{region}: {node.cuts} cuts, {node.torn} in flash, {delivered} delivered, {session.joins} joins")
    assert node.cuts > UPLINKS // 3 and node.torn > UPLINKS // 50
    assert session.joins <= 6, "one session goes on, whatever happens after it was written"
    for number in range(3):
        # A gateway that still answers what came before the last cut hears nothing meanwhile.
        node.run(20)
        assert node.run(4000, until=node.link.ready) and node.send(reading(UPLINKS + number)) is True
