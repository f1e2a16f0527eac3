"""Messages as lines of text on a console that also carries other output.

`@judder <node id> <payload> <crc>`: node id 16 hex digits, payload in hex, CRC-32 of node id and payload bytes in 8 hex
digits. A console may lose or garble characters, so a line proves itself or is refused.

Runs on CPython and MicroPython.
"""

import binascii

from judder_core.errors import DecodeError

MARK = "@judder"
_HEX = "0123456789abcdef"


def encode(node_id: bytes, payload: bytes) -> str:
    """One line, without its end. node_id: EUI-64, 8 bytes."""
    return "%s %s %s %08x" % (MARK, bytes(node_id).hex(), bytes(payload).hex(), _crc(node_id, payload))


def decode(line: "str | bytes") -> "tuple[bytes, bytes] | None":
    """(node id, payload) of a line; None for a line that is ordinary text.

    Raises DecodeError for a line that begins as a message and is damaged. Space around the line does not matter.
    """
    if not isinstance(line, str):
        # One character for each byte, whatever the bytes: noise must not raise anything else than DecodeError.
        line = "".join([chr(byte) for byte in line])
    line = line.strip()
    if not line.startswith(MARK):
        return None
    shown = bytes([ord(letter) & 0x7F for letter in line[:64]])
    parts = line.split(" ")
    if len(parts) != 4 or parts[0] != MARK:
        raise DecodeError("console line: four words are expected, %d are there" % len(parts), None, shown)
    for word in parts[1:]:
        for letter in word:
            if letter not in _HEX:
                raise DecodeError("console line: a character is not a hex digit", None, shown)
    if len(parts[1]) != 16 or len(parts[2]) % 2 or not parts[2] or len(parts[3]) != 8:
        raise DecodeError("console line: a word has the wrong length", None, shown)
    node_id = bytes.fromhex(parts[1])
    payload = bytes.fromhex(parts[2])
    if _crc(node_id, payload) != int(parts[3], 16):
        raise DecodeError("console line: the CRC does not match", None, shown)
    return node_id, payload


def _crc(node_id: bytes, payload: bytes) -> int:
    return binascii.crc32(payload, binascii.crc32(node_id))
