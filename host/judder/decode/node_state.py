"""What is remembered of one node, and how its next message is judged. docs/tracking.md has the rules as a table.

A word says what is odd about a message; it never drops one. A message is called a duplicate only where it cannot well
be anything else: sinks may leave duplicates out, and losing data is worse than keeping some twice.
"""

from __future__ import annotations

import operator
import zlib
from typing import Any

from judder.decode import recent, records
from judder.decode.numbers import SAME_S, Numbers
from judder.flow import Uplink
from judder_core import schema

# Messages without number or age, there twice: a broker repeats at once, a node that starts over and over takes longer.
REPEAT_S = 10.0
# A frame counter so close to the end of its 16 bits wraps where a low one follows (servers that give only those).
_WRAP16 = 256

_KINDS = {name: number for number, name, _rows in schema.KINDS}
_COUNTS = ("observations", "duplicates", "reboots")
_STATE = ("received_at", "alarm_at", "boots", "uptime_s", "session", "fcnt", "fcnt_at", "hello_session")


class NodeState:
    """Times are Unix seconds, None where unknown. judge() takes the next message, dump() and load() are for JSON."""

    __slots__ = (*_COUNTS, *_STATE, "numbers", "recent")

    def __init__(self) -> None:
        self.observations = self.duplicates = self.reboots = 0
        self.received_at: float | None = None
        self.alarm_at: float | None = None  # when the latest alarm was measured
        self.boots: int | None = None  # of the latest HELLO, as is
        self.uptime_s: int | None = None
        self.session: int | None = None  # check of the LoRaWAN session, its highest counter, when that was received
        self.fcnt: int | None = None
        self.fcnt_at: float | None = None
        self.hello_session: int | None = None  # the session the latest HELLO came in
        self.numbers = Numbers()
        self.recent = b""

    def judge(self, uplink: Uplink, record: records.Record, received: float | None, at: float | None) -> list[str]:
        """Words for a message, and the state after it. received: as far as it can be believed; at: when it was true,
        received where it says nothing better."""
        self.observations += 1
        words = self._counter(uplink, received)
        kind = record.kind_number if isinstance(record, records.Unknown) else _KINDS[record.kind]
        entry = recent.entry(uplink, kind, record.sequence if isinstance(record, records.Reading) else None, at)
        alike = recent.alike(self.recent, entry)
        same = [e for e in alike if e.content == entry.content]
        if entry.link and any(e.link == entry.link for e in same):
            words = ["duplicate"]
        elif isinstance(record, records.Reading):
            if record.sequence is not None:
                twin_at = next((e.at() for e in alike if e.key == record.sequence), None)
                words += self.numbers.judge(record.sequence, at, same=bool(same), twin_at=twin_at)
        elif isinstance(record, records.Alarm):
            words += self._alarm(record, at, same)
        elif isinstance(record, records.Hello):
            words += self._hello(record, received, entry, same, stale="late" in words)
        elif _repeated(received, entry, same) or (same and isinstance(record, records.Spectrum)):
            words.append("duplicate")
        if "duplicate" in words:
            self.duplicates += 1
        elif kind != schema.CAPTURE:  # fragments by the hundred would drive out the rest; Assembler knows them
            self.recent = recent.add(self.recent, entry)
        self.reboots += "reboot" in words
        if received is not None and (self.received_at is None or received > self.received_at):
            self.received_at = received
        return list(dict.fromkeys(words))

    def _counter(self, uplink: Uplink, received: float | None) -> list[str]:
        """LoRaWAN session and frame counter."""
        if uplink.fcnt is None:
            return []
        session = zlib.crc32((uplink.session or "").encode("utf-8", "surrogatepass"))
        words: list[str] = []
        if self.session is not None and session != self.session:
            if received is not None and self.fcnt_at is not None and received < self.fcnt_at:
                return ["late"]  # of the session before, overtaken by the join
            words.append("rejoin")
        elif self.fcnt is not None:
            older = received is None or self.fcnt_at is None or received <= self.fcnt_at
            if uplink.fcnt <= self.fcnt:
                if older or uplink.fcnt == self.fcnt:  # the same counter again: numbers and contents say what it is
                    return ["late"] if uplink.fcnt < self.fcnt else []
                wrapped = self.fcnt >> 16 == 0 and self.fcnt - uplink.fcnt > 0xFFFF - _WRAP16
                words += [] if wrapped else ["fcnt-reset"]
            elif older and received is not None:
                return []  # from before a reset of the counter
        self.session, self.fcnt, self.fcnt_at = session, uplink.fcnt, received
        return words

    def _alarm(self, record: records.Alarm, at: float | None, same: list[recent.Entry]) -> list[str]:
        if same and record.sequence is not None:
            return ["duplicate"]
        if at is not None and self.alarm_at is not None and at < self.alarm_at - SAME_S:
            return ["late"]
        self.alarm_at = at if at is not None else self.alarm_at
        return []

    def _hello(
        self,
        record: records.Hello,
        received: float | None,
        entry: recent.Entry,
        same: list[recent.Entry],
        *,
        stale: bool,
    ) -> list[str]:
        """A start is seen by what only goes up: uptime, and the starts since power-on."""
        if stale:
            return []
        session = self.session if entry.link else None
        if same and (_repeated(received, entry, same) or (session is not None and session == self.hello_session)):
            return ["duplicate"]
        boots, uptime_s = self.boots, self.uptime_s
        self.boots, self.uptime_s, self.hello_session = record.boots, record.uptime_s, session
        younger = uptime_s is not None and record.uptime_s is not None and record.uptime_s < uptime_s
        if boots is None or record.boots is None:
            lost_power = started = False
        else:
            lost_power = record.boots < boots
            started = record.boots > boots and record.reset_cause not in (None, "deep sleep")
        # The very same HELLO long after: a node that starts over and over and never gets further than this.
        self.numbers.restarted |= lost_power or bool(same)
        return ["reboot"] if lost_power or younger or started or same else []

    def dump(self) -> list[Any]:
        """As JSON carries it."""
        return [*(getattr(self, name) for name in _COUNTS + _STATE), self.numbers.dump(), self.recent.hex()]

    @classmethod
    def load(cls, values: Any) -> NodeState:
        """What dump() made. Raises ValueError or TypeError for anything else."""
        state = cls()
        *plain, numbers, packed = values
        for name, value in zip(_COUNTS + _STATE, plain, strict=True):
            if name.endswith("_at"):
                setattr(state, name, None if value is None else float(value))
            elif value is not None or name in _COUNTS:
                setattr(state, name, operator.index(value))
        state.numbers = Numbers.load(numbers)
        state.recent = bytes.fromhex(packed)
        if not recent.sound(state.recent):
            raise ValueError("recent messages are cut short")
        return state


def _repeated(received: float | None, entry: recent.Entry, same: list[recent.Entry]) -> bool:
    """Sent twice by a carrier that numbers nothing."""
    return received is not None and any(
        not entry.link and not e.link and abs(received - e.at_s) <= REPEAT_S for e in same
    )
