"""docs/sinks-mqtt.md: its tables of gateway.toml are taken, its keys are all there are, its example is true."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks

from judder import sink
from judder.sink import rows
from judder.sink.mqtt import MqttOptions

PAGE = (Path(__file__).parents[2] / "docs" / "sinks-mqtt.md").read_text(encoding="utf-8")
TABLES = [table for text in re.findall(r"```toml\n(.*?)```", PAGE, re.S) for table in tomllib.loads(text)["sink"]]
SINKS = [name for name in sink.names() if issubclass(sink.load(name).options, MqttOptions)]


def section(name: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {name}:", 1)[1], flags=re.M)[0]


@pytest.mark.parametrize("name", SINKS)
def test_each_has_a_table_that_makes_it(name: str) -> None:
    (table,) = [dict(table) for table in TABLES if table["type"] == name]
    plugin = sink.load(table.pop("type"))
    options: dict[str, Any] = {
        key: "from the environment" if isinstance(value, dict) else value for key, value in table.items()
    }
    made = plugin.make(plugin.options(**options))
    assert made.name == name
    made.close()


@pytest.mark.parametrize("name", ["", *SINKS])
def test_every_key_is_explained_and_none_besides(name: str) -> None:
    text = section(name) if name else PAGE.split("\n## What all of them do", 1)[1].split("\n## ")[0]
    # Tables of keys have a default.
    told = {
        key
        for table in re.findall(r"\| key \|.*?\n\n", text, re.S)
        for row in table.splitlines()[2:]
        for key in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    shared = {field.name for field in fields(MqttOptions)}
    assert told == ({field.name for field in fields(sink.load(name).options)} - shared if name else shared)


def test_the_example_is_the_beginning_of_an_object() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", section("mqtt_json"), re.S)
    row = rows.nested(sinks.reading(1))
    told = json.loads(text)
    assert {key: row[key] for key in told} == told
