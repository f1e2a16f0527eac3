"""A/B records: nothing but a whole record counts, and the newer of two wins."""

import binascii
import struct

from portable import Random

from judder_core import record

PAYLOAD = bytes(range(1, 90))
BLANK = b"\xff" * 200


def test_frame_layout():
    # generation, length, CRC-32 (zlib's, as in IEEE 802.3) of the eight bytes before it and the payload
    head = struct.pack("<II", 7, 3)
    assert record.frame(7, b"abc") == head + struct.pack("<I", binascii.crc32(head + b"abc")) + b"abc"
    assert record.parse(record.frame(7, b"abc") + b"\xff" * 50) == (7, b"abc")
    assert record.parse(record.frame(0, b"")) is None  # what two torn erases can leave is no record


def test_blank_zeroed_and_short_slots_hold_nothing():
    for slot in (BLANK, bytes(200), b"", b"\xff" * 11, bytes(12), record.frame(1, b"abc")[:-1]):
        assert record.parse(slot) is None
    assert record.newest(BLANK, BLANK) is None


def test_a_record_torn_at_any_byte_does_not_count():
    whole = record.frame(41, PAYLOAD)
    for written in range(len(whole)):
        torn = whole[:written] + BLANK
        assert record.parse(torn) is None, written
        # Torn at the last bit of a byte: some bits of the next one are programmed already.
        torn = whole[:written] + bytes([whole[written] | 0x0F]) + BLANK
        if whole[written] | 0x0F != whole[written]:
            assert record.parse(torn) is None, written
    assert record.parse(whole + BLANK) == (41, PAYLOAD)


def test_any_flipped_bit_is_noticed():
    whole = record.frame(41, PAYLOAD)
    for i in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole + BLANK)
            damaged[i] ^= 1 << bit
            assert record.parse(bytes(damaged)) is None, (i, bit)


def test_the_newer_slot_wins_and_a_torn_one_does_not():
    old, new = record.frame(5, b"old"), record.frame(6, b"new")
    assert record.newest(old, new) == (1, 6, b"new")
    assert record.newest(new, old) == (0, 6, b"new")
    assert record.newest(old, new[:-1] + b"\xff") == (0, 5, b"old")
    assert record.newest(BLANK, old) == (1, 5, b"old")
    assert record.newest(old, BLANK) == (0, 5, b"old")
    # Equal generations cannot be written; slot A is taken, always the same one.
    assert record.newest(old, record.frame(5, b"x")) == (0, 5, b"old")


def test_generations_wrap():
    # RFC 1982 section 3.2: serial number arithmetic.
    last = 0xFFFFFFFF
    assert record.following(last) == 0 and record.following(0) == 1
    assert record.is_newer(0, last) and not record.is_newer(last, 0)
    assert record.is_newer(5, 4) and not record.is_newer(4, 5) and not record.is_newer(4, 4)
    assert record.newest(record.frame(last, b"old"), record.frame(0, b"new")) == (1, 0, b"new")
    assert record.newest(record.frame(0, b"new"), record.frame(last, b"old")) == (0, 0, b"new")


def test_noise_is_no_record():
    rng = Random(3)
    for _ in range(300):
        assert record.parse(rng.bytes(64)) is None
