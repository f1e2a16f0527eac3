"""Options `judder gateway` and what stands behind it have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from judder.gateway.options import ConfigError

_Function = TypeVar("_Function", bound=Callable[..., Any])


def options(function: _Function) -> _Function:
    """--config, --data and --json, as path, data and as_json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="JSON, an object a line; for the service: its log."),
        click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of spool and files."),
        click.option(
            "--config", "path", type=click.Path(path_type=Path), help="gateway.toml; built-in defaults without one."
        ),
    ):
        function = option(function)
    return function


@dataclass(slots=True)
class Given:
    path: Path | None = None
    data: Path | None = None
    as_json: bool = False

    def over(self, other: Given) -> Given:
        """What stands behind the last word counts."""
        return Given(self.path or other.path, self.data or other.data, self.as_json or other.as_json)


@contextlib.contextmanager
def problems(as_json: bool) -> Iterator[None]:
    """A line for everything that is wrong with a configuration."""
    try:
        yield
    except ConfigError as error:
        if as_json:
            raise
        for problem in error.problems[:-1]:
            click.echo(f"judder: {problem}", err=True)
        raise ConfigError(error.problems[-1:]) from error
