"""A file somebody else appends lines to: NDJSON of payloads or events, console lines, `topic payload`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from judder.errors import InputError, JudderError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Plugin
from judder.gateway.source.tail import Line, Tail
from judder.ingest import text

_POLL_S = 0.5


@dataclass(slots=True, kw_only=True)
class FileOptions:
    """path: the file; it may not be there yet. begin: at the "start" of the file or its "end", the first time."""

    path: Path
    begin: str = "start"

    def __post_init__(self) -> None:
        if self.begin not in ("start", "end"):
            raise InputError(f"begin: {self.begin!r:.40} is not start or end")


class FileSource:
    """Which lines are stored is stored with them, so a crash neither loses nor doubles one."""

    def __init__(self, options: FileOptions) -> None:
        self._options = options

    def where(self) -> str:
        return str(self._options.path)

    def run(self, desk: Desk) -> None:
        tail = Tail(self._options.path, desk.position(), at_end=self._options.begin == "end")
        try:
            replaced = 0
            while not desk.stopping:
                found = tail.lines()
                desk.connected(self._options.path.exists(), "the file is not there")
                if tail.replaced > replaced:
                    replaced = tail.replaced
                    desk.note(f"{self._options.path} is another file than before; it is read from its start", "warning")
                arrivals = [arrival for line in found for arrival in arrivals_of(line, time.time())]
                if found:
                    desk.take(arrivals, tail.position())
                elif desk.pause(_POLL_S):
                    return
        finally:
            tail.close()


def arrivals_of(line: Line, now: float) -> list[Arrival]:
    """What a line holds. Blank ones and those with # hold nothing. now: for what says no time."""
    if not line.whole:
        error = InputError(f"a line of more than {len(line.data)} bytes")
        return [Arrival(Poison(Uplink("", line.data, now, "file"), error))]
    shown = line.data.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if not shown or shown.startswith("#"):
        return []
    found = []
    for one in text.Reader(received_at=now).found(1, shown):
        if one.event is not None:
            found.append(Arrival(one.event))
        else:
            error_ = one.error if isinstance(one.error, JudderError) else InputError("nothing usable")
            found.append(Arrival(Poison(Uplink("", line.data, now, "file"), error_)))
    return found


PLUGIN = Plugin(FileOptions, FileSource)
