"""Topics of brokers, and what is published the other way."""

import base64
import json
from typing import Any

import pytest
from tests.host import servers

from judder import decode, encode_command
from judder.errors import DecodeError, InputError
from judder.flow import Uplink
from judder.ingest import chirpstack, downlink, events, topics

NODE = "70b3d57ed0000001"
NOW = 1784367300.0
APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"
FRAME = encode_command(7, settings={"interval_s": 300})


@pytest.mark.parametrize("vector", servers.VECTORS, ids=servers.IDS)
@pytest.mark.parametrize("prefix", ["", "site/7/"])
def test_topics_of_servers(vector: dict[str, Any], prefix: str) -> None:
    event = topics.parse(prefix + vector["topic"], servers.body(vector), received_at=NOW)
    assert servers.plain(event) == vector["event"]


@pytest.mark.parametrize("node", [NODE, NODE.upper()])
@pytest.mark.parametrize("form", ["judder/{}/{}", "plant/judder/{}/{}", "judder.{}.{}"])
def test_topics_of_our_own(form: str, node: str) -> None:
    up = topics.parse(form.format(node, "up"), b"\x82\x01\x00", received_at=NOW, source="nats")
    assert up == Uplink(NODE, b"\x82\x01\x00", NOW, "nats")
    for word in ("online", "offline"):
        event = topics.parse(form.format(node, "status"), word.encode(), received_at=NOW)
        assert event == events.Presence(NODE, NOW, "mqtt", online=word == "online")
    assert isinstance(topics.parse(form.format(node, "down"), FRAME, received_at=NOW), events.Other)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("", b"\x82\x01\x00"),
        ("up", b"\x82\x01\x00"),
        (f"judder/{NODE}", b"\x82\x01\x00"),
        (f"judder/{NODE[1:]}/up", b"\x82\x01\x00"),
        (f"judder/{NODE}/sideways", b"\x82\x01\x00"),
        (f"judder/{NODE}/status", b"on\xff"),
        (f"application/1/device/{NODE}/event/up", b"\x82\x01\x00"),
        ("application/1/device/x/event/up", b"{}"),
        (f"application/1/device/{NODE}/command/down", b"{}"),
        ("v3/app@ttn/devices/dev/up", b"{}"),
        ("v3/app@ttn/devices", b"{}"),
        ("gateway/0016c001f153a14c/event/up", b"{}"),
        ("x" * 300, b"{}"),
    ],
)
def test_what_is_refused(topic: str, body: bytes) -> None:
    with pytest.raises(InputError) as caught:
        topics.parse(topic, body, received_at=NOW)
    assert len(str(caught.value)) < 200


def test_the_topic_and_our_clock_stand_in_for_what_an_event_does_not_say() -> None:
    body = json.dumps({"data": "ggEA", "fPort": 2}).encode()
    event = topics.parse(f"application/1/device/{NODE}/event/up", body, received_at=NOW)
    assert event == Uplink(NODE, b"\x82\x01\x00", NOW, "chirpstack", port=2, fcnt=0)


@pytest.mark.parametrize(
    ("topic", "node"),
    [
        (f"judder/{NODE}/x", NODE),
        (f"application/1/device/{NODE.upper()}/event/up", NODE),
        (f"device/judder/{NODE}/up", NODE),
        ("judder/x/up", ""),
        ("v3/app/devices/dev/up", ""),
        ("", ""),
        ("judder", ""),
    ],
)
def test_node_of_a_topic(topic: str, node: str) -> None:
    assert topics.node_of(topic) == node


def test_what_others_send_down_is_no_event_of_a_node() -> None:
    for what in ("push", "replace"):
        event = topics.parse(f"v3/app@ttn/devices/dev/down/{what}", b"{}", received_at=NOW)
        assert isinstance(event, events.Other)


# The other way. Keys: DownlinkCommand in ChirpStack's integration.proto (JSON names); "Downlink Messages" in Data
# Formats of The Things Stack. 17 = COMMAND (16) + 1.


def test_down_to_our_own_broker() -> None:
    assert downlink.mqtt(NODE.upper(), FRAME) == (f"judder/{NODE}/down", FRAME)


def test_down_to_chirpstack() -> None:
    item = "e4c1c4e2-8d3a-4a3c-ba55-7b5d2be6b9a8"
    topic, body = downlink.chirpstack(NODE.upper(), FRAME, application=APPLICATION, confirmed=True, id=item)
    assert topic == f"application/{APPLICATION}/device/{NODE}/command/down"
    assert json.loads(body) == {
        "id": item,
        "devEui": NODE,
        "confirmed": True,
        "fPort": 17,
        "data": base64.b64encode(FRAME).decode(),
    }
    assert "id" not in json.loads(downlink.chirpstack(NODE, FRAME, application=APPLICATION)[1])


@pytest.mark.parametrize(("replace", "last"), [(False, "push"), (True, "replace")])
def test_down_to_the_things_stack(replace: bool, last: str) -> None:
    topic, body = downlink.tts("pump-7", FRAME, application="machines@works", id="judder-7", replace=replace)
    assert topic == f"v3/machines@works/devices/pump-7/down/{last}"
    assert json.loads(body) == {
        "downlinks": [
            {
                "f_port": 17,
                "frm_payload": base64.b64encode(FRAME).decode(),
                "priority": "NORMAL",
                "confirmed": False,
                "correlation_ids": ["judder-7"],
            }
        ]
    }


def test_what_comes_down_can_be_read_as_what_went_up() -> None:
    """A downlink's data under an uplink's keys: the same frame, for a port that is its own."""
    sent = json.loads(downlink.chirpstack(NODE, FRAME, application=APPLICATION)[1])
    event = chirpstack.parse({"deviceInfo": {"devEui": sent["devEui"]}, **sent}, "up", received_at=NOW)
    assert isinstance(event, Uplink)
    command = decode(event.payload)
    assert (command.kind, command.tag) == ("command", 7)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: downlink.mqtt("7", FRAME), InputError),
        (lambda: downlink.chirpstack("7", FRAME, application=APPLICATION), InputError),
        (lambda: downlink.chirpstack(NODE, FRAME, application="1"), InputError),
        (lambda: downlink.chirpstack(NODE, FRAME, application=APPLICATION, id="mine"), InputError),
        (lambda: downlink.chirpstack(NODE, b"\x01\x02", application=APPLICATION), DecodeError),
        (lambda: downlink.tts("a/b", FRAME, application="x"), InputError),
        (lambda: downlink.tts("a", FRAME, application="x/#"), InputError),
        (lambda: downlink.tts("", FRAME, application="x"), InputError),
        (lambda: downlink.tts("a", FRAME, application="x", priority="high"), InputError),
        (lambda: downlink.tts("a", b"", application="x"), DecodeError),
    ],
)
def test_downlinks_that_cannot_be(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()
