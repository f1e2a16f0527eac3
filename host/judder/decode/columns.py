"""Records as flat rows: column names, types and units of every kind. For tables, databases and files.

    flat(decode(payload))     -> {"kind": "reading", "velocity_rms_worst_mm_s": 3.0, "velocity_rms_x_mm_s": None, ...}

Columns of a reading come from the contract's table, in its order, the unit last in the name: row `velocity_rms_x` in
mm/s is `velocity_rms_x_mm_s`. New ones come at the end only. What one kind has no words for stands in `extra` as JSON.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from judder.decode import build, records, words
from judder_core import schema

# Column types, as an Arrow table or a database has them. TEXTS: a list of texts.
TEXT, INT32, INT64, FLOAT64, BOOL, BINARY, TEXTS = "text", "int32", "int64", "float64", "bool", "binary", "texts"

_I32_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Column:
    """name: with its unit. type: one of those above. path: attribute of a record, as "velocity_rms_mm_s.x"; made:
    what turns its value into the column's, None where it is that. unit, meaning: of the contract, "" where it says
    nothing. row: index in the contract's table where the column is one row of it."""

    name: str
    type: str
    path: str
    made: Callable[[Any], Any] | None = None
    unit: str = ""
    meaning: str = ""
    row: int | None = None


def flat(record: records.Record) -> dict[str, Any]:
    """Every column of its kind with its value, the kind first. Lists and bytes stay what they are."""
    return dict(zip(_NAMES[record.kind], values(record), strict=True))


def values(record: records.Record) -> tuple[Any, ...]:
    """As flat(), without the names."""
    read, made = _READERS[record.kind]
    row = list(read(record))
    for i, make in made:
        row[i] = make(row[i])
    return tuple(row)


def as_json(value: Any) -> str | None:
    """Items the contract has no words for; None where there are none."""
    return json.dumps(records.plain(value), separators=(",", ":")) if value else None


_EXTRA = Column("extra", TEXT, "extra", as_json, meaning="what a newer node sent beyond, as JSON")

# Annotation of a record's field -> type.
_TYPES = {
    "str": TEXT,
    "str | None": TEXT,
    "bool": BOOL,
    "int": INT64,
    "int | None": INT64,
    "float | None": FLOAT64,
    "bytes": BINARY,
    "bytes | None": BINARY,
    "tuple[str, ...]": TEXTS,
}


def _from_fields(cls: type, *without: str) -> list[Column]:
    return [
        Column(field.name, _TYPES[str(field.type)], field.name) for field in fields(cls) if field.name not in without
    ]


def _from_table(rows: tuple[Any, ...], places: dict[int, tuple[str, Callable[[Any], Any] | None]]) -> list[Column]:
    """places: row number -> path and made of its column."""
    out = []
    for i, place in places.items():
        name, _type, unit, divisor, low, high, meaning = rows[i]
        if divisor != 1:
            type_ = FLOAT64
        else:
            type_ = INT32 if low >= -_I32_MAX and high <= _I32_MAX else INT64
        out.append(Column(name + build.UNIT_SUFFIX[unit], type_, *place, "" if unit == "1" else unit, meaning, i))
    return out


def _reading() -> list[Column]:
    places = {}
    for attribute, (rows, _divisor) in build.reading_layout().items():
        for axis, row in zip("xyz", rows, strict=False):
            places[row] = f"{attribute}.{axis}" if len(rows) == 3 else attribute, None
    state = [
        Column(name, BOOL if i >= words.STATE_FLAGS_AT else TEXT, name) for i, name in enumerate(words.STATE_ATTRIBUTES)
    ]
    return [_EXTRA, *state, *_from_table(schema.READING_FIELDS, dict(sorted(places.items())))]


def _spectrum() -> list[Column]:
    rows = schema.SPECTRUM_FIELDS
    names = [row[0] for row in rows]
    places: dict[int, tuple[str, Callable[[Any], Any] | None]] = {}
    for line in range(schema.SPECTRUM_LINES):
        for part, what in enumerate(("frequency", "velocity_rms")):
            places[names.index(f"line{line + 1}_{what}")] = "lines", _line(line, part)
    for band in range(schema.SPECTRUM_BANDS):
        places[names.index(f"band{band + 1}_velocity_rms")] = "bands_velocity_rms_mm_s", _band(band)
    plain = _from_fields(records.Spectrum, "lines", "bands_velocity_rms_mm_s", "extra")
    return [_EXTRA, *plain, *_from_table(rows, places)]


def _line(i: int, part: int) -> Callable[[Any], Any]:
    return lambda lines: lines[i][part] if i < len(lines) else None


def _band(i: int) -> Callable[[Any], Any]:
    return lambda bands: bands[i] if i < len(bands) else None


# Kind, as records name it -> its columns.
COLUMNS: dict[str, tuple[Column, ...]] = {
    "reading": tuple(_reading()),
    "alarm": (_EXTRA, *_from_fields(records.Alarm, "extra")),
    "hello": (_EXTRA, *_from_fields(records.Hello, "extra")),
    "ack": (_EXTRA, *_from_fields(records.Ack, "extra")),
    "capture": (_EXTRA, *_from_fields(records.Capture, "extra")),
    "spectrum": tuple(_spectrum()),
    "command": (
        _EXTRA,
        *_from_fields(records.Command, "settings", "extra"),
        Column("settings", TEXT, "settings_by_name", as_json, meaning="by name, secrets masked, as JSON"),
    ),
    "unknown": (
        *_from_fields(records.Unknown, "items"),
        Column("items", TEXT, "items", as_json, meaning="what follows the kind, as JSON"),
    ),
}

_NAMES = {kind: ("kind", *(column.name for column in found)) for kind, found in COLUMNS.items()}
# Kind -> all its paths read in one call of C, and the columns made of what that gives.
_READERS = {
    kind: (
        operator.attrgetter("kind", *(column.path for column in found)),
        [(i, column.made) for i, column in enumerate(found, 1) if column.made],
    )
    for kind, found in COLUMNS.items()
}
