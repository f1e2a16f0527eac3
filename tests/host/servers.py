"""Vectors of network servers' events, and results as plain values to compare with them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from judder.flow import Uplink
from judder.ingest import chirpstack, events, tts

_FILE = Path(__file__).parents[1] / "vectors" / "servers.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))["events"]
IDS = [vector["description"] for vector in VECTORS]


def body(vector: dict[str, Any]) -> bytes:
    """As a server sends it."""
    return json.dumps(vector["body"], separators=(",", ":"), ensure_ascii=False).encode()


def parse(vector: dict[str, Any], data: Any) -> events.Event:
    return chirpstack.parse(data) if vector["server"] == "chirpstack" else tts.parse(data)


def plain(event: events.Event) -> dict[str, Any]:
    """As the vectors write it."""
    if isinstance(event, events.Foreign):
        return {"event": "foreign", "reason": event.reason, "uplink": plain(event.uplink)}
    found = dataclasses.asdict(event)
    found["event"] = "uplink" if isinstance(event, Uplink) else event.event
    if isinstance(event, Uplink):
        found["payload"] = event.payload.hex()
    if "ids" in found:
        found["ids"] = list(found["ids"])
    return found


def named(description: str) -> dict[str, Any]:
    return next(vector for vector in VECTORS if vector["description"] == description)
