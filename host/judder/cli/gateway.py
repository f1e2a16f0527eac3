"""judder gateway: what nodes send goes to files, databases and dashboards, and nothing is lost on the way."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from judder.cli import gateway_given as given
from judder.cli.gateway_poison import poison
from judder.errors import JudderError
from judder.gateway import config as configuration
from judder.gateway.config import Config
from judder.gateway.log import Log
from judder.gateway.notify import Notifier
from judder.gateway.service import serve
from judder.gateway.threads import Openers


@click.group(invoke_without_command=True)
@given.options
@click.option("--check", is_flag=True, help="Only look at the configuration, and say what would run.")
@click.pass_context
def command(context: click.Context, path: Path | None, data: Path | None, as_json: bool, check: bool) -> None:
    """Run as a service: take in, decode, track, hand on to sinks. Ctrl-C or SIGTERM stops it in order.

    Without --config it brings an MQTT broker along and writes NDJSON and SQLite below ./judder-data.

    \b
    judder gateway
    judder gateway example > gateway.toml
    judder gateway --config gateway.toml --check
    judder gateway --config gateway.toml --json
    judder gateway poison list
    """
    context.obj = given.Given(path, data, as_json)
    if context.invoked_subcommand is not None:
        return
    with given.problems(as_json):
        config = configuration.load(path, environ=os.environ, data=data)
    if check:
        _say(config, as_json)
        return
    log = Log(sys.stderr, as_json=as_json, level=config.log_level)
    serve(config, log, notifier=Notifier(os.environ), openers=Openers(_open_port, _open_frames))


command.add_command(poison)


@command.command()
def example() -> None:
    """Print a gateway.toml to begin with, every part of it explained."""
    click.echo(configuration.EXAMPLE, nl=False)


def _say(config: Config, as_json: bool) -> None:
    told = config.to_dict()
    if as_json:
        click.echo(json.dumps(told))
        return
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{config.where()} is in order")
    click.echo(f"data    {config.data}")
    click.echo("spool   {file}, at most {max_mb:g} MiB and {max_age_days:g} days".format(**told["spool"]))
    if config.health:
        click.echo(f"health  http://{told['health']}/status")
    for name, options in told["sources"].items():
        click.echo(f"source  {name}: {options['where']}")
    for name, options in told["sinks"].items():
        given = (f"{key}={_short(value)}" for key, value in options.items() if key != "type" and _says(value))
        click.echo(f"sink    {name}: {' '.join((options['type'], *given))}")


def _says(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def _short(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) or " " in value else value


def _open_port(port: str) -> Any:
    try:
        from judder.device import ports
    except ModuleNotFoundError as error:
        raise JudderError(f"a serial port needs the package '{error.name}': pip install 'judder[bench]'") from error
    return ports.open_port(port)


def _open_frames(path: Path) -> Any:
    try:
        from judder.virtual.lorawan.sessions import Sessions
    except ModuleNotFoundError as error:
        raise JudderError(f"session keys need the package '{error.name}': pip install 'judder[sim]'") from error
    return Sessions.load(path).open
