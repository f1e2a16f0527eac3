"""The way in: events of a source -> decoded, tracked and stored in one transaction, or not taken at all.

Every source calls take() and acknowledges to its own side when it returns. Raising is the other outcome: nothing was
taken, the Tracker knows nothing of it, and the same may be handed in again.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from judder.decode import Tracker, decode, track
from judder.errors import InputError, JudderError
from judder.flow import Observation, Poison, Uplink
from judder.gateway import poison
from judder.gateway.bounds import RECENT
from judder.gateway.log import Log
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Aside, Batch, Row, Spool, SpoolError
from judder.ingest.events import Event, Foreign

# A message larger than any of Judder's is kept in part.
_ASIDE_BYTES = 8192


@dataclass(slots=True)
class Arrival:
    """One thing a source got. repeat: the broker says it has sent this before, as MQTT's DUP flag does: the number of
    the connection that says so; None: it says no such thing. meanwhile: another gateway may have taken what this node
    sent before."""

    event: Event | Poison
    repeat: int | None = None
    meanwhile: bool = False


@dataclass(frozen=True)
class Rules:
    """Which nodes there are. known: their ids, None: any. names: id -> what people call it; goes before a server's.
    refuse: uplinks of others are set aside instead of marked. limit: nodes remembered."""

    known: Collection[str] | None = None
    names: Mapping[str, str] | None = None
    refuse: bool = False
    limit: int = 100_000


class Intake:
    """clock: Unix time in seconds. stored: called with the id of the latest uplink after each batch."""

    def __init__(
        self,
        spool: Spool,
        *,
        clock: Callable[[], float],
        log: Log,
        metrics: Metrics,
        rules: Rules = Rules(),
        stored: Callable[[int], object] = lambda _id: None,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._rules = rules
        self._stored = stored
        self._lock = threading.Lock()
        self._tracker: Tracker | None = self._restored()
        self._recent = _Recent(spool.latest(RECENT))

    def take(self, origin: str, arrivals: Sequence[Arrival], position: str | None = None) -> None:
        """Durable when it returns. position: where the source is after these, stored with them.

        Raises SpoolError, and has then taken nothing.
        """
        place = None if position is None else (origin, position)
        self._take([(_Work(origin), arrivals)], place, lambda batch: self._spool.store(batch, self._clock()))

    def retry(self, found: Sequence[tuple[int, Aside]]) -> list[str]:
        """What was set aside, by number, once more. Returns of each why it is set aside again, "" if it is taken.

        One that a sink refused goes to all sinks again, as it is: those that have it know it. Raises as take() does.
        """
        pairs: list[tuple[_Work, list[Arrival]]] = []
        for _number, aside in found:
            work = _Work(aside.row.origin)
            if aside.stage.startswith("sink:"):
                work.rows.append(replace(aside.row, id=0))
                pairs.append((work, []))
            else:
                pairs.append((work, [Arrival(event) for event in poison.again(aside)]))

        def outcome(work: _Work) -> str:
            return work.asides[0].reason if work.asides else ""

        def store(batch: Batch) -> int:
            outcomes = {number: outcome(work) for (number, _aside), (work, _) in zip(found, pairs, strict=True)}
            return self._spool.release(outcomes, batch, self._clock())

        self._take(pairs, None, store)
        return [outcome(work) for work, _ in pairs]

    def _take(
        self,
        pairs: Sequence[tuple[_Work, Sequence[Arrival]]],
        place: tuple[str, str] | None,
        store: Callable[[Batch], int],
    ) -> None:
        with self._lock:
            if self._tracker is None:
                self._tracker = self._restored()
            try:
                for work, arrivals in pairs:
                    for arrival in arrivals:
                        self._judge(arrival, work, self._tracker)
                changed = self._tracker.changes()["nodes"]
                states = {node: [track.VERSION, state] for node, state in changed.items()}
                rows = [row for work, _ in pairs for row in work.rows]
                asides = [aside for work, _ in pairs for aside in work.asides]
                last = store(Batch(rows, asides, states, place))
            except BaseException as error:
                # It has seen what was not stored: coming again, that must not look like a duplicate.
                self._tracker = None
                if isinstance(error, SpoolError):
                    self._metrics.add("spool_failures_total")
                raise
            for work, _ in pairs:
                self._recent.add(work.rows, work.origin, work.repeats)
                self._count(work, len(self._tracker))
        self._stored(last)

    def _judge(self, arrival: Arrival, work: _Work, tracker: Tracker) -> None:
        event = arrival.event
        if isinstance(event, Uplink):
            if arrival.repeat is not None and self._recent.has(work.origin, event, arrival.repeat, work.repeats):
                work.counts["repeated"] += 1
                return
            work.counts["received"] += 1
            if arrival.meanwhile:
                tracker.forget(event.node)
            self._uplink(event, work, tracker)
        elif isinstance(event, Poison):
            self._aside(work, "event", str(event.error), event.uplink)
        elif isinstance(event, Foreign):
            self._aside(work, "foreign", event.reason, event.uplink)
        else:
            work.counts[f"event {event.event}"] += 1

    def _uplink(self, uplink: Uplink, work: _Work, tracker: Tracker) -> None:
        rules = self._rules
        if rules.names and uplink.node in rules.names:
            uplink = replace(uplink, name=rules.names[uplink.node])
        if rules.refuse and rules.known is not None and uplink.node not in rules.known:
            self._aside(work, "node", "this node is not in [nodes]", uplink)
            return
        try:
            found = observe(tracker, uplink)
        except JudderError as error:
            self._aside(work, "decode", str(error), uplink)
        except Exception as error:  # whatever is wrong with us, the next uplink is not to wait for it
            self._log.error("internal", f"decoding {uplink.payload[:64].hex()} failed: {error!r}", node=uplink.node)
            self._aside(work, "decode", f"internal error: {error!r}", uplink)
        else:
            work.rows.append(Row(work.origin, uplink, found.measured_at, found.heard_at, found.problems))
            work.counts[f"kind {found.record.kind}"] += 1
            for word in found.problems:
                stem, _, number = word.partition(":")
                work.counts[f"word {stem}"] += 1
                if stem == "gap":
                    work.counts["missing"] += int(number or 1)

    def _aside(self, work: _Work, stage: str, reason: str, uplink: Uplink) -> None:
        size = len(uplink.payload)
        if size > _ASIDE_BYTES:
            uplink = replace(uplink, payload=uplink.payload[:_ASIDE_BYTES])
            reason += f" (the first {_ASIDE_BYTES} of {size} bytes are kept)"
        work.asides.append(Aside(stage, reason, Row(work.origin, uplink)))

    def _count(self, work: _Work, nodes: int) -> None:
        """Only what was stored: what the disk refused comes again."""
        origin, add = work.origin, self._metrics.add
        for name, count in work.counts.items():
            what, _, word = name.partition(" ")
            if what == "received":
                add("received_total", count, source=origin)
            elif what == "repeated":
                add("repeated_total", count, source=origin)
            elif what == "event":
                add("events_total", count, source=origin, event=word)
            elif what == "kind":
                add("decoded_total", count, kind=word)
            elif what == "word":
                add("problems_total", count, problem=word)
            else:
                add("gap_readings_total", count)
        for aside in work.asides:
            add("poison_total", stage=aside.stage)
            node = aside.row.uplink.node
            message = f"{origin}: node {node or '?'}: set aside ({aside.stage}): {aside.reason}"
            self._log.seldom("warning", f"set-aside-{aside.stage}", message, node or origin, node=node, source=origin)
        self._metrics.set("nodes", nodes)

    def _restored(self) -> Tracker:
        """A Tracker that knows what is stored, and nothing else."""
        tracker = Tracker(
            clock=self._clock,
            log=lambda line: self._log.info("node", line),
            known=self._rules.known,
            limit=self._rules.limit,
        )
        for node, (version, state) in self._spool.nodes(self._rules.limit).items():
            try:
                tracker.restore({"version": version, "nodes": {node: state}})
            except InputError as error:
                self._log.warning("tracker", f"node {node}: {error}", node=node)
        return tracker


def observe(tracker: Tracker, uplink: Uplink) -> Observation:
    """Raises DecodeError for a payload that is no message."""
    return tracker.feed(uplink, decode(uplink.payload))


_Key = tuple[str, str, bytes]


@dataclass(slots=True)
class _Work:
    """repeats: by connection, the repeated ones of this batch."""

    origin: str
    rows: list[Row] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    repeats: dict[int, Counter[_Key]] = field(default_factory=dict)


class _Recent:
    """The last uplinks stored: a broker repeats those whose acknowledgement it has not got, after a crash of ours too.

    Tracker tells readings that come twice by their numbers. What carries none, such as a HELLO, would look like a node
    that started again.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._kept: deque[_Key] = deque()
        self._counts: Counter[_Key] = Counter()
        self._used: dict[str, tuple[int, Counter[_Key]]] = {}  # of the latest connection of each source
        self.add(rows, "", {})

    def add(self, rows: Sequence[Row], origin: str, repeats: Mapping[int, Counter[_Key]]) -> None:
        """What was stored, and which repetitions were left out with it."""
        for row in rows:
            key = (row.origin, row.uplink.node, row.uplink.payload)
            self._kept.append(key)
            self._counts[key] += 1
        while len(self._kept) > RECENT:
            old = self._kept.popleft()
            self._counts[old] -= 1
            if not self._counts[old]:
                del self._counts[old]
        for connection, keys in repeats.items():
            number, used = self._used.get(origin, (connection, Counter()))
            self._used[origin] = (connection, used + keys if number == connection else keys)

    def has(self, origin: str, uplink: Uplink, connection: int, repeats: dict[int, Counter[_Key]]) -> bool:
        """Each stored one accounts for one repetition in a connection; it is then noted in repeats."""
        key = (origin, uplink.node, uplink.payload)
        number, used = self._used.get(origin, (-1, Counter()))
        now = repeats.setdefault(connection, Counter())
        if now[key] + (used[key] if number == connection else 0) >= self._counts[key]:
            return False
        now[key] += 1
        return True
