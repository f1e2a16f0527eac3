"""Raw field values <-> frames, by walking the table of the kind (judder_core.schema).

Values are the integers on air, in table order; None is absent. The same rules hold at both ends:
- the first field of a kind is what the message is about: always present, never null;
- a value is of its row's type and within its row's range;
- a state names a zone and an alarm level that exist, and a clipped, lossy or faulty reading carries no zone;
- a capture fragment lies within its capture.

Runs on CPython and MicroPython.
"""

from judder_core import cbor, schema
from judder_core.errors import DecodeError, EncodeError

# LoRaWAN carries the kind as FPort = kind + 1, and application ports end at 223.
MAX_KIND = 222

# A capture without its samples or a command without its settings would say something else than was meant.
_NEVER_SHORTENED = (schema.CAPTURE, schema.COMMAND)

_TYPE_NAMES = {"int": "an integer", "bytes": "a byte string", "map": "a map of settings"}
_NO_ZONE = schema.STATE_CLIPPED | schema.STATE_LOST | schema.STATE_SENSOR_FAULT


def encode(kind: int, values: "list[object] | tuple[object, ...]", limit: "int | None" = None) -> bytes:
    """Frame of a message, at most `limit` bytes long.

    values: raw integers in table order (bytes or dict where the table says so), None for absent; may be shorter than
    the table. Nothing is sent for what is absent at the end; fields are dropped from the end until the frame fits.
    Raises EncodeError, naming the field, for a wrong type, a value out of range, or a message that cannot fit.
    """
    rows = schema.fields(kind)
    if rows is None:
        raise EncodeError("kind %r is not in the contract" % (kind,))
    name = kind_name(kind)
    if len(values) > len(rows):
        raise EncodeError("%s has %d fields, %d were given" % (name, len(rows), len(values)))
    if not values or values[0] is None:
        raise EncodeError("%s: the first field, %s, is missing" % (name, rows[0][0]))
    limit = schema.MAX_FRAME_BYTES if limit is None else min(limit, schema.MAX_FRAME_BYTES)
    # Every value is checked, also one that will be dropped: whether an error shows must not depend on the link.
    body = cbor.head_size(kind)
    kept = 0  # fields sent
    wanted = 0  # fields up to the last that is present
    length = 0
    for i in range(len(values)):
        value = values[i]
        fault = wrong(rows[i], value)
        if fault:
            raise EncodeError("%s: %s" % (name, fault))
        body += cbor.size(value)
        if value is not None:
            wanted = i + 1
            if body + cbor.head_size(i + 2) <= limit:
                kept = wanted
                length = body + cbor.head_size(i + 2)
    fault = inconsistent(kind, values)
    if fault:
        raise EncodeError("%s: %s" % (name, fault))
    if not kept or (kept < wanted and kind in _NEVER_SHORTENED):
        raise EncodeError("%s does not fit %d bytes" % (name, limit))
    frame = bytearray(length)
    at = cbor.put_head(frame, 0, 4, kept + 1)
    at = cbor.put_head(frame, at, 0, kind)
    for i in range(kept):
        at = cbor.put(frame, at, values[i])
    return bytes(frame)


def decode(data: bytes) -> "tuple[int, list[object] | None, list[object]]":
    """(kind, values, extra) of a frame.

    values: one entry for each row of the kind's table, None where absent. extra: items after the last row, sent by a
    newer node. A kind this version does not know gives (kind, None, its items).
    Raises DecodeError with reason and offset for anything else.
    """
    if len(data) > schema.MAX_FRAME_BYTES:
        raise DecodeError("longer than %d bytes" % schema.MAX_FRAME_BYTES, schema.MAX_FRAME_BYTES, data)
    reader = cbor.Reader(data)
    count, kind = begin(reader)
    rows = schema.fields(kind)
    if rows is None:
        items = [reader.item(1) for _ in range(count)]
        reader.end()
        return kind, None, items
    values = []
    extra = []
    for i in range(count):
        start = reader.at
        value = reader.item(1)
        if i >= len(rows):
            extra.append(value)
            continue
        fault = wrong(rows[i], value)
        if fault:
            raise reader.fail(fault, start)
        if i == 0 and value is None:
            raise reader.fail("the first field, %s, is null" % rows[0][0], start)
        values.append(value)
    reader.end()
    while len(values) < len(rows):
        values.append(None)
    fault = inconsistent(kind, values)
    if fault:
        raise reader.fail(fault, 1 + cbor.head_size(kind) if count < 23 else 2 + cbor.head_size(kind))
    return kind, values, extra


def begin(reader: cbor.Reader) -> "tuple[int, int]":
    """Read the array head and the kind: (number of items after the kind, kind)."""
    if reader.head() != 4:
        raise reader.fail("a message is an array", 0)
    count = reader.count(0, 1)
    if count < 1:
        raise reader.fail("a message begins with its kind", 0)
    start = reader.at
    kind = reader.item(1)
    if not isinstance(kind, int) or isinstance(kind, bool) or not 0 <= kind <= MAX_KIND:
        raise reader.fail("the kind is not an integer of 0..%d" % MAX_KIND, start)
    rows = schema.fields(kind)
    if rows is not None and count < 2:
        raise reader.fail("the first field, %s, is missing" % rows[0][0], start + 1)
    return count - 1, kind


def kind_name(kind: int) -> str:
    """Name of a kind, "kind 9" for one this version does not know."""
    for number, name, _rows in schema.KINDS:
        if number == kind:
            return name
    return "kind %d" % kind


def wrong(row: "tuple[str, str, str, int, int, int, str]", value: object) -> "str | None":
    """What is wrong with a value in the place of this table row, or None. None as a value is always right."""
    if value is None:
        return None
    name, kind, _unit, _divisor, low, high, _meaning = row
    if kind == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            if low <= value <= high:
                return None
            return "%s: %d is outside %d..%d" % (name, value, low, high)
    elif kind == "bytes":
        if isinstance(value, (bytes, bytearray)):
            if low <= len(value) <= high:
                return None
            return "%s: %d bytes, %d..%d are allowed" % (name, len(value), low, high)
    elif isinstance(value, dict):
        if not low <= len(value) <= high:
            return "%s: %d entries, %d..%d are allowed" % (name, len(value), low, high)
        for key in value:
            if not isinstance(key, int) or isinstance(key, bool):
                return "%s: a key is not a setting's number" % name
            entry = value[key]
            if isinstance(entry, bool) or not isinstance(entry, (int, str, bytes)):
                return "%s: the value of %d is neither an integer, a text nor a byte string" % (name, key)
        return None
    return "%s: %s is expected, not %s" % (name, _TYPE_NAMES[kind], _describe(value))


def inconsistent(kind: int, values: "list[object] | tuple[object, ...]") -> "str | None":
    """What contradicts itself among values that are each in range, or None."""
    if kind in (schema.READING, schema.ALARM):
        return wrong_state(values[0])
    if kind == schema.CAPTURE:
        return _wrong_capture(values)
    return None


def wrong_state(state: "object") -> "str | None":
    """What is wrong with state bits, or None."""
    if not isinstance(state, int):
        return "state: an integer is expected"
    zone = state & schema.STATE_ZONE_MASK
    level = state >> schema.STATE_ALARM_SHIFT & schema.STATE_ALARM_MASK
    if zone >= len(schema.ZONES):
        return "state: zone %d does not exist" % zone
    if level >= len(schema.ALARM_LEVELS):
        return "state: alarm level %d does not exist" % level
    if zone and state & _NO_ZONE:
        return "state: a clipped, lossy or faulty reading carries no zone"
    return None


def _wrong_capture(values: "list[object] | tuple[object, ...]") -> "str | None":
    rows = schema.CAPTURE_FIELDS
    given = {}
    for i in range(len(values)):
        given[rows[i][0]] = values[i]
    index, count = given.get("index"), given.get("count")
    samples, first, data = given.get("samples"), given.get("first"), given.get("data")
    if isinstance(index, int) and isinstance(count, int) and index >= count:
        return "index: fragment %d of %d" % (index, count)
    if isinstance(data, (bytes, bytearray)):
        if len(data) % 2:
            return "data: %d bytes are no whole number of samples" % len(data)
        if isinstance(samples, int) and isinstance(first, int) and first + len(data) // 2 > samples:
            return "data: reaches beyond the capture's %d samples" % samples
    return None


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, (bytes, bytearray)):
        return "a byte string"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, dict):
        return "a map"
    return "an array" if isinstance(value, (list, tuple)) else "a %s" % type(value).__name__
