"""The quick path decides exactly as the contract's own decoder does, and says the same."""

import os
import random
import re
from collections.abc import Iterator, Sequence

import cbor2
import pytest

from judder import decode
from judder.decode import fast, pattern, words
from judder.decode.records import Record
from judder_core import codec, schema
from judder_core.errors import DecodeError

MUTATED = 1_000_000 if os.environ.get("JUDDER_FULL") else 50_000
READING_ROWS = len(schema.READING_FIELDS)
_HEADS = bytes(
    (0x18, 0x19, 0x1A, 0x1B, 0x38, 0x39, 0x3A, 0x5F, 0x7F, 0x80, 0x9F, 0xBF, 0xC1, 0xF4, 0xF5, 0xF6, 0xF9, 0xFF)
)


def seeds(rng: random.Random) -> list[bytes]:
    """Good messages: of every length, with nulls, edges of ranges and fields of newer nodes."""
    out = []
    for kind, rows in ((1, schema.READING_FIELDS), (2, schema.ALARM_FIELDS)):
        for count in range(1, len(rows) + 6):
            for _ in range(3):
                message: list[object] = [
                    kind,
                    rng.choice([0, 1, 0x53, 0x48, 0x1F80, 0x274, 7, 0x81][: rng.choice((6, 6, 8))]),
                ]
                for i in range(1, count):
                    low, high = rows[i][4:6] if i < len(rows) else (-(1 << 64), (1 << 64) - 1)
                    near = rng.choice([low, high, 23, 24, 255, 256, 65535, 65536, 300, 1200, -25, low - 1, high + 1])
                    inside = min(high, max(low, near))
                    message.append(rng.choice([None, inside, inside, max(low, rng.randint(0, 20))]))
                    if rng.random() < 0.01:
                        message[-1] = near  # perhaps out of its range
                out.append(cbor2.dumps(message))
    out += [
        cbor2.dumps([0, 100, 12900]),
        cbor2.dumps([4, 1, 0]),
        cbor2.dumps([16, 1, 0, None, {11: 5}]),
        cbor2.dumps([9]),
    ]
    out += [
        cbor2.dumps([3, 1, 0, 1, 0, 1, 1, 1, 1, 4, 0, bytes(8)]),
        cbor2.dumps([1, *[1] * READING_ROWS, "x", [1, {2: 3}]]),
    ]
    return out


def mutated(rng: random.Random, count: int, frames: Sequence[bytes] = ()) -> Iterator[bytes]:
    """So many frames (default: seeds) with one to three faults."""
    frames = frames or seeds(rng)
    for _ in range(count):
        data = bytearray(rng.choice(frames))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(len(data)) if data else 0
            fault = rng.randrange(7)
            if fault == 0:
                data[at : at + 1] = rng.randbytes(1)
            elif fault == 1 and data:
                data[at] ^= 1 << rng.randrange(8)
            elif fault == 2:
                del data[at:]
            elif fault == 3:
                data[at:at] = rng.randbytes(rng.randint(1, 3))
            elif fault == 4:
                del data[at : at + 1]
            elif fault == 5:
                data += rng.randbytes(rng.randint(1, 4))
            else:
                data[at : at + 1] = bytes([rng.choice(_HEADS)])
        yield bytes(data)


def verdict(decoder: fast.Decoder, data: bytes) -> Record | tuple[str, int | None]:
    try:
        return decoder(data)
    except DecodeError as error:
        return error.reason, error.offset


def test_both_deciders_agree_on_mutated_frames() -> None:
    rng = random.Random(3)
    accepted = quick = 0
    for data in [*seeds(rng), *mutated(rng, MUTATED)]:
        found = verdict(decode, data)
        assert found == verdict(fast.slowly, data), data.hex()
        if isinstance(found, Record):
            accepted += 1
            quick += found.kind in ("reading", "alarm")
            # One message, one spelling: what is accepted is what its values encode to.
            assert cbor2.dumps(cbor2.loads(data), canonical=True) == data, data.hex()
    # The test is worth nothing if nearly everything is refused, or accepted.
    assert MUTATED // 20 < quick < accepted < MUTATED // 2, (quick, accepted)


def test_extra_items_of_any_type_give_the_same_record() -> None:
    known = [1, 0, *range(1, READING_ROWS)]
    for extra in ([5], [None, -7, (1 << 64) - 1, -(1 << 64)], ["x"], [[1, 2]], [5, b"\0"], list(range(40)), [True]):
        data = cbor2.dumps(known + extra)
        assert decode(data) == fast.slowly(data)
        assert list(decode(data).to_dict()["extra"]) == [
            item.hex() if isinstance(item, bytes) else item for item in extra
        ]


def test_every_number_of_items_has_its_own_function() -> None:
    for count in range(2, pattern.MAX_COUNT + 4):
        data = cbor2.dumps([1, 0, *[1] * (count - 2)])
        for _ in range(2):  # the first makes the function, the second uses it
            assert decode(data) == fast.slowly(data)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 0),
        (0, 23),
        (1, 23),
        (0, 24),
        (5, 200),
        (0, 0xFF),
        (0, 0x1FFF),
        (0, 0xFFFF),
        (300, 70000),
        (-2731, 32767),
        (-1, 0),
        (-24, -24),
        (-70000, -30),
        (0, 0xFFFFFFFF),
        (-(1 << 31), (1 << 31) - 1),
        (0x01020304, 0x0A0B0C0D),
        (-(1 << 64), (1 << 64) - 1),
    ],
)
def test_pattern_of_a_range_accepts_it_exactly(low: int, high: int) -> None:
    matcher = re.compile(pattern.integers(low, high), re.DOTALL)
    edges = {low, high, 0, 23, 24, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1, -1, -24, -25, -256}
    edges |= {-257, -65536, -65537, -(1 << 32), -(1 << 32) - 1, -(1 << 64)}
    edges |= {(low + high) // 2} | {random.Random(1).randint(low, high) for _ in range(200)}
    # Next to each, and with its lower bytes all zeros or all ones: where a digit pattern would be off.
    near = {e + d for e in edges for d in (-1, 0, 1)} | {e & ~m for e in edges for m in (0xFF, 0xFFFF, 0xFFFFFF)}
    near |= {e | m for e in edges for m in (0xFF, 0xFFFF, 0xFFFFFF)}
    for value in near:
        if not -(1 << 64) <= value < 1 << 64:
            continue
        argument, major = (value, 0x00) if value >= 0 else (-1 - value, 0x20)
        spellings = [bytes([major | argument])] if argument < 24 else []
        for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
            if argument < 1 << 8 * width:
                spellings.append(bytes([major | info]) + argument.to_bytes(width, "big"))
        for i, spelling in enumerate(spellings):
            assert bool(matcher.fullmatch(spelling)) == (i == 0 and low <= value <= high), (value, spelling.hex())


def test_pattern_refuses_rows_that_are_no_integers() -> None:
    with pytest.raises(ValueError, match="no integer"):
        pattern.frame(3, schema.CAPTURE_FIELDS, 12)


def test_states_agree_with_the_codec() -> None:
    valid = 0
    for state in range(0x2000 + 8):
        right = state < 0x2000 and codec.wrong_state(state) is None
        try:
            words.STATES[state]
        except KeyError:
            assert not right
        else:
            assert right
            valid += 1
    # By hand: 3 levels x 4 axes x (1 without zone x 64 quality bits + 4 zones x 8 of them that allow a zone).
    assert valid == 3 * 4 * (64 + 4 * 8)
