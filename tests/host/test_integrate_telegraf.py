"""Telegraf's configuration against the decoder: its paths over the tree its parser makes, its Starlark by starlark-go.

Telegraf itself has not run it. The tree is as its documentation and its parser's source (srebhan/cborquery, node.go)
have it; starlark-go is the interpreter Telegraf has.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from starlark_go import Starlark
from tests.host import sinks
from tests.host.tracking import hello, payload

from judder import decode
from judder.decode import columns, words
from judder.integrate import telegraf
from judder.sink import rows
from judder_core import codec, schema

ROOT = Path(__file__).parents[2]
FILE = ROOT / "host" / "integrations" / "telegraf" / "judder.conf"


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plugin(file: dict[str, Any]) -> dict[str, Any]:
    (found,) = file["inputs"]["mqtt_consumer"]
    return found


@pytest.fixture(scope="module")
def script(file: dict[str, Any]) -> str:
    (found,) = file["processors"]["starlark"]
    assert found.keys() == {"namepass", "source"} and found["namepass"] == ["judder_*"]
    return found["source"]


def parsed(plugin: dict[str, Any], frame: bytes) -> list[tuple[str, dict[str, Any]]]:
    """(measurement, fields) of a message, as the parser makes them: a path that leads nowhere, or to null, is none."""
    items = cbor2.loads(frame)
    found = []
    for section in plugin["xpath"]:
        (kind,) = re.fullmatch(r"/element\[1\]\[\. = '(\d+)'\]", section["metric_selection"]).groups()  # type: ignore[union-attr]
        if str(items[0]) == kind:
            fields = {name: _at(path, items) for name, path in section["fields"].items()}
            present = {name: value for name, value in fields.items() if value is not None}
            found.append((section["metric_name"].strip("'"), present))
    return found


def _at(path: str, items: list[Any]) -> Any:
    (place,) = re.fullmatch(r"/element\[(\d+)\]", path).groups()  # type: ignore[union-attr]
    return items[int(place) - 1] if int(place) <= len(items) else None


def reckoned(script: str, fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], int | None]:
    """Fields, tags and age after the processor."""
    machine = Starlark()
    machine.exec(
        script + "\ndef both(fields):\n    tags = {}\n    age = reckon(fields, tags)\n    return [fields, tags, age]\n"
    )
    after, tags, age = machine.eval(f"both({fields!r})")
    return after, tags, age


def vectors() -> dict[str, bytes]:
    """Of the kinds that are asked for, by nodes no newer than we: what they add has no name here."""
    rows = json.loads((ROOT / "tests" / "vectors" / "wire_v1.json").read_text(encoding="utf-8"))["messages"]
    asked = [row for row in rows if row["kind"] in telegraf.sections() and not row["extra"]]
    return {row["description"]: bytes.fromhex(row["hex"]) for row in asked}


FRAMES = {
    **vectors(),
    "whole reading": sinks.reading(7).uplink.payload,
    "essential reading": payload(schema.READING, 11, state=0x03, velocity_rms_worst=812, temperature=-123),
    "reading with gaps": payload(schema.READING, state=0x00, velocity_rms_worst=None, temperature=215, sequence=7),
    "clipped reading": payload(schema.READING, state=schema.STATE_CLIPPED | schema.STATE_LOST, sequence=1),
    "faulty, danger, z": payload(schema.READING, state=schema.STATE_SENSOR_FAULT | 2 << 3 | 3 << 5),
    "hello of LoRaWAN": hello(60, 1, rssi=-97, snr=28, battery=3300),
    **{
        f"alarm {name}": codec.encode(schema.ALARM, [0x34, number, -752, 710, 8, 2])
        for number, name, _unit, _divisor in schema.METRICS
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_telegraf_would_write_is_what_the_decoder_says(name: str, plugin: dict[str, Any], script: str) -> None:
    record = decode(FRAMES[name])
    ((measurement, fields),) = parsed(plugin, FRAMES[name])
    assert measurement == f"judder_{record.kind}"
    after, tags, age = reckoned(script, fields)
    flat = columns.flat(record)
    asked = {*flat} if record.kind != "hello" else set(telegraf.sections()[schema.HELLO][1])
    wanted = {n: v for n, v in flat.items() if n in asked - {"kind", "extra"} and v is not None}
    found = {**after, **tags}
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == value and isinstance(found[key], bool) == isinstance(value, bool), key
    assert age == flat.get("age_s")
    assert tags.keys() == ({"metric"} if record.kind == "alarm" else set())


def test_other_kinds_give_nothing(plugin: dict[str, Any]) -> None:
    assert plugin["xpath_allow_empty_selection"]
    for frame in ("8218630a", "8104", "850301020304"):
        assert parsed(plugin, bytes.fromhex(frame)) == []


def test_a_metric_moves_to_when_it_was_measured(script: str) -> None:
    """apply() needs a metric with attributes, which only Telegraf has: here in Python, which knows this Starlark."""

    class Metric:
        def __init__(self, **fields: Any) -> None:
            self.fields, self.tags, self.time = dict(fields), {"node": sinks.NODE}, 1_764_043_200_000_000_000

    class Listed(dict[str, Any]):
        def keys(self) -> Any:  # a list in Starlark, which may be walked while the fields change
            return list(super().keys())

    there: dict[str, Any] = {}
    exec(script, there)  # noqa: S102
    metric = Metric(state=0x4A, age_s=90)
    metric.fields = Listed(metric.fields)
    assert there["apply"](metric).time == 1_764_043_110_000_000_000
    metric = Metric()
    metric.fields = Listed(uptime_s=7)
    assert there["apply"](metric).time == 1_764_043_200_000_000_000


def test_names_are_those_of_the_sink() -> None:
    for measurement, fields in telegraf.sections().values():
        known = {name for name, _type in rows.COLUMNS[measurement.removeprefix("judder_")]}
        assert set(fields) <= known | {"state"}


def test_nothing_is_reckoned_in_xpath(plugin: dict[str, Any]) -> None:
    """number() of a node that is not there is 0 in Telegraf's library (antchfx/xpath, asNumber): a made-up reading."""
    assert plugin["xpath_native_types"]
    assert all("(" not in path for section in plugin["xpath"] for path in section["fields"].values())


def test_every_metric_has_its_divisor(script: str) -> None:
    for number, (name, unit, divisor) in words.METRICS.items():
        after, tags, _age = reckoned(script, {"metric": number, "value": 1234})
        assert (tags["metric"], after["unit"], after["value"]) == (name, unit, 1234 / divisor)


def test_keys_are_telegrafs(plugin: dict[str, Any]) -> None:
    """Of inputs.mqtt_consumer and the xpath parser, as documented for 1.28 and later."""
    assert set(plugin) == {
        *("servers", "topics", "qos", "persistent_session", "client_id", "topic_tag", "data_format"),
        *("xpath_native_types", "xpath_allow_empty_selection", "topic_parsing", "xpath"),
    }
    assert all(set(one) <= {"metric_selection", "metric_name", "fields"} for one in plugin["xpath"])
    (topics,) = plugin["topic_parsing"]
    assert len(topics["tags"].split("/")) == len(topics["topic"].split("/"))
