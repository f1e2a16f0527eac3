"""Observations of one kind -> an Arrow table: columns of rows.ABOUT, then those of decode_batch."""

from __future__ import annotations

from collections.abc import Sequence
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
# Kind -> how each value of a row becomes that of its column.
_TYPES = {kind: [type_ for _name, type_ in found] for kind, found in rows.COLUMNS.items()}
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
    values = [_value(value, type_) for value, type_ in zip(rows.flat(observation), _TYPES[kind], strict=True)]
    return (*values[:_KIND_AT], kind, *values[_KIND_AT:])


def _value(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ == rows.TIME:
        return rows.moment(value)
    if type_ in (columns.TEXT, rows.JSON, rows.UUID):
        return rows.sayable(str(value))
    return [rows.sayable(item) for item in value] if type_ == columns.TEXTS else value
