"""Messages out of a node's console, which also carries boot messages, tracebacks and noise.

Pure: bytes in, messages out. Each line stands for itself (judder_core.line), so after lost or garbled characters the
reader is right again at the next line end.
"""

from __future__ import annotations

from collections.abc import Callable

from judder_core import line, schema
from judder_core.errors import DecodeError

_MARK = line.MARK.encode()
# The longest honest line: mark, node id, payload in hex, CRC, three spaces. Anything longer is noise.
MAX_LINE_BYTES = len(_MARK) + 16 + 2 * schema.MAX_FRAME_BYTES + 8 + 3


class ConsoleReader:
    """Feed it what arrives, in pieces of any size.

    messages: good lines so far. errors: damaged ones; last_error: the last of them. on_error is called with each,
    on_text with every other line as text, without its end.
    """

    def __init__(
        self,
        on_error: Callable[[DecodeError], None] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self.messages = 0
        self.errors = 0
        self.last_error: DecodeError | None = None
        self._on_error = on_error
        self._on_text = on_text
        self._rest = bytearray()
        self._skipping = False  # inside a line longer than any honest one

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """(node id, payload) of every message whose line ended in these bytes. node id: EUI-64, 8 bytes."""
        found = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            message = None if self._too_long(piece) else self._line(bytes(self._rest + piece))
            self._rest.clear()
            self._skipping = False
            if message is not None:
                found.append(message)
        if not self._too_long(rest):
            self._rest += rest
        return found

    def _too_long(self, more: bytes) -> bool:
        """Whether the line being read is noise; its bytes are then let go."""
        if self._skipping:
            return True
        if len(self._rest) + len(more) <= MAX_LINE_BYTES + 64:
            return False
        self._skipping = True
        whole = bytes(self._rest) + more
        self._rest.clear()
        if _MARK in whole:
            self._count(DecodeError("console line: longer than any message", None, whole[:64]))
        return True

    def _line(self, whole: bytes) -> tuple[bytes, bytes] | None:
        # Text without a line end, or a message cut off by a reset, may stand before the mark.
        at = whole.rfind(_MARK)
        if at < 0:
            if self._on_text is not None:
                self._on_text(whole.rstrip(b"\r").decode("utf-8", "replace"))
            return None
        if _MARK in whole[:at]:
            self._count(DecodeError("console line: cut off by another message", None, whole[:at]))
        try:
            message = line.decode(whole[at:])
        except DecodeError as error:
            self._count(error)
            return None
        self.messages += 1
        return message

    def _count(self, error: DecodeError) -> None:
        self.errors += 1
        self.last_error = error
        if self._on_error is not None:
            self._on_error(error)
