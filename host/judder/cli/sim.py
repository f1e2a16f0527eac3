"""judder sim: virtual nodes to a broker, to stdout, or over LoRaWAN."""

from __future__ import annotations

import json
from pathlib import Path

import click

from judder.cli.broker import parse
from judder.decode.records import Record
from judder.errors import InputError

_EPILOG = """\b
Examples:
  judder sim --nodes 5 --scenario mixed --minutes 10           JSON lines, as fast as this computer can
  judder sim --nodes 20 --scenario failing --to mqtt://127.0.0.1:1883 --interval 10
  judder sim --link lorawan --region EU868 --nodes 20 --minutes 120
  judder sim --link lorawan --region EU868 --nodes 3 --minutes 60 --forward 127.0.0.1:1700 --state my-nodes
\b
Scenarios: healthy, imbalance, misalignment, bearing, stopped, clipped, failing, mixed
"""


@click.command(epilog=_EPILOG)
@click.option("--nodes", type=click.IntRange(1, 200), default=3, show_default=True, help="How many.")
@click.option("--scenario", default="mixed", show_default=True, help="What the machines do.")
@click.option("--minutes", type=click.FloatRange(0.05), default=10, show_default=True, help="Of the nodes' time.")
@click.option(
    "--interval", type=click.IntRange(1, 86400), help="Seconds between readings (default: 60; over LoRaWAN 300)."
)
@click.option(
    "--link",
    type=click.Choice(["console", "mqtt", "lorawan"]),
    help="How they talk (default: mqtt with a broker in --to, else console).",
)
@click.option("--region", default="EU868", show_default=True, help="LoRaWAN: EU868 US915 AU915 AS923-1..4 IN865.")
@click.option("--gateways", type=click.IntRange(1, 16), default=1, show_default=True, help="LoRaWAN: how many.")
@click.option("--sub-band", type=click.IntRange(1, 8), default=2, show_default=True, help="LoRaWAN, US915 and AU915.")
@click.option("--loss", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="LoRaWAN: lost at random.")
@click.option("--seed", type=int, default=1, show_default=True, help="LoRaWAN: of places and losses.")
@click.option("--forward", metavar="HOST:PORT", help="LoRaWAN: a real network server (Semtech UDP), in real time.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="LoRaWAN: folder that keeps keys and flash (with --forward: needed).",
)
@click.option("--to", "target", default="-", show_default=True, help="mqtt://host:port, or - for stdout.")
@click.option("--pace", type=float, help="Node seconds per second here (default: 1 to a broker, no limit to stdout).")
@click.option("--first", type=click.IntRange(0, 0xFFFF00), default=0, help="Number of the first node; makes its id.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line (stdout is JSON in any case).")
def command(
    nodes: int,
    scenario: str,
    minutes: float,
    interval: int | None,
    link: str | None,
    region: str,
    gateways: int,
    sub_band: int,
    loss: float,
    seed: int,
    forward: str | None,
    state: Path | None,
    target: str,
    pace: float | None,
    first: int,
    as_json: bool,
) -> None:
    """Virtual nodes, each running the real firmware on a MicroPython of its own (duty mode: they sleep in between).

    Over LoRaWAN their radios share an air with gateways and a network server of Judder's own, or with one of yours.
    """
    from judder.virtual import sim

    broker = _broker(target)
    if link == "lorawan":
        from judder.cli import sim_lorawan

        if broker is not None or pace is not None:
            raise InputError("--link lorawan takes no --to and no --pace; see --forward for a network server of yours")
        sim_lorawan.run(
            sim_lorawan.request(
                nodes, scenario, minutes, interval, region, gateways, sub_band, loss, seed, first, forward, state
            ),
            as_json,
        )
        return
    if forward is not None or state is not None:
        raise InputError("--forward and --state go with --link lorawan")
    if link is not None and (link == "mqtt") != (broker is not None):
        raise InputError(f"--link {link} does not go with --to {target}")

    def show(node: str, record: Record, at_s: float) -> None:
        click.echo(json.dumps({"node": node, "board_s": round(at_s, 1), **record.to_dict()}))

    totals = sim.simulate(
        nodes,
        scenario,
        duration_s=minutes * 60,
        values={"interval_s": interval or 60},
        broker=broker,
        pace=1.0 if pace is None and broker else pace,
        first=first,
        on_message=show if broker is None else lambda _node, _record, _time: None,
    )
    summary = {"nodes": totals.nodes, "console_messages": totals.messages, "node_seconds": round(totals.board_seconds)}
    if as_json:
        click.echo(json.dumps({"event": "report", **summary, "bad_frames": totals.bad_frames}))
    else:
        where = "over their consoles" if broker is None else f"over their consoles; readings went to {target}"
        click.echo(
            f"{totals.nodes} nodes, {totals.board_seconds:.0f} node seconds, {totals.messages} messages {where}",
            err=True,
        )


def _broker(target: str) -> tuple[str, int] | None:
    if target == "-":
        return None
    found = parse(target)
    if found.user or found.tls:
        raise InputError(f"--to {target}: virtual nodes speak plain mqtt://host:port, without a user")
    return found.host, found.port
