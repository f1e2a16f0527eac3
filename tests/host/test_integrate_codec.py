"""judder.js says what Python's decoder says, of good messages and of bad ones, in the engines of network servers."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import wire_messages
from tests.tools import javascript, npm_packages

from judder import decode, encode_command
from judder.errors import DecodeError, JudderError
from judder.integrate import codec, generate

ROOT = Path(__file__).parents[2]
# Modules are strict; ChirpStack's and The Things Stack's scripts are not.
STRICT = '"use strict";'
SCRIPTS = {"small": ROOT / generate.CODEC, "readable": ROOT / generate.READABLE_CODEC}
VECTORS = json.loads((ROOT / "tests" / "vectors" / "wire_v1.json").read_text())
RANDOM = 100_000 if os.environ.get("JUDDER_FULL") else 5_500  # good messages, and as many damaged ones
# Engines that are slow to start, or slow.
FEW = 150

Engine = Callable[[Sequence[javascript.Call]], list[Any]]


def absent(why: object) -> None:
    if os.environ.get("CI"):
        pytest.fail(str(why))
    pytest.skip(str(why))


@pytest.fixture(
    params=["node small", "node strict", "node readable", "quickjs small", "duktape small", "duktape readable"]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    name, script = request.param.split()

    def run(calls: Sequence[javascript.Call]) -> list[Any]:
        text = SCRIPTS["readable" if script == "readable" else "small"].read_text(encoding="utf-8")
        try:
            return javascript.ENGINES[name](STRICT + text if script == "strict" else text, calls)
        except npm_packages.Unavailable as error:
            absent(error)
            raise

    return run


def uplink(data: bytes) -> javascript.Call:
    return "decodeUplink", {"bytes": list(data), "fPort": 2}


def expected(data: bytes) -> dict[str, Any]:
    """What Python says, as JSON; of an error where it is."""
    try:
        # Through JSON as JavaScript has it, without integers.
        return {"data": json.loads(json.dumps(decode(data).to_dict()), parse_int=float)}
    except DecodeError as error:
        return {"offset": error.offset}


def said(answer: dict[str, Any]) -> dict[str, Any]:
    if "errors" not in answer:
        return answer
    assert list(answer) == ["errors"] and len(answer["errors"]) == 1
    return {"offset": int(answer["errors"][0].rpartition(" at byte ")[2])}


def test_messages_of_the_vectors(engine: Engine) -> None:
    vectors = VECTORS["messages"]
    for vector, answer in zip(vectors, engine([uplink(bytes.fromhex(v["hex"])) for v in vectors]), strict=True):
        # What a newer node added when a vector was made may be a row by now, and the vector then an error.
        assert said(answer) == expected(bytes.fromhex(vector["hex"])), vector["description"]
        if "items" not in vector and not vector["extra"]:
            # Without Python in between; what a vector does not name is absent.
            found = answer["data"]
            assert vector["record"] == {name: found[name] for name in vector["record"]}, vector["description"]
            rest = [value for name, value in found.items() if name not in vector["record"]]
            assert all(value in (None, False, [], "none", 0) for value in rest), vector["description"]


def test_errors_of_the_vectors_and_where_they_are(engine: Engine) -> None:
    vectors = VECTORS["errors"]
    for vector, answer in zip(vectors, engine([uplink(bytes.fromhex(v["hex"])) for v in vectors]), strict=True):
        assert said(answer) == {"offset": vector["error"]["offset"]}, vector["description"]


def test_commands_of_the_vectors(engine: Engine) -> None:
    vectors = VECTORS["commands"]
    answers = engine([("encodeDownlink", {"data": vector["command"]}) for vector in vectors])
    for vector, answer in zip(vectors, answers, strict=True):
        if "hex" in vector:
            assert answer == {"bytes": list(bytes.fromhex(vector["hex"])), "fPort": 17}, vector["description"]
        else:
            assert vector["error"]["names"] in answer["errors"][0], vector["description"]


def test_random_messages(engine: Engine, request: pytest.FixtureRequest) -> None:
    rng = random.Random(5)
    count = RANDOM if "node small" in request.node.name else FEW
    frames = [wire_messages.message(rng) for _ in range(count)]
    frames += [wire_messages.damaged(rng, rng.choice(frames)) for _ in range(count)]
    good = bad = 0
    for data, answer in zip(frames, engine([uplink(data) for data in frames]), strict=True):
        assert said(answer) == expected(data), data.hex()
        good += "data" in answer
        bad += "errors" in answer
    # Worth nothing if nearly all is refused, or taken.
    assert good > count * 0.8 and bad > count * 0.5, (good, bad)


# A check taken out of the readable script -> what stands there instead.
SABOTAGE = [
    ("spelled <= last", "spelled < last"),
    ("size < [24, 256, 65536, 4294967296][info - 24]", "size < 24"),
    ("if (at < end) fail", "if (at + 1 < end) fail"),
    ("depth > 3", "depth > 4"),
    ("items > 256", "items > 1e9"),
    ("info > 27", "info > 31"),
    ("major > 6 && info > 24", "major > 6 && info > 25"),
    ("size > 22", "size > 23"),
    ("kind > 222", "kind > 255"),
    ("type > 1 ? type != wanted : wanted", "type > 3"),
    ("n > +limits[1]", "n > 1 + +limits[1]"),
    ("out.first + v > out.samples", "out.first > out.samples"),
    ("entry[2] || entry[3] > 3", "entry[3] > 3"),
    ("high * 4294967296 - (low + 1)", "high * 4294967296 - low"),
]


@pytest.mark.parametrize(("right", "wrong"), SABOTAGE)
def test_random_messages_find_a_check_that_is_missing(right: str, wrong: str) -> None:
    script = SCRIPTS["readable"].read_text(encoding="utf-8")
    assert script.count(right) == 1
    frames = [bytes.fromhex(vector["hex"]) for vector in VECTORS["errors"]]
    rng = random.Random(5)
    good = [wire_messages.message(rng) for _ in range(1200)]
    frames += [*good, *(wire_messages.damaged(rng, rng.choice(good)) for _ in range(1200))]
    try:
        answers = javascript.node(script.replace(right, wrong), [uplink(data) for data in frames])
    except npm_packages.Unavailable as error:
        absent(error)
        raise
    assert any(said(answer) != expected(data) for data, answer in zip(frames, answers, strict=True))


def test_random_commands(engine: Engine, request: pytest.FixtureRequest) -> None:
    rng = random.Random(6)
    count = RANDOM if "node small" in request.node.name else FEW
    given = [wire_messages.command(rng) for _ in range(count // 2)]
    good: list[tuple[dict[str, Any], list[int]]] = []
    for command, answer in zip(given, engine([("encodeDownlink", {"data": one}) for one in given]), strict=True):
        try:
            frame = encode_command(**command)
        except JudderError:
            assert list(answer) == ["errors"], (command, answer)
        else:
            assert answer == {"bytes": list(frame), "fPort": 17}, command
            good.append((command, answer["bytes"]))
    assert len(given) // 5 < len(good) < len(given) * 4 // 5, len(good)
    # And back: the same command, in the form it is shown in, gives the same bytes.
    back = engine([("decodeDownlink", {"bytes": data, "fPort": 17}) for _command, data in good])
    again = engine([("encodeDownlink", {"data": answer["data"]}) for answer in back])
    for (command, data), shown, answer in zip(good, back, again, strict=True):
        assert answer == {"bytes": data, "fPort": 17}, (command, shown)


def test_no_bytes_and_no_data_are_errors(engine: Engine) -> None:
    for answer in engine([("decodeUplink", {"fPort": 2}), ("decodeDownlink", {}), ("encodeDownlink", {})]):
        assert list(answer) == ["errors"] and answer["errors"][0]


def test_downlinks_that_are_no_commands(engine: Engine) -> None:
    frames = ("820100", "821000", "83100001", "8310000c", "8410000102", "84100001f6", "841000011907ff")
    answers = engine([("decodeDownlink", {"bytes": list(bytes.fromhex(frame))}) for frame in frames])
    assert answers[0] == {"errors": ["not a command"]}
    assert answers[1]["data"]["tag"] == 0
    assert answers[2] == {"data": {"tag": 0, "request": None}}
    assert answers[3] == {"data": {"tag": 0, "unknown (12)": True}}
    assert answers[4] == {"data": {"tag": 0, "request": "capture"}}
    assert answers[5] == {"data": {"tag": 0, "request": None}}
    assert answers[6]["data"]["request"] is None


def test_normalized_payload(engine: Engine) -> None:
    given = [{"battery_mv": 3600}, {"battery_mv": None}, {"kind": "alarm"}]
    answers = engine([("normalizeUplink", {"data": data}) for data in given])
    assert answers == [{"data": [{"battery": 3.6}]}, {"data": []}, {"data": []}]


def test_fits_what_servers_take() -> None:
    assert len(SCRIPTS["small"].read_bytes()) <= codec.MAX_BYTES
    assert len(SCRIPTS["readable"].read_bytes()) <= 40960  # The Things Stack
    for path in SCRIPTS.values():
        assert path.read_text(encoding="utf-8").isascii()


@pytest.mark.parametrize("name", SCRIPTS)
def test_is_es5(name: str) -> None:
    """acorn refuses what ECMAScript 5 does not have."""
    try:
        modules = npm_packages.install()
        acorn = modules / "acorn" / "bin" / "acorn"
        for script, code in ((SCRIPTS[name].read_text(encoding="utf-8"), 0), ("let a = 1;", 1), ("(a) => a;", 1)):
            done = subprocess.run(
                ["node", acorn, "--ecma5", "--silent"], input=script, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == code, done.stderr
    except (npm_packages.Unavailable, FileNotFoundError) as error:
        absent(error)
