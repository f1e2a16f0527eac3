"""Observations as NDJSON: one JSON object a line, on the disk when write() returns.

`judder decode --file` reads the file again. A line a power cut left unfinished is cut off at the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from judder.flow import Observation
from judder.sink import Plugin, SinkOptions, append, daily, rows
from judder.sink.base import BaseSink


@dataclass(slots=True, kw_only=True)
class NdjsonOptions(SinkOptions):
    """path: the file; its folder is made. daily: a file a day (UTC, by the time of receipt), the date before the
    ending: readings-2026-03-01.ndjson."""

    path: Path = Path("readings.ndjson")
    daily: bool = False

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        append.bound(self)
        self.path = Path(self.path)


class NdjsonSink(BaseSink):
    """One line an observation, as rows.nested makes it."""

    name = "ndjson"

    def __init__(self, options: NdjsonOptions) -> None:
        super().__init__(options)
        self._files = daily.Files(lambda path: append.AppendFile(path, append.find_uuids))
        self._path = options.path
        self._daily = options.daily

    def write(self, batch: Sequence[Observation]) -> None:
        lines: dict[Path, list[tuple[str, bytes]]] = {}
        for index, observation in enumerate(batch):
            id_, line = rows.json_line(index, observation)
            path = daily.path(self._path, observation) if self._daily else self._path
            lines.setdefault(path, []).append((id_, line + b"\n"))
        for path, found in lines.items():
            self._files.of(path).append(found)

    def close(self) -> None:
        self._files.close()


PLUGIN = Plugin(NdjsonOptions, NdjsonSink)
