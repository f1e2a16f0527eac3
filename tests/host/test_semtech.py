"""What a packet forwarder sends, as datagrams, dumps and log lines; opened with session keys.

Frames and keys are the published ones of tests/vectors/lorawan_1_0.json. Datagrams are written by hand after Semtech's
PROTOCOL.TXT v1.4 section 3.2 and 4. Dumps are recorded: tests/vectors/dumps.json.
"""

import base64
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from judder.cli import decode as cli
from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import blocks, events, semtech, text
from judder.virtual.lorawan import frames
from judder.virtual.lorawan.sessions import Session, Sessions

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "lorawan_1_0.json").read_text())
DUMPS = json.loads((Path(__file__).parents[1] / "vectors" / "dumps.json").read_text())
UPS: list[dict[str, Any]] = VECTORS["up"]
GATEWAY = "0016c001f153a14c"
NODE = "70b3d57ed0000001"
NOW = 1784367300.0
NWK, APP = bytes(range(16)), bytes(range(16, 32))
READING = bytes.fromhex("86011828f619019f0700")
PHY = frames.DataFrame(frames.CONFIRMED_UP, 0x26011BDA, 70000, port=2, payload=READING).build(NWK, APP)


def rxpk(phy: bytes, **more: Any) -> dict[str, Any]:
    """The keys of PROTOCOL.TXT's own example."""
    row = {"time": "2026-07-18T09:34:15.528002Z", "tmst": 3512348611, "chan": 2, "rfch": 0, "freq": 866.349812}
    row |= {"stat": 1, "modu": "LORA", "datr": "SF7BW125", "codr": "4/6", "rssi": -35, "lsnr": 5.1}
    return row | {"size": len(phy), "data": base64.b64encode(phy).decode()} | more


def push(*rows: dict[str, Any]) -> bytes:
    head = bytes((2, 0x12, 0x34, 0)) + bytes.fromhex(GATEWAY)
    return head + json.dumps({"rxpk": list(rows)}).encode()


def sessions(*, fcnt: int = 70000) -> Sessions:
    return Sessions([Session(NODE, 0x26011BDA, NWK, APP, fcnt)])


WANTED = Uplink(NODE, READING, 1784367255.528002, "semtech", 2, 70000, "26011bda", True, -35.0, 5.1)
WANTED.gateway, WANTED.data_rate, WANTED.frequency_hz = GATEWAY, "SF7BW125", 866349812


def test_a_datagram() -> None:
    (frame,) = semtech.datagram(push(rxpk(PHY)), received_at=NOW)
    assert semtech.event(frame, sessions().open) == WANTED
    assert len(semtech.datagram(push(rxpk(PHY), rxpk(PHY)), received_at=NOW)) == 2
    (frame,) = semtech.datagram(push(rxpk(PHY, time=None)), received_at=NOW)
    assert frame.received_at == NOW
    unpadded = rxpk(PHY) | {"data": rxpk(PHY)["data"].rstrip("=")}
    assert semtech.datagram(push(unpadded), received_at=NOW)[0].phy == PHY


def test_without_keys_it_is_foreign_and_shows_the_frame() -> None:
    (frame,) = semtech.datagram(push(rxpk(PHY)), received_at=NOW)
    for opener in (None, Sessions([Session(NODE, 0x26011BDA, APP, NWK, 70000)]).open, Sessions([]).open):
        event = semtech.event(frame, opener)
        assert isinstance(event, events.Foreign) and "26011bda" in event.reason
        assert (event.uplink.payload, event.uplink.fcnt) == (PHY, 70000 & 0xFFFF)


@pytest.mark.parametrize("vector", UPS, ids=[vector["source"] for vector in UPS])
def test_published_frames_open(vector: dict[str, Any]) -> None:
    session = Session(NODE, int(vector["dev_addr"], 16), bytes.fromhex(vector["nwk"]), bytes.fromhex(vector["app"]))
    session.fcnt = vector["counter"]
    opened = Sessions([session]).open(bytes.fromhex(vector["frame"]))
    assert opened == semtech.Opened(NODE, vector["counter"], vector["port"], bytes.fromhex(vector["payload"]))
    frame = semtech.Frame(bytes.fromhex(vector["frame"]), NOW)
    event = semtech.event(frame, Sessions([session]).open)
    # None of them is a message of ours; one without a payload is nothing at all.
    assert isinstance(event, events.Foreign if vector["payload"] else events.Other)


@pytest.mark.parametrize(
    ("fcnt", "known", "opens"), [(5, 0, True), (65536 + 5, 0, True), (4 * 65536, 0, False), (4 * 65536, 65536, True)]
)
def test_a_counter_that_wrapped_its_sixteen_bits(fcnt: int, known: int, opens: bool) -> None:
    phy = frames.DataFrame(frames.UP, 0x26011BDA, fcnt, port=2, payload=READING).build(NWK, APP)
    opened = sessions(fcnt=known).open(phy)
    assert (opened is not None) is opens
    assert opened is None or (opened.fcnt, opened.payload) == (fcnt, READING)


@pytest.mark.parametrize(
    ("phy", "what"),
    [
        (bytes.fromhex(VECTORS["joins"][0]["frame"]), "join request"),
        (bytes.fromhex(VECTORS["accepts"][0]["frame"]), "frame of LoRaWAN type 1"),
        (b"", "damaged frame"),
        (PHY[:11], "damaged frame"),
        (bytes((PHY[0] | 1,)) + PHY[1:], "damaged frame"),
    ],
)
def test_frames_without_a_payload_of_a_node(phy: bytes, what: str) -> None:
    event = semtech.event(semtech.Frame(phy, NOW), sessions().open)
    assert isinstance(event, events.Other) and event.what == what
    assert event.node == (VECTORS["joins"][0]["dev_eui"] if what == "join request" else "")


def test_a_frame_with_a_wrong_crc_is_not_believed() -> None:
    (frame,) = semtech.datagram(push(rxpk(PHY, stat=-1)), received_at=NOW)
    event = semtech.event(frame, sessions().open)
    assert isinstance(event, events.Other) and event.what == "damaged frame"


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
def test_keep_alives_hold_no_frames(kind: int) -> None:
    assert semtech.datagram(bytes((2, 0, 0, kind)) + bytes(8), received_at=NOW) == []
    status = push()[:12] + b'{"stat":{"time":"2026-07-18 09:34:15 GMT","rxnb":2}}'
    assert semtech.datagram(status, received_at=NOW) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"\x02\x00\x00", b"\x03\x00\x00\x00" + bytes(8), b"\x02\x00\x00\x09", push()[:11], push()[:12], push()[:-1]]
    + [push()[:12] + body for body in (b"{}", b"[]", b'{"rxpk":5}', b'{"rxpk":[5]}', b'{"rxpk":[]}')]
    + [push(rxpk(PHY, size=3)), push(rxpk(PHY, data="*")), push(rxpk(PHY, data=7))],
)
def test_what_is_no_datagram(data: bytes) -> None:
    with pytest.raises(InputError):
        semtech.datagram(data, received_at=NOW)


def ip(payload: bytes) -> bytes:
    """RFC 791 and 768 headers, checksums left 0."""
    udp = (40000).to_bytes(2, "big") + (1700).to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + bytes(2)
    return bytes((0x45, 0)) + (28 + len(payload)).to_bytes(2, "big") + bytes(5) + b"\x11" + bytes(10) + udp + payload


def ip6(payload: bytes) -> bytes:
    """RFC 8200."""
    udp = (40000).to_bytes(2, "big") + (1700).to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + bytes(2)
    return b"\x60\0\0\0" + (8 + len(payload)).to_bytes(2, "big") + b"\x11\x40" + bytes(32) + udp + payload


def decoded(lines: str) -> list[events.Event]:
    found = list(text.from_lines(lines.splitlines(keepends=True), open_frame=sessions().open))
    return [part.event for part in found if part.event is not None]


def test_recorded_dumps_are_of_this_datagram() -> None:
    assert bytes.fromhex(DUMPS["datagram"]) == push(rxpk(PHY))


@pytest.mark.parametrize("dump", DUMPS["dumps"], ids=[dump["tool"] for dump in DUMPS["dumps"]])
def test_dumps_as_tools_print_them(dump: dict[str, str]) -> None:
    found = list(text.from_lines(dump["text"].splitlines(keepends=True), open_frame=sessions().open))
    assert [part.event for part in found] == [WANTED] * (2 if "two" in dump["tool"] else 1)


def test_a_dump_of_one_message() -> None:
    (event,) = decoded("00000000: 8601 1828 f619 019f 0700                 ...(......\n")
    assert isinstance(event, Uplink) and event.payload == READING and math.isnan(event.received_at)


def test_pieces_of_a_dump_are_not_put_together_wrongly() -> None:
    (dump,) = (dump["text"] for dump in DUMPS["dumps"] if dump["tool"] == "xxd")
    lines = dump.splitlines()
    for gap in (1, 5, len(lines) - 1):
        found = list(text.from_lines(lines[:gap] + lines[gap + 1 :], open_frame=sessions().open))
        assert not any(isinstance(part.event, Uplink) for part in found)


def test_lines_of_a_forwarder_log() -> None:
    row = json.dumps({"rxpk": [rxpk(PHY), rxpk(PHY)]})
    log = f"INFO: [up] PUSH_ACK received in 3 ms\nJSON up: {row}\n# {row}\n{row}\n"
    without_gateway = [event for event in decoded(log) if isinstance(event, Uplink)]
    assert len(without_gateway) == 4
    assert all(event.payload == READING and event.gateway is None for event in without_gateway)


def test_random_bytes_are_refused_or_typed() -> None:
    rng = random.Random(3)
    whole = push(rxpk(PHY), rxpk(PHY))
    opener = sessions().open
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            found = semtech.datagram(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]), received_at=NOW)
        except InputError:
            continue
        for frame in found:
            event = semtech.event(frame, opener)
            # The MIC lets nothing through that was changed.
            assert not isinstance(event, Uplink) or event.payload == READING
    for _ in range(3000):
        packet = rng.randbytes(rng.randrange(60))
        blocks.udp_payload(packet)
        semtech.event(semtech.Frame(packet, NOW), opener)


KEYS = f"""
[[session]]
node = "{NODE}"
dev_addr = "26011bda"
nwk_s_key = "{NWK.hex()}"
app_s_key = "{APP.hex()}"
fcnt = 69000
"""


def test_judder_decode_with_sessions(tmp_path: Path) -> None:
    keys, dump = tmp_path / "sessions.toml", tmp_path / "capture.txt"
    keys.write_text(KEYS)
    dump.write_text(next(dump["text"] for dump in DUMPS["dumps"] if "two" in dump["tool"]))
    done = CliRunner().invoke(cli.command, ["--file", str(dump), "--sessions", str(keys)])
    rows = [json.loads(row) for row in done.output.splitlines() if row.startswith("{")]
    assert done.exit_code == 0 and [row.get("kind") for row in rows] == ["reading"] * 2
    assert rows[1]["node"] == NODE and rows[1]["uplink"]["fcnt"] == 70000
    done = CliRunner().invoke(cli.command, ["--file", str(dump)])
    assert "session keys are missing" in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("nwk_s_key", "nwkskey"), "unknown"),
        (("26011bda", "26011bd"), "dev_addr has 8"),
        ((NWK.hex(), NWK.hex()[:-2]), "nwk_s_key has 32"),
        ((APP.hex(), "x"), "app_s_key has 32"),
        ((NODE, "7"), "16 hex digits"),
        (("69000", '"many"'), "fcnt"),
        ((KEYS, ""), "at least one"),
        ((KEYS, "session = [5]"), "a table"),
        ((KEYS, "["), "sessions.toml"),
    ],
)
def test_a_file_of_sessions_that_is_wrong(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "sessions.toml"
    path.write_text(KEYS.replace(*change))
    with pytest.raises(InputError, match=words) as caught:
        Sessions.load(path)
    assert NWK.hex()[:20] not in str(caught.value) and APP.hex()[:20] not in str(caught.value)
    with pytest.raises(InputError, match="cannot read"):
        Sessions.load(tmp_path / "none")


def test_keys_are_not_shown() -> None:
    assert NWK.hex() not in repr(Session(NODE, 1, NWK, APP)) and repr(NWK) not in repr(Session(NODE, 1, NWK, APP))
