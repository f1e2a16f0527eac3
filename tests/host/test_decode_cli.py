"""`judder decode` from the outside: output, errors in a batch, exit codes."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tests.host import servers

from judder.cli import main as cli
from judder_core import line

HEX = "86011828f619019f0700"
BASE64 = "hgEYKPYZAZ8HAA=="
BAD = "820106"
NODE = bytes.fromhex("70b3d5fffe000001")


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.rows: list[dict[str, Any]] = [json.loads(row) for row in out.splitlines() if row.startswith("{")]


@pytest.fixture
def judder(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as ended:
            cli.main(["decode", *arguments])
        out, err = capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return run


def piped(data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "judder.cli.main", "decode", *arguments], input=data, capture_output=True
    )


def test_arguments_to_json_lines(judder: Any) -> None:
    done = judder(HEX, BASE64)
    assert done.code == 0 and len(done.rows) == 2
    assert done.rows[0] == done.rows[1]
    assert done.rows[0]["temperature_c"] == 41.5 and done.rows[0]["alarm_level"] == "warning"


def test_one_bad_frame_among_good_ones(judder: Any) -> None:
    done = judder(HEX, BAD, HEX, "xyz!")
    assert done.code == 6
    assert [row["kind"] for row in done.rows] == ["reading", "error", "reading", "error"]
    assert done.rows[1] == {
        "kind": "error",
        "number": 2,
        "reason": "state: zone 6 does not exist",
        "offset": 2,
        "hex": BAD,
    }
    assert done.rows[3]["reason"].startswith("not hex or base64")


def test_nothing_good(judder: Any) -> None:
    assert judder(BAD).code == 7
    assert judder(BAD, "--text").out == "error  payload 1: state: zone 6 does not exist at byte 2 in 820106\n"


def test_text(judder: Any) -> None:
    done = judder("--text", "8f011848f619019f0700f6f6f619032c1904d8f61909c5191004190280")
    assert done.out == (
        "reading  sequence=7  age_s=0  alarm_level=warning  worst_axis=y  acceleration_rms_mg=812/1240/-  "
        "acceleration_peak_mg=2501/4100/640  temperature_c=41.5\n"
    )


def test_explain_in_text_and_json(judder: Any) -> None:
    done = judder(HEX, "--explain")
    assert done.code == 0
    assert "     5  19019f              temperature           41.5 degC: temperature at the machine\n" in done.out
    done = judder(HEX, "--explain", "--json")
    assert done.rows[0]["payload"] == HEX
    assert done.rows[0]["parts"][4] == {
        "offset": 5,
        "hex": "19019f",
        "path": "temperature",
        "meaning": "41.5 degC: temperature at the machine",
    }
    done = judder(BAD, HEX, "--explain")
    assert done.code == 6 and "zone 6 does not exist" in done.out


def test_file_of_lines_and_raw_file(judder: Any, tmp_path: Path) -> None:
    lines = tmp_path / "uplinks.ndjson"
    lines.write_text(f'{HEX}\n# comment\n{{"node":"70B3D5FFFE000001","payload":"{BASE64}"}}\n')
    done = judder("--file", str(lines))
    assert done.code == 0 and [row.get("node") for row in done.rows] == [None, NODE.hex()]
    raw = tmp_path / "frame.bin"
    raw.write_bytes(bytes.fromhex(HEX))
    assert judder("--file", str(raw)).rows[0]["kind"] == "reading"
    raw.write_bytes(bytes.fromhex(HEX)[:-1])
    done = judder("--file", str(raw))
    assert done.code == 7 and done.rows[0]["reason"] == "the frame ends early" and done.rows[0]["offset"] == 9


UP = servers.named("chirpstack: up, one gateway")
JOIN = servers.named("chirpstack: join")
FOREIGN = servers.named("chirpstack: up, another vendor's payload on the port")


def test_events_of_servers(judder: Any, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(map(servers.body, (UP, JOIN, servers.named("tts: up")))))
    done = judder("--file", str(lines))
    assert done.code == 0
    up, join, tts = done.rows
    assert (up["node"], up["received_at"], up["kind"]) == ("70b3d57ed0000001", 1784367255.981023, "reading")
    wanted = {k: v for k, v in UP["event"].items() if k not in ("event", "node", "received_at", "payload")}
    assert up["uplink"] == wanted
    assert (join["event"], join["node"], join["session"]) == ("join", "70b3d57ed0000001", "00189440")
    assert tts["uplink"]["source"] == "tts" and tts["temperature_c"] == up["temperature_c"]
    done = judder("--file", str(lines), "--text")
    assert done.out.splitlines()[1].startswith("70b3d57ed0000001  join  source=chirpstack  name=pump 7")


def test_a_payload_of_somebody_else_is_told_with_its_bytes(judder: Any, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(servers.body(FOREIGN) + b"\n" + servers.body(UP))
    done = judder("--file", str(lines))
    assert done.code == 6
    assert done.rows[0]["event"] == "foreign" and done.rows[0]["payload"] == "0367d700"
    assert "port 2" in done.rows[0]["reason"] and done.rows[0]["uplink"]["name"] == "pump 7"
    lines.write_bytes(servers.body(FOREIGN))
    assert judder("--file", str(lines)).code == 7
    assert "4 bytes on port 2" in judder("--file", str(lines), "--text").out
    lines.write_bytes(servers.body(JOIN))
    assert judder("--file", str(lines)).code == 0  # nothing to decode, and nothing failed


def test_events_on_stdin_as_they_are_copied_and_piped() -> None:
    pretty = json.dumps(UP["body"], indent=2).encode()
    with_topic = UP["topic"].encode() + b" " + servers.body(UP)
    own = b"judder/70b3d5fffe000001/up " + HEX.encode()
    done = piped(b"\n".join((pretty, with_topic, own, b"judder/70b3d5fffe000001/status online", b"{}")))
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert [row.get("kind", row.get("event")) for row in rows] == ["reading"] * 3 + ["presence", "error"]
    assert rows[0] == rows[1] and rows[2]["node"] == NODE.hex() and "received_at" not in rows[2]
    assert rows[3]["online"] is True and "received_at" not in rows[3]
    assert done.returncode == 6 and done.stderr == b""


def test_files_that_are_no_use(judder: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for path in ("empty", "missing", "."):
        done = judder("--file", str(tmp_path / path))
        assert done.code == 7 and done.err.startswith("judder: ") and done.err.count("\n") == 1, done.err


@pytest.mark.parametrize(
    "arguments",
    [
        (HEX, "--port", "x"),
        (HEX, "--file", "x"),
        (HEX, "--text", "--json"),
        (HEX, "--seconds", "1"),
        (HEX, "--count", "0"),
        (HEX, "--nonsense"),
    ],
)
def test_usage_errors(judder: Any, arguments: tuple[str, ...]) -> None:
    assert judder(*arguments).code == 1


def test_stdin() -> None:
    console = line.encode(NODE, bytes.fromhex(HEX))
    done = piped(f"{HEX}\r\n\n{BAD}\n{console}\n".encode() + b"\xff\xfe\n")
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["reading", "error", "reading", "error"]
    assert rows[1]["number"] == 3 and rows[2]["node"] == NODE.hex()
    assert done.returncode == 6 and done.stderr == b""
    assert piped(b"").returncode == 0


def test_count_ends_a_stream() -> None:
    assert piped(f"{HEX}\n{HEX}\n{BAD}\n".encode(), "--count", "2").returncode == 0


class _Port:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.in_waiting = len(data)
        self.closed = False

    def read(self, _size: int) -> bytes:
        data, self._data, self.in_waiting = self._data, b"", 0
        return data

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Any:
    def plug_in(data: bytes) -> _Port:
        fake = _Port(data)
        module = types.ModuleType("judder.device.ports")
        module.open_port = lambda _url, _baud=115200: fake  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "judder.device.ports", module)
        monkeypatch.setattr("judder.device.ports", module, raising=False)
        return fake

    return plug_in


def test_port_reads_framed_lines(judder: Any, port: Any) -> None:
    good = (line.encode(NODE, bytes.fromhex(HEX)) + "\r\n").encode()
    fake = port(b"boot text\r\n" + good + b"@judder 00 11 22\n" + good)
    done = judder("--port", "/dev/ttyX", "--count", "3")
    assert sorted(row["kind"] for row in done.rows) == ["error", "reading", "reading"]
    assert done.rows[-1]["node"] == NODE.hex()
    assert done.code == 6 and "Ctrl-C" in done.err
    assert fake.closed


def test_port_that_stays_silent(judder: Any, port: Any) -> None:
    fake = port(b"")
    done = judder("--port", "/dev/ttyX", "--seconds", "0.05")
    assert done.code == 4 and "serial" in done.err and fake.closed


def test_help_shows_examples(judder: Any) -> None:
    done = judder("--help")
    assert done.code == 0 and "judder decode --port" in done.out


def test_examples_of_the_help_work(judder: Any) -> None:
    for example in ((HEX,), (*(HEX[i : i + 2] for i in range(0, 20, 2)), "--explain"), ("--text", BASE64)):
        assert judder(*example).code == 0
