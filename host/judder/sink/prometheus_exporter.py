"""What Prometheus fetches: the state of every node as families of gauges and counters, and the server that says it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from judder.decode import columns
from judder.decode.records import Alarm, Hello, Reading
from judder.flow import Observation
from judder.sink import SinkDown, rows
from judder_core import schema

_PREFIX = "judder_"
# Of messages lately counted; what is written again is not counted again.
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Gauge:
    """column: index in rows.flat() of its kind."""

    column: int
    axis: str | None


def _gauges(kind: str, prefix: str, left_out: set[str]) -> dict[str, tuple[str, list[_Gauge]]]:
    """Name of a family -> (help, its gauges): one, or one for each axis."""
    found: dict[str, tuple[str, list[_Gauge]]] = {}
    at = {name: i for i, (name, _type) in enumerate(rows.COLUMNS[kind])}
    for column in columns.COLUMNS[kind]:
        numeric = column.type in (columns.INT32, columns.INT64, columns.FLOAT64, columns.BOOL)
        if not numeric or column.name in left_out:
            continue
        attribute, _, axis = column.path.partition(".")
        meaning = column.meaning.removesuffix(f", {axis}") or attribute.replace("_", " ")
        entry = found.setdefault(f"{_PREFIX}{prefix}{_spelled(attribute)}", (f"{meaning[0].upper()}{meaning[1:]}.", []))
        entry[1].append(_Gauge(at[column.name], axis or None))
    return found


def _spelled(name: str) -> str:
    """Prometheus's naming rules forbid the letter s for seconds."""
    if name.endswith("_mm_s"):
        return name.removesuffix("_s") + "_per_second"
    return name.removesuffix("_s") + "_seconds" if name.endswith("_s") else name


_READING = _gauges("reading", "", {"sequence", "age_s"})
_HELLO = _gauges("hello", "hello_", {"board", "settings_crc", "battery_mv"})
_LEVELS = {level: i for i, level in enumerate(schema.ALARM_LEVELS)}
_ZONES = {zone: i for i, zone in enumerate(schema.ZONES)}


@dataclass(slots=True)
class _Node:
    """reading, hello: rows.flat() of the latest. Times in Unix seconds, 0 where there was none."""

    heard_at: float = 0.0
    reading: tuple[Any, ...] = ()
    reading_at: float = 0.0
    hello: tuple[Any, ...] = ()
    hello_at: float = 0.0
    level: str = "none"
    level_at: float = 0.0
    zone: str | None = None
    link: tuple[float | None, float | None] = (None, None)
    about: dict[str, str] = field(default_factory=dict)
    messages: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)


class Exporter(Collector):
    """Used by the thread of a sink and by those of the server."""

    def __init__(self, host: str, port: int, stale_s: float, max_nodes: int, clock: Callable[[], float]) -> None:
        self._address = host, port
        self._stale_s = stale_s
        self._max_nodes = max_nodes
        self._clock = clock
        self._nodes: dict[str, _Node] = {}  # heard longest ago first
        self._forgotten = 0
        self._counted: dict[Any, None] = {}
        self._lock = threading.Lock()
        self._server: tuple[Any, threading.Thread] | None = None

    def listen(self) -> None:
        """Raises SinkDown when the address cannot be had."""
        if self._server:
            return
        registry = prometheus_client.CollectorRegistry()
        registry.register(self)
        host, port = self._address
        try:
            self._server = prometheus_client.start_http_server(port, host, registry)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SinkDown(f"cannot listen at {host}:{port}: {reason}; name another in listen") from error

    @property
    def port(self) -> int:
        """Listened at; 0 before."""
        return int(self._server[0].server_port) if self._server else 0

    def close(self) -> None:
        if self._server:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
        self._server = None

    def take(self, observation: Observation) -> None:
        with self._lock:
            id_ = rows.identity(observation).int
            if id_ in self._counted:
                return
            self._counted[id_] = None
            if len(self._counted) > _REMEMBERED:
                del self._counted[next(iter(self._counted))]
            node = self._nodes.pop(observation.node, None) or _Node()
            self._nodes[observation.node] = node
            if len(self._nodes) > self._max_nodes:
                del self._nodes[next(iter(self._nodes))]
                self._forgotten += 1
            _update(node, observation)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            oldest = self._clock() - self._stale_s
            yield from _fleet(self._nodes)
            yield from _latest(self._nodes, oldest)
            yield _single("nodes", "Nodes shown here.", len(self._nodes))
            yield _single("nodes_forgotten", "Nodes dropped for max_nodes.", self._forgotten, CounterMetricFamily)


def _update(node: _Node, observation: Observation) -> None:
    record, at, uplink = observation.record, observation.at, observation.uplink
    node.messages[record.kind] += 1
    for problem in observation.problems:
        node.problems[rows.line(problem.partition(":")[0])] += 1
    if uplink.name:
        node.about["name"] = rows.line(uplink.name)
    if at is None:
        return  # nobody knows whether it is the latest
    if at >= node.heard_at:
        node.heard_at = at
        node.link = uplink.rssi_dbm, uplink.snr_db
    if isinstance(record, Reading) and at >= node.reading_at:
        node.reading, node.reading_at, node.zone = rows.flat(observation), at, record.zone
    if isinstance(record, Hello) and at >= node.hello_at:
        node.hello, node.hello_at = rows.flat(observation), at
        for name in ("firmware", "vibration_sensor", "link"):
            node.about[name] = getattr(record, name) or ""
    if isinstance(record, Reading | Alarm) and at >= node.level_at:
        node.level, node.level_at = record.alarm_level, at


def _fleet(nodes: dict[str, _Node]) -> Iterator[Metric]:
    """What stays although a node is silent."""
    about = InfoMetricFamily(_PREFIX + "node", "What a node says it is.")
    heard = _family("last_heard_timestamp_seconds", "When the latest message was true, Unix time.")
    messages = CounterMetricFamily(_PREFIX + "messages", "Messages, without copies.", labels=("node", "kind"))
    problems = CounterMetricFamily(_PREFIX + "problems", "What was odd about messages.", labels=("node", "problem"))
    for name, node in nodes.items():
        about.add_metric((), {"node": name, **node.about})
        if node.heard_at:
            heard.add_metric((name,), node.heard_at)
        for kind, count in node.messages.items():
            messages.add_metric((name, kind), count)
        for problem, count in node.problems.items():
            problems.add_metric((name, problem), count)
    yield from (about, heard, messages, problems)


def _latest(nodes: dict[str, _Node], oldest: float) -> Iterator[Metric]:
    """What is only true for a while."""
    measuring = {name: node for name, node in nodes.items() if node.reading and node.reading_at >= oldest}
    started = {name: node for name, node in nodes.items() if node.hello and node.hello_at >= oldest}
    levels = _family("alarm_level", "0 none, 1 warning, 2 danger.")
    zones = _family("zone", "ISO zone, 1 = A to 4 = D; none where it is not rated.")
    rssi = _family("link_rssi_dbm", "Of the latest message, by the gateway that heard it best.")
    snr = _family("link_snr_db", "Of the latest message, by the gateway that heard it best.")
    for name, node in nodes.items():
        if node.level_at >= oldest:
            levels.add_metric((name,), _LEVELS[node.level])
        if node.heard_at >= oldest:
            for family, value in zip((rssi, snr), node.link, strict=True):
                if value is not None:
                    family.add_metric((name,), value)
    for name, node in measuring.items():
        if node.zone is not None:
            zones.add_metric((name,), _ZONES[node.zone])
    yield from (levels, zones, rssi, snr)
    yield from _numbers(_READING, {name: node.reading for name, node in measuring.items()})
    yield from _numbers(_HELLO, {name: node.hello for name, node in started.items()})


def _numbers(
    families: dict[str, tuple[str, list[_Gauge]]], latest: dict[str, tuple[Any, ...]]
) -> Iterator[GaugeMetricFamily]:
    for name, (help_, gauges) in families.items():
        family = GaugeMetricFamily(name, help_, labels=("node", "axis") if gauges[0].axis else ("node",))
        for node, row in latest.items():
            for gauge in gauges:
                value = row[gauge.column]
                if value is not None:
                    family.add_metric((node, gauge.axis) if gauge.axis else (node,), float(value))
        yield family


def _family(name: str, help_: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, help_, labels=("node",))


def _single(name: str, help_: str, value: float, kind: Any = GaugeMetricFamily) -> Metric:
    found: Metric = kind(_PREFIX + name, help_, value=value)
    return found
