"""judder command: an order for a node, as bytes, as a downlink for a server, or sent and answered."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from typing import Any

import click

from judder import decode, encode_command
from judder.cli import broker
from judder.decode.records import Ack
from judder.errors import InputError, JudderError, Refused, Timeout
from judder.flow import Uplink, node_id
from judder.ingest import downlink, topics

# What every LoRaWAN region takes down at its slowest (EU868, data rate 0).
_LORAWAN_BYTES = 51

_EPILOG = """\b
Examples:
  judder command --reboot                                     hex and base64, to paste
  judder command --set interval_s=300 --set mode=duty --node 70b3d57ed0000001 --to mqtt://127.0.0.1 --wait 30
  judder command --request capture --axis y --node 70b3d57ed0000001 --chirpstack 17c82e96-be03-4f38-aef3-f83d48582d97
  judder command --request reading --tts machines@ttn --device pump-7 --to mqtts://eu1.cloud.thethings.network
\b
Without --to it prints what to publish, and where. JUDDER_MQTT_PASSWORD holds
the broker's password (mqtt://user@host). Over LoRaWAN a node listens after it
has sent, so an answer takes as long as its interval.
\b
Exit code: 0 made, sent or answered; 3 no broker; 4 no answer in time, or the
node refused.
"""


@click.command(epilog=_EPILOG)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting (judder provision --settings).")
@click.option("--request", help="Ask for: hello, reading, capture or spectrum.")
@click.option("--axis", type=click.Choice(["x", "y", "z"]), help="Of a capture.")
@click.option("--reboot", is_flag=True, help="Start again.")
@click.option("--tag", type=click.IntRange(0, 0xFFFFFFFF), help="Number that comes back with the answer [random].")
@click.option("--node", help="Node id, 16 hex digits.")
@click.option("--chirpstack", metavar="APPLICATION", help="As a downlink for ChirpStack v4; the application's id.")
@click.option("--tts", metavar="APPLICATION", help="As a downlink for The Things Stack v3; application id[@tenant].")
@click.option("--device", help="With --tts: the device's id there.")
@click.option("--confirmed", is_flag=True, help="With a server: have the device acknowledge it.")
@click.option("--limit", type=click.IntRange(1), help="Most bytes the link takes [51 with a server].")
@click.option("--to", "url", help="Publish it: mqtt://host:port or mqtts://host:port.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0, min_open=True), help="With --to: seconds for the answer."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    given: tuple[str, ...],
    request: str | None,
    axis: str | None,
    reboot: bool,
    tag: int | None,
    node: str | None,
    chirpstack: str | None,
    tts: str | None,
    device: str | None,
    confirmed: bool,
    limit: int | None,
    url: str | None,
    wait_s: float | None,
    as_json: bool,
) -> None:
    """Make a COMMAND for a node: new settings, a request, a reboot."""
    server = chirpstack or tts
    if chirpstack and tts:
        raise click.UsageError("--chirpstack or --tts, not both")
    if (tts is None) != (device is None):
        raise click.UsageError("--tts and --device go together")
    if node is None and (chirpstack or (url and not tts)):
        raise click.UsageError("name the --node")
    if confirmed and not server:
        raise click.UsageError("--confirmed goes with --chirpstack or --tts")
    if wait_s is not None and url is None:
        raise click.UsageError("--wait goes with --to")
    target = None if url is None else broker.parse(url)
    tag = secrets.randbelow(1 << 16) if tag is None else tag
    settings = dict(_setting(text) for text in given) if given else None
    limit = limit or (_LORAWAN_BYTES if server else None)
    frame = encode_command(tag, settings=settings, request=request, axis=axis, reboot=reboot, limit=limit)
    row: dict[str, Any] = {"event": "command", "tag": tag, "port": downlink.port(frame), "hex": frame.hex()}
    row["base64"] = base64.b64encode(frame).decode()
    publication: downlink.Publication | None = None
    answers: tuple[str, ...] = ()
    if chirpstack:
        publication = downlink.chirpstack(node or "", frame, application=chirpstack, confirmed=confirmed)
        answers = (publication[0].replace("/command/down", "/event/up"),)
    elif tts:
        publication = downlink.tts(device or "", frame, application=tts, confirmed=confirmed, id=f"judder-{tag}")
        answers = topics.of_tts(tts)[:1]
    elif node:
        publication = downlink.mqtt(node, frame)
        answers = (publication[0].replace("/down", "/up"),)
    if publication is not None:
        row["topic"] = publication[0]
        if server:
            row["body"] = json.loads(publication[1])
    _print(row, as_json)
    if target is not None and publication is not None:
        wanted = None if node is None else node_id(node)
        _send(target, publication, answers, wait_s, (wanted, device, tag), as_json)


def _send(
    target: broker.Target,
    publication: downlink.Publication,
    answers: tuple[str, ...],
    wait_s: float | None,
    wanted: tuple[str | None, str | None, int],
    as_json: bool,
) -> None:
    """Publish, and wait for the ACK with its tag where asked to."""
    try:
        from judder.ingest.mqtt import Subscriber
    except ModuleNotFoundError as error:
        raise JudderError(f"--to needs the package '{error.name}': pip install 'judder[gateway]'") from error
    password = os.environ.get("JUDDER_MQTT_PASSWORD", "")
    with Subscriber(
        target.host, target.port, subscriptions=answers, user=target.user, password=password, tls=target.tls
    ) as subscriber:
        subscriber.publish(*publication)
        _print({"event": "sent", "topic": publication[0]}, as_json)
        end = None if wait_s is None else time.monotonic() + wait_s
        while end is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise Timeout(
                    f"no answer to command {wanted[2]} in {wait_s:g} s; a node over LoRaWAN answers when it sends"
                )
            ack = _answer(subscriber.get(left), wanted)
            if ack is not None:
                _print({"event": "answer", **ack.to_dict()}, as_json)
                if ack.status != "done":
                    raise Refused(f"the node refused command {wanted[2]}: {ack.status}")
                return


def _answer(event: object, wanted: tuple[str | None, str | None, int]) -> Ack | None:
    node, device, tag = wanted
    if not isinstance(event, Uplink) or (node and event.node != node) or (device and event.name != device):
        return None
    try:
        record = decode(event.payload)
    except JudderError:
        return None
    return record if isinstance(record, Ack) and record.tag == tag else None


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: give NAME=VALUE, as interval_s=300")
    return name.strip(), value.strip()


def _print(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row, separators=(",", ":")))
        return
    for name, value in row.items():
        if name != "event":
            click.echo(f"{name:8}  {json.dumps(value) if isinstance(value, dict) else value}")
