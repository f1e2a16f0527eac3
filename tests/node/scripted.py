"""A broker that is a list of bytes, and a clock that is turned by hand."""

from __future__ import annotations


class Clock:
    """Ticks as MicroPython's, without the wrap."""

    def __init__(self) -> None:
        self.now_ms = 1000

    def ticks_ms(self) -> int:
        return self.now_ms

    @staticmethod
    def ticks_diff(a: int, b: int) -> int:
        return a - b


class Transport:
    """Gives out what was queued with `say`, at most `chunk` bytes at a time; takes at most `take` bytes a write.

    say(None) closes the connection after what came before. `heard` is everything the node wrote.
    """

    def __init__(self, chunk: int = 10_000, take: int = 10_000) -> None:
        self.chunk = chunk
        self.take = take
        self.heard = b""
        self._queue: list[bytes | None] = []

    def say(self, *parts: bytes | None) -> None:
        self._queue.extend(parts)

    def write(self, data: bytes) -> int | None:
        taken = bytes(data[: self.take])
        self.heard += taken
        return len(taken) or None

    def readinto(self, buffer: bytearray) -> int | None:
        while self._queue and self._queue[0] == b"":
            self._queue.pop(0)
        if not self._queue:
            return None
        head = self._queue[0]
        if head is None:
            return 0
        part = head[: min(self.chunk, len(buffer))]
        buffer[: len(part)] = part
        self._queue[0] = head[len(part) :]
        return len(part)


def cut(data: bytes) -> list[tuple[int, bytes]]:
    """(first byte, body) of each packet in a stream of whole ones, by the rules of MQTT 3.1.1 section 2.2."""
    packets = []
    at = 0
    while at < len(data):
        first = data[at]
        at += 1
        length = shift = 0
        while True:
            digit = data[at]
            at += 1
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        assert at + length <= len(data), "stream ends inside a packet"
        packets.append((first, data[at : at + length]))
        at += length
    return packets
