"""What network servers and brokers tell, besides payloads: joins, fates of downlinks, battery of a device, presence.

A parser gives one Event: a `judder.flow.Uplink` to decode, or one of these. `event` is the word for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from judder.flow import Uplink
from judder_core import cbor, schema

# How far a downlink has come. "sent": a gateway took it for transmission, which is not yet its arrival.
DOWNLINK_STATES = ("queued", "sent", "acknowledged", "not-acknowledged", "failed", "invalidated")


@dataclass(slots=True)
class Notice:
    """node: EUI-64 as 16 lower-case hex digits, "" where none is named. received_at: Unix time in seconds, the
    server's where it gives one. source: one of judder.flow.SOURCES. name: what people call the device."""

    event: ClassVar[str]

    node: str
    received_at: float
    source: str
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it, `event` first; what was not said is left out."""
        shown: dict[str, Any] = {"event": self.event}
        for row in fields(self):
            value = getattr(self, row.name)
            if value is not None and value != "" and value != () and value != {}:
                shown[row.name] = list(value) if isinstance(value, tuple) else value
        return shown


@dataclass(slots=True)
class Join(Notice):
    """The node joined its network: a new session, frame counters begin at 0. session: as in its later uplinks."""

    event: ClassVar[str] = "join"

    session: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    dedup: str | None = None


@dataclass(slots=True)
class Status(Notice):
    """The LoRaWAN device status. margin_db: SNR of the last request the device heard. battery_percent: None when the
    device cannot tell or runs from external power."""

    event: ClassVar[str] = "status"

    margin_db: int | None = None
    battery_percent: float | None = None
    external_power: bool = False


@dataclass(slots=True)
class Downlink(Notice):
    """How far a downlink has come. state: one of DOWNLINK_STATES. ids: the server's and the sender's names for it
    (judder.ingest.downlink sets one). fcnt: LoRaWAN downlink frame counter."""

    event: ClassVar[str] = "downlink"

    state: str = ""
    ids: tuple[str, ...] = ()
    fcnt: int | None = None
    port: int | None = None
    reason: str | None = None


@dataclass(slots=True)
class Log(Notice):
    """What the server writes in a device's log. level: "info", "warning" or "error". code: the server's word."""

    event: ClassVar[str] = "log"

    level: str = "info"
    code: str = ""
    text: str = ""


@dataclass(slots=True)
class Presence(Notice):
    """A node over Wi-Fi came to its broker, or the broker lost it."""

    event: ClassVar[str] = "presence"

    online: bool = False


@dataclass(slots=True)
class Other(Notice):
    """Well-formed, and nothing in it for us: an uplink without payload, a location, another integration's event."""

    event: ClassVar[str] = "other"

    what: str = ""


@dataclass(slots=True)
class Foreign:
    """A payload that is no message of Judder, by its LoRaWAN port: another vendor's device, or one still encrypted.

    A message of ours has FPort = kind + 1. reason: why it was set aside.
    """

    event: ClassVar[str] = "foreign"

    uplink: Uplink
    reason: str

    @property
    def node(self) -> str:
        return self.uplink.node

    @property
    def received_at(self) -> float:
        return self.uplink.received_at


# CBOR, RFC 8949 section 3: head of an array of 24 items and more; integers below 24 take one byte.
_LONG = 0x98
_ONE_BYTE = 24

Event = Uplink | Join | Status | Downlink | Log | Presence | Other | Foreign


def dedupe_key(uplink: Uplink) -> str | None:
    """The same for copies of one LoRaWAN uplink, different for all others: device, session and frame count; else the
    server's own id. None where the carrier numbers nothing (MQTT, console): there contents decide (decode.Tracker)."""
    if uplink.fcnt is not None:
        return f"{uplink.node or uplink.name or ''}/{uplink.session or ''}/{uplink.fcnt}"
    return uplink.dedup


def sort(uplink: Uplink) -> Uplink | Other | Foreign:
    """The uplink itself where it may be a message of Judder, else what it is."""
    payload = uplink.payload
    try:
        if payload[1] + 1 == uplink.port and 0x81 <= payload[0] < _LONG and payload[1] < _ONE_BYTE:
            return uplink  # nearly all of them
    except IndexError:
        if not payload:
            return Other(uplink.node, uplink.received_at, uplink.source, uplink.name, "uplink without payload")
    reason = foreign(uplink)
    return uplink if reason is None else Foreign(uplink, reason)


def foreign(uplink: Uplink) -> str | None:
    """Why an uplink is no message of Judder, None where it may be one. Without a port (MQTT, console) it always may."""
    port, payload = uplink.port, uplink.payload
    if port is None:
        return None
    if port and payload and 0x81 <= payload[0] <= _LONG:
        kind = cbor.encode(port - schema.FPORT_OFFSET)
        if payload.startswith(kind, 2 if payload[0] == _LONG else 1):
            return None
    return f"{len(payload)} bytes on port {port} that are no message of that port"
