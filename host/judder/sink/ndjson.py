"""Records as NDJSON: one JSON object a line, flushed line by line so that a killed process loses nothing it printed."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import TextIO

from judder.decode.records import Record


class NdjsonSink:
    """Appends to a file; the folder is made. Use as a context manager.

    put(record, **context): context (node, received_at, ...) stands before the record's own fields.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def put(self, record: Record, **context: object) -> None:
        self._file.write(json.dumps({**context, **record.to_dict()}, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> NdjsonSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
