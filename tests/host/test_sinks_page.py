"""docs/sinks.md: its tables of gateway.toml are taken, its keys are all there are, its programs and queries run."""

import json
import re
import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks

from judder import sink
from judder.gateway import config
from judder.sink import SinkOptions, webhook
from judder.sink.mqtt import MqttOptions
from judder.sink.parquet import ParquetOptions, ParquetSink
from judder.sink.sqlite import SqliteOptions, SqliteSink

PAGE = (Path(__file__).parents[2] / "docs" / "sinks.md").read_text(encoding="utf-8")
SINKS = [name for name in sink.names() if not issubclass(sink.load(name).options, MqttOptions)]
SECRETS = {
    "JUDDER_DB_PASSWORD": "x",
    "INFLUX_TOKEN": "x",
    "COLLECTOR_KEY": "x",
    "ALARM_HOOK": "https://cmms.example/hook",
    "ALARM_HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def section(title: str) -> str:
    (text,) = re.findall(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    return str(text)


def block(title: str, language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", section(title), re.S)
    return str(text)


@pytest.mark.parametrize("name", SINKS)
def test_the_gateway_takes_the_table_of_each(name: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(block(f"{name}:", "toml") + '\n[[source]]\ntype = "broker"\n')
    found = config.load(path, environ=SECRETS)
    (outlet,) = found.plan.sinks.values()
    assert outlet.sink.name == name
    assert not found.warnings
    outlet.sink.close()


def told(title: str) -> set[str]:
    tables = re.findall(r"^\| key \|.*?\n(?!\|)", section(title), re.S | re.M)
    rows = [row.split("|")[1] for table in tables for row in table.splitlines()[2:]]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("name", SINKS)
def test_every_key_is_explained_and_none_besides(name: str) -> None:
    shared = {field.name for field in fields(SinkOptions)}
    assert told(f"{name}:") == {field.name for field in fields(sink.load(name).options)} - shared


def test_the_keys_of_all_are_explained() -> None:
    assert told("What all of them do") == {*(field.name for field in fields(SinkOptions)), "name", "retry_max_s"}
    for kind in sink.KINDS:
        assert kind in section("What all of them do")


def test_the_table_at_the_top_names_every_sink_and_its_place() -> None:
    titles = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)", PAGE, re.M)}
    links = dict(re.findall(r"\| \[`(\w+)`\]\(#([\w-]+)\)", PAGE))
    assert set(links) == set(SINKS) and set(links.values()) <= titles


def test_the_query_of_sqlite(tmp_path: Path) -> None:
    with SqliteSink(SqliteOptions(path=tmp_path / "judder.db")) as writer:
        writer.write([sinks.reading(1), sinks.reading(2)])
    found = sqlite3.connect(tmp_path / "judder.db").execute(block("sqlite:", "sql")).fetchall()
    assert [row[1:] for row in found] == [(sinks.NODE, "B", 3.12)] * 2


def test_the_program_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold = sinks.observed(values=[0, 100, 250, 2])
    with ParquetSink(ParquetOptions(folder=tmp_path / "lake")) as writer:
        writer.write([sinks.reading(1), cold])
    monkeypatch.chdir(tmp_path)
    exec(compile(block("parquet:", "python"), "docs/sinks.md", "exec"), {})  # noqa: S102


def test_the_object_of_webhook() -> None:
    example = json.loads(block("webhook:", "json"))
    made = webhook.message(sinks.lorawan(sinks.alarm()))
    assert {key: made["data"][key] for key in example["data"]} == example["data"]
    assert {key: made[key] for key in ("type", "timestamp")} == {key: example[key] for key in ("type", "timestamp")}


def test_a_sink_of_ones_own(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec(compile(block("One of your own", "python"), "docs/sinks.md", "exec"), space)  # noqa: S102
    plugin = space["PLUGIN"]
    with plugin.make(plugin.options(path=tmp_path / "zones.txt")) as made:
        assert made.takes(sinks.reading(1)) and not made.takes(sinks.alarm())
        made.write([sinks.reading(1)])
    assert (tmp_path / "zones.txt").read_text() == f"{sinks.NODE} B\n"
    with plugin.make(plugin.options(path=tmp_path)) as made, pytest.raises(sink.SinkDown, match="cannot write"):
        made.write([sinks.reading(1)])
