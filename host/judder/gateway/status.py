"""What a gateway says of itself: a JSON object for people, gauges for Prometheus, whether it is well and ready."""

from __future__ import annotations

from typing import Any

from judder.errors import JudderError
from judder.gateway.pipeline import Gateway


def ill(gateway: Gateway) -> list[str]:
    """Why the process should be started again; empty when it is well."""
    return [] if gateway.stopping else [f"the thread '{name}' ended" for name in gateway.dead()]


def unready(gateway: Gateway) -> list[str]:
    """Why nothing, or not everything, can be taken in; empty when it can. A sink that is down is no reason."""
    reasons = ill(gateway)
    if gateway.stopping:
        reasons.append("stopping")
    reasons += [f"source {s.origin}: {s.last_error or 'not connected yet'}" for s in gateway.sources if not s.up]
    try:
        gateway.spool.check_room()
    except JudderError as error:
        reasons.append(str(error))
    return reasons


def report(gateway: Gateway) -> dict[str, Any]:
    """Raises SpoolError."""
    metrics, now = gateway.metrics, gateway.now()
    spool = gateway.spool.summary()
    poison = metrics.table("poison_total", "stage")
    return {
        "ready": not unready(gateway),
        "uptime_s": round(gateway.uptime_s(), 1),
        "identity": gateway.spool.identity,
        "sources": {
            source.origin: {
                "up": source.up,
                "received": int(metrics.get("received_total", source=source.origin)),
                "error": source.last_error or None,
            }
            for source in gateway.sources
        },
        "decoded": {kind: int(count) for kind, count in metrics.table("decoded_total", "kind").items()},
        "problems": {word: int(count) for word, count in metrics.table("problems_total", "problem").items()},
        "poison": {"kept": spool.poison, **{stage: int(count) for stage, count in poison.items()}},
        "repeated": int(metrics.get("repeated_total")),
        "nodes": int(metrics.get("nodes")),
        "sinks": {thread.delivery.name: _sink(gateway, thread.delivery.name, now) for thread in gateway.deliveries},
        "spool": {
            "path": str(gateway.spool.path),
            "bytes": spool.bytes,
            "uplinks": spool.uplinks,
            "dropped": spool.dropped,
            "poison_dropped": spool.poison_dropped,
        },
    }


def _sink(gateway: Gateway, name: str, now: float) -> dict[str, Any]:
    state = next(t.delivery.state for t in gateway.deliveries if t.delivery.name == name)
    backlog = gateway.spool.backlog(name)
    return {
        "up": state.down_since is None,
        "written": state.written,
        "waiting": backlog.waiting,
        "lag_s": None if backlog.oldest is None else round(max(0.0, now - backlog.oldest), 1),
        "dropped": backlog.dropped,
        "failures": state.failures,
        "error": state.last_error if state.down_since is not None else None,
    }


def exposition(gateway: Gateway) -> str:
    """Text for Prometheus, gauges brought up to date. Raises SpoolError."""
    metrics, now = gateway.metrics, gateway.now()
    spool = gateway.spool.summary()
    metrics.set("uptime_seconds", round(gateway.uptime_s(), 1))
    metrics.set("spool_bytes", spool.bytes)
    metrics.set("spool_uplinks", spool.uplinks)
    metrics.set("spool_dropped_total", spool.dropped)
    metrics.set("poison_kept", spool.poison)
    for thread in gateway.deliveries:
        name = thread.delivery.name
        backlog = gateway.spool.backlog(name)
        metrics.set("sink_waiting", backlog.waiting, sink=name)
        metrics.set(
            "sink_lag_seconds", 0 if backlog.oldest is None else round(max(0.0, now - backlog.oldest), 1), sink=name
        )
        metrics.set("sink_dropped_total", backlog.dropped, sink=name)
    return metrics.text()
