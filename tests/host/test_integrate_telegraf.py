"""Telegraf's configuration: its XPath, run by libxml2 over the tree its parser makes of an array, against the decoder.

Telegraf itself has not run it: the tree is as its documentation and its parser's source (srebhan/cborquery, node.go)
have it.
"""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from lxml import etree
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
def plugin() -> dict[str, Any]:
    (found,) = tomllib.loads(FILE.read_text(encoding="utf-8"))["inputs"]["mqtt_consumer"]
    return found


def parsed(plugin: dict[str, Any], frame: bytes) -> list[tuple[str, dict[str, Any]]]:
    """(measurement, tags and fields) of a message, as Telegraf's documentation says it is done."""
    document = etree.Element("document")  # in Telegraf the elements have no parent of their own
    for item in cbor2.loads(frame):
        etree.SubElement(document, "element").text = "<nil>" if item is None else str(item)

    def ask(path: str) -> Any:
        return document.xpath(path.replace("/element", "element"))

    found = []
    for section in plugin["xpath"]:
        if ask(section["metric_selection"]):
            values = {name: ask(path) for name, path in {**section.get("tags", {}), **section["fields"]}.items()}
            left = {n: v for n, v in values.items() if not (isinstance(v, float) and math.isnan(v))}
            found.append((ask(section["metric_name"]), left))
    return found


def wanted(frame: bytes) -> dict[str, Any]:
    """What the decoder says, without what the configuration does not ask for."""
    record = decode(frame)
    flat = columns.flat(record)
    asked = {name for _kind, (_m, tags, fields) in telegraf.sections().items() for name in (*tags, *fields)}
    return {name: value for name, value in flat.items() if name in asked and value is not None}


def vectors() -> dict[str, bytes]:
    """Of the kinds that are asked for, by nodes no newer than we: what they add has no name here, a metric no divisor."""
    rows = json.loads((ROOT / "tests" / "vectors" / "wire_v1.json").read_text(encoding="utf-8"))["messages"]
    asked = [row for row in rows if row["kind"] in telegraf.sections() and not row["extra"]]
    known = [row for row in asked if row["kind"] != schema.ALARM or row["values"][1] in words.METRICS]
    return {row["description"]: bytes.fromhex(row["hex"]) for row in known}


FRAMES = {
    **vectors(),
    "whole reading": payload(
        schema.READING, **dict(zip([r[0] for r in schema.READING_FIELDS], sinks.READING, strict=True))
    ),
    "essential reading": payload(schema.READING, 11, state=0x03, velocity_rms_worst=812, temperature=-123),
    "reading with gaps": payload(schema.READING, state=0x00, velocity_rms_worst=None, temperature=215, sequence=7),
    "clipped reading": payload(schema.READING, state=schema.STATE_CLIPPED | schema.STATE_LOST, sequence=1),
    "faulty, danger, z": payload(schema.READING, state=schema.STATE_SENSOR_FAULT | 2 << 3 | 3 << 5),
    "hello": hello(60, 1, rssi=-97, snr=28, battery=3300),
    **{
        f"alarm {name}": codec.encode(schema.ALARM, [0x34, number, -752, 710, 8, 2])
        for number, name, _unit, _divisor in schema.METRICS
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_telegraf_would_write(name: str, plugin: dict[str, Any]) -> None:
    frame = FRAMES[name]
    ((measurement, found),) = parsed(plugin, frame)
    kind = decode(frame).kind
    assert measurement == f"judder_{kind}"
    # A word that is not said is "-": Telegraf cannot leave out a text by its value.
    said = {key: value for key, value in found.items() if value != "-"}
    expected = wanted(frame)
    assert said.keys() == expected.keys()
    for key, value in expected.items():
        assert said[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_other_kinds_give_nothing(plugin: dict[str, Any]) -> None:
    assert plugin["xpath_allow_empty_selection"]
    for frame in ("8218630a", "8104", "850301020304"):
        assert parsed(plugin, bytes.fromhex(frame)) == []


def test_names_are_those_of_the_sink() -> None:
    for _kind, (measurement, tags, fields) in telegraf.sections().items():
        known = {name for name, _type in rows.COLUMNS[measurement.removeprefix("judder_")]}
        assert {*tags, *fields} <= known


def test_no_column_of_a_reading_is_missing() -> None:
    _measurement, _tags, fields = telegraf.sections()[schema.READING]
    own = {column.name for column in columns.COLUMNS["reading"]} - {"extra"}
    assert set(fields) == own


def test_keys_are_telegrafs(plugin: dict[str, Any]) -> None:
    """Of inputs.mqtt_consumer and the xpath parser, as documented for 1.28 and later."""
    assert set(plugin) == {
        *("servers", "topics", "qos", "persistent_session", "client_id", "topic_tag", "data_format"),
        *("xpath_allow_empty_selection", "topic_parsing", "xpath"),
    }
    assert all(set(one) <= {"metric_selection", "metric_name", "tags", "fields"} for one in plugin["xpath"])
    (topics,) = plugin["topic_parsing"]
    assert len(topics["tags"].split("/")) == len(topics["topic"].split("/"))
