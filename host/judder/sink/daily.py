"""A file a day: which one an observation goes to, and the few that are open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from judder.flow import Observation
from judder.sink.append import AppendFile

_OPEN = 4


def day(observation: Observation) -> str:
    """UTC day of receipt, "2026-03-01"; that of 1970-01-01 where no clock can be believed.

    Not the day of the measurement: a written day is then closed, and what comes late stands where it came.
    """
    at = observation.heard_at if observation.heard_at is not None else observation.received_at
    try:
        return datetime.fromtimestamp(at, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "1970-01-01"


def path(stem: Path, observation: Observation) -> Path:
    """readings.ndjson -> readings-2026-03-01.ndjson."""
    return stem.with_name(f"{stem.stem}-{day(observation)}{stem.suffix}")


class Files:
    """Open files by path, the longest unused closed first."""

    def __init__(self, make: Callable[[Path], AppendFile]) -> None:
        self._make = make
        self._files: dict[Path, AppendFile] = {}

    def of(self, path: Path) -> AppendFile:
        file = self._files.pop(path, None) or self._make(path)
        self._files[path] = file
        while len(self._files) > _OPEN:
            self._files.pop(next(iter(self._files))).close()
        return file

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
