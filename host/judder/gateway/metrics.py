"""Counts and gauges, and the text Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]

# name without "judder_gateway_" -> (type, help)
METRICS = {
    "received_total": ("counter", "Uplinks taken from a source."),
    "events_total": ("counter", "What else a source told: joins, device status, downlinks, ..."),
    "repeated_total": ("counter", "Messages a broker sent again although they were stored; left out."),
    "decoded_total": ("counter", "Records, by kind."),
    "poison_total": (
        "counter",
        "What was set aside, by stage: event, foreign, node, decode, or the sink that refused it.",
    ),
    "problems_total": ("counter", "Words of the Tracker: duplicate, late, gap, reboot, ..."),
    "gap_readings_total": ("counter", "Readings missing by their numbers; some may still come late."),
    "source_up": ("gauge", "1 while a source is connected."),
    "source_qos0_dropped_total": ("counter", "Messages with QoS 0 nobody took in time."),
    "sink_up": ("gauge", "1 while a sink takes what it is given."),
    "sink_written_total": ("counter", "Observations a sink has taken."),
    "sink_failures_total": ("counter", "Writes that have to be repeated."),
    "sink_waiting": ("gauge", "Uplinks a sink has still to look at."),
    "sink_lag_seconds": ("gauge", "How long the oldest of those has been in the spool."),
    "sink_dropped_total": ("counter", "Uplinks a sink never got, because the spool was over its limits."),
    "spool_bytes": ("gauge", "Bytes in use in the spool."),
    "spool_uplinks": ("gauge", "Uplinks in the spool, those every sink has included."),
    "spool_failures_total": ("counter", "Stores the disk refused; what they held was not acknowledged."),
    "spool_dropped_total": ("counter", "Uplinks dropped before every sink had them, since the spool was begun."),
    "poison_kept": ("gauge", "How much of what was set aside is kept."),
    "nodes": ("gauge", "Nodes heard."),
    "uptime_seconds": ("gauge", "Since the start."),
}
_PREFIX = "judder_gateway_"


class Metrics:
    """Safe for threads. Labels are keywords: metrics.add("received_total", source="plant")."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, float]] = {name: {} for name in METRICS}
        self._lock = threading.Lock()

    def add(self, name: str, by: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            rows = self._values[name]
            rows[key] = rows.get(key, 0) + by

    def set(self, name: str, value: float, **labels: str) -> None:
        with self._lock:
            self._values[name][tuple(sorted(labels.items()))] = value

    def get(self, name: str, **labels: str) -> float:
        """0 for what was never counted; without labels the sum of all."""
        with self._lock:
            rows = self._values[name]
            return rows.get(tuple(sorted(labels.items())), 0) if labels else sum(rows.values())

    def table(self, name: str, label: str) -> Mapping[str, float]:
        """Sums by one label."""
        found: dict[str, float] = {}
        with self._lock:
            for key, value in self._values[name].items():
                word = dict(key).get(label, "")
                found[word] = found.get(word, 0) + value
        return found

    def text(self) -> str:
        lines = []
        with self._lock:
            for name, (kind, help_) in METRICS.items():
                if self._values[name]:
                    lines += [f"# HELP {_PREFIX}{name} {help_}", f"# TYPE {_PREFIX}{name} {kind}"]
                    lines += [f"{_PREFIX}{name}{_shown(key)} {value:.15g}" for key, value in self._values[name].items()]
        return "\n".join(lines) + "\n"


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
