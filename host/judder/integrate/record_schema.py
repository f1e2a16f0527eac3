"""judder.schema.json: what `judder decode` prints, as JSON Schema 2020-12. One line is one object."""

from __future__ import annotations

import json
import re
from typing import Any

from judder.decode import words
from judder.integrate import layout
from judder_core import codec, schema, settings

Node = dict[str, Any]

_TITLES = {
    "hello": "A node that started, or its daily word",
    "reading": "One measurement",
    "alarm": "A level that changed, up or down",
    "capture": "A fragment of a waveform",
    "ack": "Answer to a command",
    "spectrum": "Strongest lines and bands of one axis",
    "command": "An order to a node",
}
_STATE = {
    "zone": ("ISO zone; null when not rated", [*schema.ZONES[1:], None]),
    "alarm_level": ("level now in force", list(schema.ALARM_LEVELS)),
    "worst_axis": ("axis the worst values are of", [*schema.AXES[1:], None]),
}
# What a line has beside its record, where it is known.
_CARRIER: Node = {
    "node": {"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "EUI-64 of the node"},
    "received_at": {"type": "number", "description": "Unix time in s, of whoever received it"},
    "uplink": {"type": "object", "description": "what a network server or broker tells of it"},
}


def page() -> str:
    """The whole file."""
    records = [name for _kind, name, _rows in schema.KINDS] + ["unknown", "error"]
    definitions = {name: _record(name) for _kind, name, _rows in schema.KINDS}
    definitions |= {"unknown": _unknown(), "error": _error(), "event": _event()}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Judder record",
        "description": "A line of `judder decode`. A field that is null was not sent. Versions to come may add fields.",
        "type": "object",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in [*records, "event"]],
        "$defs": definitions,
    }
    return json.dumps(document, indent=1) + "\n"


def _object(kind: str, title: str, properties: Node) -> Node:
    own = {"kind": {"const": kind}, **properties}
    return {"title": title, "type": "object", "properties": {**_CARRIER, **own}, "required": list(own)}


def _record(name: str) -> Node:
    grouped: dict[str, list[layout.Field]] = {}
    for field in layout.LAYOUT[name]:
        grouped.setdefault(field.attribute, []).append(field)
    properties: Node = {}
    for attribute, fields in grouped.items():
        if fields[0].how == layout.STATE:
            for word, (meaning, values) in _STATE.items():
                properties[word] = {"enum": values, "description": meaning}
            properties |= {word: {"type": "boolean"} for word in words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :]}
        else:
            properties[attribute] = _attribute(fields)
        if fields[0].how == layout.METRIC:
            units = sorted({unit for _number, _name, unit, _divisor in schema.METRICS})
            properties["unit"] = {"enum": [*units, "raw", None], "description": "of value and limit"}
    properties["extra"] = {"type": "array", "description": "items of a newer node that have no name yet"}
    return _object(name, _TITLES[name], properties)


def _attribute(fields: list[layout.Field]) -> Node:
    first = fields[0]
    meaning = re.sub(r"(, [xyz]|(index into|bits of) [A-Z_]+|: METRICS)$", "", first.meaning)
    shape: Node
    if first.part in ("x", "y", "z"):
        axes = {str(field.part): _one(field) for field in fields}
        shape = {"type": ["object", "null"], "properties": axes, "required": list(axes), "additionalProperties": False}
    elif first.part == "frequency":
        pair = [_one(field, can_be_null=False) for field in fields[:2]]
        shape = {
            "type": "array",
            "maxItems": schema.SPECTRUM_LINES,
            "items": {"type": "array", "prefixItems": pair, "items": False, "minItems": len(pair)},
        }
        meaning = "frequency in Hz and velocity RMS in mm/s of the strongest lines, strongest first"
    elif first.part == "band":
        shape = {"type": "array", "maxItems": schema.SPECTRUM_BANDS, "items": _one(first)}
        meaning = "velocity RMS of bands 1 to 4; null: the band is off"
    else:
        shape = _one(first)
        if first.how == layout.IN_METRIC:
            meaning = meaning.partition(", ")[0] + ", in unit"
    return {**shape, "description": meaning} if meaning else shape


def _one(field: layout.Field, *, can_be_null: bool = True) -> Node:
    shape = _not_null(field)
    # A pattern holds for texts only: null passes it.
    return {**shape, "type": [shape["type"], "null"]} if can_be_null and shape["type"] != "array" else shape


def _not_null(field: layout.Field) -> Node:
    low, high = field.low, field.high
    match field.how:
        case layout.NUMBER:
            if field.divisor == 1:
                return {"type": "integer", "minimum": low, "maximum": high}
            return {"type": "number", "minimum": low / field.divisor, "maximum": high / field.divisor}
        case layout.IN_METRIC:
            return {"type": "number", "minimum": low, "maximum": high}
        case layout.VERSION:
            return {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"}
        case layout.WORD:
            return _word(field.words, r"^unknown \(\d+\)$")
        case layout.METRIC:
            return _word(tuple(name for _number, name, _unit, _divisor in schema.METRICS), r"^metric \d+$")
        case layout.FLAGS:
            return {"type": "array", "items": _word(field.words, r"^bit \d+$")}
        case layout.BYTES:
            return {"type": "string", "pattern": "^([0-9a-f]{2})*$", "minLength": 2 * low, "maxLength": 2 * high}
        case layout.SETTINGS:
            names = "|".join(name for _key, name, *_rest in settings.SETTINGS)
            return {
                "type": "object",
                "propertyNames": {"pattern": rf"^({names}|\d+)$"},
                "additionalProperties": {"type": ["integer", "string"]},
                "maxProperties": high,
            }
    raise ValueError(f"{field.name}: no form for {field.how}")


def _word(known: tuple[str, ...], else_: str) -> Node:
    return {"type": "string", "anyOf": [{"enum": list(known)}, {"pattern": else_}]}


def _unknown() -> Node:
    others = {"type": "integer", "minimum": 0, "maximum": codec.MAX_KIND}
    others["not"] = {"enum": [kind for kind, _name, _rows in schema.KINDS]}
    payload = {"type": "string", "pattern": "^([0-9a-f]{2})+$", "description": "the message in hex"}
    properties = {"kind_number": others, "payload": payload, "items": {"type": "array"}}
    return _object("unknown", "A message of a kind this version does not know", properties)


def _error() -> Node:
    properties = {
        "number": {"type": "integer", "minimum": 1, "description": "which payload, from 1"},
        "reason": {"type": "string"},
        "offset": {"type": ["integer", "null"], "minimum": 0, "description": "byte it is wrong at"},
        "hex": {"type": "string", "description": "the payload, at most 64 bytes of it"},
    }
    return _object("error", "A payload that is no message", properties)


def _event() -> Node:
    properties = {"event": {"type": "string"}, **_CARRIER}
    return {
        "title": "What a server reports beside payloads: a join, what became of a downlink, another vendor's device",
        "type": "object",
        "properties": properties,
        "required": ["event"],
        "not": {"required": ["kind"]},
    }
