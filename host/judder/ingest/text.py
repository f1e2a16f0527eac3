"""Payloads and events as people and programs write them down: hex, base64, JSON, dumps, console lines, topics."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judder.errors import DecodeError, InputError, JudderError
from judder.flow import Uplink
from judder.ingest import blocks, chirpstack, envelope, events, plain, semtech, topics, tts
from judder_core import line as console_line

# `mosquitto_sub -v` and `-F "%t %x"`: a topic, a space, the payload.
_TOPIC = re.compile(r"(?P<topic>(?:\S*/)?(?:judder|device|devices)/[^/\s]+/\S+)\s+(?P<rest>\S.*)", re.DOTALL)
_HEX_WORD = re.compile(r"[0-9a-fA-F]{2}")
# A line in the log of a packet forwarder: JSON up: {"rxpk":[...]}
_FORWARDED = re.compile(r"^[^{]*JSON up: (\{)")


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
    reader = Reader(is_base64=is_base64)
    for number, argument in enumerate(arguments, 1):
        yield from reader.found(number, argument)


def from_lines(
    lines: Iterable[str],
    *,
    is_base64: bool = False,
    received_at: float = math.nan,
    open_frame: semtech.OpenFrame | None = None,
) -> Iterator[Found]:
    """One a line: hex, base64, a console line, `topic payload`, or JSON: an event of ChirpStack or The Things Stack, a
    row of judder.ingest.plain, what a LoRaWAN gateway forwards. JSON may also be spread over lines or be an array, and
    what a gateway forwards a hex dump. Skips blank and # lines.

    received_at: Unix time in seconds, for what says none. open_frame: for frames of a gateway (judder.ingest.semtech).
    """
    reader = Reader(is_base64=is_base64, received_at=received_at, open_frame=open_frame)
    for number, block in blocks.split(lines):
        yield from reader.found(number, block)


@dataclass(slots=True)
class Reader:
    """What one piece of text holds. Options as for from_lines."""

    is_base64: bool = False
    received_at: float = math.nan
    open_frame: semtech.OpenFrame | None = None

    def found(self, number: int, block: str | bytes) -> Iterator[Found]:
        """All that is in it; one with an error for what is nothing. Of an array each element stands for itself."""
        if isinstance(block, bytes):
            yield from self._each(number, lambda: self._dump(block))
            return
        text = block.strip()
        if not text.startswith("["):
            yield from self._each(number, lambda: self._text(text))
            return
        try:
            rows = _array(text)
        except InputError as error:
            yield Found(number, error=error)
            return
        for row in rows:
            yield from self._each(number, functools.partial(self.json, row))

    def _each(self, number: int, make: Callable[[], Iterator[events.Event]]) -> Iterator[Found]:
        try:
            for event in make():
                yield Found(number, event)
        except JudderError as error:
            yield Found(number, error=error)

    def _text(self, text: str) -> Iterator[events.Event]:
        """Raises InputError or, for a damaged console line, DecodeError."""
        is_json = text.startswith("{") and text.endswith("}")
        if console_line.MARK in text and not is_json:
            message = console_line.decode(text[text.rfind(console_line.MARK) :])
            if message is None:
                raise DecodeError("console line: damaged")
            yield Uplink(message[0].hex(), message[1], self.received_at, "console")
            return
        forwarded = _FORWARDED.search(text)
        if text.startswith("{") or forwarded:
            yield from self.json(envelope.load(text[forwarded.start(1) :] if forwarded else text))
            return
        with_topic = _TOPIC.fullmatch(text)
        if with_topic is not None:
            topic, rest = with_topic["topic"], with_topic["rest"]
            data = parse(rest) if topics.carries_payload(topic) else rest.encode("utf-8", "replace")
            yield topics.parse(topic, data, received_at=self.received_at)
            return
        yield Uplink("", parse(text, is_base64=self.is_base64), self.received_at, "file")

    def json(self, row: Mapping[str, Any]) -> Iterator[events.Event]:
        """Events of ChirpStack, The Things Stack or a gateway, or a row of judder.ingest.plain, told by the keys."""
        inner = next((row[wrap] for wrap in ("result", "data") if isinstance(row.get(wrap), dict)), row)
        if "end_device_ids" in inner:
            yield tts.parse(row, received_at=self.received_at)
        elif "deviceInfo" in row or "devEUI" in row:
            yield chirpstack.parse(row, received_at=self.received_at)
        elif "rxpk" in row or isinstance(row.get("stat"), dict):
            yield from self._frames(semtech.frames(row, received_at=self.received_at))
        elif plain.holds_payload(row):
            yield plain.from_dict(row, received_at=self.received_at, is_base64=self.is_base64)
        else:
            raise InputError(
                "a JSON line holds an event of ChirpStack v4 or The Things Stack v3, or a text under 'payload': "
                + envelope.shown(json.dumps(row))
            )

    def _dump(self, packet: bytes) -> Iterator[events.Event]:
        """A payload, or a datagram of a gateway, with its IP header or without."""
        if 0x80 <= packet[0] <= 0x9F:
            yield Uplink("", packet, self.received_at, "file")
        else:
            yield from self._frames(semtech.datagram(blocks.udp_payload(packet), received_at=self.received_at))

    def _frames(self, frames: list[semtech.Frame]) -> Iterator[events.Event]:
        for frame in frames:
            yield semtech.event(frame, self.open_frame)


def _array(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error!s:.80}): {envelope.shown(text)}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"an array of JSON objects is expected: {envelope.shown(text)}")
    return rows
