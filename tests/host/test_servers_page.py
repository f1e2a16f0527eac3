"""docs/servers.md: its Python runs, its commands exist, its files load, its events are read."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from judder.cli.main import cli
from judder.flow import Uplink
from judder.ingest import events, text
from judder.virtual.lorawan.sessions import Sessions

PAGE = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def commands() -> list[list[str]]:
    lines = [piece.strip() for block in blocks("sh") for line in block.splitlines() for piece in line.split("|")]
    return [shlex.split(line.split(">")[0])[1:] for line in lines if line.startswith("judder ")]


def test_python_runs() -> None:
    found = blocks("python")
    assert len(found) == 4
    space: dict[str, Any] = {}
    for block in found:
        exec(compile(block, "docs/servers.md", "exec"), space)  # noqa: S102
    assert isinstance(space["uplink"], Uplink) and callable(space["run"])


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_and_their_options_exist(words: list[str]) -> None:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_row_and_the_sessions_load(tmp_path: Path) -> None:
    (row,) = blocks("json")
    (found,) = text.from_lines(row.splitlines())
    assert isinstance(found.event, Uplink) and found.event.fcnt == 4711
    path = tmp_path / "sessions.toml"
    path.write_text(blocks("toml")[0])
    Sessions.load(path)


def test_every_kind_of_event_is_named() -> None:
    for kind in (
        events.Join,
        events.Status,
        events.Downlink,
        events.Log,
        events.Presence,
        events.Other,
        events.Foreign,
    ):
        assert f"`{kind.__name__}`" in PAGE
