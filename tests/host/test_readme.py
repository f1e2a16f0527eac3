"""README: its profile loads, its Python runs, its commands and options exist, its links lead somewhere."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from judder.cli.main import cli
from judder.device import profile

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`((?:\.venv/bin/)?judder [a-z][^`|]*)`", README)
    found = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in found if words and words[0].endswith("judder")]


def test_profiles_load(tmp_path: Path) -> None:
    intervals = []
    for text in blocks("toml"):
        path = tmp_path / "one.toml"
        path.write_text(text)
        intervals.append(profile.load(path)["interval_s"])
    assert intervals == [5, 900]


def test_the_example_for_gateways(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten lines that take a reading, its copy, the next but one, a HELLO, and what is no message."""
    (text,) = blocks("python")
    space: dict[str, Any] = {}
    exec(compile(text, "README.md", "exec"), space)  # noqa: S102
    reading = bytes.fromhex("90011828f619019c1904d200f6f6f619021e18e11856190e7d1905df190245190e74")
    later = reading.replace(bytes.fromhex("1904d200"), bytes.fromhex("1904d405"))  # sequence 1236, 5 s old
    for payload in (reading, reading, later, bytes.fromhex("830018641932c8"), b"\x01"):
        space["on_message"]("70b3d57ed0000001", payload, 1764043200.0)
    assert capsys.readouterr().out.splitlines() == [
        "70b3d57ed0000001 1764043200.0 542 41.2 ()",
        "70b3d57ed0000001 1764043195.0 542 41.2 ('gap:1',)",
        "70b3d57ed0000001 sent no message of Judder: a message is an array at byte 0 in 01",
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_command_and_its_options_exist(words: list[str]) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None, words[0]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    used = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
    assert used <= known, used - known


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "tests/README.md",
        "boards/README.md",
        "firmware/README.md",
        "docs/bearings.md",
        "docs/decoder.md",
        "docs/tracking.md",
        "docs/lorawan.md",
        "docs/servers.md",
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
