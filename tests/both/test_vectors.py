"""The frozen wire vectors, at the level of integers on air."""

from portable import load_json, raises

from judder_core import codec
from judder_core.errors import DecodeError

VECTORS = load_json("tests/vectors/wire_v1.json")


def plain(value):
    """A value of the vector file as the codec knows it."""
    if isinstance(value, dict):
        if "bytes" in value:
            return bytes.fromhex(value["bytes"])
        return {key: plain(entry) for key, entry in value["map"]}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_messages_decode_and_encode_to_the_same_bytes():
    for vector in VECTORS["messages"]:
        data = bytes.fromhex(vector["hex"])
        kind, values, extra = codec.decode(data)
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


def test_every_kind_is_there():
    assert {vector["kind"] for vector in VECTORS["messages"]} >= {0, 1, 2, 3, 4, 16}
    assert len(VECTORS["messages"]) >= 29 and len(VECTORS["errors"]) >= 65 and len(VECTORS["shortened"]) >= 11
