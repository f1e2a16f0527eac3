"""Raw values of many messages -> Arrow columns with their units, a few steps for all columns together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from judder.decode import columns, words
from judder_core import schema

TYPES = {
    columns.TEXT: pa.string(),
    columns.INT32: pa.int32(),
    columns.INT64: pa.int64(),
    columns.FLOAT64: pa.float64(),
    columns.BOOL: pa.bool_(),
    columns.BINARY: pa.binary(),
    columns.TEXTS: pa.list_(pa.string()),
}
_NUMPY = {columns.INT32: np.int32, columns.INT64: np.int64, columns.FLOAT64: np.float64}

KINDS = tuple(columns.COLUMNS)


def _schema(kind: str) -> pa.Schema:
    fields = [pa.field("kind", pa.string())]
    for column in columns.COLUMNS[kind]:
        notes = {name: text for name, text in (("unit", column.unit), ("meaning", column.meaning)) if text}
        fields.append(pa.field(column.name, TYPES[column.type], metadata=notes or None))
    return pa.schema(fields)


SCHEMAS = {kind: _schema(kind) for kind in columns.COLUMNS}


_STRUCTS = {kind: pa.struct(list(found)) for kind, found in SCHEMAS.items()}


def from_rows(kind: str, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Table of a kind from columns.values() of its records; a row may be shorter, the rest of it is then null."""
    width = len(SCHEMAS[kind])
    rows = [row if len(row) == width else row + (None,) * (width - len(row)) for row in rows]
    return pa.RecordBatch.from_struct_array(pa.array(rows, _STRUCTS[kind]))


class Raw:
    """Readings before they are columns.

    values: [row of the contract's table, payload], the numbers on air, NaN where absent; as many rows as were sent.
    kinds: index into KINDS, -1 for a bad payload. extras: number of a payload -> JSON.
    """

    def __init__(self, count: int) -> None:
        self.values: Any = np.full((1, count), np.nan)
        self.kinds: Any = np.full(count, KINDS.index("reading"), np.int8)
        self.extras: dict[int, str] = {}

    def put(self, first: int, values: Any) -> None:
        """Values of the payloads from number `first` on."""
        rows, count = values.shape
        if count == self.values.shape[1]:
            self.values = values
            return
        self._grow(rows)
        self.values[:rows, first : first + count] = values

    def put_each(self, numbers: list[int], found: list[list[Any]]) -> None:
        """Values of single payloads."""
        if not numbers:
            return
        longest = max(map(len, found))
        padded = [values + [None] * (longest - len(values)) for values in found]
        self._grow(longest)
        self.values[:longest, numbers] = np.array(padded, np.float64).T

    def _grow(self, rows: int) -> None:
        missing = rows - self.values.shape[0]
        if missing > 0:
            self.values = np.concatenate([self.values, np.full((missing, self.values.shape[1]), np.nan)])


# --- readings

_COLUMNS = columns.COLUMNS["reading"]
_DIVISORS = np.array([row[3] for row in schema.READING_FIELDS], np.float64)[:, None]
# Type of a column -> table rows that have it.
_ROWS_OF = {
    type_: np.array([c.row for c in _COLUMNS if c.row is not None and c.type == type_], np.intp) for type_ in _NUMPY
}

# State bits -> index into the words (-1: none) and truth values, a table for each attribute.
_WORDS: tuple[list[str], ...] = (list(schema.ZONES[1:]), list(schema.ALARM_LEVELS), list(schema.AXES[1:]))
_WORD_ARRAYS = [pa.array(list_) for list_ in _WORDS]
_KIND_ARRAY = pa.array(KINDS)


def _state_tables() -> Any:
    tables = np.full((len(words.STATE_ATTRIBUTES), schema.READING_FIELDS[0][5] + 1), -1, np.int8)
    for state in range(tables.shape[1]):
        try:
            said = words.STATES[state]
        except KeyError:
            continue
        for i, value in enumerate(said):
            if isinstance(value, str):
                tables[i, state] = _WORDS[i].index(value)
            elif value is not None:
                tables[i, state] = value
    return tables


_STATES = _state_tables()


def readings(raw: Raw) -> pa.RecordBatch:
    """Table of readings; rows of other kinds and bad ones are null."""
    sent, count = raw.values.shape
    present = ~np.isnan(raw.values)
    values = np.where(present, raw.values, 0)
    nulls = (count - np.count_nonzero(present, axis=1)).tolist()
    valid = _bits(present)
    numbers = _numbers(values)
    said = _STATES.take(values[0].astype(np.int64), axis=1)
    said[: words.STATE_FLAGS_AT, ~present[0]] = -1
    flags = _bits(said[words.STATE_FLAGS_AT :] > 0)
    absent = {type_: pa.nulls(count, TYPES[type_]) for type_ in _NUMPY}
    arrays = [_texts(_KIND_ARRAY, raw.kinds)]
    for column in _COLUMNS:
        row, type_ = column.row, TYPES[column.type]
        if row is not None:
            arrays.append(
                _array(type_, count, valid[row], numbers[row], nulls[row]) if row < sent else absent[column.type]
            )
        elif column.name == "extra":
            arrays.append(_extras(raw.extras, count))
        elif column.type == columns.TEXT:
            i = words.STATE_ATTRIBUTES.index(column.name)
            arrays.append(_texts(_WORD_ARRAYS[i], said[i]))
        else:
            i = words.STATE_ATTRIBUTES.index(column.name) - words.STATE_FLAGS_AT
            arrays.append(_array(type_, count, valid[0], flags[i], nulls[0]))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMAS["reading"])


def _array(type_: pa.DataType, count: int, valid: pa.Buffer, data: pa.Buffer, nulls: int) -> pa.Array:
    return pa.Array.from_buffers(type_, count, [valid if nulls else None, data], nulls)


def _numbers(values: Any) -> dict[int, pa.Buffer]:
    """Row of the table -> its values in the column's type and unit."""
    out: dict[int, pa.Buffer] = {}
    for type_, rows in _ROWS_OF.items():
        some = rows[: np.searchsorted(rows, values.shape[0])]
        if some.size:
            found = values.take(some, axis=0)
            found = found / _DIVISORS[some] if type_ == columns.FLOAT64 else found.astype(_NUMPY[type_])
            out.update(zip(some.tolist(), _slices(found), strict=True))
    return out


def _bits(rows: Any) -> list[pa.Buffer]:
    """Truth values of each row as Arrow packs them: least significant bit first."""
    packed = np.packbits(rows, axis=1, bitorder="little")
    wide = np.zeros((packed.shape[0], -packed.shape[1] % 8 + packed.shape[1]), np.uint8)  # rows begin at whole words
    wide[:, : packed.shape[1]] = packed
    return _slices(wide)


def _slices(rows: Any) -> list[pa.Buffer]:
    whole, width = pa.py_buffer(rows), rows.strides[0]
    return [whole.slice(at, width) for at in range(0, rows.nbytes, width)] if width else [whole] * rows.shape[0]


def _texts(known: pa.Array, indexes: Any) -> pa.Array:
    """Words by index, null for -1."""
    if indexes.size and (indexes == indexes[0]).all():
        return pa.nulls(indexes.size, pa.string()) if indexes[0] < 0 else pa.repeat(known[indexes[0]], indexes.size)
    return known.take(pa.array(indexes, mask=indexes < 0))


def _extras(extras: dict[int, str], count: int) -> pa.Array:
    if not extras:
        return pa.nulls(count, pa.string())
    return pa.array([extras.get(number) for number in range(count)], pa.string())
