"""encode_command(): what it makes the node's own command handler takes, and decode() reads back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2
import pytest

from judder import decode, encode_command
from judder.decode import command, records
from judder.errors import EncodeError, JudderError, SettingsError
from judder_core import schema, settings
from node.commands import Commands
from node.config import Config

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())["commands"]


class _Records:
    """Of the cfg partition: what was saved last."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload

    def load(self) -> bytes:
        return self.payload

    def save(self, payload: bytes) -> None:
        self.payload = payload


def node(**values: object) -> Commands:
    """The firmware's own handler over a provisioned node."""
    return Commands(Config(_Records(settings.pack(values))))


# Bytes by hand after RFC 8949: array(5), 16, tag, action, argument, map of key 11 -> 300.
BY_HAND = [
    ({"tag": 7, "settings": {"interval_s": 300}}, "85100700f6a10b19012c"),
    ({"tag": 8, "request": "capture", "axis": "y"}, "84100801190202"),
    ({"tag": 9, "reboot": True}, "83100902"),
    ({"tag": 0, "request": "hello"}, "8410000100"),
]


@pytest.mark.parametrize(("call", "frame"), BY_HAND)
def test_frames_by_hand(call: Mapping[str, Any], frame: str) -> None:
    assert encode_command(**call).hex() == frame


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["description"]) for vector in VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    if "hex" in vector:
        assert encode_command(**vector["command"]).hex() == vector["hex"]
    else:
        with pytest.raises(JudderError, match=vector["error"]["names"]):
            encode_command(**vector["command"])


def test_the_node_follows_each() -> None:
    assert node().handle(encode_command(1, settings={"interval_s": 300, "mode": "duty"}))[0][:2] == (1, 0)
    assert node().handle(encode_command(2, reboot=True))[1] == ("restart",)
    for axis, number in (("x", 1), ("y", 2), ("z", 3)):
        assert node().handle(encode_command(3, request="capture", axis=axis))[1] == ("capture", number)
    for request in schema.REQUESTS:
        if request != "capture":
            assert node().handle(encode_command(4, request=request))[1] == (request,)


def test_decode_reads_it_back() -> None:
    found = decode(encode_command(5, settings={"range_g": 8, "label": "pump 3", "change_rule": False}))
    assert isinstance(found, records.Command)
    assert (found.tag, found.action) == (5, "settings")
    assert found.to_dict()["settings"] == {"range_g": 2, "label": "pump 3", "change_rule": 0}


def test_every_setting_the_node_takes_can_be_sent() -> None:
    for key, name, kind, low, _high, default, _secret, _meaning in settings.SETTINGS:
        value = low[default] if kind == "choice" else default.hex() if isinstance(default, bytes) else default
        if key in settings.OVER_THE_AIR_REFUSED:
            with pytest.raises(SettingsError, match="over the air"):
                encode_command(1, settings={name: value})
        else:
            assert cbor2.loads(encode_command(1, settings={name: value}))[4] == {key: default}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({}, "exactly one of"),
        ({"reboot": True, "request": "hello"}, "request and reboot"),
        ({"settings": {}}, "at least one"),
        ({"request": "captures"}, "not one of hello, reading, capture, spectrum"),
        ({"request": "capture"}, "needs an axis"),
        ({"request": "capture", "axis": "w"}, "needs an axis"),
        ({"request": "hello", "axis": "x"}, "goes with"),
        ({"reboot": True, "tag": -1}, "tag: -1 is outside"),
        ({"reboot": True, "tag": 1 << 32}, "tag"),
        ({"settings": {"label": "x" * 60}, "limit": 51}, "does not fit 51 bytes"),
    ],
)
def test_refusals(call: Mapping[str, Any], says: str) -> None:
    with pytest.raises(EncodeError, match=says):
        encode_command(**{"tag": 1, **call})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("intervall_s", 5, "did you mean interval_s"),
        ("interval_s", 86401, "outside"),
        ("interval_s", "soon", "whole number"),
        ("mode", "eco", "duty, continuous"),
    ],
)
def test_settings_are_checked_before_anything_is_sent(name: str, value: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        encode_command(1, settings={name: value})


def test_port() -> None:
    assert command.COMMAND_PORT == 17
