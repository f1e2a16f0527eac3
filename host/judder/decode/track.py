"""A stream of messages, judged as it goes by: what came twice, late or not at all, and which nodes started again.

    tracker = Tracker(clock=time.time, log=print)
    observation = tracker.feed(uplink, decode(uplink.payload))
    observation.measured_at, observation.problems

Pure but for the clock and the log that are handed in. Memory is bounded: `limit` nodes, each of a fixed size. The state
is JSON (`to_dict`, `changes`), so that a gateway that restarts knows what it knew. docs/tracking.md has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any, Self

from judder.decode import clocks
from judder.decode.node_state import NodeState
from judder.decode.records import Record
from judder.decode.throttle import Throttle
from judder.errors import InputError
from judder.flow import Observation, Poison, Uplink

VERSION = 1

# Word, without its number -> what a log line says.
MEANINGS = {
    "duplicate": "a message came twice",
    "late": "a message came after a later one",
    "gap": "readings are missing",
    "reboot": "the node started again",
    "sequence-reset": "the node counts its readings from the beginning: it lost power",
    "rejoin": "the node joined its network anew",
    "fcnt-reset": "the frame counter went back within a session: was the node reset, or is there a second one?",
    clocks.AHEAD: "the time of receipt lies in the future: look at the clock of the gateway or server",
    clocks.BEHIND: "a time lies too far back to be true: look at the clock of the gateway or server",
    "unknown-node": "the node is not in the inventory",
}


@dataclass(slots=True)
class NodeSummary:
    """Of one node. Times are Unix seconds. sequence: the highest number, None before the first. missing: readings
    passed over that have not come. reboots: starts that HELLOs told of."""

    node: str
    received_at: float | None
    measured_at: float | None
    sequence: int | None
    observations: int
    duplicates: int
    missing: int
    reboots: int


class Tracker:
    """clock: Unix time in seconds, of this computer; without one only absurd times of receipt are noticed.
    log: takes a line; at most one an hour (log_every_s) for each node and word. known: ids of the nodes there should
    be; others get the word "unknown-node". limit: nodes remembered, the longest silent forgotten first.
    max_age_s: no node keeps a reading longer, so an age beyond it is wrong.

    counts: word without its number -> how often. evicted: nodes forgotten for want of room.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        log: Callable[[str], object] | None = None,
        known: Container[str] | None = None,
        limit: int = 100_000,
        max_age_s: float = 400 * 86400,
        log_every_s: float = 3600,
    ) -> None:
        if limit < 1:
            raise InputError(f"a tracker of {limit} nodes remembers nothing")
        self._clock = clock
        self._log = log
        self._known = known
        self._limit = limit
        self._max_age_s = max_age_s
        self._throttle = Throttle(log_every_s)
        self._nodes: dict[str, NodeState] = {}  # longest silent first
        self._changed: set[str] = set()
        self.counts: dict[str, int] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def feed(self, uplink: Uplink, record: Record) -> Observation:
        """The record with its times and what is odd about it. An uplink that names no node gets its times only."""
        now = None if self._clock is None else self._clock()
        age_s = getattr(record, "age_s", None)
        received, measured, clock_word = clocks.place(uplink.received_at, age_s, now, self._max_age_s)
        words = [] if clock_word is None else [clock_word]
        node = uplink.node
        if node:
            if self._known is not None and node not in self._known:
                words.append("unknown-node")
            at = measured if measured is not None or clock_word == clocks.BEHIND else received
            words += self._state(node).judge(uplink, record, received, at)
            self._changed.add(node)
        for word in words:
            self._tell(node, word, received)
        return Observation(uplink, record, measured, tuple(words), heard_at=received)

    def refuse(self, poison: Poison) -> None:
        """Count and log a payload that did not decode. Nothing is learned from it."""
        self._tell(poison.uplink.node, "refused", poison.uplink.received_at, str(poison.error))

    def summary(self, node: str) -> NodeSummary | None:
        """None for a node that is not remembered."""
        state = self._nodes.get(node)
        if state is None:
            return None
        numbers = state.numbers
        return NodeSummary(
            node,
            state.received_at,
            numbers.measured_at,
            numbers.high,
            state.observations,
            state.duplicates,
            numbers.missing,
            state.reboots,
        )

    def forget(self, node: str) -> None:
        """For one that others heard meanwhile: what is known of it says nothing of what comes."""
        self._nodes.pop(node, None)

    def nodes(self) -> Iterable[str]:
        """Ids of those remembered, the longest silent first."""
        return tuple(self._nodes)

    def to_dict(self) -> dict[str, Any]:
        """Everything remembered of nodes, as JSON carries it."""
        return self._dict(self._nodes)

    def changes(self) -> dict[str, Any]:
        """As to_dict, only nodes heard since the last call: to be stored together with what they sent."""
        changed, self._changed = self._changed, set()
        return self._dict(changed)

    @classmethod
    def from_dict(cls, *stored: dict[str, Any], **options: Any) -> Self:
        """A tracker that knows what to_dict() and then changes() told. options: as for Tracker.

        Raises InputError as restore() does; a gateway may then begin with an empty one.
        """
        tracker = cls(**options)
        for part in stored:
            tracker.restore(part)
        return tracker

    def restore(self, stored: dict[str, Any]) -> None:
        """Take nodes from what to_dict() or changes() told, in place of what is known of them.

        Raises InputError for anything else, and may then have taken some.
        """
        try:
            if stored["version"] != VERSION:
                raise ValueError(f"version {stored['version']!r}")
            for node, values in stored["nodes"].items():
                state = NodeState.load(values)
                self._nodes.pop(node, None)
                self._make_room()
                self._nodes[node] = state
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise InputError(f"stored state of a tracker that cannot be used ({error}); begin without it") from error

    def _dict(self, nodes: Iterable[str]) -> dict[str, Any]:
        return {"version": VERSION, "nodes": {n: self._nodes[n].dump() for n in nodes if n in self._nodes}}

    def _state(self, node: str) -> NodeState:
        state = self._nodes.pop(node, None)
        if state is None:
            self._make_room()
            state = NodeState()
        self._nodes[node] = state
        return state

    def _make_room(self) -> None:
        while len(self._nodes) >= self._limit:
            oldest = next(iter(self._nodes))
            del self._nodes[oldest]
            self._changed.discard(oldest)
            self.evicted += 1

    def _tell(self, node: str, word: str, at: float | None, more: str = "") -> None:
        stem = word.split(":")[0]
        self.counts[stem] = self.counts.get(stem, 0) + 1
        if self._log is None:
            return
        held = self._throttle.pass_(node, stem, at or 0.0)
        if held is not None:
            line = f"node {node or '?'}: {word}: {more or MEANINGS[stem]}"
            self._log(line + (f" ({held} more since the last such line)" if held else ""))
