"""decode_batch's work: payloads to raw values by numpy or one by one, raw values to Arrow columns.

Readings go through `lockstep`, where there are enough of them to pay for its many small steps; what it does not take
goes one by one, and few readings and other kinds go record by record. Raw values of a batch are one matrix, [row of the
contract's table, payload], with NaN for absent, so that scaling and null bits are one step for all columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from judder.decode import arrow_table, columns, fast, lockstep
from judder.decode.batch import BatchError
from judder.errors import DecodeError
from judder_core import schema

# Below this many payloads the steps of numpy cost more than going one by one.
FEW = 64
# Payloads taken at once: what the caches of a processor hold.
CHUNK = 2048


def batch(payloads: Any, kind: str) -> tuple[pa.RecordBatch, list[BatchError]]:
    source = _Payloads(payloads)
    return _readings(source) if kind == "reading" and source.count >= FEW else _by_record(source, kind)


class _Payloads:
    """Payloads by number, and as one stretch of bytes with where each begins and ends."""

    def __init__(self, payloads: Any) -> None:
        self._arrow: pa.Array | None = None
        self._list: Sequence[bytes] = ()
        if isinstance(payloads, (pa.Array, pa.ChunkedArray)):
            self._arrow = _binary(payloads)
            self.count = len(self._arrow)
        else:
            if isinstance(payloads, (bytes, bytearray, memoryview, str)):
                raise TypeError("decode_batch takes many payloads: [payload]; for one there is decode(payload)")
            self._list = [p if type(p) is bytes else fast.as_bytes(p) for p in payloads]
            self.count = len(self._list)

    def __getitem__(self, row: int) -> bytes:
        if self._arrow is None:
            return self._list[row]
        found: bytes | None = self._arrow[row].as_py()
        if found is None:
            raise DecodeError("there is no payload: null", None)
        return found

    def stretch(self, first: int, last: int) -> tuple[Any, Any, Any]:
        """(bytes and PADDING, starts, ends) of payloads first..last - 1. A null one ends where it starts."""
        if self._arrow is None:
            some = self._list[first:last]
            lengths = np.fromiter(map(len, some), np.int64, last - first)
            ends = np.cumsum(lengths)
            return np.frombuffer(b"".join([*some, lockstep.PADDING]), np.uint8), ends - lengths, ends
        part = self._arrow.slice(first, last - first)
        validity, offsets, data = part.buffers()
        places = np.frombuffer(offsets, np.int32)[part.offset : part.offset + len(part) + 1].astype(np.int64)
        held = np.frombuffer(data, np.uint8)[places[0] : places[-1]] if data is not None else np.zeros(0, np.uint8)
        starts, ends = places[:-1] - places[0], places[1:] - places[0]
        if validity is not None:
            ends = np.where(part.is_valid().to_numpy(zero_copy_only=False), ends, starts)
        return np.concatenate([held, np.frombuffer(lockstep.PADDING, np.uint8)]), starts, ends


# pyarrow of before 2024 has no views.
_BINARY = [
    getattr(pa.types, name)
    for name in ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")
    if hasattr(pa.types, name)
]


def _binary(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not any(is_(column.type) for is_ in _BINARY):
        raise TypeError(f"a column of payloads is binary, not {column.type}")
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column.cast(pa.binary())


# --- readings

_ROWS = len(schema.READING_FIELDS)


def _readings(source: _Payloads) -> tuple[pa.RecordBatch, list[BatchError]]:
    raw = arrow_table.Raw(source.count)
    errors: list[BatchError] = []
    for first in range(0, source.count, CHUNK):
        last = min(source.count, first + CHUNK)
        values, accepted = lockstep.readings(*source.stretch(first, last))
        raw.put(first, values)
        errors += _one_by_one(source, (np.flatnonzero(~accepted) + first).tolist(), raw)
    return arrow_table.readings(raw), errors


def _one_by_one(source: _Payloads, numbers: Sequence[int], raw: arrow_table.Raw) -> Iterator[BatchError]:
    """Decode these payloads into `raw`, except for the errors it yields."""
    places: list[int] = []
    found: list[list[Any]] = []
    for number in numbers:
        try:
            payload = source[number]
            values = fast.reading_values(payload)
            if values is None:
                raw.kinds[number] = arrow_table.KINDS.index(fast.decode(payload).kind)
                continue
        except DecodeError as error:
            raw.kinds[number] = -1
            yield BatchError(number, error)
            continue
        if len(values) > _ROWS:
            raw.extras[number] = columns.as_json(values[_ROWS:]) or ""
            del values[_ROWS:]
        places.append(number)
        found.append(values)
    raw.put_each(places, found)


# --- few readings, and other kinds


def _by_record(source: _Payloads, kind: str) -> tuple[pa.RecordBatch, list[BatchError]]:
    rows: list[tuple[Any, ...]] = []
    errors: list[BatchError] = []
    for number in range(source.count):
        try:
            record = fast.decode(source[number])
        except DecodeError as error:
            rows.append(())
            errors.append(BatchError(number, error))
            continue
        rows.append(columns.values(record) if record.kind == kind else (record.kind,))
    return arrow_table.from_rows(kind, rows), errors
