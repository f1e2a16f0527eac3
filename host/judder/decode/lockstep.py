"""Many readings at once: item i of every frame in one step, with numpy. What it does not accept is left to `decode`.

A frame of the contract is a flat array, so the reader needs no stack: each frame has a place in the bytes, and one
step moves all of them on by the item that stands there. What stands at those places is then worked out for all items of
all frames together. The rules are those of `pattern`: shortest form, within the row's range, nothing after the last
item. A frame that breaks one, or does not come out at its own end, is refused; until then it may have read its
neighbour's bytes, and nothing of that is kept.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from judder.decode import pattern, words
from judder_core import schema

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]
Mask = NDArray[np.bool_]

# What has to stand after the last frame: nulls, which a step may look at.
PADDING = b"\xf6" * 8

_NULL = 0xF6
_LONG = 0x98  # array of 24 items and more, their number in the byte that follows
_SHORT = 0x80

# By first byte of an item: its bytes, and what makes its argument of the four bytes that follow it.
_WIDTH = np.ones(256, np.int64)
_SHIFT = np.full(256, 32, np.uint32)
_PLUS = np.zeros(256, np.uint32)
for _head in range(0x40):
    _info = _head & 31
    if _info < 24:
        _PLUS[_head] = _info
    elif _info < 27:  # 8-byte arguments are beyond every row's range
        _WIDTH[_head] = 1 + (1 << _info - 24)
        _SHIFT[_head] = 32 - (8 << _info - 24)


# Rows the walk can take: up to the first that is no integer.
_ROWS = list(itertools.takewhile(lambda row: row[1] == "int", schema.READING_FIELDS))
_SIGNED = np.array([i for i, row in enumerate(_ROWS) if row[4] < 0], np.intp)

# By row of the table and first byte: what the argument must at least and may at most be. A byte that no value of the
# row begins with asks for the impossible.
_LEAST, _MOST = np.full((2, len(_ROWS), 256), np.inf)
for _i, _row in enumerate(_ROWS):
    for _head, _width, _lowest, _highest in pattern.heads(*_row[4:6]):
        _LEAST[_i, _head], _MOST[_i, _head] = _lowest, _highest
_LEAST[1:, _NULL] = 0  # all but the first may be null

_STATE_GOOD = np.zeros(schema.READING_FIELDS[0][5] + 1, np.bool_)
for _state in range(_STATE_GOOD.size):
    try:
        _STATE_GOOD[_state] = words.STATES[_state] is not None
    except KeyError:
        continue


def readings(data: NDArray[np.uint8], starts: Indexes, ends: Indexes) -> tuple[Floats, Mask]:
    """(values, accepted) of frames at data[starts:ends], in any order, PADDING bytes after the last.

    values: [row of the table, frame], the integers on air, NaN where absent; as many rows as the longest accepted
    frame has, at least one. accepted: per frame; values of the others are NaN.
    """
    total = starts.size
    head = data.take(starts, mode="clip")
    long = head == _LONG
    count = np.where(long, data.take(starts + 1, mode="clip"), head - _SHORT).astype(np.int64) - 1
    at = starts + 1 + long
    good = (ends - starts >= 3) & (count >= 1) & (count <= len(_ROWS)) & (data.take(at, mode="clip") == schema.READING)
    good &= np.where(long, count >= 23, head < _SHORT + 24)
    rows = np.flatnonzero(good)
    accepted = np.zeros(total, np.bool_)
    if not rows.size:
        return np.full((1, total), np.nan), accepted
    # Longest frames first: those that are still under way are then always the first so many.
    longest = int(count[rows].max())
    if (count[rows] != longest).any():
        rows = rows[np.argsort(-count[rows], kind="stable")]
    whole = rows.size == total and bool((rows[1:] > rows[:-1]).all())
    left = count[rows]
    values, after, fine = _walk(data, at[rows] + 1, left, longest)
    fine &= after == ends[rows]
    state = values[0]
    fine &= _STATE_GOOD.take(np.nan_to_num(state, copy=True).astype(np.int64), mode="clip")
    values[:, ~fine] = np.nan
    if whole:
        return values, fine
    out = np.full((longest, total), np.nan)
    out[:, rows] = values
    accepted[rows] = fine
    return out, accepted


def _walk(data: NDArray[np.uint8], at: Indexes, left: Indexes, longest: int) -> tuple[Floats, Indexes, Mask]:
    """(values, places after the last item, not refused) of frames sorted by the number of their items, longest
    first."""
    places = np.empty((longest + 1, at.size), np.int64)
    places[0] = at
    under_way = np.searchsorted(-left, -np.arange(longest))  # so many have an item i
    for i, count in enumerate(under_way.tolist()):
        heads = data.take(places[i, :count], mode="clip")
        np.add(places[i, :count], _WIDTH.take(heads), out=places[i + 1, :count])
    after = places[left, np.arange(at.size)]
    places = places[:longest]
    if left[-1] < longest:
        places[np.arange(longest)[:, None] >= left] = data.size - 1  # where a null stands
    values, fine = _values(data, places)
    return values, after, fine


def _values(data: NDArray[np.uint8], places: Indexes) -> tuple[Floats, Mask]:
    """(values, every one accepted by its row) of the items at [row, frame]."""
    heads = data.take(places, mode="clip")
    table = heads.astype(np.intp)
    argument = _arguments(data).take(places, mode="clip")
    argument >>= _SHIFT.take(table)
    argument += _PLUS.take(table)
    values = argument.astype(np.float64)
    table += np.arange(0, 256 * len(table), 256)[:, None]
    accepted: Mask = (values >= _LEAST.take(table)) & (values <= _MOST.take(table))
    signed = _SIGNED[: np.searchsorted(_SIGNED, len(values))]
    found = values[signed]
    values[signed] = np.where(heads[signed] >> 5 == 1, -1 - found, found)
    values[heads == _NULL] = np.nan
    return values, np.logical_and.reduce(accepted)


def _arguments(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """At every place, the four bytes after it as a big-endian number."""
    wide = data.astype(np.uint32)
    out: NDArray[np.uint32] = np.left_shift(wide[1:-3], 8, dtype=np.uint32)
    out |= wide[2:-2]
    out <<= 8
    out |= wide[3:-1]
    out <<= 8
    out |= wide[4:]
    return out
