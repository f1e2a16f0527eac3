"""Lines of text -> pieces that stand for one thing each: a line, JSON spread over lines, a hex dump of a packet.

Dumps as xxd, `hexdump -C` and `tcpdump -x` write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Offset, then bytes in hex, then perhaps the same as letters. The offset has a colon, or eight digits and two spaces: a
# line of nothing but hex digits is a payload.
_DUMP = re.compile(
    r"\s*(?:0x(?P<tcpdump>[0-9a-f]{4}):|(?P<xxd>[0-9a-f]{8}):|(?P<hexdump>[0-9a-f]{8}) ) (?P<rest>.*)", re.IGNORECASE
)
_END = re.compile(r"[0-9a-f]{8}", re.IGNORECASE)  # `hexdump -C` ends with the length
_MAX_PACKET = 1 << 16
# tcpdump's own line before a packet.
_CAPTION = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2} )?[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+ IP6? .*")
# Lines of JSON that one event may be spread over before somebody else's text is taken for one.
MAX_LINES = 10_000


def split(lines: Iterable[str]) -> Iterator[tuple[int, str | bytes]]:
    """(number of its first line from 1, text, or bytes of a dump). Blank, # and tcpdump's own lines are left out."""
    numbered = enumerate(lines, 1)
    packet, begun = bytearray(), 0
    for number, text in numbered:
        bare = text.rstrip()
        found = _dumped(bare)
        if found is not None and found[0] == len(packet) <= _MAX_PACKET:
            begun = begun if packet else number
            packet += found[1]
            continue
        if packet:
            yield begun, bytes(packet)
            packet.clear()
            if _END.fullmatch(bare):
                continue
        if found is not None and found[0] == 0:
            packet, begun = bytearray(found[1]), number
        elif bare in ("{", "["):
            yield number, _gather(bare, (more for _number, more in numbered))
        elif bare and not bare.lstrip().startswith("#") and not _CAPTION.fullmatch(bare):
            yield number, bare
    if packet:
        yield begun, bytes(packet)


def _gather(first: str, more: Iterator[str]) -> str:
    """JSON that a program wrote for people: from a bracket alone on its line to its like at the beginning of one."""
    pieces = [first]
    end = "}" if first == "{" else "]"
    for text in more:
        pieces.append(text.rstrip("\n"))
        if text.startswith(end) or len(pieces) > MAX_LINES:
            break
    return "\n".join(pieces)


def _dumped(text: str) -> tuple[int, bytes] | None:
    """(offset, bytes) of a line of a dump, None for another line."""
    found = _DUMP.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"].lstrip()
    words = rest.split("|")[0] if found["hexdump"] else rest.split("  ")[0]
    try:
        data = bytes.fromhex(words)
    except ValueError:
        return None
    return (int(found["tcpdump"] or found["xxd"] or found["hexdump"], 16), data) if data else None


def udp_payload(packet: bytes) -> bytes:
    """What a UDP packet carries, where the dump begins with its IP header; else the packet itself."""
    at = None
    if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == _UDP:
        at = 4 * (packet[0] & 0x0F)
    elif len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == _UDP:
        at = 40
    if at is None:
        return packet
    return packet[at + 8 : at + int.from_bytes(packet[at + 4 : at + 6])]


_UDP = 17
