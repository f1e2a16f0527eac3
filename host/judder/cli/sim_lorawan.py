"""judder sim --link lorawan: options, lines while it runs, the table at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from judder.cli import lorawan_table
from judder.errors import InputError
from judder.virtual import sim
from judder.virtual.lorawan import fleet
from judder.virtual.lorawan.fleet import Identity, Request

_PART_FAILED = 6


def request(
    nodes: int,
    scenario: str,
    minutes: float,
    interval: int | None,
    region: str,
    gateways: int,
    sub_band: int,
    loss: float,
    seed: int,
    first: int,
    forward: str | None,
    state: Path | None,
) -> Request:
    """Options as they were given. Raises InputError."""
    server = None if forward is None else _address(forward)
    if server is not None and state is None:
        raise InputError(
            "--forward needs --state FOLDER: a network server takes no DevNonce twice, so nodes have to keep theirs"
        )
    duration_s = minutes * 60
    machine = sim.machine_of(scenario, duration_s)
    return Request(
        nodes,
        region,
        duration_s,
        machine,
        gateways=gateways,
        sub_band=sub_band,
        loss=loss,
        seed=seed,
        first=first,
        values={"interval_s": interval or 300},
        forward=server,
        state=state,
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"--forward {text}: give HOST:PORT, usually port 1700")
    return host.strip("[]"), int(port)


def run(wanted: Request, as_json: bool) -> None:
    """Simulate and print; ends the command with 6 if nodes did something against the rules.

    Raises what fleet.simulate does.
    """

    def show(event: dict[str, Any]) -> None:
        text = json.dumps(event) if as_json else lorawan_table.line(event)
        if text is not None:
            click.echo(text)

    def ready(nodes: list[Identity]) -> None:
        if wanted.forward is None or wanted.state is None:
            return
        euis = [fleet.gateway_eui(number).hex() for number in range(wanted.gateways)]
        if as_json:
            devices = [{"name": one.name, "dev_eui": one.dev_eui, "join_eui": one.join_eui} for one in nodes]
            click.echo(json.dumps({"event": "register", "gateways": euis, "devices": devices}))
            return
        click.echo(f"Register at your network server (LoRaWAN 1.0.4, {wanted.region}):")
        click.echo(f"  gateways  {' '.join(euis)}")
        click.echo(f"  devices   {len(nodes)}, with their keys in {wanted.state / 'devices.csv'}")

    outcome = fleet.simulate(wanted, show, ready)
    if as_json:
        accounts = [account.to_dict() for account in outcome.ledger.accounts.values()]
        report = {
            "event": "report",
            "nodes": accounts,
            "gateways": outcome.gateways,
            "messages": outcome.messages,
            "alarms": outcome.alarms,
            "bad_payloads": outcome.bad_payloads,
            "node_seconds": round(outcome.node_seconds),
            "violations": outcome.violations,
            "set_aside": outcome.set_aside,
        }
        click.echo(json.dumps(report))
    else:
        click.echo()
        click.echo("\n".join(lorawan_table.table(outcome)))
    if outcome.violations:
        click.get_current_context().exit(_PART_FAILED)
