"""Payloads and events as people and programs write them down, and files of them."""

import base64
import gzip
import json
import math
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from tests.host import servers

from judder.errors import DecodeError, InputError
from judder.flow import Uplink
from judder.ingest import blocks, events, files, plain, text
from judder_core import line

NODE = bytes.fromhex("70b3d5fffe000001")


HEX = "86011828f619019f0700"
WANTED = bytes.fromhex(HEX)


@pytest.mark.parametrize(
    "written",
    [
        HEX,
        HEX.upper(),
        " " + HEX + "\n",
        "0x86, 0x01, 0x18,0x28,0xf6,0x19,0x01,0x9f,0x07,0x00",
        "86:01:18:28:f6:19:01:9f:07:00",
    ]
    + ["86 01 18 28 f6 19 01 9f 07 00", "86-01-18-28-f6-19-01-9f-07-00", "hgEYKPYZAZ8HAA==", "hgEYKPYZAZ8HAA"],
)
def test_spellings_of_one_payload(written: str) -> None:
    assert text.parse(written) == WANTED


def test_base64_of_a_message_is_never_taken_for_hex() -> None:
    for first in range(0x80, 0xA0):
        for second in range(256):
            data = bytes([first, second, 0xAB, 0xCD, 0xEF, 0xAB])
            assert text.parse(base64.b64encode(data).decode()) == data
            assert text.parse(base64.urlsafe_b64encode(data).decode()) == data


@pytest.mark.parametrize("written", ["860", "8601zz!", "8", "=", "ä"])
def test_what_is_no_payload(written: str) -> None:
    with pytest.raises(InputError):
        text.parse(written)


def test_base64_by_order() -> None:
    assert text.parse("abcd") == b"\xab\xcd"
    assert text.parse("abcd", is_base64=True) == b"i\xb7\x1d"


def payload_of(found: text.Found) -> bytes:
    assert isinstance(found.event, Uplink), found
    return found.event.payload


def one(found: list[text.Found]) -> Any:
    assert len(found) == 1
    return payload_of(found[0]) if found[0].error is None else type(found[0].error)


def test_lines_of_every_form() -> None:
    mqtt = '{"node":"70b3d5fffe000001","payload":"' + HEX + '"}'
    chirpstack = '{"devEui":"70b3d5fffe000001","fPort":2,"data":"hgEYKPYZAZ8HAA=="}'
    for written in (HEX, mqtt, chirpstack, line.encode(NODE, WANTED), "noise " + line.encode(NODE, WANTED)):
        (found,) = text.from_lines(iter([written]))
        assert payload_of(found) == WANTED and isinstance(found.event, Uplink)
        assert found.event.node in ("", NODE.hex()) and math.isnan(found.event.received_at)
    assert list(text.from_lines(iter(["", "  \n", "# comment"]))) == []
    for written in ('{"payload":5}', "{", "[1]", '{"kind":"reading"}', "Traceback"):
        assert one(list(text.from_lines(iter([written])))) is InputError
    assert one(list(text.from_lines(iter([line.encode(NODE, WANTED)[:-1]])))) is DecodeError


def test_arguments_of_one_byte_each_are_one_payload() -> None:
    assert one(list(text.from_arguments(tuple(HEX[i : i + 2] for i in range(0, len(HEX), 2))))) == WANTED
    assert len(list(text.from_arguments((HEX, HEX)))) == 2


@pytest.mark.parametrize("vector", servers.VECTORS, ids=servers.IDS)
@pytest.mark.parametrize("form", ["line", "pretty", "array", "pretty array", "topic", "argument"])
def test_events_of_servers_in_every_form(vector: dict[str, Any], form: str) -> None:
    body = servers.body(vector).decode()
    lines = {
        "pretty": json.dumps(vector["body"], indent=2).splitlines(keepends=True),
        "array": [f"[{body}, {body}]"],
        "pretty array": json.dumps([vector["body"]] * 2, indent=4).splitlines(),
        "topic": [f"{vector['topic']} {body}\n"],
    }.get(form, [body])
    found = list(text.from_arguments((body,)) if form == "argument" else text.from_lines(lines))
    assert len(found) == (2 if "array" in form else 1)
    for part in found:
        assert part.number == 1 and part.error is None and part.event is not None
        assert servers.plain(part.event) == vector["event"]


def test_what_the_storage_of_the_things_stack_gives() -> None:
    vector = servers.named("tts: up")
    (found,) = text.from_lines([json.dumps({"result": vector["body"]}) + "\n"])
    assert found.event is not None and servers.plain(found.event) == vector["event"]


def test_numbers_are_those_of_lines_also_behind_pretty_json() -> None:
    pretty = json.dumps(servers.VECTORS[0]["body"], indent=2).splitlines()
    found = list(text.from_lines([*pretty, "", "zz!", *pretty, HEX]))
    n = len(pretty)
    assert [(one.number, one.error is None) for one in found] == [
        (1, True),
        (n + 2, False),
        (n + 3, True),
        (2 * n + 3, True),
    ]


def test_one_bad_element_of_an_array_costs_only_itself() -> None:
    good = servers.VECTORS[0]["body"]
    found = list(text.from_lines([json.dumps([good, {"payload": 5}, good, {}, good])]))
    assert [part.error is None for part in found] == [True, False, True, False, True]


def test_json_that_never_ends_is_one_error() -> None:
    (found,) = text.from_lines(["{", *['"a": 1,'] * 50])
    assert isinstance(found.error, InputError)
    found_all = list(text.from_lines(["{", *['"a": 1,\n'] * (blocks.MAX_LINES + 5), HEX]))
    assert isinstance(found_all[0].error, InputError) and payload_of(found_all[-1]) == WANTED


def test_topics_of_our_own_on_a_line() -> None:
    for payload in (HEX, "hgEYKPYZAZ8HAA==", "86 01 18 28 f6 19 01 9f 07 00"):
        (found,) = text.from_lines([f"plant/judder/{NODE.hex()}/up {payload}\n"], received_at=5.0)
        assert found.event == Uplink(NODE.hex(), WANTED, 5.0, "mqtt")
    (found,) = text.from_lines([f"judder/{NODE.hex()}/status offline"], received_at=5.0)
    assert found.event == events.Presence(NODE.hex(), 5.0, "mqtt", online=False)
    for wrong in (f"judder/{NODE.hex()}/up zz!", "judder/pump/up 820100", f"judder/{NODE.hex()}/status maybe"):
        assert one(list(text.from_lines([wrong]))) is InputError


ROW = {
    "node": "70b3d57ed0000001",
    "payload": HEX,
    "received_at": 1784367255.5,
    "source": "tts",
    "port": 2,
    "fcnt": 0,
    "session": "s",
    "confirmed": True,
    "rssi_dbm": -90.0,
    "snr_db": 0.0,
    "gateway": "roof",
    "data_rate": "SF7BW125",
    "frequency_hz": 868100000,
    "name": "pump-7",
    "tags": {"hall": "3"},
    "dedup": "x",
}


def test_rows_of_our_own_there_and_back() -> None:
    uplink = plain.from_dict(ROW)
    assert isinstance(uplink, Uplink)
    assert plain.to_dict(uplink) == ROW
    assert plain.from_dict(json.loads(json.dumps(plain.to_dict(uplink)))) == uplink
    bare = plain.from_dict({"payload": HEX}, received_at=5.0)
    assert bare == Uplink("", WANTED, 5.0, "file")
    assert plain.to_dict(bare) == {"payload": HEX, "received_at": 5.0, "source": "file"}


def test_rows_somebody_flattened() -> None:
    row = {"devEui": NODE.hex().upper(), "fPort": 2, "fCnt": 7, "data": base64.b64encode(WANTED).decode()}
    wanted = Uplink(NODE.hex(), WANTED, 1784367255.0, "file", port=2, fcnt=7)
    assert plain.from_dict(row | {"time": "2026-07-18T09:34:15Z"}) == wanted
    row = {"dev_eui": NODE.hex(), "f_port": 2, "f_cnt": 7, "frm_payload": HEX}
    assert plain.from_dict(row, received_at=1784367255.0) == wanted
    assert isinstance(plain.from_dict(row | {"f_port": 3}, received_at=1.0), events.Foreign)
    named = plain.from_dict({"node": "pump 7", "payload": HEX}, received_at=1.0)
    assert isinstance(named, Uplink) and (named.node, named.name) == ("", "pump 7")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"payload": None},
        {"payload": 5},
        {"payload": ""},
        {"payload": HEX, "fcnt": -1},
        {"payload": HEX, "port": "2"},
    ],
)
def test_rows_that_are_none(row: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        plain.from_dict(row, received_at=1.0)


def test_a_row_without_a_time_is_refused_where_none_is_handed_in() -> None:
    with pytest.raises(InputError, match="no time"):
        plain.from_dict({"payload": HEX})


def read(path: Path, **options: Any) -> list[text.Found]:
    return list(files.read(path, **options))


def test_files_are_one_raw_message_or_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, wanted in (
        (WANTED, WANTED),
        (b"\xef\xbb\xbf" + HEX.encode() + b"\r\n", WANTED),
        (b"\xff\xfe\x00", InputError),
    ):
        path.write_bytes(data)
        assert one(read(path)) == wanted
        path.write_bytes(gzip.compress(data))
        assert one(read(path)) == wanted
    path.write_bytes(f"{HEX}\n\nzz!\n{HEX}\n".encode())
    assert [(found.number, found.error is None) for found in read(path)] == [(1, True), (3, False), (4, True)]
    path.write_bytes(b"")
    assert read(path) == []
    path.write_bytes(b"\x98" + bytes(100_000))
    assert len(payload_of(read(path)[0])) < 10_000


@pytest.mark.parametrize("name", ["missing", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path / name)


def test_files_that_are_cut_off_say_so_behind_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(b"\n".join(servers.body(vector) for vector in servers.VECTORS))[:-200])
    found = []
    with pytest.raises(InputError, match="cannot read"):
        for part in files.read(path):
            found.append(part)
    assert found and all(part.error is None for part in found[:-1])
    whole = bytearray(gzip.compress(random.Random(1).randbytes(5000).hex().encode()))
    whole[len(whole) // 2 : len(whole) // 2 + 8] = b"\xff" * 8
    path.write_bytes(whole)
    with pytest.raises(InputError, match="cannot read"):
        read(path)
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="cannot read"):
        read(path)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "uplinks.parquet"
    moment = datetime(2026, 7, 18, 9, 34, 15, 500_000, tzinfo=UTC)
    columns = {
        "node": [ROW["node"], None, "pump 7"],
        "payload": pyarrow.array([WANTED, b"", WANTED], pyarrow.binary()),
        "received_at": pyarrow.array([moment, None, moment], pyarrow.timestamp("us", "UTC")),
        "fcnt": pyarrow.array([7, None, 4294967295], pyarrow.uint32()),
        "port": pyarrow.array([2, 2, 3], pyarrow.uint8()),
        "rssi_dbm": pyarrow.array([-90.5, None, None], pyarrow.float32()),
        "tags": pyarrow.array([[("hall", "3")], None, None], pyarrow.map_(pyarrow.string(), pyarrow.string())),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    first, empty, other = read(path, received_at=1.0)
    assert first.event == Uplink(
        "70b3d57ed0000001", WANTED, 1784367255.5, "file", port=2, fcnt=7, rssi_dbm=-90.5, tags={"hall": "3"}
    )
    assert isinstance(empty.event, events.Other) and empty.event.received_at == 1.0
    assert isinstance(other.event, events.Foreign) and other.event.uplink.name == "pump 7"
    # Nanoseconds and local time, as other writers have them.
    columns = {
        "data": [base64.b64encode(WANTED).decode()],
        "time": pyarrow.array([1784367255500000001], pyarrow.timestamp("ns")),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    (found,) = read(path)
    assert found.event == Uplink("", WANTED, 1784367255.5, "file")


def test_parquet_of_events(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    bodies = [servers.body(vector).decode() for vector in servers.VECTORS]
    table = {
        "body": [*bodies, "{", None],
        "topic": [*(vector["topic"] for vector in servers.VECTORS), None, None],
        "received_at": [1.0] * len(bodies) + [None, None],
    }
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    found = read(path, received_at=2.0)
    assert [part.number for part in found] == list(range(1, len(bodies) + 3))
    for part, vector in zip(found, servers.VECTORS, strict=False):
        assert part.event is not None and servers.plain(part.event) == vector["event"]
    assert isinstance(found[-2].error, InputError) and isinstance(found[-1].error, InputError)


def test_parquet_without_a_payload_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"temperature": [1]}), path)
    with pytest.raises(InputError, match="temperature"):
        read(path)


def test_text_needs_no_pyarrow_and_no_msgspec() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = sys.modules['msgspec'] = None\n"
        "from judder.ingest import envelope, files, text, chirpstack, downlink, topics, tts, console, port\n"
        "assert chirpstack._quick is None and envelope._quick is None\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_noise_gives_errors_and_never_raises() -> None:
    rng = random.Random(7)
    pieces = [
        HEX,
        "hgEYKPYZAZ8HAA==",
        "{",
        "}",
        "[",
        "]",
        '"payload"',
        ":",
        ",",
        "judder/",
        "/up ",
        "@judder ",
        "\ud800",
        "é",
    ]
    lines = ["".join(rng.choice(pieces) for _ in range(rng.randrange(1, 8))) for _ in range(5000)]
    found = list(text.from_lines(lines))
    assert any(part.error is not None for part in found) and any(part.event is not None for part in found)
