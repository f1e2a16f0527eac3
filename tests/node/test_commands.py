"""COMMANDs as they arrive, and their answers: node.commands."""

from __future__ import annotations

import binascii

import pytest
from tests.node.test_delivery import reading
from tests.powercut import Flash

from judder_core import cbor, codec, schema, settings
from node.commands import Commands
from node.config import Config as RealConfig
from node.message import build
from node.store.records import Records


class Config(RealConfig):
    """The real one on a flash in memory. writes: records saved since it was made; fails: flash takes no more."""

    def __init__(self, values: dict | None = None, fails: bool = False, payload: bytes = b"") -> None:
        self.flash = Flash(b"\xff" * 8192)
        if values is not None:
            Records(self.flash).save(payload or settings.pack({"revert_after": 0, **values}))
        super().__init__(Records(self.flash))
        self.flash.events.clear()
        if fails:
            self.records.save = self._fail  # type: ignore[method-assign]

    def _fail(self, _payload: bytes) -> None:
        raise OSError(5)

    def written(self) -> bytes:
        """The record now in flash."""
        return bytes(Records(self.flash).load() or b"")


def command(action: int, argument: int | None = None, changes: dict | None = None, tag: int = 99) -> bytes:
    return codec.encode(schema.COMMAND, [tag, action, argument, changes])


INTERVAL, BLOCK, SSID, WARNING, REVERT = 11, 12, 21, 40, 117


def test_settings_are_saved_whole_and_acknowledged_with_the_new_crc() -> None:
    config = Config({"interval_s": 60, "node_key": bytes(32)})
    answer, todo = Commands(config).handle(command(0, changes={INTERVAL: 5, WARNING: 300}))
    values, _unknown = settings.unpack(config.written())
    assert (values["interval_s"], values["acceleration_rms_warning_mg"], values["node_key"]) == (5, 300, bytes(32))
    assert answer == (99, 0, 0, binascii.crc32(config.written()))
    assert todo == ("restart",)


def test_settings_a_newer_host_put_there_stay() -> None:
    config = Config({}, payload=cbor.encode({INTERVAL: 60, REVERT: 0, 999: 1}))
    Commands(config).handle(command(0, changes={INTERVAL: 5}))
    assert cbor.decode(config.written()) == {INTERVAL: 5, REVERT: 0, 999: 1}


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({INTERVAL: 5, SSID: "mine"}, 4, SSID),
        ({2: bytes(32)}, 4, 2),
        ({INTERVAL: 5, 12345: 1}, 4, 12345),
        ({INTERVAL: 86_401}, 3, INTERVAL),
        ({INTERVAL: "often"}, 3, INTERVAL),
        ({BLOCK: 1001}, 3, BLOCK),  # a contradiction, not a range: must be a multiple of 8
        ({}, 3, 4),
        (None, 3, 4),
    ],
)
def test_refused_settings_change_nothing(changes: dict | None, status: int, detail: int) -> None:
    config = Config({"interval_s": 60})
    before = config.crc
    commands = Commands(config)
    answer, todo = commands.handle(command(0, changes=changes))
    assert answer == (99, status, detail, before)
    assert todo is None
    assert config.flash.events == []
    assert commands.refused == 1


def test_flash_that_fails_is_said_and_the_old_settings_stay() -> None:
    config = Config({"interval_s": 60}, fails=True)
    before = config.crc
    assert Commands(config).handle(command(0, changes={INTERVAL: 5})) == ((99, 5, 0, before), None)


def test_a_node_nobody_provisioned_takes_no_settings() -> None:
    assert Commands(Config(None)).handle(command(0, changes={INTERVAL: 5}))[0][1] == 1


@pytest.mark.parametrize(
    ("argument", "status", "todo"),
    [
        (None, 0, ("hello",)),
        (0, 0, ("hello",)),
        (1, 0, ("reading",)),
        (2 + 256, 0, ("capture", 1)),
        (2 + 3 * 256, 0, ("capture", 3)),
        (2, 3, None),
        (2 + 4 * 256, 3, None),
        (3, 0, ("spectrum",)),
        (4, 3, None),
    ],
)
def test_requests(argument: int | None, status: int, todo: tuple | None) -> None:
    answer, wanted = Commands(Config({})).handle(command(1, argument))
    assert (answer[1], wanted) == (status, todo)


@pytest.mark.parametrize(("can", "status", "todo"), [(True, 0, ("capture", 2)), (False, 1, None)])
def test_a_waveform_that_cannot_be_sent_is_refused(can: bool, status: int, todo: tuple | None) -> None:
    commands = Commands(Config({}), can_capture=lambda: can)
    answer, wanted = commands.handle(command(1, 2 + 2 * 256))
    assert (answer[1], wanted) == (status, todo)
    assert commands.handle(command(1, 1))[1] == ("reading",), "nothing else asks"


def test_reboot_and_unknown_actions() -> None:
    commands = Commands(Config({}))
    assert commands.handle(command(2))[1] == ("restart",)
    assert commands.handle(command(77))[0][1] == 2


def test_what_is_no_command_is_counted_and_not_answered() -> None:
    commands = Commands(Config({}))
    for payload in (b"", b"\xff", build.pack(schema.READING, reading(1)), b"\x81\x10", bytes(300)):
        assert commands.handle(payload) == (None, None)
    assert commands.refused == 5
