"""The frozen wire vectors, at the level of integers on air."""

from portable import load_json, raises

from judder_core import codec, schema
from judder_core.errors import DecodeError

VECTORS = load_json("tests/vectors/wire_v1.json")


def plain(value):
    """A value of the vector file as the codec knows it."""
    if isinstance(value, dict):
        if "bytes" in value:
            return bytes.fromhex(value["bytes"])
        return {key: plain(entry) for key, entry in value["map"]}
    return [plain(item) for item in value] if isinstance(value, list) else value


def decoded(vector):
    """codec.decode of a vector; one with items beyond its table, by a table as short as it was at the time.

    Such a vector says what a decoder does that is older than the node; rows added since then must not change that.
    """
    data = bytes.fromhex(vector["hex"])
    if "items" in vector or not vector["extra"]:
        return codec.decode(data)
    now = schema.KINDS
    schema.KINDS = tuple(
        [(kind, name, rows[: len(vector["values"])] if kind == vector["kind"] else rows) for kind, name, rows in now]
    )
    try:
        return codec.decode(data)
    finally:
        schema.KINDS = now


def test_messages_decode_and_encode_to_the_same_bytes():
    for vector in VECTORS["messages"]:
        data = bytes.fromhex(vector["hex"])
        kind, values, extra = decoded(vector)
        assert kind == vector["kind"], vector["description"]
        if "items" in vector:
            assert values is None and extra == plain(vector["items"]), vector["description"]
            continue
        given = plain(vector["values"])
        assert values[: len(given)] == given, vector["description"]
        assert values[len(given) :] == [None] * (len(values) - len(given)), vector["description"]
        assert extra == plain(vector["extra"]), vector["description"]
        if not extra:
            assert codec.encode(kind, given) == data, vector["description"]


def test_errors_name_their_reason_and_offset():
    for vector in VECTORS["errors"]:
        error = raises(DecodeError, codec.decode, bytes.fromhex(vector["hex"]))
        assert (error.reason, error.offset) == (vector["error"]["reason"], vector["error"]["offset"]), vector[
            "description"
        ]


def test_messages_shorten_to_their_limit():
    for vector in VECTORS["shortened"]:
        frame = codec.encode(vector["kind"], vector["values"], vector["limit"])
        assert frame.hex() == vector["hex"], vector["description"]
        assert len(frame) <= vector["limit"]


def test_commands_are_frames_of_the_contract():
    for vector in VECTORS["commands"]:
        if "hex" in vector:
            data = bytes.fromhex(vector["hex"])
            kind, values, extra = codec.decode(data)
            assert (kind, values[0], extra) == (schema.COMMAND, vector["command"]["tag"], []), vector["description"]
            assert codec.encode(kind, values) == data, vector["description"]


def test_every_kind_is_there():
    assert {vector["kind"] for vector in VECTORS["messages"]} >= {0, 1, 2, 3, 4, 5, 16}
    assert len(VECTORS["messages"]) >= 43 and len(VECTORS["errors"]) >= 74 and len(VECTORS["shortened"]) >= 13
    assert len(VECTORS["commands"]) >= 26
