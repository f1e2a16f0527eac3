"""judder.schema.json, read by jsonschema: what `judder decode` prints is in it, and what it does not print is not."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wire_messages
from jsonschema import Draft202012Validator

from judder import decode
from judder.errors import DecodeError
from judder.integrate import generate

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "wire_v1.json").read_text())
SERVERS = json.loads((ROOT / "tests" / "vectors" / "servers.json").read_text())
SCHEMA = json.loads((ROOT / generate.RECORD_SCHEMA).read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
# Names every field: the schema lets versions to come add some, which is no excuse for one left out today.
CLOSED = Draft202012Validator(
    SCHEMA
    | {"$defs": {name: part | {"additionalProperties": name == "event"} for name, part in SCHEMA["$defs"].items()}}
)


def printed(lines: list[str]) -> list[dict[str, Any]]:
    """What `judder decode` makes of lines on stdin."""
    done = subprocess.run(
        [sys.executable, "-m", "judder.cli.main", "decode", "--json"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 6), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_decode_prints_of_the_vectors() -> None:
    lines = [vector["hex"] for vector in [*VECTORS["messages"], *VECTORS["errors"]] if vector["hex"]]
    rows = printed(lines)
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert not [error.message for error in CLOSED.iter_errors(row)], line
    kinds = {row["kind"] for row in rows}
    assert kinds == {name for name in SCHEMA["$defs"] if name != "event"}


def test_what_decode_prints_of_servers_events() -> None:
    rows = printed([json.dumps(vector["body"]) for vector in SERVERS["events"] if isinstance(vector["body"], dict)])
    for row in rows:
        assert not [error.message for error in CLOSED.iter_errors(row)], row
    assert {"event" in row for row in rows} == {True, False}
    assert any("node" in row and "uplink" in row and row.get("kind") == "reading" for row in rows)


def test_records_of_random_messages() -> None:
    rng = random.Random(10)
    for _ in range(500):
        data = wire_messages.message(rng)
        try:
            record = decode(data).to_dict()
        except DecodeError:
            continue  # a capture that contradicts itself
        assert not [error.message for error in CLOSED.iter_errors(json.loads(json.dumps(record)))], data.hex()


READING = decode(bytes.fromhex("84011821187b18eb")).to_dict()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "readings"),
        ("zone", "E"),
        ("zone", 1),
        ("alarm_level", None),
        ("clipped", 0),
        ("temperature_c", "23.5"),
        ("temperature_c", -273.2),
        ("velocity_rms_worst_mm_s", 655.36),
        ("sequence", 1.5),
        ("sequence", 1 << 32),
        ("velocity_rms_mm_s", 1.2),
        ("velocity_rms_mm_s", {"x": 1.2, "y": None}),
        ("velocity_rms_mm_s", {"x": 1.2, "y": None, "z": 1, "w": 2}),
        ("extra", None),
        ("node", "70B3D57ED0000001"),
    ],
)
def test_what_is_no_record(name: str, value: Any) -> None:
    assert VALIDATOR.is_valid(READING)
    assert VALIDATOR.is_valid(READING | {"added_later_mg": 1})
    assert not VALIDATOR.is_valid(READING | {name: value})
    assert name == "node" or not VALIDATOR.is_valid({key: found for key, found in READING.items() if key != name})


def test_wire_page_says_what_fits() -> None:
    """By the budgets of the design: fields 0-3 and an alarm's value in 11 bytes (US915 DR0), 0-15 in 51 (EU868 DR0)."""
    page = (ROOT / generate.WIRE_PAGE).read_text(encoding="utf-8")
    sections = {part.partition(":")[0]: part for part in page.split("\n## ")[1:]}

    def at_most(kind: str, position: int) -> int:
        row = next(line for line in sections[kind].splitlines() if line.startswith(f"| {position} |"))
        return int(row.split(" | ")[4])

    assert (at_most("READING", 3), at_most("READING", 15)) == (11, 51)
    assert at_most("ALARM", 3) == 11
    assert set(sections) >= {"HELLO", "READING", "ALARM", "CAPTURE", "ACK", "SPECTRUM", "COMMAND"}


def test_links_of_the_wire_page() -> None:
    page = ROOT / generate.WIRE_PAGE
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target
