"""judder decode: payloads to records, as JSON lines or text."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import click

from judder import decode, explain
from judder.errors import DecodeError, InputError, JudderError, Timeout
from judder.ingest import port as console_port
from judder.ingest import text

_EPILOG = """\b
Examples:
  judder decode 86011828f619019f0700
  judder decode 86 01 18 28 f6 19 01 9f 07 00 --explain
  judder decode --text hgEYKPYZAZ8HAA==
  judder decode --file uplinks.ndjson > readings.ndjson
  grep @judder console.log | judder decode
  judder decode --port /dev/ttyUSB0 --count 3
\b
Lines on stdin or in a file are hex, base64, JSON objects with "payload" (or
ChirpStack's "data"), or console lines of a node. A file may also be one raw
message.
\b
Exit code: 0 all decoded, 6 some did not, 7 none did.
"""


@click.command(epilog=_EPILOG)
@click.argument("payloads", nargs=-1, metavar="[HEX ...]")
@click.option("--base64", "is_base64", is_flag=True, help="Payloads are base64, also where they could be hex.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Read payloads from a file.")
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
    if seconds is not None and port is None:
        raise click.UsageError("--seconds goes with --port")
    report = _Report(explained, as_text=as_text or (explained and not as_json))
    with contextlib.ExitStack() as stack:
        found: Iterator[text.Found]
        if port is not None:
            found = stack.enter_context(contextlib.closing(_from_port(port, seconds)))
        elif path is not None:
            found = text.from_file(_contents(path), is_base64=is_base64)
        elif payloads:
            found = text.from_arguments(payloads, is_base64=is_base64)
        elif sys.stdin.isatty():
            raise click.UsageError("nothing to decode: judder decode --help shows examples")
        else:
            found = text.from_lines(_stdin(), is_base64=is_base64)
        with contextlib.suppress(KeyboardInterrupt):  # how a person ends --port
            for one in itertools.islice(found, count):
                report.show(one)
    if not report.total and path is not None:
        raise InputError(f"{path} holds no payload")
    if not report.total and port is not None and seconds is not None:
        raise Timeout(f"no message on {port} in {seconds:g} s; is the node's link 'serial'? Try its reset button")
    return report.exit_code


class _Report:
    """Prints what was found and counts what failed."""

    def __init__(self, explained: bool, *, as_text: bool) -> None:
        self._explained = explained
        self._as_text = as_text
        self.total = 0
        self._failed = 0

    @property
    def exit_code(self) -> int:
        if not self._failed:
            return 0
        return 7 if self._failed == self.total else 6

    def show(self, one: text.Found) -> None:
        self.total += 1
        where: dict[str, Any] = {} if one.node is None else {"node": one.node}
        try:
            if one.error is not None:
                raise one.error
            if self._explained:
                self._explain(one.payload, where)
                decode(one.payload)  # for the exit code: explain itself never fails
                return
            record = decode(one.payload).to_dict()
        except JudderError as error:
            self._failed += 1
            if not (self._explained and one.error is None):
                self._error(one.number, error, where)
            return
        click.echo(_readable(where | record) if self._as_text else _json(where | record))

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


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"))


def _readable(row: dict[str, Any]) -> str:
    """Everything that was sent, as name=value; axes as x/y/z."""
    words = [str(row[name]) for name in ("node", "kind") if name in row]
    for name, value in row.items():
        if name in ("node", "kind") or value is None or value is False or value in ([], ""):
            continue
        if isinstance(value, dict) and value.keys() == {"x", "y", "z"}:
            value = "/".join("-" if axis is None else str(axis) for axis in value.values())
        words.append(name if value is True else f"{name}={value}")
    return "  ".join(words) + ("  " if words and "kind" not in row else "")


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


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
        for number, message in enumerate(console_port.messages(port, seconds=seconds), 1):
            if isinstance(message, DecodeError):
                yield text.Found(number, error=message)
            else:
                yield text.Found(number, message[1], message[0])
    finally:
        port.close()
