"""docs/decoder.md: its Python runs, its commands exist, its claims about columns and ports hold."""

import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from judder.cli.main import cli
from judder.decode import columns, command, records

PAGE = (Path(__file__).parents[2] / "docs" / "decoder.md").read_text(encoding="utf-8")


def test_python_runs() -> None:
    found = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(found) == 7
    space: dict[str, Any] = {}
    for block in found:
        exec(compile(block, "docs/decoder.md", "exec"), space)  # noqa: S102
    assert isinstance(space["reading"], records.Reading) and space["tracker"].counts == {"duplicate": 1}


def test_commands_run() -> None:
    for line in re.findall(r"```sh\n(.*?)```", PAGE, re.S):
        result = CliRunner().invoke(cli, line.split()[1:])
        assert result.exit_code == 0 and "41.5 degC" in result.output


def test_words_of_the_page() -> None:
    for kind in columns.COLUMNS:
        assert f'"{kind}"' in PAGE or kind == "reading"
    assert f"over LoRaWAN to port\n{command.COMMAND_PORT};" in PAGE
    assert f"table of {1 + len(columns.COLUMNS['reading'])} columns" in PAGE
    for name in ("Reading", "Alarm", "Hello", "Ack", "Spectrum", "Capture", "Command", "Unknown"):
        assert f"`{name}`" in PAGE and issubclass(getattr(records, name), records.Record)
