"""A topic and its payload -> an event. Judder's own topics, ChirpStack's, The Things Stack's.

    judder/<node id>/up                             the payload itself
    judder/<node id>/status                         "online" or "offline"
    application/<id>/device/<DevEUI>/event/<event>  ChirpStack v4, JSON
    v3/<application>/devices/<device>/...           The Things Stack v3, JSON

Pure, so that whatever brings topics (MQTT, NATS, a recorded file) gives the same. What comes before these levels, where
a broker or a bridge puts its own prefix, does not matter. NATS writes a topic's levels with dots; that is taken too.
"""

from __future__ import annotations

import itertools

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import chirpstack, envelope, events, tts

OWN = ("judder/+/up", "judder/+/status")
CHIRPSTACK = ("application/+/device/+/event/+",)


def of_tts(application: str) -> tuple[str, ...]:
    """What to subscribe to at The Things Stack. application: its id, with @tenant where there are tenants."""
    stem = f"v3/{application}/devices/+"
    return (f"{stem}/up", f"{stem}/join", f"{stem}/down/+", f"{stem}/location/solved", f"{stem}/service/data")


def parse(topic: str, payload: bytes, *, received_at: float, source: str = "mqtt") -> events.Event:
    """One message. received_at: Unix time in seconds, of this computer; servers' own times go before it.

    source: of Judder's own topics; events of servers name theirs. Raises InputError for a topic of none of them, and
    for a payload that is not what its topic says.
    """
    levels = topic.split("/") if "/" in topic else topic.split(".")
    if len(levels) >= 3 and levels[-3] == "judder":
        return _own(levels[-2], levels[-1], payload, received_at, source)
    if len(levels) >= 4 and levels[-2] == "event" and levels[-4] == "device":
        node = envelope.node_id(levels[-3])
        return chirpstack.parse(payload, levels[-1], received_at=received_at, node=node)
    if "devices" in levels[2:-1] and "v3" in levels:
        if levels[-2:] in (["down", "push"], ["down", "replace"]):  # what an application sends; some brokers show it
            return events.Other("", received_at, tts.SOURCE, levels[-3], "downlink to be sent")
        return tts.parse(payload, received_at=received_at)
    raise InputError(f"topic {envelope.shown(topic)} is none of Judder, ChirpStack v4 or The Things Stack v3")


def carries_payload(topic: str) -> bool:
    """Whether what is published there is a payload itself, not JSON or a word."""
    return topic.split("/")[-3:-2] == ["judder"] and not topic.endswith("/status")


def node_of(topic: str) -> str:
    """The node a topic names, "" for none."""
    levels = topic.split("/") if "/" in topic else topic.split(".")
    for before, level in itertools.pairwise(levels):
        if before in ("judder", "device"):
            try:
                return envelope.node_id(level)
            except InputError:
                continue
    return ""


def _own(node: str, what: str, payload: bytes, received_at: float, source: str) -> events.Event:
    node = envelope.node_id(node)
    if what == "up":
        return Uplink(node, payload, received_at, source)
    if what == "status":
        if payload not in (b"online", b"offline"):
            raise InputError(f"a status is online or offline, not {envelope.shown(payload[:80].decode('latin-1'))}")
        return events.Presence(node, received_at, source, online=payload == b"online")
    if what == "down":
        return events.Other(node, received_at, source, None, "command")
    raise InputError(f"judder/.../{what}: a topic of Judder ends in up, down or status")
