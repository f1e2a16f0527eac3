"""What each byte of a payload means, also of a payload that does not decode."""

from __future__ import annotations

from typing import Any, NamedTuple

from judder.decode import words
from judder.decode.fast import as_bytes
from judder_core import cbor, codec, schema, settings
from judder_core.errors import DecodeError, SettingsError


class Part(NamedTuple):
    """A run of bytes. path: where in the message, "error" for what is wrong. meaning: value, unit and what it is."""

    offset: int
    hex: str
    path: str
    meaning: str


def explain(payload: bytes | bytearray | memoryview) -> list[Part]:
    """The payload in parts, in order, every byte in exactly one of them.

    Never raises for bad bytes: a part whose path is "error" says what is wrong and covers the rest. An error that
    lies in a value that is otherwise well-formed (out of range, say) adds an error part without bytes after it.
    Raises TypeError for what is not bytes.
    """
    data = as_bytes(payload)
    walk = _Walk(data)
    try:
        walk.message()
    except DecodeError as error:
        walk.parts.append(Part(walk.done, data[walk.done :].hex(), "error", str(error.reason)))
        return walk.parts
    try:
        codec.decode(data)
    except DecodeError as error:
        walk.parts.append(Part(error.offset or 0, "", "error", error.reason))
    return walk.parts


class _Walk:
    def __init__(self, payload: bytes) -> None:
        self.reader = cbor.Reader(payload)
        self.parts: list[Part] = []
        self.done = 0  # bytes that are in a part

    def add(self, path: str, meaning: str) -> None:
        """Everything read since the last part."""
        self.parts.append(Part(self.done, self.reader.data[self.done : self.reader.at].hex(), path, meaning))
        self.done = self.reader.at

    def message(self) -> None:
        reader = self.reader
        if len(reader.data) > schema.MAX_FRAME_BYTES:
            raise reader.fail(f"longer than {schema.MAX_FRAME_BYTES} bytes", schema.MAX_FRAME_BYTES)
        if reader.head() != 4:
            raise reader.fail("a message is an array", 0)
        count = reader.count(0, 1)
        self.add("message", f"array of {count} items")
        if count == 0:
            raise reader.fail("a message begins with its kind", 0)
        kind = reader.item(1)
        if not isinstance(kind, int) or isinstance(kind, bool) or not 0 <= kind <= codec.MAX_KIND:
            raise reader.fail(f"the kind is not an integer of 0..{codec.MAX_KIND}", self.done)
        rows = schema.fields(kind)
        name = "unknown to this version" if rows is None else codec.kind_name(kind)
        self.add("kind", f"{kind}: {name}, LoRaWAN port {kind + schema.FPORT_OFFSET}")
        metric: object = None
        for i in range(count - 1):
            if rows is None:
                self.add_item(f"item[{i}]", "")
            elif i >= len(rows):
                self.add_item(f"extra[{i - len(rows)}]", "sent by a newer node")
            elif rows[i][1] == "map":
                self.settings(rows[i])
            else:
                value = reader.item(1)
                if kind == schema.ALARM and rows[i][0] == "metric":
                    metric = value
                self.add(rows[i][0], _field(kind, rows[i], value, metric))
        reader.end()

    def add_item(self, path: str, meaning: str) -> None:
        value = _shown(self.reader.item(1))
        self.add(path, f"{value}, {meaning}" if meaning else value)

    def settings(self, row: tuple[str, str, str, int, int, int, str]) -> None:
        """A map of settings, key by key; anything else as one value."""
        reader = self.reader
        start = reader.at
        if start >= len(reader.data) or reader.data[start] >> 5 != 5:
            value = reader.item(1)
            self.add(row[0], "absent" if value is None else _shown(value))
            return
        # The bounds and the order of keys are checked by the contract's own decoder, before the walk goes inside.
        probe = cbor.Reader(reader.data[start:])
        try:
            probe.item(1)
        except DecodeError as error:
            raise reader.fail(error.reason, start + (error.offset or 0)) from error
        reader.head()
        entries = reader.count(start, 2)
        self.add(row[0], f"map of {entries} settings")
        for _ in range(entries):
            key = reader.item(2)
            value = reader.item(2)
            try:
                name, meaning = settings.row(key)[1], _setting(key, value)  # type: ignore[arg-type]
            except SettingsError:
                name, meaning = f"{key}", f"{_shown(value)}, a setting unknown to this version"
            self.add(f"{row[0]}.{name}", meaning)


def _setting(key: int, value: Any) -> str:
    entry = settings.row(key)
    try:
        return f"{settings.to_text(entry[1], settings.check(key, value))}, {entry[7]}"
    except SettingsError as error:
        return str(error)


def _field(kind: int, row: tuple[str, str, str, int, int, int, str], value: Any, metric: object) -> str:
    """A value in its unit with what the table says of it."""
    name, type_, unit, divisor, _low, _high, meaning = row
    if value is None:
        return f"absent: {meaning}"
    if type_ != "int" or codec.wrong(row, value):
        return f"{_shown(value)}: {meaning}"
    if name == "state":
        return f"{value:#06x}: {_state(value)}"
    if unit == "metric":
        unit, divisor = words.metric(metric)[1:] if isinstance(metric, int) else ("of an unknown metric", 1)
    text = f"{words.scaled(value, divisor)}"
    if unit not in ("1", "bits"):
        text += f" {unit}"
    extra = _WORDS.get((kind, name))
    return f"{text} ({extra(value)}): {meaning}" if extra else f"{text}: {meaning}"


def _index(table: tuple[str, ...]) -> Any:
    return lambda value: words.word(table, value)


_WORDS: dict[tuple[int, str], Any] = {
    (schema.HELLO, "firmware"): words.version,
    (schema.HELLO, "micropython"): words.version,
    (schema.HELLO, "tls_library"): words.version,
    (schema.HELLO, "reset_cause"): _index(schema.RESET_CAUSES),
    (schema.HELLO, "flags"): lambda value: ", ".join(words.flags(value)) or "none",
    (schema.HELLO, "vibration_sensor"): _index(schema.VIBRATION_SENSORS),
    (schema.HELLO, "temperature_sensor"): _index(schema.TEMPERATURE_SENSORS),
    (schema.HELLO, "link"): _index(schema.LINKS),
    (schema.ALARM, "metric"): lambda value: words.metric(value)[0],
    (schema.CAPTURE, "content"): _index(schema.CAPTURE_CONTENTS),
    (schema.CAPTURE, "axis"): _index(schema.AXES),
    (schema.SPECTRUM, "axis"): _index(schema.AXES),
    (schema.ACK, "status"): _index(schema.ACK_STATUSES),
    (schema.COMMAND, "action"): _index(schema.COMMAND_ACTIONS),
}


def _state(bits: int) -> str:
    try:
        zone, level, axis, *quality = words.STATES[bits]
    except KeyError:
        return str(codec.wrong_state(bits))
    parts = [f"zone {zone}" if zone else "zone not rated", f"alarm {level}"]
    if axis:
        parts.append(f"worst axis {axis}")
    parts += [
        name.replace("_", " ")
        for name, on in zip(words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :], quality, strict=True)
        if on
    ]
    return ", ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes" if len(value) > 16 else f"h'{value.hex()}'"
    if value is None:
        return "null"
    return repr(value)
