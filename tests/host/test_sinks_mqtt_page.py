"""docs/sinks-mqtt.md: its tables of gateway.toml are taken, its keys are all there are, its example is true."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from tests.host import sinks

from judder import sink
from judder.gateway import config
from judder.sink import rows
from judder.sink.mqtt import MqttOptions
from judder.sink.spb import metrics

PAGE = (Path(__file__).parents[2] / "docs" / "sinks-mqtt.md").read_text(encoding="utf-8")
SINKS = [name for name in sink.names() if issubclass(sink.load(name).options, MqttOptions)]


def section(name: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {name}", 1)[1], flags=re.M)[0]


@pytest.mark.parametrize("name", SINKS)
def test_the_gateway_takes_the_table_of_each(name: str, tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", section(f"{name}:"), re.S)
    path = tmp_path / "gateway.toml"
    path.write_text(f'{text}\n[[source]]\ntype = "broker"\n')
    found = config.load(path, environ={"MQTT_PASSWORD": "x"})
    (outlet,) = found.plan.sinks.values()
    assert outlet.sink.name == name
    assert not found.warnings
    outlet.sink.close()


@pytest.mark.parametrize("name", ["", *SINKS])
def test_every_key_is_explained_and_none_besides(name: str) -> None:
    text = section(f"{name}:" if name else "What all of them do")
    told = {
        key
        for table in re.findall(r"^\| key \|.*?\n(?!\|)", text, re.S | re.M)
        for row in table.splitlines()[2:]
        for key in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    shared = {field.name for field in fields(MqttOptions)}
    assert told == ({field.name for field in fields(sink.load(name).options)} - shared if name else shared)


def test_the_example_is_the_beginning_of_an_object() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", section("mqtt_json:"), re.S)
    row = rows.nested(sinks.reading(1))
    told = json.loads(text)
    assert {key: row[key] for key in told} == told


def test_the_number_of_metrics_is_true() -> None:
    assert f"{len(metrics.DEFINITIONS)} of them" in section("sparkplug:")
