"""Flat rows: every value of a record is in exactly one column of its kind, with the column's type."""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from judder import decode
from judder.decode import columns, records
from judder_core import schema

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())
PYTHON = {
    "text": str,
    "int32": int,
    "int64": int,
    "float64": (int, float),
    "bool": bool,
    "binary": bytes,
    "texts": tuple,
}


def leaves(value: Any) -> list[Any]:
    """Numbers, texts and truth values of a record's dictionary."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


# Vectors with fields newer than the tables of their day need those tables: test_decode.
TODAY = [vector for vector in VECTORS["messages"] if not vector.get("extra")]


@pytest.mark.parametrize("vector", TODAY, ids=lambda vector: vector["description"])
def test_nothing_is_lost_and_types_are_as_said(vector: dict[str, Any]) -> None:
    record = decode(bytes.fromhex(vector["hex"]))
    row = columns.flat(record)
    types = {column.name: column.type for column in columns.COLUMNS[record.kind]}
    assert list(row) == ["kind", *types]
    for name, value in row.items():
        assert name == "kind" or value is None or isinstance(value, PYTHON[types[name]]), (name, value)
    # JSON columns opened, bytes in hex: the same leaves as the record's own dictionary.
    opened = {n: json.loads(v) if n in ("extra", "items", "settings") and v else v for n, v in row.items()}
    found = leaves({n: v.hex() if isinstance(v, bytes) else v for n, v in opened.items()})
    assert sorted(map(repr, found)) == sorted(map(repr, leaves(record.to_dict())))


def test_columns_of_a_reading_are_the_rows_of_the_table_in_their_order() -> None:
    rows = [column.row for column in columns.COLUMNS["reading"] if column.row is not None]
    assert rows == list(range(1, len(schema.READING_FIELDS)))  # row 0, the state, has words of its own
    message = [1, 0, *range(1, len(schema.READING_FIELDS))]
    row = columns.flat(decode(cbor2.dumps(message)))
    for column in columns.COLUMNS["reading"]:
        if column.row is not None:
            assert row[column.name] == column.row / schema.READING_FIELDS[column.row][3], column.name


@pytest.mark.parametrize("kind", columns.COLUMNS)
def test_names_are_unique(kind: str) -> None:
    names = [column.name for column in columns.COLUMNS[kind]]
    assert len(set(names)) == len(names) and "kind" not in names


def test_names_units_and_types_by_hand() -> None:
    found = {column.name: (column.type, column.unit) for column in columns.COLUMNS["reading"]}
    assert found["velocity_rms_worst_mm_s"] == ("float64", "mm/s")
    assert found["acceleration_peak_z_mg"] == ("int32", "mg")
    assert found["sequence"] == ("int64", "")
    assert found["zone"] == ("text", "") and found["sensor_fault"] == ("bool", "")


def test_what_a_newer_node_sends_is_json() -> None:
    row = columns.flat(decode(cbor2.dumps([4, 7, 0, 0, 0, 5, b"\1", "x"])))
    assert row["extra"] == '[5,"01","x"]'
    row = columns.flat(decode(cbor2.dumps([99, 5, [1, {2: None}]])))
    assert row == {"kind": "unknown", "kind_number": 99, "payload": row["payload"], "items": '[5,[1,{"2":null}]]'}
    assert columns.flat(records.Ack.of(tag=1))["extra"] is None


def test_every_kind_of_the_contract_has_columns() -> None:
    assert set(columns.COLUMNS) == {name for _number, name, _rows in schema.KINDS} | {"unknown"}
