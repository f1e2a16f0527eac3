"""The node's output as an ESP32's UART would carry it, out of what MicroPython's PC build writes."""

from __future__ import annotations

RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_FRIENDLY = b'Type "help()" for more information.\r\n'
_LONGEST = max(len(RAW_PROMPT), len(_FRIENDLY))


class ConsoleFilter:
    """feed() puts CR before lone LF, and follows which REPL is active.

    raw: the raw REPL is. After skip_to_raw_prompt() output is dropped up to the raw REPL's greeting: a soft reset in
    raw mode shows no friendly banner.
    """

    def __init__(self) -> None:
        self.raw = False
        self.restart()

    def restart(self) -> None:
        """A new process writes from here on; `raw` stays."""
        self._last = b""
        self._tail = b""
        self._skipping = False

    def skip_to_raw_prompt(self) -> None:
        """Drop everything up to the greeting of the raw REPL."""
        self._skipping = True
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Raw output -> console bytes."""
        if not data:
            return b""
        seen = self._tail + data
        raw_at, friendly_at = seen.rfind(RAW_PROMPT), seen.rfind(_FRIENDLY)
        if max(raw_at, friendly_at) >= 0:
            self.raw = raw_at > friendly_at
        self._tail = seen[-(_LONGEST - 1) :]
        if self._skipping:
            if raw_at < 0:
                return b""
            self._skipping = False
            self._last = b"\n"
            data = seen[raw_at:]
        return self._with_cr(data)

    def _with_cr(self, data: bytes) -> bytes:
        first_is_lone = data[:1] == b"\n" and self._last != b"\r"
        self._last = data[-1:]
        # CR LF to LF and back again finds the lone ones without a search per byte.
        out = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return out if first_is_lone or data[:1] != b"\n" else out[1:]
