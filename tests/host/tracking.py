"""For the tests of Tracker: a node whose clock and numbers the test sets, and a tracker that listens to it."""

from __future__ import annotations

from typing import Any

from judder import decode
from judder.decode.track import Tracker
from judder.flow import Observation, Uplink
from judder_core import codec, schema

T0 = 1_764_000_000.0  # 2025-11-24
NODE = "70b3d57ed0000001"


def payload(kind: int, limit: int | None = None, **named: object) -> bytes:
    """A frame with these rows, the first one 0 unless named."""
    rows = schema.fields(kind)
    assert rows is not None
    unknown = set(named) - {row[0] for row in rows}
    assert not unknown, unknown
    values = [named.get(row[0]) for row in rows]
    values[0] = 0 if values[0] is None else values[0]
    return codec.encode(kind, values, limit)


def reading(sequence: int | None, age: int | None = 0, *, limit: int | None = None, **named: object) -> bytes:
    """A reading whose velocity differs from one number to the next, as those of a machine do."""
    if sequence is not None:
        named.setdefault("velocity_rms_worst", 100 + sequence * 7 % 900)
    return payload(schema.READING, limit, sequence=sequence, age=age, **named)


def alarm(sequence: int | None, age: int | None = 0, **named: object) -> bytes:
    return payload(schema.ALARM, **{"state": 8, "metric": 1, "value": 712, "sequence": sequence, "age": age, **named})


def hello(uptime: int | None, boots: int | None, reset_cause: int | None = 1, **named: object) -> bytes:
    return payload(schema.HELLO, uptime=uptime, boots=boots, reset_cause=reset_cause, **named)


class Listener:
    """hear(frame, at_s) feeds what was received at_s seconds after T0 and returns the words."""

    def __init__(self, **options: Any) -> None:
        self.tracker = Tracker(**options)
        self.last: Observation | None = None

    def hear(self, frame: bytes, at_s: float, **uplink: Any) -> tuple[str, ...]:
        node = uplink.pop("node", NODE)
        self.last = self.tracker.feed(Uplink(node, frame, T0 + at_s, "mqtt", **uplink), decode(frame))
        return self.last.problems

    def numbers(self, *steps: tuple[int, float, int]) -> list[tuple[str, ...]]:
        """(sequence, received at, age) of readings in turn -> the words of each."""
        return [self.hear(reading(sequence, age), at_s) for sequence, at_s, age in steps]
