"""SLIP framing (RFC 1055) as the ESP serial boot loader speaks it: every frame between two 0xC0."""

from __future__ import annotations

END = b"\xc0"
_ESCAPED_END = b"\xdb\xdc"
_ESC = b"\xdb"
_ESCAPED_ESC = b"\xdb\xdd"

# The longest honest frame carries 16 KB of flash data, doubled by escapes at worst.
_LIMIT = 80_000


def encode(frame: bytes) -> bytes:
    """Frame -> bytes on the wire."""
    return END + frame.replace(_ESC, _ESCAPED_ESC).replace(END, _ESCAPED_END) + END


class Decoder:
    """Bytes as they come -> whole frames. Noise between frames and frames with a bad escape are dropped."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Frames that `data` completed, unescaped, empty ones left out."""
        self._pending += data
        *whole, rest = self._pending.split(END)
        self._pending = rest if len(rest) <= _LIMIT else bytearray()
        return [frame for frame in map(_unescape, whole) if frame]

    def clear(self) -> None:
        """Forget a frame that was begun."""
        self._pending.clear()


def _unescape(raw: bytes | bytearray) -> bytes:
    if _ESC not in raw:
        return bytes(raw)
    if raw.count(_ESC) != raw.count(_ESCAPED_END) + raw.count(_ESCAPED_ESC):
        return b""
    return bytes(raw.replace(_ESCAPED_END, END).replace(_ESCAPED_ESC, _ESC))
