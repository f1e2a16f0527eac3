"""Payloads as people and programs write them down: hex, base64, JSON lines, console lines, raw files."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from judder.errors import DecodeError, InputError, JudderError
from judder_core import line as console_line

# Keys of a JSON line that hold the payload (ours and ChirpStack's) and the node's id.
PAYLOAD_KEYS = ("payload", "data")
NODE_KEYS = ("node", "devEui")
_HEX = re.compile(r"[0-9a-fA-F]+")
_BETWEEN_HEX = re.compile(r"0[xX]|[\s:,;-]")


@dataclass(slots=True)
class Found:
    """One payload, or why there is none. number: line or argument, from 1. node: 16 hex digits where known."""

    number: int
    payload: bytes = b""
    node: str | None = None
    error: JudderError | None = None


def parse(text: str, *, is_base64: bool = False) -> bytes:
    """Bytes of one payload in hex (spaces, colons and 0x allowed) or base64 (either alphabet, padding optional).

    The two cannot be mistaken for each other: a message starts with a byte of 0x80..0x9f, and base64 of that starts
    with a letter of g..n, which is no hex digit. Raises InputError.
    """
    text = text.strip()
    digits = _BETWEEN_HEX.sub("", text)
    if not is_base64 and _HEX.fullmatch(digits):
        if len(digits) % 2:
            raise InputError(f"an odd number of hex digits ({len(digits)}): {_short(text)}")
        return bytes.fromhex(digits)
    letters = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        if letters:
            return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise InputError(f"not {'base64' if is_base64 else 'hex or base64'}: {_short(text)}")


def from_arguments(arguments: tuple[str, ...], *, is_base64: bool = False) -> Iterator[Found]:
    """One payload an argument; arguments of one byte each are one payload, pasted with its spaces."""
    if not is_base64 and len(arguments) > 1 and all(_HEX.fullmatch(a) and len(a) == 2 for a in arguments):
        arguments = ("".join(arguments),)
    for number, argument in enumerate(arguments, 1):
        yield _found(number, argument, is_base64)


def from_lines(lines: Iterator[str], *, is_base64: bool = False) -> Iterator[Found]:
    """One payload a line: hex, base64, a JSON object that holds it, or a console line. Skips blank and # lines."""
    for number, text in enumerate(lines, 1):
        if text.strip() and not text.lstrip().startswith("#"):
            yield _found(number, text, is_base64)


def from_file(data: bytes, *, is_base64: bool = False) -> Iterator[Found]:
    """The payload a file is, or the payloads on its lines.

    A raw message starts with a byte of 0x80..0x9f, as no text does.
    """
    if not 0x80 <= (data[0] if data else 0) <= 0x9F:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass  # neither a message nor text: the decoder will say so
        else:
            yield from from_lines(iter(text.splitlines()), is_base64=is_base64)
            return
    yield Found(1, data)


def _found(number: int, text: str, is_base64: bool) -> Found:
    try:
        node, payload = _split(text.strip(), is_base64)
    except JudderError as error:
        return Found(number, error=error)
    return Found(number, payload, node)


def _split(text: str, is_base64: bool) -> tuple[str | None, bytes]:
    """(node or None, payload) of one line. Raises InputError or, for a damaged console line, DecodeError."""
    if console_line.MARK in text:
        message = console_line.decode(text[text.rfind(console_line.MARK) :])
        if message is None:
            raise DecodeError("console line: damaged")
        return message[0].hex(), message[1]
    if not text.startswith("{"):
        return None, parse(text, is_base64=is_base64)
    try:
        event = json.loads(text)
    except ValueError as error:
        raise InputError(f"not JSON ({error}): {_short(text)}") from None
    for key in PAYLOAD_KEYS:
        if isinstance(event.get(key), str):
            node = next((event[name] for name in NODE_KEYS if isinstance(event.get(name), str)), None)
            return node, parse(event[key], is_base64=is_base64)
    raise InputError(f"a JSON line needs a text under {' or '.join(map(repr, PAYLOAD_KEYS))}: {_short(text)}")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
