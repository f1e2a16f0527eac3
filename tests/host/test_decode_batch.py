"""decode_batch(): row for row what decode() says, whatever stands beside it."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cbor2
import pyarrow as pa
import pytest
from tests.host.test_decode_fast import mutated, seeds

from judder import decode, decode_batch
from judder.decode import arrow, columns, lockstep
from judder.decode.batch import BatchError, batch_schema
from judder.errors import DecodeError, InputError
from judder_core import schema

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())
NULL: dict[str, Any] = {}


def expected(payloads: Sequence[bytes | None], kind: str = "reading") -> tuple[pa.RecordBatch, list[tuple[int, str]]]:
    """The same by decode() in a loop."""
    rows, errors = [], []
    for number, payload in enumerate(payloads):
        try:
            if payload is None:
                raise DecodeError("there is no payload: null")
            record = decode(payload)
        except DecodeError as error:
            errors.append((number, str(error)))
            rows.append(NULL)
            continue
        rows.append(columns.flat(record) if record.kind == kind else {"kind": record.kind})
    return pa.RecordBatch.from_pylist(rows, schema=batch_schema(kind)), errors


def said(errors: list[BatchError]) -> list[tuple[int, str]]:
    return [(row, str(error)) for row, error in errors]


def same(
    payloads: Any, plain: Sequence[bytes | None], kind: str = "reading"
) -> tuple[pa.RecordBatch, list[BatchError]]:
    table, errors = decode_batch(payloads, kind=kind)
    table.validate(full=True)
    wanted, refused = expected(plain, kind)
    assert table.schema.equals(batch_schema(kind), check_metadata=True)
    assert table.equals(wanted)
    assert said(errors) == refused
    return table, errors


def readings(count: int, rng: random.Random, items: int = 40) -> list[bytes]:
    """Good readings, values anywhere within their ranges, nulls here and there."""
    out = []
    for _ in range(count):
        message: list[int | None] = [schema.READING, rng.choice([0, 0x21, 0x33, 0x48, 0x1F80])]
        for row in schema.READING_FIELDS[1 : min(items, len(schema.READING_FIELDS))]:
            low, high = row[4:6]
            near = rng.choice((low, high, rng.randint(low, high), rng.randint(0, 300), rng.randint(0, 30)))
            message.append(None if rng.random() < 0.1 else min(high, max(low, near)))
        out.append(cbor2.dumps(message))
    return out


@pytest.mark.parametrize("count", [0, 1, 2, arrow.FEW - 1, arrow.FEW, arrow.FEW + 1, 500])
@pytest.mark.parametrize("items", [2, 4, 16, 40])
def test_every_size(count: int, items: int) -> None:
    payloads = readings(count, random.Random(count), items)
    assert same(payloads, payloads)[1] == []


def test_lengths_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    payloads = [readings(1, rng, rng.randint(2, 45))[0] for _ in range(700)]
    same(payloads, payloads)
    monkeypatch.setattr(arrow, "CHUNK", 100)  # rows of chunks differ in number
    same(payloads, payloads)
    same(sorted(payloads, key=len), sorted(payloads, key=len))


def test_faults_of_every_kind_row_by_row() -> None:
    """Good, odd and damaged frames of all kinds: as decode() in a loop, errors and all."""
    rng = random.Random(8)
    frames = [*seeds(rng), *mutated(rng, 12_000)]
    frames += [bytes.fromhex(vector["hex"]) for vector in [*VECTORS["messages"], *VECTORS["errors"]]]
    rng.shuffle(frames)
    bad = 0
    for first in range(0, len(frames), 1500):
        bad += len(same(frames[first : first + 1500], frames[first : first + 1500])[1])
    assert len(frames) // 2 < bad < len(frames)


def test_lockstep_itself_takes_what_it_should() -> None:
    """Otherwise everything would go one by one, and nobody would notice but the bench."""
    import numpy as np

    payloads = readings(300, random.Random(4))
    ends = np.cumsum([len(payload) for payload in payloads])
    data = np.frombuffer(b"".join(payloads) + bytes(lockstep.PADDING), np.uint8)
    values, accepted = lockstep.readings(data, ends - [len(payload) for payload in payloads], ends)
    assert accepted.all() and values.shape == (len(schema.READING_FIELDS), 300)


# Size of a batch -> bad frames in all.
FULL = bool(os.environ.get("JUDDER_FULL"))
TRIALS = {16: 1_000, arrow.FEW: 10_000 if FULL else 150, 512: 6_400, arrow.CHUNK + 100: 3_500}


def damaged(frame: bytes, other: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """(a frame with one fault, whether nobody may take it)."""
    kind = rng.randrange(4)
    if kind == 0:
        return frame[: rng.randrange(len(frame))], True
    if kind == 1:
        return frame + rng.choice((b"\x00", b"\xf6", other, rng.randbytes(rng.randint(1, 9)))), True
    if kind == 2:
        flipped = bytearray(frame)
        flipped[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
        return bytes(flipped), False
    return rng.randbytes(rng.randint(0, 60)), False


@pytest.mark.parametrize(("size", "bad"), [(16, 4), (arrow.FEW, 1), (512, 128), (arrow.CHUNK + 100, 700)])
def test_bad_frames_change_nothing_beside_them(size: int, bad: int) -> None:
    """Of bad frames among good ones, every truncated one and every one with bytes after its end is refused, and no
    neighbour differs from what it is without them. Over 10,000 in all."""
    rng = random.Random(size)
    trials = refused = must = 0
    while trials < TRIALS[size]:
        payloads = readings(size, rng, rng.choice((16, 39, 45)))
        good = decode_batch(payloads)[0]
        hurt = list(payloads)
        never = set()
        for row in rng.sample(range(size), bad):
            hurt[row], must_not = damaged(payloads[row], payloads[row - 1], rng)
            if must_not:
                never.add(row)
            trials += 1
        table, errors = decode_batch(hurt)
        rows = {error.row for error in errors}
        assert never <= rows
        must, refused = must + len(never), refused + len(rows)
        untouched = [row for row in range(size) if hurt[row] == payloads[row]]
        assert not rows & set(untouched)
        assert table.take(pa.array(untouched)).equals(good.take(pa.array(untouched)))
    print(f"{trials} bad frames: {refused} refused, among them all {must} truncated or with trailing bytes")


@pytest.mark.parametrize("where", [0, 1, 31, 63])
def test_one_bad_frame_in_64(where: int) -> None:
    rng = random.Random(where)
    good = readings(64, rng, 16)
    for cut in range(len(good[where])):
        hurt = [*good[:where], good[where][:cut], *good[where + 1 :]]
        same(hurt, hurt)


@pytest.mark.parametrize("kind", columns.COLUMNS)
def test_other_kinds_have_tables_of_their_own(kind: str) -> None:
    payloads = [bytes.fromhex(vector["hex"]) for vector in VECTORS["messages"] if not vector.get("extra")]
    payloads += [b"", cbor2.dumps([99, 1]), cbor2.dumps([2, 0, 1, 5, 6, 7, 8, "x"])]
    for some in (payloads, payloads * 3):
        table, errors = same(some, some, kind)
        assert set(table.column("kind").to_pylist()) >= {kind, None}
        assert [error.row for error in errors] == [row for row, payload in enumerate(some) if not payload]


def test_fields_of_newer_nodes_are_kept() -> None:
    rng = random.Random(9)
    known = [1, 0, *[7] * (len(schema.READING_FIELDS) - 1)]
    payloads = readings(100, rng)
    payloads[5], payloads[70] = cbor2.dumps([*known, 5, None, -9]), cbor2.dumps([*known, "text", b"\1"])
    table, _errors = same(payloads, payloads)
    assert table.column("extra").to_pylist()[5] == "[5,null,-9]"
    assert table.column("extra").to_pylist()[70] == '["text","01"]'
    assert table.column("extra").null_count == 98


@pytest.mark.parametrize("count", [5, 300])
def test_arrow_columns_slices_and_nulls(count: int) -> None:
    payloads: list[Any] = readings(count, random.Random(2))
    payloads[1], payloads[3], payloads[4] = None, b"", payloads[2][:-1]
    for type_ in (pa.binary(), pa.large_binary(), pa.binary_view()):
        column = pa.array(payloads, type_)
        same(column, payloads)
        same(column[2:-1], payloads[2:-1])
        same(pa.chunked_array([column[:2], column[2:2], column[2:]]), payloads)
    encoded = pa.array(payloads, pa.binary()).dictionary_encode()
    same(encoded, payloads)
    same(pa.chunked_array([encoded, encoded]), payloads * 2)
    same(pa.chunked_array([], pa.binary()), [])
    same(pa.array([cbor2.dumps([1, 0, 5])] * count, pa.binary(4)), [cbor2.dumps([1, 0, 5])] * count)
    same(pa.array([None] * count, pa.binary()), [None] * count)


@pytest.mark.parametrize("count", [1, 200])
def test_what_is_not_bytes_is_a_type_error(count: int) -> None:
    good = readings(count, random.Random(1))
    for wrong in ("820100", None, 5, [1]):
        with pytest.raises(TypeError, match="a payload is bytes"):
            decode_batch([*good, wrong])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="binary, not string"):
        decode_batch(pa.array(["a"] * count))
    with pytest.raises(TypeError, match="binary, not string"):
        decode_batch(pa.array(["a"] * count).dictionary_encode())
    for one in (good[0], bytearray(good[0]), "820100"):
        with pytest.raises(TypeError, match="for one there is decode"):
            decode_batch(one)  # type: ignore[arg-type]
    views = [memoryview(good[0]), bytearray(good[0]), *good]
    same(views, [bytes(view) for view in views])


def test_units_and_meanings_are_in_the_schema() -> None:
    field = batch_schema().field("velocity_rms_x_mm_s")
    assert field.type == pa.float64()
    assert field.metadata == {b"unit": b"mm/s", b"meaning": b"velocity RMS, x"}


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'readings' is not one of reading, alarm"):
        decode_batch([], kind="readings")
    with pytest.raises(InputError):
        batch_schema("")


def test_without_the_extra_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\nimport judder\n"
        "try:\n    judder.decode_batch([])\nexcept judder.errors.InputError as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'judder[batch]'" in out and out.count("\n") == 1
