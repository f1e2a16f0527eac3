"""docs/wire.md: the contract as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from judder.decode import explain, words
from judder.decode.command import COMMAND_PORT
from judder.integrate import layout
from judder.integrate.cddl import step
from judder_core import cbor, schema, settings

_EXAMPLE = bytes.fromhex("86011828f619019f0700")

_HEAD = f"""\
# The wire

What nodes send and take, byte by byte. Made from the contract (`firmware/judder_core`) by `make generate`. The same for
programs: [judder.cddl](../host/integrations/judder.cddl) of the bytes,
[judder.schema.json](../host/integrations/judder.schema.json) of what `judder decode` makes of them.

A message is one array of integers in CBOR (RFC 8949): the kind, then its fields in order of importance.

- It may end after any field but the first: a node drops fields from the end until the message fits its link. In the
  middle, null stands for a field that is absent.
- Positions are for ever. New fields come at the end, a changed meaning takes a new kind. So old messages decode for
  ever, and of a newer node's messages the fields that are known.
- Values are scaled integers. One outside its range is an error, at both ends.
- One value has one spelling (deterministic encoding, RFC 8949 section 4.2): the shortest integers and lengths, definite
  lengths, map keys in order. Floats, tags, undefined and bytes after the end are errors. So are more than
  {cbor.MAX_ITEMS} items, {cbor.MAX_DEPTH} levels or {schema.MAX_FRAME_BYTES} bytes.

| way | where |
|---|---|
| LoRaWAN | FPort = kind + {schema.FPORT_OFFSET}; commands to a node on port {COMMAND_PORT} |
| MQTT | `judder/<node id>/up` and `judder/<node id>/down`; the node id is an EUI-64 in hex |
| console | lines that begin with `@judder`, with a CRC ([decoder.md](decoder.md)) |
"""

_STATE = """\
## State

| bits | of READING and ALARM |
|---|---|
| 0-2 | zone: {zones} |
| 3-4 | alarm level: {levels} |
| 5-6 | worst axis: {axes} |
{flags}

A zone or a level that is not in this table is an error, and so is a zone with `clipped`, `lossy` or
`sensor_fault`.
"""

_FLAG_WORDS = {
    "clipped": "clipped: samples at the end of the sensor's range",
    "lossy": "samples were lost",
    "band_not_covered": "the sensor does not cover the band asked for",
    "not_running": "the machine does not run",
    "clock_not_set": "the node's clock is not set",
    "sensor_fault": "sensor fault",
}


def page() -> str:
    """The whole file."""
    parts = [_HEAD, _example(), *(_kind(kind, name) for kind, name, _rows in schema.KINDS), _state(), _words()]
    return "\n".join([*parts, _settings()])


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _example() -> str:
    rows = [(part.offset, f"`{part.hex}`", part.path, part.meaning.replace("|", "\\|")) for part in explain(_EXAMPLE)]
    table = _table(("byte", "hex", "item", "meaning"), rows)
    return f"## An example\n\n`{_EXAMPLE.hex()}`, as `judder decode --explain` shows it:\n\n{table}"


def _kind(kind: int, name: str) -> str:
    rows = []
    total: int | None = cbor.head_size(kind)
    for i, field in enumerate(layout.LAYOUT[name]):
        _name, type_, unit, divisor, low, high, meaning = (schema.fields(kind) or ())[i]
        largest = _largest(type_, low, high)
        total = None if total is None or largest is None else total + largest
        at_most = "" if total is None else total + cbor.head_size(i + 2)
        air, allowed = step(unit, divisor), f"{low} to {high}"
        if type_ == "bytes":
            air, allowed = "bytes, int16 little-endian", f"{low} to {high} bytes"
        elif type_ == "map":
            air, allowed = "map: key to value", f"{low} to {high} entries"
        elif unit in ("bits", "metric"):
            air = "bits" if unit == "bits" else "1 of the metric"
        rows.append((i + 1, field.name, air, allowed, at_most, f"`{_shown(field)}`", meaning))
    head = ("position", "field", "one count", "on air", "bytes at most", "in a record", "meaning")
    port = f"kind {kind}, FPort {kind + schema.FPORT_OFFSET}"
    return f"## {name.upper()}: {port}\n\n{_table(head, rows)}"


def _largest(type_: str, low: int, high: int) -> int | None:
    """Most bytes a value takes. None for a map, whose entries are of any size."""
    if type_ == "int":
        return max(cbor.size(low), cbor.size(high))
    return cbor.head_size(high) + high if type_ == "bytes" else None


def _shown(field: layout.Field) -> str:
    if field.part in ("x", "y", "z"):
        return f"{field.attribute}.{field.part}"
    if field.how == layout.STATE:
        return "zone, alarm_level, worst_axis, ..."
    return "metric, unit" if field.how == layout.METRIC else field.attribute


def _state() -> str:
    first = schema.STATE_CLIPPED.bit_length() - 1
    flags = words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :]
    return _STATE.format(
        zones=_numbered(schema.ZONES),
        levels=_numbered(schema.ALARM_LEVELS),
        axes=_numbered(schema.AXES),
        flags="\n".join(f"| {bit} | `{name}`: {_FLAG_WORDS[name]} |" for bit, name in enumerate(flags, first)),
    )


def _numbered(table: Sequence[str]) -> str:
    return ", ".join(f"{number} {word}" for number, word in enumerate(table))


def _words() -> str:
    rows = [(number, f"`{name}`", step(unit, divisor)) for number, name, unit, divisor in schema.METRICS]
    tables = [
        (name, _numbered(getattr(schema, name)))
        for name in (
            "RESET_CAUSES",
            "HELLO_FLAGS",
            "VIBRATION_SENSORS",
            "TEMPERATURE_SENSORS",
            "LINKS",
            "CAPTURE_CONTENTS",
            "ACK_STATUSES",
            "COMMAND_ACTIONS",
            "REQUESTS",
        )
    ]
    return (
        "## Words\n\nAn index beyond its table is of a newer node and shown as `unknown (9)`, `bit 9`, `metric 9`.\n\n"
        + _table(("table", "entries; of flags the bit"), tables)
        + "\n### METRICS\n\n"
        + _table(("number", "metric", "one count of value and limit"), rows)
    )


def _settings() -> str:
    rows = []
    for key, name, kind, low, high, default, secret, meaning in settings.SETTINGS:
        if isinstance(low, tuple):
            form, usual = _numbered(low), str(low[default]) if isinstance(default, int) else ""
        elif kind == "int":
            form, usual = f"{low} to {high}", str(default)
        else:
            length = str(high) if low == high else f"{low} to {high}"
            form, usual = f"{'text' if kind == 'text' else 'bytes'}, {length} bytes", ""
        air = "no" if key in settings.OVER_THE_AIR_REFUSED else "yes"
        rows.append((key, f"`{name}`", form, usual, air, "secret: " * secret + meaning))
    head = ("key", "setting", "value", "default", "over the air", "meaning")
    return (
        "## Settings\n\nKeys of a COMMAND's settings, and of the record a node keeps. A choice is sent as its number, "
        "and named where people write it.\n\n" + _table(head, rows)
    )
