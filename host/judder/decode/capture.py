"""Fragments of waveforms -> waveforms. What did not arrive is named, never filled in.

    assembler = Assembler()
    waveform = assembler.add(record, node)     # a Capture; the Waveform when this was its last fragment, else None
    for waveform in assembler.waveforms():     # those still incomplete, as far as they came

Memory is bounded: a sender cannot make a gateway hold more than `limit` captures, nor reserve room for samples it does
not send.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from judder.decode.records import Capture
from judder.errors import InputError

# A node sends one block of at most 4096 samples; a megasample leaves room for other makers of captures.
_MOST_SAMPLES = 1 << 20
_KEPT = 64

_Key = tuple[str, int, int, str]
_Head = tuple[int, int, float, int, str]


@dataclass(frozen=True)
class Waveform:
    """One axis of one block. stretches: (index of the first sample, counts), in order, without gaps inside.

    samples: how many the whole has. scale_ug: acceleration of one count.
    """

    node: str
    capture: int
    sequence: int
    axis: str
    sample_rate_hz: float
    scale_ug: int
    samples: int
    stretches: tuple[tuple[int, array[int]], ...]

    @property
    def missing(self) -> tuple[tuple[int, int], ...]:
        """(first sample, how many) of what did not arrive; empty when all did."""
        gaps, at = [], 0
        for first, counts in self.stretches:
            if first > at:
                gaps.append((at, first - at))
            at = first + len(counts)
        if at < self.samples:
            gaps.append((at, self.samples - at))
        return tuple(gaps)

    @property
    def complete(self) -> bool:
        return not self.missing

    def counts(self) -> array[int]:
        """All samples in counts, an array('h'). Raises InputError naming what is missing."""
        if self.missing:
            lost = sum(count for _first, count in self.missing)
            first, count = self.missing[0]
            raise InputError(
                f"waveform {self.capture} of node {self.node or '?'} lacks {lost} of {self.samples} samples, the first "
                f"{count} from number {first}; ask for it again, or take longest()"
            )
        return self.stretches[0][1]

    def longest(self) -> array[int]:
        """The longest stretch without a gap, in counts."""
        return max((counts for _first, counts in self.stretches), key=len, default=array("h"))

    def in_mg(self, counts: array[int] | None = None) -> list[float]:
        """Counts (default: all of them) as mg."""
        return [self.scale_ug * count / 1000 for count in (self.counts() if counts is None else counts)]


class Assembler:
    """Collects fragments in any order, twice or not at all. limit: captures kept unfinished, the oldest dropped first.

    dropped: how many were. refused: fragments that contradict the others of their capture or lack a field.
    """

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._open: dict[_Key, _Parts] = {}
        self.dropped = 0
        self.refused = 0

    def add(self, record: Capture, node: str = "") -> Waveform | None:
        """The whole waveform when this fragment completes it. node: who sent it; each numbers its own captures."""
        head = _head(record)
        counts = array("h") if head is None else record.counts()
        if head is None or record.first is None or not counts or record.first + len(counts) > head[1]:
            self.refused += 1
            return None
        key: _Key = (node, record.capture or 0, record.sequence or 0, record.axis or "")
        if key not in self._open:
            if len(self._open) >= self._limit:
                del self._open[next(iter(self._open))]
                self.dropped += 1
            self._open[key] = _Parts(head)
        parts = self._open[key]
        if parts.head != head or not parts.put(record.first, counts):
            self.refused += 1
            return None
        if parts.held < head[1]:
            return None
        del self._open[key]
        return parts.waveform(key)

    def waveforms(self) -> Iterator[Waveform]:
        """The unfinished ones, oldest first."""
        for key, parts in self._open.items():
            yield parts.waveform(key)


class _Parts:
    """Fragments of one capture. held: samples in them."""

    def __init__(self, head: _Head) -> None:
        self.head = head
        self.held = 0
        self._firsts: list[int] = []
        self._counts: list[array[int]] = []

    def put(self, first: int, counts: array[int]) -> bool:
        """False for a fragment that overlaps others. The same one again is fine."""
        at = bisect.bisect_left(self._firsts, first)
        if at < len(self._firsts) and self._firsts[at] == first:
            return self._counts[at] == counts
        if at and self._firsts[at - 1] + len(self._counts[at - 1]) > first:
            return False
        if at < len(self._firsts) and first + len(counts) > self._firsts[at]:
            return False
        self._firsts.insert(at, first)
        self._counts.insert(at, counts)
        self.held += len(counts)
        return True

    def waveform(self, key: _Key) -> Waveform:
        stretches: list[tuple[int, array[int]]] = []
        for first, counts in zip(self._firsts, self._counts, strict=True):
            if stretches and stretches[-1][0] + len(stretches[-1][1]) == first:
                stretches[-1][1].extend(counts)
            else:
                stretches.append((first, array("h", counts)))
        node, capture, sequence, axis = key
        _count, samples, rate_hz, scale_ug, _content = self.head
        return Waveform(node, capture, sequence, axis, rate_hz, scale_ug, samples, tuple(stretches))


def _head(record: Capture) -> _Head | None:
    """What all fragments of a capture agree on; None where something needed is absent or out of bounds."""
    count, samples, rate, scale, content = (
        record.count,
        record.samples,
        record.sample_rate_hz,
        record.scale_ug,
        record.content,
    )
    if len(record.data or b"") % 2:
        return None
    if count is None or samples is None or rate is None or scale is None or content != "waveform":
        return None
    return (count, samples, rate, scale, content) if 0 < samples <= _MOST_SAMPLES and rate > 0 else None
