"""Power cuts over a join and 200 uplinks: no number twice on the air, and always a session that both ends know.

Power goes at every flash operation (dropped, torn, complete) and at every step of the MAC between them: a record to
save, state into RTC memory, a frame begun, a frame over, each window, a deep sleep. RTC memory is kept (a reset, a
brown-out) or lost. Then the node starts on what is left, has to deliver, and is cut again while it does.

JUDDER_FULL=1 (`make soak`) is every cut there is, torn at every byte; else it is each thirteenth of a coarser survey.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from typing import Any

import pytest
from other_end import OtherEnd
from powered import BLANK, Moment, Node, Sent
from tests.powercut import Cut, Flash, Report, record, survey

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import regions
from judder.virtual.lorawan.device import Session
from judder.virtual.lorawan.mirror import Mirror
from node.link.lorawan import session

FULL = bool(os.environ.get("JUDDER_FULL"))
UPLINKS = 200
KEY = bytes(range(16))
NWK, APP, ADDRESS = bytes(range(32, 48)), bytes(range(48, 64)), bytes.fromhex("26011bda")

# Commands of the network, from that uplink on until they are answered. The channel mask is not the one after a join.
EU868 = {
    4: [mac.link_adr(5, 0, 0x0015, 0, 1)],
    20: [mac.rx_timing_setup(3)],
    75: [mac.new_channel(8, 866_100_000), mac.dl_channel(0, 867_900_000)],
    90: [mac.rx_param_setup(869_525_000, 3, 1)],
    120: [mac.link_adr(4, 2, 0x0103, 0, 2)],
    150: [mac.dev_status(), mac.link_adr(5, 1, 0x0106, 0, 1)],
}
US915 = {
    4: [mac.link_adr(3, 0, 0x0000, 7), mac.link_adr(3, 0, 0x0F00, 0)],
    80: [mac.rx_param_setup(923_900_000, 8, 1), mac.rx_timing_setup(2)],
    130: [mac.link_adr(2, 5, 0x02, 5, 2)],
}


def otaa() -> Any:
    made = session.otaa(bytes(7) + b"\1", bytes(8), KEY)
    made.data_rate = 5
    return made


def abp() -> Any:
    made = session.abp(ADDRESS, NWK, APP)
    made.data_rate = 5
    return made


def network(region: str) -> OtherEnd:
    plan = regions.find(region.upper())
    return OtherEnd(plan, KEY, script=dict(US915 if plan.fixed else EU868), lose=7)


def abp_network(region: str) -> OtherEnd:
    plan = regions.find(region.upper())
    script = {4: [mac.link_adr(5, 0, 0x0005, 0, 1)], 90: [mac.rx_timing_setup(3)]}
    return OtherEnd(
        plan, session=Session(int.from_bytes(ADDRESS, "big"), NWK, APP, Mirror(plan)), script=script, lose=7
    )


class Life:
    """What is cut: make(flash, **what is left) -> Node."""

    def __init__(self, make: type[Node], region: str, identity: Callable[[], Any], other: Callable[[str], OtherEnd]):
        self.make, self.region, self.identity, self.other = make, region, identity, other
        self.uplinks = UPLINKS

    def workload(self, flash: Flash) -> Node:
        node = self.make(flash, self.region, self.identity, self.other(self.region))
        for number in range(self.uplinks):
            node.deliver(b"reading %d" % number, number % 5 == 0)
            if number % 10 == 9:
                node.nap()
        return node

    def after(self, flash: Flash, cut: Cut, log: list[Sent], kept: bool) -> Node | None:
        """The start after a cut, and two messages, of which the second has to be acknowledged."""
        if not cut.marks:
            return None
        moment: Moment = cut.marks[-1]
        other = moment.other.copied()
        other.lose, other.script = 0, {}
        node = self.make(
            flash,
            self.region,
            self.identity,
            other,
            rtc=moment.rtc if kept else None,
            log=tuple(log[: moment.sent]),
            # Without RTC memory the clock starts afresh too.
            now_ms=moment.now_ms if kept else 500,
        )
        check(node, moment, node.deliver(b"after", False) and node.deliver(b"the cut", True))
        if kept and cut.at_mark and moment.newest and other.joins == moment.other.joins:
            # From RTC memory it goes on where it was; a frame that was announced but not begun may be missing.
            numbers = [sent.number for sent in node.log if sent.of == node.log[-1].of]
            assert all(after - before <= 2 for before, after in itertools.pairwise(numbers)), numbers
        return node


def check(node: Node, moment: Moment, delivered: bool) -> None:
    """Nothing twice, nothing that the other end objects to, and delivered."""
    assert node.other.faults == []
    before = {(sent.of, sent.number) for sent in node.log[: moment.sent]}
    for sent in node.log[moment.sent :]:
        assert (sent.of, sent.number) not in before, f"{sent.of.hex() or 'DevNonce'} {sent.number} used again"
    assert delivered, f"no session any more: joined {node.mac.session.joined}, {node.other.joins} joins"


def cut_everywhere(life: Life, kept: bool, **options: Any) -> Report:
    """RTC memory kept or lost at the first cut; at the second one lost. options: of survey()."""
    _flash, whole = record(BLANK, life.workload)

    def recover(flash: Flash, cut: Cut) -> Node | None:
        return life.after(flash, cut, whole.log, kept)

    def judge(flash: Flash, again: Cut, found: Node | None) -> None:
        if found is not None:
            life.after(flash, again, found.log, False)

    return survey(BLANK, life.workload, recover, judge, at_marks=True, **options)


LIVES = {
    "EU868, OTAA": ("eu868", otaa, network),
    "US915, OTAA": ("us915", otaa, network),
    "EU868, ABP": ("eu868", abp, abp_network),
}


@pytest.mark.parametrize("kept", [False, True], ids=["RTC memory lost", "RTC memory kept"])
@pytest.mark.parametrize("name", LIVES)
def test_every_power_cut(name: str, kept: bool) -> None:
    options = {"judge_every": 13} if FULL else {"thorough": False, "every": 13, "judge_every": 29}
    report = cut_everywhere(Life(Node, *LIVES[name]), kept, **options)
    singles = report.cuts - report.double_cuts
    memory = "kept" if kept else "lost"
    print(f"\n{name}, RTC memory {memory}: {singles} cuts, {report.double_cuts} second ones in the start after them")
    assert report.failures == []
    assert singles > (5000 if FULL else 80)
    assert report.double_cuts > (10_000 if FULL else 40)


@pytest.mark.parametrize("name", LIVES)
def test_one_write_for_64_uplinks(name: str) -> None:
    """And those of a join, and one for each command of the network that changes channels or windows."""
    region, identity, other = LIVES[name]
    writes = {}
    for commands in (True, False):
        life = Life(Node, region, identity, other)
        flash = Flash(BLANK)
        node = life.make(flash, region, identity, other(region))
        node.other.script = node.other.script if commands else {}
        changes = len(node.other.script)
        for number in range(UPLINKS):
            assert node.deliver(b"reading %d" % number, False)
            if number % 10 == 9:
                node.nap()
        uplinks = len({(sent.of, sent.number) for sent in node.log if sent.of})
        joins = 2 if node.other.joins else 0
        writes[commands] = node.saves
        assert node.saves == len([event for event in flash.events if event[0] == "erase"])
        assert node.saves <= joins + math.ceil(uplinks / 64) + changes
    assert writes[False] < writes[True]


# --- controls: each is unsafe in one way, and has to be found out


class WritesTheRecordAfterwards(Node):
    """Believes a record is safe when it is only meant to be written, and writes it when the frame is over."""

    owed: bytes | None = None

    def save(self, blob: bytes) -> None:
        self.owed = blob

    def poll(self) -> int | None:
        found = super().poll()
        if found is not None and self.owed is not None:
            blob, self.owed = self.owed, None
            super().save(blob)
        return found


class RemembersAfterwards(Node):
    """Puts the session into RTC memory when the frame is over."""

    due: bytes | None = None

    def keep(self, blob: bytes) -> None:
        self.due = bytes(blob)

    def poll(self) -> int | None:
        found = super().poll()
        if found is not None and self.due is not None:
            blob, self.due = self.due, None
            super().keep(blob)
        return found

    def nap(self, seconds: int = 60) -> None:
        super().keep(self.link.session())
        super().nap(seconds)


class ForgetsTheMask(Node):
    """Starts with every channel on."""

    def make_mac(self, *arguments: Any) -> Any:
        made = super().make_mac(*arguments)
        made.session.plan.masked(made.session.plan.mask, 6, 0xFF)
        return made


class ForgetsItsWindows(Node):
    """Starts with the windows of the region."""

    def make_mac(self, *arguments: Any) -> Any:
        made = super().make_mac(*arguments)
        made.session.rx1_delay_s = 1
        return made


class KeepsCommandsToItself(Node):
    """Does not write down what the network changes, until the next 64 uplinks."""

    def make_mac(self, *arguments: Any) -> Any:
        made = super().make_mac(*arguments)
        made.session.agreed = lambda: ()
        return made


class ReservesNothing(Node):
    """Goes on with the counter of the record instead of the end of its reservation."""

    def make_mac(self, *arguments: Any) -> Any:
        made = super().make_mac(*arguments)
        if self.rtc is None:
            made.session.fcnt_up = max(0, made.session.fcnt_up - 64)
        return made


@pytest.mark.parametrize(
    ("kind", "kept", "said"),
    [
        (WritesTheRecordAfterwards, False, "used again"),
        (RemembersAfterwards, True, "used again"),
        (ForgetsTheMask, False, "is off"),
        (ForgetsTheMask, True, "is off"),
        (ForgetsItsWindows, False, "no session any more"),
        (KeepsCommandsToItself, False, "is off"),
        (ReservesNothing, False, "FCntUp"),
    ],
)
def test_the_survey_catches_what_is_not_safe(kind: type[Node], kept: bool, said: str) -> None:
    life = Life(kind, "eu868", otaa, network)
    life.uplinks = 30
    report = cut_everywhere(life, kept, thorough=False, judge_every=10_000, enough=lambda failure: said in failure)
    assert any(said in failure for failure in report.failures), (kind.__doc__, report.failures[:3])
