"""Events of ChirpStack v4 as JSON: MQTT `application/<id>/device/<DevEUI>/event/<event>`, or the body of an HTTP one.

    event = chirpstack.parse(body)
    if isinstance(event, Uplink): reading = decode(event.payload)

Shapes: api/proto/integration/integration.proto of ChirpStack 4 in protobuf's JSON mapping. Zero values may be left out
(everywhere in its first releases, today within rxInfo and txInfo) or be null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import envelope, events
from judder.ingest.envelope import Body

_quick: Callable[[bytes], Uplink | None] | None
try:
    from judder.ingest.chirpstack_fast import up as _quick
except ImportError:  # without msgspec
    _quick = None

SOURCE = "chirpstack"
EVENTS = ("up", "join", "ack", "txack", "status", "log", "location", "integration")


def parse(body: Body, event: str | None = None, *, received_at: float | None = None, node: str = "") -> events.Event:
    """One event. A payload of ours is an Uplink, of others a Foreign; an uplink without payload is an Other.

    event: one of EVENTS, from the topic or the query of the HTTP integration; told from the contents without it.
    received_at: Unix time in seconds, for an event that says none. node: id, for an event that names no device.
    Raises InputError for what is no event of ChirpStack v4.
    """
    if _quick is not None and (event is None or event == "up") and isinstance(body, bytes):
        uplink = _quick(body)
        if uplink is not None:
            return uplink
    if isinstance(body, bytes) and body.startswith(_PROTOBUF):
        raise InputError("an event as protobuf; set json=true under [integration.mqtt] of chirpstack.toml")
    found = envelope.load(body)
    if event is None:
        event = _told(found)
    if event == "up":
        return _up(found, received_at, node)
    maker = _MAKERS.get(event)
    if maker is None:
        raise InputError(f"{event!r:.40} is no event of ChirpStack v4; it has {', '.join(EVENTS)}")
    info = _info(found)
    at = envelope.arrival((found.get("time"),), received_at)
    return maker(found, (_node(info, node), at, SOURCE, envelope.word(info.get("deviceName"))))


def _told(found: Mapping[str, Any]) -> str:
    """Which event it is, by its contents. Raises InputError."""
    for key, event in _TELLING:
        if key in found:
            return event
    raise InputError("no event of ChirpStack v4: none of its keys is there")


# Field 1, a text of 36 letters: deduplicationId.
_PROTOBUF = b"\x0a\x24"

# The first key that is there tells the event; an "up" may lack any of its own but one.
_TELLING = (
    *((key, "up") for key in ("rxInfo", "data", "fCnt", "fPort")),
    ("acknowledged", "ack"),
    ("downlinkId", "txack"),
    ("gatewayId", "txack"),
    ("queueItemId", "ack"),
    *((key, "status") for key in ("margin", "batteryLevel", "batteryLevelUnavailable", "externalPowerSource")),
    ("description", "log"),
    ("location", "location"),
    ("integrationName", "integration"),
    ("devAddr", "join"),
)


def _up(found: Mapping[str, Any], received_at: float | None, node: str) -> events.Event:
    info, sent = _info(found), envelope.table(found.get("txInfo"))
    modulation = envelope.table(sent.get("modulation"))
    lora = envelope.table(modulation.get("lora"))
    best = envelope.best(found.get("rxInfo"))
    rssi_dbm, snr_db = envelope.link(best, is_lora="fsk" not in modulation)
    uplink = Uplink(
        _node(info, node),
        envelope.payload(found.get("data"), "data"),
        # The server's clock before a gateway's: `time` is what the gateway believes where it has a clock.
        envelope.arrival((best.get("nsTime"), found.get("time")), received_at),
        SOURCE,
        envelope.port(found.get("fPort"), "fPort"),
        envelope.counter(found.get("fCnt"), "fCnt"),
        envelope.word(found.get("devAddr")),
        found.get("confirmed") is True,
        rssi_dbm,
        snr_db,
        envelope.word(best.get("gatewayId")),
        envelope.lora(lora.get("spreadingFactor"), lora.get("bandwidth"))
        or envelope.fsk(envelope.table(modulation.get("fsk")).get("datarate")),
        envelope.hertz(sent.get("frequency")),
        envelope.word(info.get("deviceName")),
        envelope.tags(info.get("tags")),
        envelope.word(found.get("deduplicationId")),
    )
    if found.get("joinServerContext") is not None and uplink.payload:
        return events.Foreign(uplink, "the payload is still encrypted: its AppSKey is with the join server")
    return events.sort(uplink)


def _info(found: Mapping[str, Any]) -> Mapping[str, Any]:
    if "deviceInfo" not in found and "devEUI" in found:
        raise InputError("an event of ChirpStack v3; only those of v4 are read")
    return envelope.table(found.get("deviceInfo"))


def _node(info: Mapping[str, Any], node: str) -> str:
    text = info.get("devEui")
    if isinstance(text, str) and text:
        return envelope.node_id(text)
    if node:
        return node
    raise InputError("no event of ChirpStack v4: deviceInfo.devEui is missing")


_Head = tuple[str, float, str, str | None]


def _join(found: Mapping[str, Any], head: _Head) -> events.Event:
    tags = envelope.tags(_info(found).get("tags"))
    return events.Join(*head, envelope.word(found.get("devAddr")), tags, envelope.word(found.get("deduplicationId")))


def _ack(found: Mapping[str, Any], head: _Head) -> events.Event:
    return _downlink(found, head, "acknowledged" if found.get("acknowledged") is True else "not-acknowledged")


def _txack(found: Mapping[str, Any], head: _Head) -> events.Event:
    return _downlink(found, head, "sent")


def _downlink(found: Mapping[str, Any], head: _Head, state: str) -> events.Event:
    item = envelope.word(found.get("queueItemId"))
    return events.Downlink(
        *head, state, () if item is None else (item,), envelope.counter(found.get("fCntDown"), "fCntDown")
    )


def _status(found: Mapping[str, Any], head: _Head) -> events.Event:
    external = found.get("externalPowerSource") is True
    margin, battery = found.get("margin") or 0, envelope.number(found.get("batteryLevel") or 0)
    if external or found.get("batteryLevelUnavailable") is True:
        battery = None
    return events.Status(*head, margin if type(margin) is int else None, battery, external)


def _log(found: Mapping[str, Any], head: _Head) -> events.Event:
    level = envelope.word(found.get("level")) or "INFO"
    code = envelope.word(found.get("code")) or "UNKNOWN"
    return events.Log(*head, level.lower(), code, envelope.word(found.get("description")) or "")


def _other(what: str) -> Callable[[Mapping[str, Any], _Head], events.Event]:
    return lambda _found, head: events.Other(*head, what)


_MAKERS: dict[str, Callable[[Mapping[str, Any], _Head], events.Event]] = {
    "join": _join,
    "ack": _ack,
    "txack": _txack,
    "status": _status,
    "log": _log,
    "location": _other("location"),
    "integration": _other("integration"),
}
