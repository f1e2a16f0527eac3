"""judder provision: settings and a fresh key onto a node, read back, tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judder.cli.progress import Progress
from judder.errors import SelfTestFailed

if TYPE_CHECKING:
    from judder.device.service import Check

_EPILOG = """\b
Examples:
  judder provision --port /dev/ttyUSB0 --profile pump.toml
  judder provision --port virtual --profile pump.toml --json
\b
A profile is a TOML file:
  [settings]
  mode = "continuous"
  interval_s = 60
  link = "serial"
Every setting with its range: judder provision --settings
"""


@click.command(epilog=_EPILOG)
@click.option("--port", help="Device path, rfc2217://host:port, socket://host:port or virtual.")
@click.option("--profile", "profile_path", type=click.Path(path_type=Path), help="TOML file with the settings.")
@click.option(
    "--keys", type=click.Path(path_type=Path), help="Folder that keeps the nodes' keys (default: your data folder)."
)
@click.option("--new-keys", is_flag=True, help="Draw a new LoRaWAN AppKey too: the network server has to be told.")
@click.option("--no-self-test", is_flag=True, help="Do not run the node's self-test.")
@click.option("--settings", "list_settings", is_flag=True, help="List every setting and what it allows, and stop.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: progress, then the report.")
def command(
    port: str | None,
    profile_path: Path | None,
    keys: Path | None,
    new_keys: bool,
    no_self_test: bool,
    list_settings: bool,
    as_json: bool,
) -> None:
    """Give a node its identity, a fresh random key and its settings; read them back; run its self-test."""
    from platformdirs import user_data_path

    from judder.device import profile, provision

    if list_settings:
        for row in profile.describe():
            click.echo(json.dumps(row) if as_json else f"{row['name']:29} {row['allowed']:34} {row['meaning']}")
        return
    if port is None or profile_path is None:
        raise click.UsageError("--port and --profile are needed; judder provision --help shows an example")
    wanted = profile.load(profile_path)
    machine = profile.machine(wanted)
    if machine.group != "none" and machine.boundaries_mm_s is None and not as_json:
        click.echo(f"note: readings will not be rated: {machine.reason}", err=True)
    with Progress(as_json) as progress:
        try:
            report = provision.provision(
                port,
                wanted,
                keys=keys or user_data_path("judder") / "nodes",
                on_event=progress,
                self_test=not no_self_test,
                new_keys=new_keys,
            )
        except SelfTestFailed as error:
            progress.close()
            _print(error.report, as_json)
            raise
    _print(report, as_json)


def _print(report: object, as_json: bool) -> None:
    from judder.device.provision import ProvisionReport

    assert isinstance(report, ProvisionReport)
    if as_json:
        click.echo(json.dumps({"event": "report", **report.to_dict()}))
        return
    for check in report.self_test:
        unit = "" if check.unit == "1" else f" {check.unit}"
        value = "" if check.value is None else f"{check.value:g}{unit}"
        click.echo(
            f"  {'ok  ' if check.ok else 'FAIL'} {check.name:20} {value:14} {_limits(check)}{check.message}".rstrip()
        )
    passed = all(check.ok for check in report.self_test)
    click.secho(
        f"{'PASS' if passed else 'FAIL'}  node {report.node}, settings generation {report.generation}", bold=True
    )
    for name, value in report.lorawan.items():
        click.echo(f"  {name:10} {value}")
    if report.key_file:
        click.echo(f"its key is kept in {report.key_file}")


def _limits(check: Check) -> str:
    if check.low is None and check.high is None:
        return ""
    if check.high is None:
        return f"(at least {check.low:g}) "
    return f"(at most {check.high:g}) " if check.low is None else f"({check.low:g} to {check.high:g}) "
