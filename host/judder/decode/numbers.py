"""Sequence numbers of a node's readings: what is next, missing, late, there twice, or begun again.

Numbers count from 0 at power-on, live through deep sleep and resets, and wrap after 2^32 - 1. Readings may come late
(alarms overtake them, a node delivers what it stored) or twice. A number alone cannot tell a late reading from one of
a node that lost power and counts again; the time it was measured can.
"""

from __future__ import annotations

import operator
from typing import Any

U32 = 0xFFFFFFFF

# Numbers remembered one by one, behind the highest.
WINDOW = 1024
_MASK = (1 << WINDOW) - 1
# A larger step forward is a number that began elsewhere, not a gap: two years of a reading a minute.
MAX_GAP = 1 << 20
# Ages are whole seconds, and a frame takes a moment: times this close are one time.
SAME_S = 2.0
# A LoRaWAN frame may be repeated for so long with its age standing still, and arrive then.
DELAY_S = 60.0

_FIELDS = ("high", "seen", "measured_at", "started_at", "missing", "restarted", "began_again")


class Numbers:
    """high: the highest of the run under way, None before the first. missing: passed over and not come since."""

    __slots__ = _FIELDS

    def __init__(self) -> None:
        self.high: int | None = None
        self.seen = 0  # bit i: high - i has come
        self.measured_at: float | None = None  # when high was measured
        self.started_at: float | None = None  # when the first of this run that came was
        self.missing = 0
        self.restarted = False  # a HELLO said that the node lost power: its numbers may begin again any moment
        self.began_again = False  # there was a run before, and its late readings may still come

    def dump(self) -> list[object]:
        """As JSON carries it; bits in hex."""
        return [f"{self.seen:x}" if name == "seen" else getattr(self, name) for name in _FIELDS]

    @classmethod
    def load(cls, values: list[Any]) -> Numbers:
        """What dump() made. Raises ValueError or TypeError for anything else."""
        high, seen, measured_at, started_at, missing, restarted, began_again = values
        numbers = cls()
        if high is not None:
            numbers.high = operator.index(high) & U32
        numbers.seen = int(seen, 16) & _MASK
        numbers.measured_at = None if measured_at is None else float(measured_at)
        numbers.started_at = None if started_at is None else float(started_at)
        numbers.missing = max(0, operator.index(missing))
        numbers.restarted, numbers.began_again = bool(restarted), bool(began_again)
        return numbers

    def judge(self, number: int, at: float | None, *, same: bool, twin_at: float | None) -> list[str]:
        """Words for the reading with this number, measured `at`.

        twin_at: when the last known reading with this number was measured, None where none is remembered; same: it
        was this one to the byte.
        """
        if self.high is None:
            self._begin(number, at)
            return []
        ahead = number - self.high & U32
        most = MAX_GAP if number > self.high else WINDOW  # across the wrap a gap must be small to be believed
        if 0 < ahead <= most and not self._earlier(at):
            self.seen = (self.seen << ahead | 1) & _MASK if ahead < WINDOW else 1
            self.missing += ahead - 1
            self.high = number
            self.measured_at = _later(self.measured_at, at)
            return [f"gap:{ahead - 1}"] if ahead > 1 else []
        if same and not (self.restarted and self._after(at, SAME_S)):
            return ["duplicate"]
        if self._from_before(at):
            return ["late"]
        behind = self.high - number & U32
        if behind < WINDOW and self.seen >> behind & 1:
            return self._again(number, at, twin_at)
        if self._after(at, SAME_S if self.restarted else DELAY_S):
            return self._reset(number, at)
        if behind < WINDOW:
            self.seen |= 1 << behind
            self.missing = max(0, self.missing - 1)
        return ["late"]

    def _earlier(self, at: float | None) -> bool:
        """Measured before what is known of this run, so a higher number is one of the run before."""
        if at is None or self.measured_at is None:
            return False
        return at < self.measured_at - DELAY_S or self._from_before(at)

    def _again(self, number: int, at: float | None, twin_at: float | None) -> list[str]:
        """A number that has come in this run, in another message."""
        if twin_at is not None and at is not None and abs(at - twin_at) <= SAME_S:
            return ["duplicate"]  # the same reading, cut to another length
        if self._after(at, SAME_S):
            return self._reset(number, at)
        return ["late"]  # perhaps a copy, but too long ago to be sure: a restart that nobody saw looks the same

    def _after(self, at: float | None, tolerance_s: float) -> bool:
        """Measured after everything known of this run."""
        return at is not None and self.measured_at is not None and at > self.measured_at + tolerance_s

    def _from_before(self, at: float | None) -> bool:
        """Measured before this run began."""
        return self.began_again and at is not None and self.started_at is not None and at < self.started_at - SAME_S

    def _reset(self, number: int, at: float | None) -> list[str]:
        self._begin(number, at)
        self.began_again = True
        return ["sequence-reset"]

    def _begin(self, number: int, at: float | None) -> None:
        self.high, self.seen, self.measured_at, self.started_at = number, 1, at, at
        self.restarted = False


def _later(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)
