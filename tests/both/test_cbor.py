"""The CBOR subset against RFC 8949: the examples of Appendix A, limits, errors."""

from portable import Random, load_json, raises, skip

from judder_core import cbor
from judder_core.errors import DecodeError, EncodeError

APPENDIX_A = "../shared/data/cbor/appendix_a.json"  # github.com/cbor/test-vectors, the examples of RFC 8949 Appendix A

FLOAT = "floating-point numbers are not allowed"
TAG = "tags are not allowed"
INDEFINITE = "indefinite lengths are not allowed"

# Examples this project refuses, and why. The reasons are those of RFC 8949 section 4.2.1 (deterministic encoding) and
# of the contract: scaled integers instead of floats, no tags.
REFUSED = {
    "f7": "undefined is not allowed",
    "f0": "simple value 16 is not allowed",
    "f818": "simple value 24 is not allowed",
    "f8ff": "simple value 255 is not allowed",
}

# Examples the JSON file can only show in diagnostic notation.
DIAGNOSTIC = {
    "40": b"",
    "4401020304": b"\x01\x02\x03\x04",
    "a201020304": {1: 2, 3: 4},
}


def reason_for(example) -> "str | None":
    """Why an example of Appendix A must be refused, None when it must decode. Judged from its first byte alone."""
    first = int(example["hex"][:2], 16)
    if example["hex"] in REFUSED:
        return REFUSED[example["hex"]]
    if first in (0xF9, 0xFA, 0xFB):
        return FLOAT
    if 0xC0 <= first <= 0xDF:
        return TAG
    # Everything else that is no round trip is of indefinite length, on the outside or inside.
    return None if example["roundtrip"] else INDEFINITE


def test_rfc8949_appendix_a_decodes_or_is_refused_for_its_reason():
    examples = load_json(APPENDIX_A)
    if examples is None:
        skip("RFC 8949 Appendix A examples are not beside this checkout")
    decoded = refused = 0
    for example in examples:
        data = bytes.fromhex(example["hex"])
        reason = reason_for(example)
        if reason is None:
            wanted = DIAGNOSTIC[example["hex"]] if "diagnostic" in example else example["decoded"]
            value = cbor.decode(data)
            assert value == wanted and type(value) is type(wanted), example
            assert cbor.encode(value) == data, example
            decoded += 1
        else:
            assert raises(DecodeError, cbor.decode, data).reason == reason, example
            refused += 1
    # Counted in the RFC's table: 22 floats, 11 indefinite lengths, 8 tags, undefined and 3 simple values are refused.
    assert (decoded, refused) == (37, 45)


def test_integers_take_their_shortest_form():
    # RFC 8949 section 3: where each form begins and ends.
    for value, hexed in (
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65535, "19ffff"),
        (65536, "1a00010000"),
        (4294967295, "1affffffff"),
        (4294967296, "1b0000000100000000"),
        (18446744073709551615, "1bffffffffffffffff"),
        (-24, "37"),
        (-25, "3818"),
        (-256, "38ff"),
        (-257, "390100"),
        (-65536, "39ffff"),
        (-65537, "3a00010000"),
        (-4294967296, "3affffffff"),
        (-4294967297, "3b0000000100000000"),
        (-18446744073709551616, "3bffffffffffffffff"),
    ):
        assert cbor.encode(value).hex() == hexed
        assert cbor.decode(bytes.fromhex(hexed)) == value
        assert cbor.size(value) == len(hexed) // 2


def test_every_longer_spelling_of_an_integer_is_refused():
    for head in (0x18, 0x38):
        for value, width in ((0, 1), (23, 1), (0, 2), (255, 2), (1, 4), (65535, 4), (1, 8), (4294967295, 8)):
            data = bytes([head + (1, 2, 4, 8).index(width)]) + value.to_bytes(width, "big")
            error = raises(DecodeError, cbor.decode, data)
            assert error.reason == "an integer or a length is not in its shortest form" and error.offset == 0


def test_map_keys_are_sorted_by_their_bytes():
    # RFC 8949 section 4.2.1 gives this order: 10, 100, then texts by length and letters.
    value = {"aa": 1, 100: 2, "z": 3, 10: 4}
    assert cbor.encode(value).hex() == "a40a04186402617a0362616101"
    assert cbor.decode(cbor.encode(value)) == value


def test_what_cannot_be_sent():
    deep = [[[[[]]]]]
    ring = []
    ring.append(ring)
    for value in (
        1.5,
        1 << 64,
        -(1 << 64) - 1,
        {1.5: 1},
        {-1: 1},
        {True: 1},
        {b"a": 1},
        object(),
        deep,
        ring,
        {1: deep},
    ):
        raises(EncodeError, cbor.encode, value)


def test_limits_of_depth_and_items():
    assert cbor.decode(bytes.fromhex("8181818100")) == [[[[0]]]]
    assert raises(DecodeError, cbor.decode, bytes.fromhex("818181818100")).offset == 4
    assert raises(DecodeError, cbor.decode, bytes.fromhex("818100"), 1).offset == 1
    assert cbor.decode(bytes.fromhex("98ff") + b"\0" * 255) == [0] * 255
    assert raises(DecodeError, cbor.decode, bytes.fromhex("990100") + b"\0" * 256).reason == "more than 256 items"
    assert raises(DecodeError, cbor.decode, bytes.fromhex("8300810000"), 4, 4).reason == "more than 4 items"
    # Maps count keys and values.
    assert raises(DecodeError, cbor.decode, bytes.fromhex("a201020304"), 4, 4).reason == "more than 4 items"
    # A claim is refused before anything is made of it, however large.
    assert raises(DecodeError, cbor.decode, bytes.fromhex("9bffffffffffffffff")).offset == 0
    assert raises(DecodeError, cbor.decode, bytes.fromhex("5bffffffffffffffff")).reason == "the frame ends early"


def test_errors_name_reason_offset_and_bytes():
    error = raises(DecodeError, cbor.decode, bytes.fromhex("8201f93c00"))
    assert (error.reason, error.offset, error.hex) == (FLOAT, 2, "8201f93c00")
    assert str(error) == FLOAT + " at byte 2 in 8201f93c00"
    error = raises(DecodeError, cbor.decode, bytes.fromhex("8201"))
    assert (error.reason, error.offset) == ("the frame ends early", 2)
    error = raises(DecodeError, cbor.decode, bytes.fromhex("0000"))
    assert (error.reason, error.offset) == ("bytes after the end of the message", 1)
    assert raises(DecodeError, cbor.decode, b"").reason == "the frame is empty"


def test_every_cut_of_a_frame_is_refused():
    frame = cbor.encode([1, 300, "text", b"bytes", {1: [70000, None], "k": -300}])
    for length in range(len(frame)):
        error = raises(DecodeError, cbor.decode, frame[:length])
        assert error.offset == length and error.reason in ("the frame ends early", "the frame is empty")


def test_utf8_is_checked_alike_everywhere():
    # RFC 3629 section 3 and 4: the ends of every range, overlong forms, surrogates, beyond U+10FFFF.
    for good in ("", "41", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf", "f0908080", "f48fbfbf"):
        assert cbor.is_utf8(bytes.fromhex(good)), good
    for bad in ("80", "c0af", "c1bf", "c2", "c241", "e08080", "e09fbf", "eda080", "edbfbf", "e28241", "f0808080"):
        assert not cbor.is_utf8(bytes.fromhex(bad)), bad
    for bad in ("f08fbfbf", "f4908080", "f5808080", "ff", "fe", "41e2", "e282", "f09f98"):
        assert not cbor.is_utf8(bytes.fromhex(bad)), bad


def test_random_bytes_end_in_a_value_or_the_one_error():
    rng = Random(11)
    values = 0
    for _ in range(4000):
        data = rng.bytes(1 + rng.below(24))
        try:
            value = cbor.decode(data)
        except DecodeError as error:
            assert error.offset is not None and 0 <= error.offset <= len(data)
            continue
        values += 1
        assert cbor.encode(value) == data  # one value, one spelling
    assert values > 20
