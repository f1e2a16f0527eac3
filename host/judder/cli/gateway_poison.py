"""judder gateway poison: what was set aside, and why; tried again or dropped."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from judder.cli import gateway_given as given
from judder.errors import InputError, JudderError
from judder.gateway import config as configuration
from judder.gateway import poison as asides
from judder.gateway.intake import Intake, Rules
from judder.gateway.log import Log
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Spool
from judder.gateway.spool_file import SpoolInUse

# A gateway that runs looks every few seconds.
_WAIT_S = 60.0


@click.group()
def poison() -> None:
    """What was set aside because it could never be taken: list it, try it again, drop it.

    \b
    judder gateway poison list --config gateway.toml
    judder gateway poison retry --all --config gateway.toml
    judder gateway poison drop 3 4 --config gateway.toml
    """


@poison.command("list")
@given.options
@click.option("--stage", help="Only event, foreign, node, decode or sink:NAME.")
@click.pass_context
def list_(context: click.Context, path: Path | None, data: Path | None, as_json: bool, stage: str | None) -> None:
    """What was set aside, oldest first, with its number, node and reason."""
    spool, _rules, as_json = _whereabouts(context, path, data, as_json)
    found = asides.listing(spool, stage)
    for entry in found:
        if as_json:
            click.echo(json.dumps(entry.to_dict()))
            continue
        uplink = entry.aside.row.uplink
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry.at))
        shown = uplink.payload.hex() if len(uplink.payload) <= 64 else f"{uplink.payload[:64].hex()}.."
        click.echo(f"{entry.number}  {when}  {entry.aside.stage}  node {uplink.node or '?'}  {entry.aside.reason}")
        click.echo(f"    {shown}")
    if not found and not as_json:
        click.echo("nothing was set aside")


@poison.command()
@given.options
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.pass_context
def drop(
    context: click.Context,
    path: Path | None,
    data: Path | None,
    as_json: bool,
    numbers: tuple[int, ...],
    everything: bool,
) -> None:
    """Forget these. They are gone for good."""
    spool, _rules, as_json = _whereabouts(context, path, data, as_json)
    dropped = asides.drop(spool, _chosen(spool, numbers, everything))
    click.echo(json.dumps({"dropped": dropped}) if as_json else f"{dropped} dropped")


@poison.command()
@given.options
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.pass_context
def retry(
    context: click.Context,
    path: Path | None,
    data: Path | None,
    as_json: bool,
    numbers: tuple[int, ...],
    everything: bool,
) -> int:
    """Try these again, after an update or a change of the configuration. A gateway that runs does it itself.

    Exit code 6 when some are set aside again.
    """
    spool, rules, as_json = _whereabouts(context, path, data, as_json)
    chosen = _chosen(spool, numbers, everything)
    asides.ask(spool, chosen)
    try:
        _try(spool, rules)
    except SpoolInUse:
        if not as_json:
            click.echo("a gateway is running; it is asked to", err=True)
        _wait(spool, chosen)
    outcomes = asides.outcomes(spool)
    for number in chosen:
        why = outcomes.get(number, "it was dropped meanwhile")
        if as_json:
            click.echo(json.dumps({"number": number, "taken": not why, "reason": why or None}))
        else:
            click.echo(f"{number}  {f'set aside again: {why}' if why else 'taken'}")
    return 6 if any(outcomes.get(number, "-") for number in chosen) else 0


def _whereabouts(
    context: click.Context, path: Path | None, data: Path | None, as_json: bool
) -> tuple[Path, Rules, bool]:
    before = context.find_object(given.Given)
    said = given.Given(path, data, as_json)
    if before is not None:
        said = said.over(before)
    with given.problems(said.as_json):
        spool, rules = configuration.spool_of(said.path, environ=os.environ, data=said.data)
    return spool, rules, said.as_json


def _chosen(spool: Path, numbers: tuple[int, ...], everything: bool) -> list[int]:
    there = [entry.number for entry in asides.listing(spool)]
    if everything == bool(numbers):
        raise click.UsageError("name the numbers that 'judder gateway poison list' shows, or --all")
    missing = sorted(set(numbers) - set(there))
    if missing:
        raise InputError(f"nothing with number {missing[0]} is set aside; 'judder gateway poison list' shows them")
    return there if everything else sorted(set(numbers))


def _try(path: Path, rules: Rules) -> None:
    """While no gateway runs. What is taken waits in the spool for the next one's sinks."""
    log = Log(sys.stderr, as_json=False, level="error")
    spool = Spool(path, log=lambda line: log.error("spool-damaged", line))
    try:
        intake = Intake(spool, clock=time.time, log=log, metrics=Metrics(), rules=rules)
        asides.retry_wanted(spool, intake)
    finally:
        spool.close()


def _wait(spool: Path, chosen: list[int]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        if set(chosen) <= asides.outcomes(spool).keys():
            return
        time.sleep(0.2)
    raise JudderError(f"the gateway has not tried them within {_WAIT_S:g} s; its log may say why")
