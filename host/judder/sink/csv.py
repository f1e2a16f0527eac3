"""Observations as CSV, for spreadsheets: a file for each kind and day, columns and units in the first line.

RFC 4180 with LF as the end of a line, UTF-8. A day is that of receipt, in UTC. Texts that a spreadsheet would run as a
formula get an apostrophe in front. A file begun by an older version, with fewer columns, stays as it is; a new one
beside it goes on.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.decode.columns import TEXT
from judder.flow import Observation
from judder.sink import Plugin, SinkDown, SinkOptions, append, daily, rows
from judder.sink.base import BaseSink

# A cell that begins with one of these is a formula to a spreadsheet; device names come from whoever wrote them.
_FORMULA = ("=", "+", "-", "@")


@dataclass(slots=True, kw_only=True)
class CsvOptions(SinkOptions):
    """folder: where the files go, it is made: readings as reading-2026-03-01.csv."""

    folder: Path = Path("csv")

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        append.bound(self)
        self.folder = Path(self.folder)


class CsvSink(BaseSink):
    """Columns as rows.COLUMNS; times as 2026-03-01T12:00:00.250Z, absent values empty, lists joined by spaces."""

    name = "csv"

    def __init__(self, options: CsvOptions) -> None:
        super().__init__(options)
        self._folder = options.folder
        self._files = daily.Files(_file)

    def write(self, batch: Sequence[Observation]) -> None:
        lines: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
        for observation in batch:
            kind = observation.record.kind
            cells = [
                _cell(value, type_)
                for value, (_name, type_) in zip(rows.flat(observation), rows.COLUMNS[kind], strict=True)
            ]
            lines.setdefault((kind, daily.day(observation)), []).append((cells[0], _line(cells)))
        for (kind, day), found in lines.items():
            self._files.of(self._path(kind, day)).append(found)

    def _path(self, kind: str, day: str) -> Path:
        """The day's file; where that has another first line, the next that has not."""
        header = _header(kind)
        for number in itertools.count(1):
            path = self._folder / f"{kind}-{day}{f'-{number}' if number > 1 else ''}.csv"
            try:
                with path.open("rb") as file:
                    found = file.readline(len(header) + 1)
            except FileNotFoundError:
                return path
            except OSError as error:
                raise SinkDown(f"cannot read {path}: {error.strerror or error}") from error
            if header.startswith(found):  # also one that a power cut left unfinished
                return path
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._files.close()


def _file(path: Path) -> append.AppendFile:
    return append.AppendFile(path, append.find_uuids, _header(path.name.split("-")[0]))


def _header(kind: str) -> bytes:
    return _line([name for name, _type in rows.COLUMNS[kind]])


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _cell(value: Any, type_: str) -> str:
    if value is None:
        return ""
    if type_ == rows.TIME:
        return rows.iso(value) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, list)):
        return _text(" ".join(value))
    return _text(str(value)) if type_ in (TEXT, rows.JSON) else str(value)


def _text(text: str) -> str:
    # One line a row: a torn line is then known by its missing end.
    text = rows.line(text)
    return "'" + text if text.startswith(_FORMULA) else text


PLUGIN = Plugin(CsvOptions, CsvSink)
