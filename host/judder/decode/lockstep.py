"""Many readings at once: item i of every frame in one step, with numpy. What it does not accept is left to `decode`.

A frame of the contract is a flat array, so the reader needs no stack: each row has a place in the bytes, and one step
reads a head and its argument at every place and moves on. The rules are those of `pattern`: shortest form, within the
row's range, nothing after the last item. A row that breaks one, or runs beyond its own end, is refused at the end of
the walk; until then it may have read its neighbour's bytes, and nothing of that is kept.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judder.decode import words
from judder_core import schema

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Bytes after the last frame that a step may look at.
PADDING = 8

_NULL = 0xF6
_LONG = 0x98  # array of 24 items and more, their number in the byte that follows
_SHORT = 0x80
_NEVER = 1 << 40  # above every argument

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


class _Row:
    """What a row of the table accepts."""

    def __init__(self, i: int) -> None:
        _name, _type, _unit, _divisor, self.low, self.high, _meaning = schema.READING_FIELDS[i]
        # Smallest argument a head may carry: the shortest form. Heads that no value of the row has: never.
        self.least = np.full(256, _NEVER, np.int64)
        for major, first, last in ((0x00, max(self.low, 0), self.high), (0x20, max(-1 - self.high, 0), -1 - self.low)):
            for info, lowest, highest in [(n, 0, n) for n in range(24)] + [(24, 24, 0xFF), (25, 0x100, 0xFFFF)]:
                if (info if info < 24 else lowest) <= last and highest >= first:
                    self.least[major + info] = lowest
            if last >= 0x10000:
                self.least[major + 26] = 0x10000
        if i:
            self.least[_NULL] = 0
        self.signed = self.low < 0
        # Whether the heads alone keep a value within the range.
        self.checked = not self.signed and self.low == 0 and self.high in (0xFF, 0xFFFF, 0xFFFFFFFF)


# Rows the walk can take: up to the first that is no integer.
_ROWS = [_Row(i) for i, _ in enumerate(itertools.takewhile(lambda row: row[1] == "int", schema.READING_FIELDS))]

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
    values, at, fine = _walk(data, at[rows] + 1, left, longest)
    fine &= at == ends[rows]
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
    """(values, places after the last item, not refused) of frames sorted by the number of their items."""
    following = _following(data)
    values = np.empty((longest, at.size))
    fine = np.ones(at.size, np.bool_)
    ended = -left  # rises
    for i in range(longest):
        row = _ROWS[i]
        under_way = left.size if left[-1] > i else int(np.searchsorted(ended, -i))
        places = at[:under_way]
        head = data.take(places, mode="clip")
        argument: Any = following.take(places, mode="clip")
        argument >>= _SHIFT.take(head)
        argument += _PLUS.take(head)
        fine[:under_way] &= argument >= row.least.take(head)
        places += _WIDTH.take(head)
        null = head == _NULL
        column = values[i, :under_way]
        column[...] = argument
        if row.signed:
            negative = (head >> 5) == 1
            column[negative] = -1 - column[negative]
        if not row.checked:
            fine[:under_way] &= null | ((column >= row.low) & (column <= row.high))
        if null.any():
            column[null] = np.nan
        values[i, under_way:] = np.nan
    return values, at, fine


def _following(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """At every place, the four bytes after it as a big-endian number."""
    wide = data.astype(np.uint32)
    out: NDArray[np.uint32] = np.left_shift(wide[1:-3], 8, dtype=np.uint32)
    out |= wide[2:-2]
    out <<= 8
    out |= wide[3:-1]
    out <<= 8
    out |= wide[4:]
    return out
