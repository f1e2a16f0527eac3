"""Waveforms out of fragments: any order, twice, not at all, and from senders that mean no good."""

import itertools
import random
import struct

import pytest

from judder import decode
from judder.decode.capture import Assembler, Waveform
from judder.decode.records import Capture
from judder.errors import InputError
from judder_core import codec, schema

SAMPLES = [round(30000 * (-1) ** n / (n + 1)) for n in range(500)]


def fragments(size: int = 64, *, capture: int = 7, axis: int = 1, samples: list[int] | None = None) -> list[Capture]:
    """As a node sends them, through the contract's own bytes."""
    values = SAMPLES if samples is None else samples
    count = -(-len(values) // size)
    out = []
    for index in range(count):
        part = values[index * size : (index + 1) * size]
        data = struct.pack(f"<{len(part)}h", *part)
        row = [capture, index, count, 0, axis, 41, 266667, 488, len(values), index * size, data]
        record = decode(codec.encode(schema.CAPTURE, row))
        assert isinstance(record, Capture)
        out.append(record)
    return out


def test_any_order_and_twice() -> None:
    for seed in range(20):
        parts = fragments() * 2
        random.Random(seed).shuffle(parts)
        assembler = Assembler()
        made = [waveform for part in parts if (waveform := assembler.add(part, "a"))]
        # The rest of the second set begins a new one, which never completes twice.
        assert len(made) in (1, 2)
        assert list(made[0].counts()) == SAMPLES
        assert made[0].complete and made[0].missing == ()
        assert (made[0].node, made[0].axis, made[0].sequence, made[0].sample_rate_hz) == ("a", "x", 41, 26666.7)
        assert assembler.refused == 0


def test_scale() -> None:
    (waveform,) = filter(None, map(Assembler().add, fragments(512)))
    assert waveform.in_mg()[:2] == [SAMPLES[0] * 0.488, SAMPLES[1] * 0.488]


def test_missing_fragments_are_named_and_never_filled_in() -> None:
    assembler = Assembler()
    for part in fragments():
        if part.index not in (0, 3, 4, 7):
            assert assembler.add(part) is None
    (waveform,) = assembler.waveforms()
    assert waveform.missing == ((0, 64), (192, 128), (448, 52))
    assert not waveform.complete
    with pytest.raises(InputError, match="lacks 244 of 500 samples, the first 64 from number 0"):
        waveform.counts()
    assert list(waveform.longest()) == SAMPLES[64:192]


def test_captures_of_several_nodes_axes_and_numbers_do_not_mix() -> None:
    assembler = Assembler()
    sets = {
        (node, axis, capture): fragments(
            axis=axis, capture=capture, samples=[value // (axis + capture) for value in SAMPLES]
        )
        for node, axis, capture in itertools.product(("a", "b"), (1, 2), (1, 2))
    }
    made: list[Waveform] = []
    for row in zip(*sets.values(), strict=True):
        for (node, _axis, _capture), part in zip(sets, row, strict=True):
            made += filter(None, [assembler.add(part, node)])
    assert len(made) == 8
    for waveform in made:
        divisor = "xyz".index(waveform.axis) + 1 + waveform.capture
        assert list(waveform.counts()) == [value // divisor for value in SAMPLES]


@pytest.mark.parametrize(
    "change",
    [
        {"samples": None},
        {"samples": 1 << 31},
        {"samples": 0},
        {"count": None},
        {"first": None},
        {"first": 460},
        {"scale_ug": None},
        {"sample_rate_hz": None},
        {"sample_rate_hz": 0.0},
        {"data": None},
        {"data": b""},
        {"data": b"abc"},
        {"content": "content 9"},
    ],
)
def test_fragments_that_cannot_be_placed(change: dict[str, object]) -> None:
    assembler = Assembler()
    record = fragments()[7]
    for name, value in change.items():
        setattr(record, name, value)
    assert assembler.add(record) is None
    assert (assembler.refused, list(assembler.waveforms())) == (1, [])


def test_contradictions_are_refused_and_do_not_spoil_the_rest() -> None:
    assembler = Assembler()
    parts = fragments()
    assembler.add(parts[0])
    for name, value in (("samples", 400), ("scale_ug", 61), ("data", b"\1\0" * 64), ("first", 10)):
        other = fragments()[0]
        setattr(other, name, value)
        assembler.add(other)
    overlapping = fragments()[1]
    overlapping.first = 63
    assembler.add(overlapping)
    assert assembler.refused == 5
    made = [waveform for part in parts[1:] if (waveform := assembler.add(part))]
    assert list(made[0].counts()) == SAMPLES


def test_memory_is_bounded() -> None:
    assembler = Assembler(limit=4)
    for number in range(20):
        assembler.add(fragments(capture=number)[0], "a")
    assert [waveform.capture for waveform in assembler.waveforms()] == [16, 17, 18, 19]
    assert assembler.dropped == 16
