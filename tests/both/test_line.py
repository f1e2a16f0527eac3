"""Console lines: a message proves itself or is refused; ordinary text is left alone."""

import binascii

from portable import Random, raises

from judder_core import line
from judder_core.errors import DecodeError

NODE = bytes.fromhex("70b3d5fffe000001")
PAYLOAD = bytes.fromhex("86011828f619019f0700")
GOOD = "@judder 70b3d5fffe000001 86011828f619019f0700 %08x" % binascii.crc32(NODE + PAYLOAD)


def test_encode_and_back():
    assert line.encode(NODE, PAYLOAD) == GOOD
    for shown in (GOOD, GOOD + "\r\n", "  " + GOOD, GOOD.encode(), bytearray(GOOD.encode() + b"\r")):
        assert line.decode(shown) == (NODE, PAYLOAD)


def test_ordinary_text_is_none():
    for text in (
        "",
        "\n",
        "MicroPython v1.29",
        "Traceback (most recent call last):",
        "judder",
        "x @judder",
        b"\xff\xfe\x00",
    ):
        assert line.decode(text) is None


def test_every_changed_character_is_noticed():
    rng = Random(9)
    for i in range(len(line.MARK), len(GOOD)):
        for _ in range(4):
            letter = rng.choose("0123456789abcdefXYZ @\x00\x7f\xe9")
            if letter != GOOD[i]:
                raises(DecodeError, line.decode, GOOD[:i] + letter + GOOD[i + 1 :])


def test_every_lost_or_doubled_character_is_noticed():
    for i in range(len(line.MARK), len(GOOD)):
        raises(DecodeError, line.decode, GOOD[:i] + GOOD[i + 1 :])
        raises(DecodeError, line.decode, GOOD[: i + 1] + GOOD[i] + GOOD[i + 1 :])
    for length in range(len(line.MARK), len(GOOD)):
        raises(DecodeError, line.decode, GOOD[:length])


def test_damaged_lines_of_any_bytes_raise_nothing_else():
    rng = Random(31)
    for _ in range(500):
        noise = b"@judder" + rng.bytes(rng.below(60))
        try:
            assert line.decode(noise) is None
        except DecodeError as error:
            assert error.reason.startswith("console line: ")


def test_upper_case_is_not_what_a_node_writes():
    assert raises(DecodeError, line.decode, GOOD.replace("b3d5", "B3D5")).reason.endswith("not a hex digit")
