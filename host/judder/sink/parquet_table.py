"""Observations of one kind -> an Arrow table: columns of rows.ABOUT, then those of decode_batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from judder.decode import arrow_table, columns
from judder.flow import Observation
from judder.sink import Poisoned, rows

_ABOUT = {rows.TIME: pa.timestamp("us", "UTC"), rows.JSON: pa.string(), rows.UUID: pa.string()}


def _schema(kind: str) -> pa.Schema:
    own = arrow_table.SCHEMAS[kind]
    about = [pa.field(column.name, _ABOUT.get(column.type) or arrow_table.TYPES[column.type]) for column in rows.ABOUT]
    return pa.schema([*about, *(own.field(name) for name in own.names if name not in rows.NAMES)])


SCHEMAS = {kind: _schema(kind) for kind in columns.COLUMNS}
_STRUCTS = {kind: pa.struct(list(found)) for kind, found in SCHEMAS.items()}
_KIND_AT = len(rows.ABOUT)


def table(kind: str, batch: Sequence[Observation], indexes: Sequence[int]) -> pa.Table:
    """Of batch[i] for i of indexes, each id once. Raises Poisoned with the index in the batch."""
    found: dict[Any, tuple[int, tuple[Any, ...]]] = {}
    for index in indexes:
        row = _row(kind, batch[index])
        found.setdefault(row[0], (index, row))
    try:
        made = pa.array([row for _index, row in found.values()], _STRUCTS[kind])
    except (pa.ArrowException, OverflowError):
        for index, row in found.values():
            try:
                pa.array([row], _STRUCTS[kind])
            except (pa.ArrowException, OverflowError) as error:
                raise Poisoned(index, f"Parquet has no way to write it: {error}") from error
        raise
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(made)]).cast(SCHEMAS[kind])


def _row(kind: str, observation: Observation) -> tuple[Any, ...]:
    values = rows.flat(observation, _MADE)
    return (*values[:_KIND_AT], kind, *values[_KIND_AT:])


_MADE: dict[str, Callable[[Any], Any]] = {
    rows.TIME: rows.moment,
    rows.JSON: rows.sayable,
    rows.UUID: str,
    columns.TEXT: rows.sayable,
    columns.TEXTS: lambda texts: [rows.sayable(text) for text in texts],
}
