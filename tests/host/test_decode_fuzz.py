"""Damaged and made-up frames of every kind: a record or a DecodeError, and nothing else from whoever takes them.

test_decode_fast holds the quick path against the contract's decoder on as many again.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.host.test_decode_fast import mutated

from judder import Tracker, decode, decode_batch, explain
from judder.decode import columns
from judder.decode.records import Record
from judder.errors import DecodeError
from judder.flow import Poison, Uplink

FULL = bool(os.environ.get("JUDDER_FULL"))
MUTATED = 1_000_000 if FULL else 50_000
BATCH = 500
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())
# Good ones more often: most faults make a frame bad for good.
CORPUS = [bytes.fromhex(vector["hex"]) for vector in VECTORS["messages"] * 4 + VECTORS["errors"] + VECTORS["shortened"]]
T0 = 1_764_000_000.0


def taken(frame: bytes) -> Record | DecodeError:
    """What decode makes of it; both kinds of answer are looked at from all sides."""
    try:
        record = decode(frame)
    except DecodeError as error:
        assert error.offset is None or 0 <= error.offset <= len(frame)
        assert error.reason and "\n" not in str(error)
        assert error.hex == frame.hex()[:128] + ("..." if len(frame) > 64 else "")
        return error
    json.dumps(record.to_dict(), allow_nan=False)
    assert len(columns.values(record)) == 1 + len(columns.COLUMNS[record.kind])
    return record


def test_mutated_frames_of_every_kind() -> None:
    rng = random.Random(21)
    tracker = Tracker(limit=50)
    frames: list[bytes] = []
    kinds: dict[str, int] = {}
    for number, frame in enumerate(mutated(rng, MUTATED, CORPUS)):
        answer = taken(frame)
        kind = "refused" if isinstance(answer, DecodeError) else answer.kind
        kinds[kind] = kinds.get(kind, 0) + 1
        uplink = Uplink(f"{rng.randrange(99):016x}", frame, T0 + 10 * number, "mqtt", fcnt=rng.randrange(5))
        if isinstance(answer, DecodeError):
            tracker.refuse(Poison(uplink, answer))
        else:
            tracker.feed(uplink, answer)
        if number % 10 == 0:
            parts = explain(frame)
            assert "".join(part.hex for part in parts) == frame.hex()
            assert any(part.path == "error" for part in parts) == (kind == "refused")
        frames.append(frame)
        if len(frames) == BATCH:
            table, errors = decode_batch(frames)
            assert table.num_rows == BATCH
            assert {error.row for error in errors} == {
                row for row, found in enumerate(table.column("kind").to_pylist()) if found is None
            }
            frames.clear()
    print(f"{MUTATED} mutated frames: {kinds}")
    assert set(kinds) == {*columns.COLUMNS, "refused"} and min(kinds.values()) > MUTATED // 1000, kinds


ITEMS: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.integers(0, 300)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
MESSAGES = st.builds(
    lambda kind, items, canonical, cut, tail: (
        cbor2.dumps([kind, *items], canonical=canonical)[: None if cut is None else -cut] + tail
    ),
    st.integers(0, 20) | ITEMS,
    st.lists(st.none() | st.integers(0, 300) | ITEMS, max_size=45),
    st.booleans(),
    st.none() | st.none() | st.integers(1, 5),
    st.just(b"") | st.just(b"") | st.binary(max_size=3),
)


@settings(max_examples=20_000 if FULL else 200, deadline=None, database=None, derandomize=True)
@given(MESSAGES | st.binary(max_size=300))
def test_any_cbor_and_any_bytes(frame: bytes) -> None:
    answer = taken(frame)
    refused = any(part.path == "error" for part in explain(frame))
    assert refused == isinstance(answer, DecodeError)
