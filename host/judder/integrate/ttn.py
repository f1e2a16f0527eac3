"""judder-codec.yaml: the codec's examples for The Things Network's device repository.

That repository runs each example through the codec and compares. The other files there say what no contract says, and
are written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from judder.decode import decode, encode_command
from judder.decode.command import COMMAND_PORT
from judder.errors import DecodeError
from judder_core import codec, schema

CODEC_FILE = "judder-codec.js"

_HEAD = "# The codec and its examples. Made by `make generate` from the contract.\n"

_UPLINKS = (
    ("Reading in zone A, cut to a link of 11 bytes", codec.encode(schema.READING, (0x21, 123, 235))),
    (
        "Reading in zone C, warning, worst axis y",
        codec.encode(schema.READING, (0x4B, 480, 415, 1234, 0, 310, 480, 220, 96, 142, 71, 320, 510, 240, 3600)),
    ),
    (
        "Reading without velocity, not rated, warning by the acceleration of y",
        codec.encode(schema.READING, (0x48, None, 415, 7, 0, None, None, None, 812, 1240, 195, 2501, 4100, 640)),
    ),
    ("Alarm: velocity RMS in danger", codec.encode(schema.ALARM, (0x54, 1, 1190, 900, 1236, 2))),
    (
        "Hello after power-on",
        codec.encode(
            schema.HELLO,
            (100, 12900, 5, 1, 42, 3600, 0, 0, 0x9ABCDEF0, None, 0, 2, 2, 2, 1, 0, 0, 1, 0, 3, 0, 3),
        ),
    ),
    ("Answer to command 7: done", codec.encode(schema.ACK, (7, 0, 0, 0x9ABCDEF0))),
    (
        "Spectrum: three lines of x",
        codec.encode(schema.SPECTRUM, (1, 1234, 814, 248, 210, 496, 85, 1488, 40)),
    ),
    ("A message of a kind to come", bytes.fromhex("83090105")),
    ("Another vendor's payload is refused", bytes.fromhex("0102030405")),
    ("A byte after the end is refused", bytes.fromhex("84011821187b18eb00")),
)
_COMMANDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("A reading every five minutes", {"tag": 7, "settings": {"interval_s": 300}}),
    ("A waveform of y", {"tag": 8, "request": "capture", "axis": "y"}),
    ("Restart", {"tag": 9, "reboot": True}),
)


def codec_definition() -> str:
    """judder-codec.yaml. Values in JSON, which is YAML too."""
    lines = ["uplinkDecoder:", f"  fileName: {CODEC_FILE}", "  examples:"]
    for description, payload in _UPLINKS:
        lines += _uplink(description, payload)
    encoder = ["downlinkEncoder:", f"  fileName: {CODEC_FILE}", "  examples:"]
    decoder = ["downlinkDecoder:", f"  fileName: {CODEC_FILE}", "  examples:"]
    for description, command in _COMMANDS:
        sent = {"fPort": COMMAND_PORT, "bytes": list(encode_command(**command))}
        encoder += _example(description, {"data": command}, sent)
        decoder += _example(description, sent, {"data": command})
    return _HEAD + "\n".join([*lines, *encoder, *decoder]) + "\n"


def _uplink(description: str, payload: bytes) -> Iterator[str]:
    port = 1
    try:
        record = decode(payload).to_dict()
    except DecodeError as error:
        # judder.js has fewer words than Python.
        reason = "bytes after the end" if "after the end" in error.reason else "not a Judder message"
        output: dict[str, Any] = {"errors": [f"{reason} at byte {error.offset}"]}
    else:
        output = {"data": record}
        port = payload[1] + schema.FPORT_OFFSET
    yield from _example(description, {"fPort": port, "bytes": list(payload)}, output)
    battery = output.get("data", {}).get("battery_mv")
    if battery is not None:
        yield f"      normalizedOutput: {json.dumps({'data': [{'battery': battery / 1000}]})}"


def _example(description: str, given: dict[str, Any], output: dict[str, Any]) -> Iterator[str]:
    yield f"    - description: {json.dumps(description)}"
    yield f"      input: {json.dumps(given)}"
    yield f"      output: {json.dumps(output)}"
