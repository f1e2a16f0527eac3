"""Provisioning through the real mpremote transport, on the true firmware, step by step and when things go wrong."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from judder.decode import decode
from judder.decode.records import Hello, Reading
from judder.device import images, profile
from judder.device.boards import Board
from judder.device.events import Event
from judder.device.keyring import Keyring
from judder.device.provision import provision
from judder.device.repl import Repl
from judder.device.service import Service
from judder.errors import JudderError, NoBoard, Refused, SelfTestFailed, SettingsError, exit_code
from judder.ingest.console import ConsoleReader
from judder.virtual import factory
from judder.virtual.board import VirtualBoard
from judder.virtual.wiring import Wiring
from judder_core import settings

MAC = bytes.fromhex("024a44010203")
# EUI-64 of that MAC by hand: FF FE between the third and the fourth byte.
NODE = "024a44fffe010203"


@pytest.fixture
def virtual(tmp_path: Path, board: Board, made: images.Images) -> Iterator[VirtualBoard]:
    flash = factory.make_flash(tmp_path / "flash.bin", board, made, None)
    # By its own clock: a machine busy with other work would make the FIFO overrun, and the self-test say so.
    with VirtualBoard(flash, flash_size=board.flash_bytes, mac=MAC, clock="virtual", pace=10) as running:
        yield running


class Heard:
    """Every record a board sends over its console."""

    def __init__(self, virtual: VirtualBoard) -> None:
        self._reader = ConsoleReader()
        self.records: list[object] = []
        virtual.console(self._hear)

    def _hear(self, data: bytes) -> None:
        self.records += [decode(payload) for _node, payload in self._reader.feed(data)]

    def wait(self, kind: type, timeout_s: float = 90) -> object:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for record in list(self.records):
                if isinstance(record, kind):
                    return record
            time.sleep(0.05)
        raise AssertionError(f"no {kind.__name__} within {timeout_s} s, but {self.records}")


def test_a_fresh_node_says_hello_and_nothing_else(virtual: VirtualBoard) -> None:
    heard = Heard(virtual)
    virtual.reset()
    hello = heard.wait(Hello)
    assert isinstance(hello, Hello)
    assert not hello.provisioned
    assert (hello.settings_crc, hello.firmware, hello.board) == (0, "0.1.0", 1)
    time.sleep(1)
    assert {type(record) for record in heard.records} == {Hello}


def test_settings_key_and_self_test(virtual: VirtualBoard, tmp_path: Path) -> None:
    events: list[Event] = []
    wanted = profile.from_table({"mode": "continuous", "interval_s": 1, "label": "pump 3 Süd"})
    report = provision(virtual.port, wanted, keys=tmp_path / "keys", on_event=events.append)
    assert report.node == NODE
    assert report.generation == 0
    assert {"self-test x", "self-test y", "self-test z", "sample rate"} <= {check.name for check in report.self_test}
    assert all(check.ok for check in report.self_test)
    assert [event.step for event in events if event.done == event.total][-1] == "restart"

    entry = Keyring(tmp_path / "keys").load(NODE)
    assert entry is not None
    key = bytes.fromhex(str(entry["node_key"]))
    payload = settings.pack({**wanted, "node_id": bytes.fromhex(NODE), "node_key": key})
    # The record stands in flash as it was sent.
    assert payload in (tmp_path / "flash.bin").read_bytes()
    heard = Heard(virtual)
    reading = heard.wait(Reading)
    assert isinstance(reading, Reading)
    assert reading.acceleration_rms_mg.z is not None


def test_every_node_and_every_provisioning_gets_a_key_of_its_own(virtual: VirtualBoard, tmp_path: Path) -> None:
    keys = set()
    for generation in (0, 1, 2):
        report = provision(virtual.port, {}, keys=tmp_path, self_test=False)
        assert report.generation == generation
        keys.add(json.loads((tmp_path / f"{NODE}.json").read_text())["node_key"])
    assert len(keys) == 3


def test_contradicting_settings_never_reach_the_node(virtual: VirtualBoard, tmp_path: Path) -> None:
    wanted = {"acceleration_rms_warning_mg": 500, "acceleration_rms_danger_mg": 400}
    with pytest.raises(SettingsError, match="below the warning limit"):
        provision(virtual.port, wanted, keys=tmp_path)
    assert list(tmp_path.glob("*.json")) == []
    with Repl(virtual.port) as repl:
        about = Service(repl).describe()
    assert about["provisioned"] is False


def test_node_itself_refuses_what_a_wrong_host_might_send(virtual: VirtualBoard) -> None:
    with Repl(virtual.port) as repl:
        service = Service(repl)
        with pytest.raises(Refused, match="interval_s"):
            service.write_settings(b"\xa1\x0b\x20")  # {11: -1}: interval_s below its range
        with pytest.raises(Refused, match="map"):
            service.write_settings(b"\x80")  # an array
        with pytest.raises(Refused, match="shortest"):
            service.write_settings(b"\xa1\x0b\x18\x01")  # 1 in two bytes
        with pytest.raises(Refused, match="bytes"):
            service.write_settings(bytes(5000))
        assert service.describe()["provisioned"] is False
        service.write_settings(b"\xa1\x0b\x09")
        assert service.describe()["provisioned"] is True
        service.wipe()
        assert service.describe()["provisioned"] is False


def test_power_cut_at_every_flash_operation_of_the_write(tmp_path: Path, board: Board, made: images.Images) -> None:
    """Old settings or new ones, whole; the command run again finishes."""
    old = {"node_id": bytes.fromhex(NODE), "interval_s": 7}
    for mode in ("drop", "torn"):
        for after in (1, 2):
            flash = factory.make_flash(tmp_path / "flash.bin", board, made, old)
            with VirtualBoard(flash, flash_size=board.flash_bytes, mac=MAC) as virtual:
                virtual.cut_power_at_flash(after, mode)
                virtual.reset()
                with pytest.raises(JudderError):
                    provision(virtual.port, {"interval_s": 9}, keys=tmp_path, self_test=False, answer_timeout_s=2)
                assert virtual.power_lost.is_set()
                virtual.restart()
                with Repl(virtual.port) as repl:
                    about = Service(repl).describe()
                assert about["provisioned"] is True
                assert about["generation"] in (1, 2)
                report = provision(virtual.port, {"interval_s": 9}, keys=tmp_path, self_test=False)
                assert report.generation in (2, 3)


def test_sensor_that_is_not_there_fails_the_self_test(tmp_path: Path, board: Board, made: images.Images) -> None:
    flash = factory.make_flash(tmp_path / "flash.bin", board, made, None)
    bare = VirtualBoard(flash, flash_size=board.flash_bytes, mac=MAC, wiring=Wiring())
    with bare as virtual, pytest.raises(SelfTestFailed, match="iis3dwb") as caught:
        provision(virtual.port, {}, keys=tmp_path)
    assert exit_code(caught.value) == 4
    assert caught.value.report is not None


def test_no_board_there() -> None:
    with pytest.raises(NoBoard) as caught:
        provision("/dev/ttyUSB987", {}, keys=None)
    assert exit_code(caught.value) == 2
