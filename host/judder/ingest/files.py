"""Files of payloads and events: lines (judder.ingest.text), rows of Parquet, one raw message. gzip is undone.

A file is read as a stream, so its size does not matter.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import blocks, envelope, plain, semtech, text, topics
from judder.ingest.text import Found
from judder_core import schema

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_ROWS = 4096


def read(
    path: Path,
    *,
    is_base64: bool = False,
    received_at: float = math.nan,
    open_frame: semtech.OpenFrame | None = None,
) -> Iterator[Found]:
    """What a file holds, one after the other; a line or row that holds nothing usable is a Found with its error.

    received_at: Unix time in seconds, for what says none (NaN: it is then NaN there too). open_frame: for frames of a
    gateway (judder.ingest.semtech).
    Raises InputError when the file cannot be read, is cut off, or is Parquet without anything that could be a payload.
    """
    reader = text.Reader(is_base64, received_at, open_frame)
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start == _PARQUET:
                yield from _parquet(path, reader)
            elif start.startswith(_GZIP):
                with gzip.open(file) as inner:
                    yield from _stream(inner, reader)
            else:
                yield from _stream(file, reader)
    except (OSError, EOFError, zlib.error) as error:  # those of gzip among them
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {path}: {reason}") from error


def _stream(file: io.BufferedReader | gzip.GzipFile, reader: text.Reader) -> Iterator[Found]:
    """Lines, or the one message a file is: that starts with a byte of 0x80..0x9f, as no text does."""
    start = file.peek(1)[:1]
    if start and 0x80 <= start[0] <= 0x9F:
        # One byte more than any message has, so that a longer file is refused as such.
        yield Found(1, Uplink("", file.read(schema.MAX_FRAME_BYTES + 1), reader.received_at, "file"))
        return
    lines = (raw.decode("utf-8", "replace") for raw in file)
    for number, block in blocks.split(_without_mark(lines)):
        yield from reader.found(number, block)


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for number, one in enumerate(lines):
        yield one.removeprefix("\ufeff") if number == 0 else one


def _parquet(path: Path, reader: text.Reader) -> Iterator[Found]:
    """Rows of judder.ingest.plain, or of a `body` (an event's JSON, or the payload a `topic` carries)."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise InputError(f"{path} is Parquet, which needs pyarrow: pip install 'judder[batch]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            if "body" not in columns and not plain.holds_payload(dict.fromkeys(columns, 1)):
                raise InputError(f"{path} has neither a column 'payload' nor 'body': {', '.join(columns)}")
            number = 0
            for batch in file.iter_batches(_ROWS):
                for row in _microseconds(batch).to_pylist():
                    number += 1
                    yield from _row(number, row, reader)
    except pyarrow.ArrowException as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error


def _microseconds(batch: Any) -> Any:
    """Python's times end there; Parquet's may have nanoseconds, which would need pandas."""
    import pyarrow

    fields = [
        field.with_type(pyarrow.timestamp("us", field.type.tz)) if pyarrow.types.is_timestamp(field.type) else field
        for field in batch.schema
    ]
    columns = [
        column.cast(field.type, safe=False) if column.type != field.type else column
        for column, field in zip(batch.columns, fields, strict=True)
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=pyarrow.schema(fields))


def _row(number: int, row: dict[str, Any], reader: text.Reader) -> Iterator[Found]:
    try:
        body = row.get("body")
        if body is None:
            yield Found(number, plain.from_dict(row, received_at=reader.received_at, is_base64=reader.is_base64))
            return
        received_at = plain.time_of(row, reader.received_at)
        data = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
        if isinstance(row.get("topic"), str):
            yield Found(number, topics.parse(row["topic"], data, received_at=received_at, source="file"))
            return
        for event in replace(reader, received_at=received_at).json(envelope.load(data)):
            yield Found(number, event)
    except InputError as error:
        yield Found(number, error=error)
