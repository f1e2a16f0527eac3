"""Structured log: a JSON object a line for machines, or a line of text for people. Never raises, never floods.

log.warning("sink-down", "no answer from http://...", sink="influx", waiting=120)
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from judder.decode.throttle import Throttle

LEVELS = ("debug", "info", "warning", "error")
_EVERY_S = 60.0


class Log:
    """stream: where lines go. level: the least that is said. clock: Unix time in seconds."""

    def __init__(
        self, stream: TextIO, *, as_json: bool, level: str = "info", clock: Callable[[], float] = time.time
    ) -> None:
        self._stream = stream
        self._as_json = as_json
        self._least = LEVELS.index(level)
        self._clock = clock
        self._throttle = Throttle(_EVERY_S)
        self._lock = threading.Lock()

    def debug(self, event: str, message: str, **fields: Any) -> None:
        self._write("debug", event, message, fields)

    def info(self, event: str, message: str, **fields: Any) -> None:
        self._write("info", event, message, fields)

    def warning(self, event: str, message: str, **fields: Any) -> None:
        self._write("warning", event, message, fields)

    def error(self, event: str, message: str, **fields: Any) -> None:
        self._write("error", event, message, fields)

    def seldom(self, level: str, event: str, message: str, subject: str, **fields: Any) -> None:
        """At most one a minute for an event and a subject (a node, a sink); it says how many were held back."""
        with self._lock:
            held = self._throttle.pass_(subject, event, time.monotonic())
        if held is not None:
            self._write(level, event, message, {**fields, **({"held_back": held} if held else {})})

    def _write(self, level: str, event: str, message: str, fields: dict[str, Any]) -> None:
        if LEVELS.index(level) < self._least:
            return
        try:
            now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            now = "?"
        if self._as_json:
            row = {"time": now, "level": level, "event": event, "message": message, **fields}
            line = json.dumps(row, default=str)
        else:
            more = "".join(f" {name}={value}" for name, value in fields.items())
            line = _printable(f"{now[11:19]} {level:7} {message}{more}")
        # A full disk or a closed terminal behind the stream is no reason to stop taking readings.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


def _printable(text: str) -> str:
    """On one line, whatever a payload put into a message."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
