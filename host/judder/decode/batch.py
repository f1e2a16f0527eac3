"""Many payloads -> one Arrow table, and what could not be decoded. Needs the extra `batch` (numpy, pyarrow).

    table, errors = decode_batch(payloads)                  # readings
    alarms, errors = decode_batch(payloads, kind="alarm")

Row i is payload i, whatever it holds, so columns of your own (node, time of receipt) go beside it. Column `kind` says
what each row is; the columns after it (judder.decode.columns) are those of the kind asked for and null in rows of other
kinds. A payload that does not decode is a row of nulls, its kind too, and an entry of errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from judder.decode.columns import COLUMNS
from judder.errors import DecodeError, InputError

if TYPE_CHECKING:
    import pyarrow as pa


class BatchError(NamedTuple):
    """row: number of the payload in its batch."""

    row: int
    error: DecodeError


def decode_batch(
    payloads: Sequence[bytes] | pa.Array | pa.ChunkedArray, *, kind: str = "reading"
) -> tuple[pa.RecordBatch, list[BatchError]]:
    """(table, errors) of whole messages: a sequence of bytes, or an Arrow column of binary.

    Each payload is bounded by its own length: a bad one changes nothing in its neighbours. Values equal those of
    `decode`. Raises TypeError for a payload that is not bytes, InputError for an unknown kind or without the extra.
    A column may be binary of any layout, also dictionary-encoded, as Parquet files and Polars have it; up to 2 GiB.
    """
    found: tuple[pa.RecordBatch, list[BatchError]] = _arrow(kind).batch(payloads, kind)
    return found


def batch_schema(kind: str = "reading") -> pa.Schema:
    """Schema of decode_batch's table; units and meanings in the fields' metadata. Raises InputError."""
    return _arrow(kind).arrow_table.SCHEMAS[kind]


def _arrow(kind: str) -> Any:
    if kind not in COLUMNS:
        raise InputError(f"kind {kind!r} is not one of {', '.join(COLUMNS)}")
    try:
        from judder.decode import arrow
    except ImportError as error:
        raise InputError(f"decode_batch needs numpy and pyarrow ({error}): pip install 'judder[batch]'") from error
    return arrow
