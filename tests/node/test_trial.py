"""Settings that came over the air: kept when the other side is heard, taken back after too many failures."""

from __future__ import annotations

import types

import pytest
from tests.powercut import Flash

from judder_core import cbor, codec, schema, settings
from node.commands import Commands
from node.config import Config
from node.message import build
from node.store.records import SECTOR_BYTES, Records
from node.trial import Trial

INTERVAL, SSID, REVERT = (settings.row(name)[0] for name in ("interval_s", "wifi_ssid", "revert_after"))


class Node:
    """As much of a node as a trial needs; restart() is what a reset leaves."""

    def __init__(self, revert_after: int = 3) -> None:
        self.flash = Flash(b"\xff" * (2 * SECTOR_BYTES))
        Records(self.flash).save(settings.pack({"interval_s": 60, "revert_after": revert_after}))
        self.state = types.SimpleNamespace(trial_failures=0)
        self.acks: list[list] = []
        self.said: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.config = Config(Records(self.flash))
        self.link = types.SimpleNamespace(failures=0, proofs=0)
        self.insisting = types.SimpleNamespace(insist=False, put=lambda _kind, values, _ms: self.acks.append(values))
        self.trial = Trial(self.config, self.state, self.link, self.insisting, build, self.said.append)

    def command(self, changes: dict, tag: int = 99) -> tuple:
        payload = codec.encode(schema.COMMAND, [tag, 0, None, changes])
        return Commands(self.config).handle(payload)[0]


def test_a_word_from_the_other_side_ends_the_trial_for_good() -> None:
    node = Node()
    node.command({INTERVAL: 5})
    node.restart()
    assert (node.config.values["interval_s"], node.config.trial) == (5, 99)
    assert node.insisting.insist, "messages ask for proof"
    node.link.failures = 2
    assert not node.trial.judge(0)
    node.link.proofs = 1
    assert not node.trial.judge(0)
    assert (node.config.trial, node.insisting.insist) == (None, False)
    node.link.failures = 50
    assert not node.trial.judge(0)
    node.restart()
    assert (node.config.values["interval_s"], node.config.trial) == (5, None)


def test_too_many_failures_bring_the_old_settings_back_over_restarts_too() -> None:
    node = Node(revert_after=3)
    before = node.config.crc
    node.command({INTERVAL: 5})
    for _ in range(2):
        node.restart()
        node.link.failures = 1
        assert not node.trial.judge(0)
    node.restart()
    node.link.failures = 1
    assert node.trial.judge(0)
    assert node.acks == [[99, schema.ACK_STATUSES.index("taken back"), 0, before]]
    node.restart()
    assert (node.config.values["interval_s"], node.config.trial, node.config.crc) == (60, None, before)
    assert node.state.trial_failures == 0


def test_the_crc_is_of_the_settings_not_of_the_trial() -> None:
    node = Node()
    answer = node.command({INTERVAL: 5})
    on_trial = node.config.crc
    assert answer[3] == on_trial
    node.restart()
    assert node.config.crc == on_trial
    node.link.proofs = 1
    node.trial.judge(0)
    node.restart()
    assert node.config.crc == on_trial


def test_without_a_limit_there_is_no_trial() -> None:
    node = Node(revert_after=0)
    node.command({INTERVAL: 5})
    node.restart()
    assert node.config.trial is None


def test_a_second_change_counts_from_the_first_that_was_heard() -> None:
    node = Node()
    node.command({INTERVAL: 5})
    node.command({INTERVAL: 6}, tag=100)
    node.restart()
    assert (node.config.values["interval_s"], node.config.trial) == (6, 100)
    node.link.failures = 3
    assert node.trial.judge(0)
    assert Config(Records(node.flash)).values["interval_s"] == 5


def test_flash_that_fails_does_not_stop_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    node.command({INTERVAL: 5})
    node.restart()

    def fails(*_arguments: object) -> None:
        raise OSError(5)

    monkeypatch.setattr(node.flash, "erase", fails)
    node.link.failures = 5
    assert not node.trial.judge(0)
    assert node.said


def test_old_settings_that_are_damaged_leave_the_new_ones() -> None:
    node = Node()
    node.command({INTERVAL: 5})
    newest = 1 if bytes(node.flash.image[SECTOR_BYTES : SECTOR_BYTES + 16]) != b"\xff" * 16 else 0
    older = (1 - newest) * SECTOR_BYTES
    node.flash.image[older + 8] ^= 0xFF
    node.restart()
    node.link.failures = 3
    assert not node.trial.judge(0)
    assert node.config.trial is None
    assert any("lost" in line for line in node.said)
    assert cbor.decode(node.config.payload)[INTERVAL] == 5


def test_which_network_a_node_is_in_is_not_settable_over_the_air() -> None:
    node = Node()
    for name in ("lorawan_region", "app_key", "dev_addr", "join_eui"):
        key = settings.row(name)[0]
        assert node.command({key: 0})[1] == schema.ACK_STATUSES.index("not settable")
    assert node.command({settings.row("lorawan_data_rate")[0]: 3})[1] == 0
