"""decode(): the frozen vectors as typed records, and what the records promise."""

import copy
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cbor2
import pytest

import judder
from judder import decode, errors
from judder.decode import build, fast, records
from judder_core import schema

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())
CLASSES = {
    "reading": records.Reading,
    "alarm": records.Alarm,
    "hello": records.Hello,
    "capture": records.Capture,
    "ack": records.Ack,
    "spectrum": records.Spectrum,
    "command": records.Command,
    "unknown": records.Unknown,
}


@pytest.fixture
def as_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Shorten the tables to what they were when a vector was made, if it has items beyond them.

    It says what a decoder does that is older than the node; rows added since then must not change that.
    """

    def shorten(vector: dict[str, Any]) -> None:
        if not vector.get("extra"):
            return
        rows = len(vector["values"])
        tables = {kind: table[:rows] if kind == vector["kind"] else table for kind, _name, table in schema.KINDS}
        monkeypatch.setattr(schema, "KINDS", tuple((kind, name, tables[kind]) for kind, name, _ in schema.KINDS))
        monkeypatch.setattr(schema, "READING_FIELDS", tables[schema.READING])
        monkeypatch.setattr(schema, "ALARM_FIELDS", tables[schema.ALARM])
        monkeypatch.setattr(fast, "_ROWS", {kind: tables[kind] for kind in (schema.READING, schema.ALARM)})
        monkeypatch.setattr(build, "_LAYOUT", build.reading_layout())
        # Fields that the decoder of then had no row for are absent.
        then = SimpleNamespace(**{**vars(records), "Reading": records.Reading.of})
        monkeypatch.setattr(build, "records", then)
        monkeypatch.setattr(fast, "records", then)
        # Decoders made before were made from the tables of today.
        monkeypatch.setattr(fast, "SHORT", [fast.slowly] * 256)
        monkeypatch.setattr(fast, "LONG", [fast.slowly] * 256)
        fast.SHORT[0x82:0x98] = [fast._first_short] * (0x98 - 0x82)
        fast.LONG[24:64] = [fast._first_long] * 40

    return shorten


def told(vector: dict[str, Any]) -> Any:
    return pytest.param(vector, id=vector["description"])


@pytest.mark.parametrize("vector", [told(v) for v in VECTORS["messages"]])
@pytest.mark.parametrize("type_", [bytes, bytearray, memoryview])
def test_vector_becomes_its_record(vector: dict[str, Any], type_: Any, as_of: Callable[..., None]) -> None:
    as_of(vector)
    record = decode(type_(bytes.fromhex(vector["hex"])))
    wanted = vector["record"]
    assert type(record) is CLASSES[wanted["kind"]]
    found = record.to_dict()
    json.dumps(found)
    assert next(iter(found)) == "kind"
    for name, value in found.items():
        # What a vector does not name is absent.
        absent = (None, False, [], "none") if name not in wanted else (wanted[name],)
        assert any(value == a and type(value) is type(a) for a in absent), (name, value, wanted.get(name))
    assert set(wanted) <= set(found)


@pytest.mark.parametrize("vector", [told(v) for v in VECTORS["errors"]])
def test_vector_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(errors.DecodeError) as caught:
        decode(bytes.fromhex(vector["hex"]))
    assert caught.value.reason == vector["error"]["reason"]
    assert caught.value.offset == vector["error"]["offset"]
    assert caught.value.hex == vector["hex"][:128] + ("..." if len(vector["hex"]) > 128 else "")
    assert "\n" not in str(caught.value)


def test_example_of_the_design() -> None:
    reading = decode(bytes.fromhex("8f011848f619019f0700f6f6f619032c1904d818c31909c5191004190280"))
    assert isinstance(reading, records.Reading)
    assert reading.acceleration_rms_mg.x == 812
    assert reading.acceleration_rms_mg.worst == 1240
    assert list(reading.acceleration_peak_mg) == [2501, 4100, 640]
    assert reading.velocity_rms_mm_s.x is None and reading.velocity_rms_mm_s.worst is None
    assert reading.zone is None and reading.alarm_level == "warning" and reading.worst_axis == "y"
    assert reading.temperature_c == 41.5


@pytest.mark.parametrize("wrong", ["820100", None, 5, 1.5, [0x82, 1, 0], ["a"], {}])
def test_what_is_not_bytes_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        decode(wrong)


def test_short_and_empty_payloads() -> None:
    for first in range(256):
        for payload in (b"", bytes([first]), bytes([first, 0x20]), bytes([first, 0x18, 1]), bytes([first, 1])):
            for _ in range(2):  # a length never seen before makes its decoder
                with pytest.raises(errors.DecodeError):
                    decode(payload)


def test_any_view_of_bytes_will_do() -> None:
    frame = cbor2.dumps([1, 0, 300, -5])
    spread = bytes(byte for pair in zip(frame, frame, strict=True) for byte in pair)
    for view in (bytearray(frame), memoryview(frame), memoryview(frame).cast("b"), memoryview(spread)[::2]):
        assert decode(view) == decode(frame)
    with pytest.raises(errors.DecodeError):
        decode(memoryview(frame)[:-1])


def test_one_error_type_catches_everything() -> None:
    with pytest.raises(errors.JudderError):
        decode(b"\xff")


def test_records_have_every_row_of_their_table() -> None:
    """A new row in the schema must get its field, or this fails."""
    assert set(build.reading_layout()) <= {field.name for field in fields(records.Reading)}
    full = cbor2.dumps([1, 0, *range(1, len(schema.READING_FIELDS))])
    assert None not in [getattr(decode(full), name) for name in build.reading_layout()]
    rows = sum(len(sources) for sources, _divisor in build.reading_layout().values())
    assert rows == len(schema.READING_FIELDS) - 1  # the state has attributes of its own


def test_a_newer_node_s_fields_meet_the_tables_of_today() -> None:
    """Items in the place of a row that came later are held against that row, like any other."""
    count = len(schema.READING_FIELDS)
    reading = decode(cbor2.dumps([1, *[0] * count, 7, "x"]))
    assert isinstance(reading, records.Reading) and reading.extra == (7, "x")
    with pytest.raises(errors.DecodeError, match="skewness_y: an integer is expected"):
        decode(cbor2.dumps([1, *[0] * 33, b"\1"]))


def test_crest_factor_is_peak_over_rms_where_there_is_something_to_divide_by() -> None:
    three = records.Axes.of
    reading = records.Reading.of(acceleration_rms_mg=three(x=100, y=10, z=9), acceleration_peak_mg=three(x=450, y=14))
    assert reading.crest_factor == three(x=4.5, y=1.4)
    assert records.Reading.of(acceleration_rms_mg=three(x=0), acceleration_peak_mg=three(x=0)).crest_factor.x is None
    assert records.Reading.of().crest_factor is records.ABSENT


def test_scaling_is_correctly_rounded() -> None:
    for raw in range(0, 65536, 7):
        record = decode(cbor2.dumps([1, 0, raw, raw % 32768]))
        assert isinstance(record, records.Reading)
        assert record.velocity_rms_worst_mm_s == float(f"{raw}e-2")
        assert record.temperature_c == float(f"{raw % 32768}e-1")


def test_capture_samples() -> None:
    capture = decode(cbor2.dumps([3, 1, 0, 1, 0, 1, 1, 1, 1, 3, 0, b"\x01\x00\xff\xff\x00\x80"]))
    assert isinstance(capture, records.Capture)
    assert capture.counts().tolist() == [1, -1, -32768]


def test_hello_properties() -> None:
    hello = decode(cbor2.dumps([0, 100, 12900, 1, 1, 0, 0, 0, 0, 0, 0, 3]))
    assert isinstance(hello, records.Hello)
    assert hello.synthetic_signal and not hello.provisioned
    quiet = decode(cbor2.dumps([0, 100]))
    assert isinstance(quiet, records.Hello) and quiet.provisioned and not quiet.synthetic_signal


def test_records_copy_compare_and_pickle(as_of: Callable[..., None]) -> None:
    for vector in VECTORS["messages"]:
        as_of(vector)
        record = decode(bytes.fromhex(vector["hex"]))
        assert copy.deepcopy(record) == record == pickle.loads(pickle.dumps(record))
    assert decode(cbor2.dumps([1, 0, 5])) != decode(cbor2.dumps([1, 0, 6]))


def test_records_by_name() -> None:
    reading = records.Reading.of(temperature_c=41.5, acceleration_rms_mg=records.Axes.of(x=3))
    assert reading.to_dict()["acceleration_rms_mg"] == {"x": 3, "y": None, "z": None}
    assert reading.kurtosis.x is None and reading.extra == ()
    with pytest.raises(TypeError, match="no field temprature"):
        records.Reading.of(temprature=41.5)


def test_axes_shared_by_records_cannot_be_changed() -> None:
    first, second = decode(cbor2.dumps([1, 0])), decode(cbor2.dumps([1, 1]))
    assert isinstance(first, records.Reading) and isinstance(second, records.Reading)
    with pytest.raises(AttributeError, match="not sent"):
        first.kurtosis.x = 3.0
    assert second.kurtosis.x is None
    first.kurtosis = records.Axes.of(x=3.0)
    assert second.kurtosis == records.ABSENT


def test_no_float_is_ever_nan(as_of: Callable[..., None]) -> None:
    for vector in VECTORS["messages"]:
        as_of(vector)
        for value in decode(bytes.fromhex(vector["hex"])).to_dict().values():
            assert not (isinstance(value, float) and math.isnan(value))


def test_function_and_package_of_the_same_name() -> None:
    assert callable(judder.decode)
    assert judder.records is records
    assert judder.explain(b"\x82\x01\x00")[0].path == "message"
