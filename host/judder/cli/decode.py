"""judder decode: payloads to records, as JSON lines or text."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import click

from judder import decode, explain
from judder.errors import DecodeError, InputError, JudderError, Timeout
from judder.flow import Uplink
from judder.ingest import events, files, plain, semtech, text
from judder.ingest import port as console_port

_EPILOG = """\b
Examples:
  judder decode 86011828f619019f0700
  judder decode 86 01 18 28 f6 19 01 9f 07 00 --explain
  judder decode --text hgEYKPYZAZ8HAA==
  judder decode --file uplinks.ndjson > readings.ndjson
  grep @judder console.log | judder decode
  mosquitto_sub -t 'application/+/device/+/event/+' | judder decode
  mosquitto_sub -t 'judder/+/up' -F '%t %x' | judder decode
  judder decode --port /dev/ttyUSB0 --count 3
\b
Lines on stdin or in a file are hex, base64, console lines of a node, events
of ChirpStack v4 or The Things Stack v3 as JSON, JSON objects with "payload",
a topic and its payload, or what a LoRaWAN gateway forwards (Semtech's UDP
protocol) as JSON or hex dump. A file may also be Parquet, gzip, or one raw
message. Joins, downlinks and the like are shown with an "event".
\b
Exit code: 0 all payloads decoded, 6 some did not, 7 none did.
"""


@click.command(epilog=_EPILOG)
@click.argument("payloads", nargs=-1, metavar="[HEX ...]")
@click.option("--base64", "is_base64", is_flag=True, help="Payloads are base64, also where they could be hex.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Read payloads from a file.")
@click.option(
    "--sessions",
    type=click.Path(path_type=Path),
    help="TOML with session keys, for frames as a LoRaWAN gateway hears them (docs/servers.md).",
)
@click.option("--port", help="Read a node's console: device path, rfc2217://host:port, socket://host:port or virtual.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="With --port: stop after so long.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many payloads.")
@click.option("--explain", "explained", is_flag=True, help="Say what every byte means.")
@click.option("--text", "as_text", is_flag=True, help="One readable line a record.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line (the default; with --explain too).")
def command(
    payloads: tuple[str, ...],
    is_base64: bool,
    path: Path | None,
    sessions: Path | None,
    port: str | None,
    seconds: float | None,
    count: int | None,
    explained: bool,
    as_text: bool,
    as_json: bool,
) -> int:
    """Turn payloads into records with units: from arguments, stdin, a file, or a node's console."""
    if sum((bool(payloads), path is not None, port is not None)) > 1:
        raise click.UsageError("give payloads, --file or --port, not several of them")
    if as_text and as_json:
        raise click.UsageError("--text or --json, not both")
    if sessions is not None and (payloads or port is not None):
        raise click.UsageError("--sessions goes with --file or stdin")
    if seconds is not None and port is None:
        raise click.UsageError("--seconds goes with --port")
    report = _Report(explained, as_text=as_text or (explained and not as_json))
    with contextlib.ExitStack() as stack:
        found: Iterator[text.Found]
        if port is not None:
            found = stack.enter_context(contextlib.closing(_from_port(port, seconds)))
        elif path is not None:
            found = files.read(path, is_base64=is_base64, open_frame=_opener(sessions))
        elif payloads:
            found = text.from_arguments(payloads, is_base64=is_base64)
        elif sys.stdin.isatty():
            raise click.UsageError("nothing to decode: judder decode --help shows examples")
        else:
            found = text.from_lines(_stdin(), is_base64=is_base64, open_frame=_opener(sessions))
        with contextlib.suppress(KeyboardInterrupt):  # how a person ends --port
            for one in itertools.islice(found, count):
                report.show(one)
    if not report.shown and path is not None:
        raise InputError(f"{path} holds no payload")
    if not report.shown and port is not None and seconds is not None:
        raise Timeout(f"no message on {port} in {seconds:g} s; is the node's link 'serial'? Try its reset button")
    return report.exit_code


class _Report:
    """Prints what was found and counts what failed."""

    def __init__(self, explained: bool, *, as_text: bool) -> None:
        self._explained = explained
        self._as_text = as_text
        self.shown = 0
        self._payloads = 0
        self._failed = 0

    @property
    def exit_code(self) -> int:
        if not self._failed:
            return 0
        return 7 if self._failed == self._payloads else 6

    def show(self, one: text.Found) -> None:
        self.shown += 1
        event = one.event
        if event is not None and not isinstance(event, (Uplink, events.Foreign)):
            self._print(_known(event.to_dict()))
            return
        self._payloads += 1
        if isinstance(event, events.Foreign):
            self._failed += 1
            payload = event.uplink.payload.hex()
            self._print(_where(event.uplink) | {"event": event.event, "reason": event.reason, "payload": payload})
            return
        where: dict[str, Any] = {} if event is None else _where(event)
        try:
            if event is None:
                raise one.error or InputError("nothing found")
            if self._explained:
                self._explain(event.payload, where)
                decode(event.payload)  # for the exit code: explain itself never fails
                return
            record = decode(event.payload).to_dict()
        except JudderError as error:
            self._failed += 1
            if not (self._explained and one.error is None):
                self._error(one.number, error, where)
            return
        self._print(where | record)

    def _print(self, row: dict[str, Any]) -> None:
        click.echo(_readable(row) if self._as_text else _json(row))

    def _error(self, number: int, error: JudderError, where: dict[str, Any]) -> None:
        if self._as_text:
            click.echo(_readable(where) + f"error  payload {number}: {error}")
            return
        row: dict[str, Any] = where | {
            "kind": "error",
            "number": number,
            "reason": str(error),
            "offset": None,
            "hex": "",
        }
        if isinstance(error, DecodeError):
            row |= {"reason": error.reason, "offset": error.offset, "hex": error.hex}
        click.echo(_json(row))

    def _explain(self, payload: bytes, where: dict[str, Any]) -> None:
        parts = explain(payload)
        if not self._as_text:
            click.echo(_json(where | {"payload": payload.hex(), "parts": [part._asdict() for part in parts]}))
            return
        click.echo(_readable(where) + f"{len(payload)} bytes  {payload.hex()}")
        for part in parts:
            shown = part.hex if len(part.hex) <= 18 else part.hex[:16] + ".."
            click.echo(f"  {part.offset:4}  {shown:18}  {part.path:20}  {part.meaning}")


def _where(uplink: Uplink) -> dict[str, Any]:
    """Who sent it, when it came, and what its carrier says of it, as far as it says anything."""
    told = plain.to_dict(uplink)
    del told["payload"]
    where = {name: told.pop(name) for name in ("node", "received_at") if name in told}
    if uplink.source in ("file", "console"):
        del told["source"]
    return where | ({"uplink": told} if told else {})


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Without a time that nobody said."""
    return {name: value for name, value in row.items() if not (isinstance(value, float) and math.isnan(value))}


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"))


# In front already, or too much for a line.
_NOT_TWICE = ("node", "kind", "event", "received_at", "uplink")


def _readable(row: dict[str, Any]) -> str:
    """Everything that was sent, as name=value; axes as x/y/z."""
    words = [str(row[name]) for name in ("node", "kind", "event") if name in row]
    for name, value in row.items():
        if name in _NOT_TWICE or value is None or value is False or value in ([], ""):
            continue
        if isinstance(value, dict) and value.keys() == {"x", "y", "z"}:
            value = "/".join("-" if axis is None else str(axis) for axis in value.values())
        words.append(name if value is True else f"{name}={value}")
    return "  ".join(words) + ("  " if words and not row.keys() & {"kind", "event"} else "")


def _opener(sessions: Path | None) -> semtech.OpenFrame | None:
    if sessions is None:
        return None
    try:
        from judder.virtual.lorawan.sessions import Sessions
    except ModuleNotFoundError as error:
        raise JudderError(f"--sessions needs the package '{error.name}': pip install 'judder[sim]'") from error
    return Sessions.load(sessions).open


def _stdin() -> Iterator[str]:
    for raw in sys.stdin.buffer:
        yield raw.decode("utf-8", "replace")


def _from_port(url: str, seconds: float | None) -> Generator[text.Found, None, None]:
    try:
        from judder.device import ports
    except ModuleNotFoundError as error:
        raise JudderError(f"reading a port needs the package '{error.name}': pip install 'judder[bench]'") from error
    port = ports.open_port(url)
    hint = "; press the board's reset button to see it start" if url.startswith("socket://") else ""
    click.echo(f"reading {url}; Ctrl-C ends{hint}", err=True)
    try:
        for number, one in enumerate(console_port.uplinks(port, seconds=seconds), 1):
            if isinstance(one, Uplink):
                yield text.Found(number, one)
            else:
                yield text.Found(number, error=one.error)
    finally:
        port.close()
