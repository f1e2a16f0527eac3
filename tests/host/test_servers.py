"""Events of ChirpStack v4 and The Things Stack v3: what they mean, with msgspec and without, whole and broken."""

import base64
import copy
import json
from typing import Any

import pytest
from tests.host import servers

from judder import decode
from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import chirpstack, envelope, events, tts

UP = servers.named("chirpstack: up, one gateway")
TTS_UP = servers.named("tts: up")
PAYLOAD = base64.b64decode(UP["body"]["data"])


@pytest.fixture(params=["msgspec", "standard library"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "msgspec":
        assert chirpstack._quick is not None and envelope._quick is not None
    else:
        monkeypatch.setattr(chirpstack, "_quick", None)
        monkeypatch.setattr(envelope, "_quick", None)
    return str(request.param)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("vector", servers.VECTORS, ids=servers.IDS)
def test_vectors(vector: dict[str, Any]) -> None:
    text = servers.body(vector)
    for data in (
        text,
        text.decode(),
        bytearray(text),
        memoryview(text),
        vector["body"],
        b"\xef\xbb\xbf" + text + b"\r\n",
    ):
        assert servers.plain(servers.parse(vector, data)) == vector["event"]
    spaced = json.dumps(vector["body"], indent=2).encode()
    assert servers.plain(servers.parse(vector, spaced)) == vector["event"]


@pytest.mark.parametrize("vector", [v for v in servers.VECTORS if v["server"] == "chirpstack"])
def test_the_topic_names_the_same_event_as_the_contents(vector: dict[str, Any]) -> None:
    kind = vector["topic"].rsplit("/", 1)[1]
    assert servers.plain(chirpstack.parse(servers.body(vector), kind)) == vector["event"]


def test_an_ordinary_uplink_takes_the_quick_path() -> None:
    assert chirpstack._quick is not None
    for description in ("one gateway", "two gateways", "codec object"):
        assert chirpstack._quick(servers.body(servers.named(f"chirpstack: up, {description}"))) is not None


def changed(vector: dict[str, Any], *path: Any, to: Any) -> bytes:
    """Its body with one value replaced; ... takes it away."""
    whole = copy.deepcopy(vector["body"])
    part = whole
    for step in path[:-1]:
        part = part[step]
    if to is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return json.dumps(whole).encode()


def up(body: bytes) -> Uplink:
    event = chirpstack.parse(body) if b"devEui" in body else tts.parse(body)
    assert isinstance(event, Uplink), event
    return event


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("node", ["70B3D57ED0000001", "70-b3-d5-7e-d0-00-00-01", "70:B3:D5:7E:D0:00:00:01"])
def test_spellings_of_a_deveui(node: str) -> None:
    assert up(changed(UP, "deviceInfo", "devEui", to=node)).node == "70b3d57ed0000001"
    assert up(changed(TTS_UP, "end_device_ids", "dev_eui", to=node)).node == "70b3d57ed0000001"


@pytest.mark.usefixtures("reader")
def test_spellings_of_a_payload() -> None:
    # 0xFB.. gives letters in which the alphabets differ.
    payload = bytes.fromhex("84011820fbefbe")
    for text in (
        base64.b64encode(payload).decode(),
        base64.urlsafe_b64encode(payload).decode(),
        base64.urlsafe_b64encode(payload).decode().rstrip("="),
    ):
        assert up(changed(UP, "data", to=text)).payload == payload
        assert up(changed(TTS_UP, "uplink_message", "frm_payload", to=text)).payload == payload


# Unix times from GNU date.
@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("2026-07-18T09:34:15.775023242Z", 1784367255.775023),
        ("2026-07-18T09:34:15.999999999Z", 1784367256.0),
        ("2026-07-18T09:34:15.7750235Z", 1784367255.775024),
        ("2026-07-18T09:34:15.77502349999+00:00", 1784367255.775023),
        ("2026-07-18t09:34:15.5z", 1784367255.5),
        ("2026-07-18T09:34:15Z", 1784367255.0),
        ("2026-07-18T11:34:15.5+02:00", 1784367255.5),
        ("2026-07-18T04:04:15-05:30", 1784367255.0),
        ("2026-07-18T09:34:15", 1784367255.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("2106-02-07T06:28:16Z", 4294967296.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
    ],
)
def test_times(text: str, unix_s: float) -> None:
    assert up(changed(UP, "rxInfo", 0, "nsTime", to=text)).received_at == unix_s
    assert up(changed(TTS_UP, "uplink_message", "received_at", to=text)).received_at == unix_s


@pytest.mark.usefixtures("reader")
def test_a_time_that_is_none_gives_way_to_the_next_then_to_ours() -> None:
    broken = changed(UP, "rxInfo", 0, "nsTime", to="yesterday")
    assert up(broken).received_at == 1784367255.775023
    none = broken.replace(b"T09:34:15", b"T99:34:15")
    with pytest.raises(InputError, match="no time"):
        chirpstack.parse(none)
    event = chirpstack.parse(none, received_at=1784367300.0)
    assert event.received_at == 1784367300.0
    none = servers.body(TTS_UP).replace(b"T09:34:1", b"T99:34:1")
    with pytest.raises(InputError, match="no time"):
        tts.parse(none)
    assert tts.parse(none, received_at=1784367300.0).received_at == 1784367300.0


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("deviceInfo", "devEui"), "70b3d57ed000000", "16 hex digits"),
        (("deviceInfo", "devEui"), ..., "devEui is missing"),
        (("deviceInfo",), None, "devEui is missing"),
        (("deviceInfo",), [], "devEui is missing"),
        (("data",), "kAE*", "not base64"),
        (("data",), 5, "data: a text"),
        (("fCnt",), -1, "fCnt"),
        (("fCnt",), 1 << 32, "fCnt"),
        (("fCnt",), 1.5, "fCnt"),
        (("fCnt",), True, "fCnt"),
        (("fCnt",), "9" * 5000, "fCnt"),
        (("fPort",), 256, "fPort"),
        (("fPort",), "2", "fPort"),
    ],
)
def test_what_is_no_uplink(path: tuple[str, ...], to: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        chirpstack.parse(changed(UP, *path, to=to))
    assert len(str(caught.value)) < 200


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("path", "to", "field"),
    [
        (("rxInfo", 0, "rssi"), "strong", "rssi_dbm"),
        (("rxInfo", 0, "rssi"), 10**400, "rssi_dbm"),
        (("rxInfo", 0, "snr"), [], "snr_db"),
        (("rxInfo", 0, "gatewayId"), 7, "gateway"),
        (("rxInfo",), "none", "gateway"),
        (("rxInfo",), [5, None], "gateway"),
        (("txInfo",), None, "data_rate"),
        (("txInfo", "modulation"), "LORA", "data_rate"),
        (("txInfo", "modulation", "lora", "bandwidth"), "125", "data_rate"),
        (("txInfo", "frequency"), 0, "frequency_hz"),
        (("txInfo", "frequency"), -5, "frequency_hz"),
        (("devAddr",), "", "session"),
        (("deviceInfo", "deviceName"), None, "name"),
        (("deduplicationId",), 3, "dedup"),
    ],
)
def test_an_odd_word_about_the_link_does_not_cost_the_payload(path: tuple[Any, ...], to: Any, field: str) -> None:
    uplink = up(changed(UP, *path, to=to))
    assert getattr(uplink, field) is None and decode(uplink.payload).kind == "reading"


@pytest.mark.usefixtures("reader")
def test_tags_that_are_no_texts_are_left_out() -> None:
    assert up(changed(UP, "deviceInfo", "tags", to={"hall": "3", "floor": 2, "x": None})).tags == {"hall": "3"}
    assert up(changed(UP, "deviceInfo", "tags", to=None)).tags == {}


@pytest.mark.usefixtures("reader")
def test_broken_characters_in_a_name_do_not_cost_the_payload_and_can_be_written() -> None:
    for bad, name in (
        (b"pump \xff7", "pump \ufffd7"),
        (rb"pump \ud8007", "pump ?7"),
        (rb"pump \ud83d\ude007", "pump 😀7"),
    ):
        uplink = up(servers.body(UP).replace(b"pump 7", bad))
        assert uplink.name == name and uplink.payload == PAYLOAD
        name.encode()
    assert up(servers.body(UP).replace(b'"works"', b'"w\xfcrks"')).name == "pump 7"


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"up"',
        b"\x0a\x24\x08",
        b"\xff\xfe",
        b"{}",
        b'{"a":1}',
        b"[" * 10000,
        b'{"x":' * 9999,
    ],
)
def test_what_is_no_event(text: bytes) -> None:
    for parse in (chirpstack.parse, tts.parse):
        with pytest.raises(InputError) as caught:
            parse(text)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_an_event_of_chirpstack_v3_is_told_as_one() -> None:
    old = {"applicationID": "1", "devEUI": "cLPVftAAAAE=", "fCnt": 10, "fPort": 2, "data": "kAE=", "objectJSON": "{}"}
    with pytest.raises(InputError, match="v3"):
        chirpstack.parse(json.dumps(old))


def test_protobuf_is_told_as_such() -> None:
    with pytest.raises(InputError, match="json=true"):
        chirpstack.parse(b"\x0a\x24" + b"3ac7e3c4-4401-4b8d-9386-a5c902f9202d" + b"\x12\x0c")


def test_an_unknown_event_names_those_there_are() -> None:
    with pytest.raises(InputError, match="txack"):
        chirpstack.parse(servers.body(UP), "uplink")


def test_wrapped_as_the_storage_and_the_console_of_the_things_stack_do() -> None:
    assert servers.plain(tts.parse({"result": TTS_UP["body"]})) == TTS_UP["event"]
    seen = {"name": "as.up.data.forward", "data": {"@type": "type.googleapis.com/x", **TTS_UP["body"]}}
    assert servers.plain(tts.parse(seen)) == TTS_UP["event"]


def test_copies_have_one_key_and_others_another() -> None:
    uplink = up(servers.body(UP))
    again = up(changed(UP, "deduplicationId", to="another"))
    assert events.dedupe_key(uplink) == events.dedupe_key(again)
    others = [changed(UP, "fCnt", to=4712), changed(UP, "devAddr", to="00189441")]
    others.append(changed(UP, "deviceInfo", "devEui", to="70b3d57ed0000002"))
    assert len({events.dedupe_key(up(body)) for body in (servers.body(UP), *others)}) == 4
    assert events.dedupe_key(Uplink("", b"", 0.0, "mqtt", dedup="x")) == "x"
    assert events.dedupe_key(Uplink("", b"", 0.0, "mqtt")) is None


@pytest.mark.parametrize(
    ("port", "hex_", "ours"),
    [
        (None, "", True),
        (1, "8200", True),
        (2, "820100", True),
        (2, "9818" + "01" + "00" * 23, True),
        (3, "820100", False),
        (25, "82181800", True),
        (24, "821700", True),
        (223, "8218de00", True),
        (25, "8218", False),
        (25, "811819", False),
        (2, "81", False),
        (2, "980101", True),
        (2, "9901", False),
        (2, "8001", False),
        (0, "8200", False),
        (255, "8218fe00", True),
    ],
)
def test_whose_payload_it_is(port: int | None, hex_: str, ours: bool) -> None:
    uplink = Uplink("", bytes.fromhex(hex_), 0.0, "chirpstack", port)
    assert (events.foreign(uplink) is None) is ours
    if hex_:
        assert (events.sort(uplink) is uplink) is ours


def test_notices_say_only_what_was_said() -> None:
    assert events.Presence("70b3d57ed0000001", 5.0, "mqtt", online=True).to_dict() == {
        "event": "presence",
        "node": "70b3d57ed0000001",
        "received_at": 5.0,
        "source": "mqtt",
        "online": True,
    }
    assert events.Downlink("", 5.0, "tts", state="sent", ids=("a",)).to_dict()["ids"] == ["a"]


def test_envelope_remembers_no_refusal() -> None:
    for _ in range(2):
        with pytest.raises(InputError):
            envelope.node_id("7")
