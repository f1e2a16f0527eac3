"""Payloads and events as people and programs write them down: hex, base64, JSON, console lines, `topic payload`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judder.errors import DecodeError, InputError, JudderError
from judder.flow import Uplink
from judder.ingest import chirpstack, envelope, events, plain, topics, tts
from judder_core import line as console_line

# `mosquitto_sub -v` and `-F "%t %x"`: a topic, a space, the payload.
_TOPIC = re.compile(r"(?P<topic>(?:\S*/)?(?:judder|device|devices)/[^/\s]+/\S+)\s+(?P<rest>\S.*)", re.DOTALL)
_HEX_WORD = re.compile(r"[0-9a-fA-F]{2}")
# Lines of JSON that one event may be spread over before somebody else's text is taken for one.
_MAX_LINES = 10_000


@dataclass(slots=True)
class Found:
    """What one line, argument or row holds: an event, or why there is none. number: from 1.

    The received_at of an event is NaN where neither it nor the caller said a time.
    """

    number: int
    event: events.Event | None = None
    error: JudderError | None = None


def parse(text: str, *, is_base64: bool = False) -> bytes:
    """Bytes of one payload in hex or base64, as envelope.hex_or_base64. Raises InputError."""
    return envelope.from_base64(text) if is_base64 else envelope.hex_or_base64(text)


def from_arguments(arguments: tuple[str, ...], *, is_base64: bool = False) -> Iterator[Found]:
    """One payload or event an argument; arguments of one byte each are one payload, pasted with its spaces."""
    if not is_base64 and len(arguments) > 1 and all(map(_HEX_WORD.fullmatch, arguments)):
        arguments = ("".join(arguments),)
    for number, argument in enumerate(arguments, 1):
        yield from _found(number, argument, is_base64, math.nan)


def from_lines(lines: Iterable[str], *, is_base64: bool = False, received_at: float = math.nan) -> Iterator[Found]:
    """One a line: hex, base64, a console line, `topic payload`, or JSON: an event of ChirpStack or The Things Stack, a
    row of judder.ingest.plain. JSON may also be spread over lines or be an array. Skips blank and # lines.

    received_at: Unix time in seconds, for what says none.
    """
    numbered = enumerate(lines, 1)
    for number, text in numbered:
        bare = text.rstrip()
        if bare in ("{", "["):
            bare = _gather(bare, (more for _number, more in numbered))
        if bare.strip() and not bare.lstrip().startswith("#"):
            yield from _found(number, bare, is_base64, received_at)


def _gather(first: str, more: Iterator[str]) -> str:
    """JSON that a program wrote for people: from a bracket alone on its line to its like at the beginning of one."""
    pieces = [first]
    end = "}" if first == "{" else "]"
    for text in more:
        pieces.append(text)
        if text.startswith(end) or len(pieces) > _MAX_LINES:
            break
    return "".join(piece if piece.endswith("\n") else piece + "\n" for piece in pieces)


def _found(number: int, text: str, is_base64: bool, received_at: float) -> Iterator[Found]:
    text = text.strip()
    try:
        if text.startswith("["):
            for row in _array(text):
                yield from _found(number, json.dumps(row), is_base64, received_at)
            return
        yield Found(number, _event(text, is_base64, received_at))
    except JudderError as error:
        yield Found(number, error=error)


def _array(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error!s:.80}): {envelope.shown(text)}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"an array of JSON objects is expected: {envelope.shown(text)}")
    return rows


def _event(text: str, is_base64: bool, received_at: float) -> events.Event:
    """Raises InputError or, for a damaged console line, DecodeError."""
    if console_line.MARK in text:
        message = console_line.decode(text[text.rfind(console_line.MARK) :])
        if message is None:
            raise DecodeError("console line: damaged")
        return Uplink(message[0].hex(), message[1], received_at, "console")
    if text.startswith("{"):
        return from_json(envelope.load(text), received_at=received_at, is_base64=is_base64)
    with_topic = _TOPIC.fullmatch(text)
    if with_topic is not None:
        topic, rest = with_topic["topic"], with_topic["rest"]
        data = parse(rest) if topics.carries_payload(topic) else rest.encode("utf-8", "replace")
        return topics.parse(topic, data, received_at=received_at)
    return Uplink("", parse(text, is_base64=is_base64), received_at, "file")


def from_json(row: Mapping[str, Any], *, received_at: float | None = None, is_base64: bool = False) -> events.Event:
    """An event of ChirpStack or The Things Stack, or a row of judder.ingest.plain, by its keys. Raises InputError."""
    inner = next((row[wrap] for wrap in ("result", "data") if isinstance(row.get(wrap), dict)), row)
    if "end_device_ids" in inner:
        return tts.parse(row, received_at=received_at)
    if "deviceInfo" in row or "devEUI" in row:
        return chirpstack.parse(row, received_at=received_at)
    if not plain.holds_payload(row):
        raise InputError(
            "a JSON line holds an event of ChirpStack v4 or The Things Stack v3, or a text under 'payload': "
            + envelope.shown(json.dumps(row))
        )
    return plain.from_dict(row, received_at=received_at, is_base64=is_base64)
