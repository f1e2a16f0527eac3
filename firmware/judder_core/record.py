"""Framing of a record that lives in two flash slots, written alternately (A/B).

A slot holds `<generation u32> <length u32> <CRC-32 u32> <payload>`, little-endian, from the start of its sector; the
CRC covers generation, length and payload. A slot that is blank, torn by a power cut or damaged gives None, so the other
slot, which was not touched, still counts. Pure bytes: no flash here.

Runs on CPython and MicroPython.
"""

import binascii
import struct

_HEADER = "<III"
HEADER_BYTES = 12
_GENERATIONS = 0x100000000


def frame(generation: int, payload: bytes) -> bytes:
    """Bytes to program at the start of an erased slot. payload: at least one byte."""
    prefix = struct.pack("<II", generation, len(payload))
    crc = binascii.crc32(payload, binascii.crc32(prefix))
    return struct.pack(_HEADER, generation, len(payload), crc) + payload


def parse(sector: bytes) -> "tuple[int, bytes] | None":
    """(generation, payload) of a slot's bytes, or None when no whole record is there."""
    if len(sector) < HEADER_BYTES:
        return None
    generation, length, crc = struct.unpack(_HEADER, sector[:HEADER_BYTES])
    # A blank slot claims 2^32 - 1 bytes and fails here. An empty record is none: two torn erases can leave all ones,
    # four zero bytes and all ones, which is a matching CRC-32 of nothing.
    if not 0 < length <= len(sector) - HEADER_BYTES:
        return None
    payload = bytes(sector[HEADER_BYTES : HEADER_BYTES + length])
    if binascii.crc32(payload, binascii.crc32(sector[:8])) != crc:
        return None
    return generation, payload


def newest(a: bytes, b: bytes) -> "tuple[int, int, bytes] | None":
    """(slot, generation, payload) of the newer of two slots' bytes, slot 0 or 1; None when neither holds a record."""
    first = parse(a)
    second = parse(b)
    if second is not None and (first is None or is_newer(second[0], first[0])):
        return 1, second[0], second[1]
    if first is not None:
        return 0, first[0], first[1]
    return None


def is_newer(generation: int, than: int) -> bool:
    """Whether a generation was written after another; right across the wrap at 2^32 (serial arithmetic, RFC 1982)."""
    return 0 < (generation - than) % _GENERATIONS < _GENERATIONS // 2


def following(generation: int) -> int:
    """Generation to write after this one."""
    return (generation + 1) % _GENERATIONS
