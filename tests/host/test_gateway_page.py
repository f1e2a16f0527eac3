"""docs/gateway.md: its configuration loads, its commands and options exist, its tables name every key."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import pytest

from judder.cli.gateway import command
from judder.cli.main import cli
from judder.gateway import config, source
from judder.gateway.config import NodesOptions, Service, SpoolOptions
from judder.gateway.metrics import METRICS
from judder.gateway.options import ConfigError
from judder.gateway.spool import POISON_KEPT, RESERVE_BYTES
from judder.sink import SinkOptions, rows

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
ENVIRON = {"INFLUX_TOKEN": "x", "ALARM_HOOK": "https://hooks.example/x", "ALARM_HOOK_SECRET": "whsec_" + "A" * 32}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def table(first: str, after: str = "## ") -> dict[str, str]:
    """Keys in the first column of the first table headed so after that heading, with the last column."""
    lines = PAGE[PAGE.index(f"| {first} |", PAGE.index(after)) :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {key: row[-1] for row in rows for key in re.findall(r"`(\w+)`", row[0])}


def test_the_configuration_loads(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    (tmp_path / "chirpstack.password").write_text("x\n")
    found = config.load(path, environ=ENVIRON)
    assert list(found.plan.sources) == ["chirpstack", "hall-2"] and list(found.plan.sinks) == ["influx", "webhook"]
    assert found.plan.rules.names == {"70b3d57ed0000001": "Pump 3, drive end"} and not found.warnings
    path.write_text(text.replace("token =", "tokn ="))
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ=ENVIRON)
    assert f"    judder: {caught.value}".replace(str(tmp_path) + "/", "") in PAGE


@pytest.mark.parametrize(
    ("name", "options"), [("`[service]`", Service), ("`[spool]`", SpoolOptions), ("`[nodes]`", NodesOptions)]
)
def test_every_key_of_a_section_stands_there_with_its_default(name: str, options: type) -> None:
    said = table(name)
    assert list(said) == [field.name for field in fields(options)]
    for field in fields(options):
        if isinstance(field.default, str):
            assert field.default in said[field.name]
        elif isinstance(field.default, (int, float)):
            assert float(said[field.name]) == field.default


def test_every_source_and_its_keys_stand_there() -> None:
    assert list(table("type")) == list(source.names())
    given = {field.name for name in source.names() for field in fields(source.load(name).options)}
    assert set(table("key")) == given


def test_every_key_all_sinks_have_stands_there() -> None:
    keys = table("key", after="## Sinks")
    assert list(keys) == [*(field.name for field in fields(SinkOptions)), "retry_max_s"]


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line.split(">")[0], comments=True) for line in lines]
    return [one[1:] for one in words if one and one[0] == "judder"]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_and_their_options_exist(words: list[str]) -> None:
    found: click.Command = command
    if words[0] != "gateway":
        other = cli.get_command(click.Context(cli), words[0])
        assert other is not None
        found = other
    for word in words[1:]:
        if isinstance(found, click.Group) and word in found.commands:
            found = found.commands[word]
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_what_sqlite3_is_asked_is_sql() -> None:
    (asked,) = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("sqlite3")]
    columns = re.findall(r"SELECT (.*) FROM reading ORDER BY (\w+)", asked)[0]
    assert {name.strip() for part in columns for name in part.split(",")} <= {n for n, _type in rows.COLUMNS["reading"]}


def test_metrics_and_numbers_are_ours() -> None:
    named = set(re.findall(r"`judder_gateway_(\w+)`", PAGE))
    assert len(named) == 5 and named <= set(METRICS)
    assert f"{POISON_KEPT:,} are kept" in PAGE and f"less than {RESERVE_BYTES >> 20} MiB left" in PAGE


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
