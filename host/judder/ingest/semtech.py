"""What a LoRaWAN gateway's packet forwarder sends: Semtech's UDP protocol, and its log lines.

    for frame in semtech.datagram(data, received_at=time.time()):
        event = semtech.event(frame, open_frame)

Lora-net/packet_forwarder, PROTOCOL.TXT v1.4 sections 3 and 4. Frames are encrypted: only who knows the session keys of
a node can open one (judder.virtual.lorawan.sessions does, from a file of keys). It is for looking into what a gateway
hears; a plant needs a network server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import envelope, events

SOURCE = "semtech"
_VERSIONS = (1, 2)
_PUSH_DATA = 0
# Without frames: PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK.
_OTHERS = (1, 2, 3, 4, 5)
_ACKS = {_PUSH_DATA: 1, 2: 4}  # PULL_DATA -> PULL_ACK
_DAMAGED = -1  # "stat": the frame's CRC was wrong

# MType, the upper three bits of a frame (L2 1.0.4 section 4.2.1).
_JOIN_REQUEST, _UP, _CONFIRMED_UP = 0, 2, 4
_SHORTEST = {_JOIN_REQUEST: 23, _UP: 12, _CONFIRMED_UP: 12}


@dataclass(slots=True)
class Frame:
    """One frame as a gateway heard it. phy: PHYPayload. received_at: Unix time in seconds, the gateway's where it has a
    clock. gateway: EUI as 16 hex digits, None where a log does not say."""

    phy: bytes
    received_at: float
    gateway: str | None = None
    rssi_dbm: float | None = None
    snr_db: float | None = None
    data_rate: str | None = None
    frequency_hz: int | None = None
    damaged: bool = False


@dataclass(slots=True)
class Opened:
    """What is in a data frame. fcnt: all 32 bits."""

    node: str
    fcnt: int
    port: int | None
    payload: bytes


OpenFrame = Callable[[bytes], Opened | None]


def datagram(data: bytes, *, received_at: float) -> list[Frame]:
    """Frames of one datagram of a gateway; none in a keep-alive or a status. Raises InputError for no such datagram."""
    if len(data) < 4 or data[0] not in _VERSIONS or data[3] not in (_PUSH_DATA, *_OTHERS):
        raise InputError(f"{len(data)} bytes that are no datagram of Semtech's protocol: {data[:12].hex()}")
    if data[3] != _PUSH_DATA:
        return []
    if len(data) < 12:
        raise InputError(f"a PUSH_DATA of {len(data)} bytes is cut off")
    return frames(envelope.load(data[12:]), received_at=received_at, gateway=data[4:12].hex())


def answer(data: bytes) -> bytes | None:
    """What a server answers to a datagram of a gateway, None where it answers nothing: PUSH_ACK, PULL_ACK."""
    if len(data) < 12 or data[0] not in _VERSIONS or data[3] not in _ACKS:
        return None
    return bytes((data[0], data[1], data[2], _ACKS[data[3]]))


def frames(body: Mapping[str, Any], *, received_at: float, gateway: str | None = None) -> list[Frame]:
    """Frames of the JSON of a PUSH_DATA, as forwarders also write it to their log. Raises InputError."""
    rows = body.get("rxpk", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("rxpk: an array of JSON objects is expected")
    if not rows and not isinstance(body.get("stat"), dict):
        raise InputError("neither rxpk nor stat: no PUSH_DATA of Semtech's protocol")
    return [_frame(row, received_at, gateway) for row in rows]


def _frame(row: Mapping[str, Any], received_at: float, gateway: str | None) -> Frame:
    phy, size = envelope.payload(row.get("data"), "data"), row.get("size")
    if size is not None and size != len(phy):
        raise InputError(f"rxpk: {len(phy)} bytes of data, size {size!r:.20}")
    rate, mhz = row.get("datr"), envelope.number(row.get("freq"))
    rssi = envelope.number(row.get("rssi"))
    return Frame(
        phy,
        envelope.arrival((row.get("time"),), received_at),
        gateway,
        rssi,
        envelope.number(row.get("lsnr")),
        envelope.word(rate) or envelope.fsk(rate),
        None if mhz is None else round(mhz * 1e6),
        row.get("stat") == _DAMAGED,
    )


def event(frame: Frame, open_frame: OpenFrame | None = None) -> events.Event:
    """An Uplink where open_frame knows the keys, a Foreign with the encrypted frame where it does not, an Other for
    what carries no payload. open_frame: PHYPayload -> Opened, None when it cannot. Never raises for what is in a frame.
    """
    phy = frame.phy
    kind = phy[0] >> 5 if phy and not phy[0] & 0x1F else None
    if kind is None or frame.damaged or len(phy) < _SHORTEST.get(kind, 1):
        return events.Other("", frame.received_at, SOURCE, None, "damaged frame")
    if kind == _JOIN_REQUEST:
        return events.Other(phy[16:8:-1].hex(), frame.received_at, SOURCE, None, "join request")
    if kind not in (_UP, _CONFIRMED_UP):
        return events.Other("", frame.received_at, SOURCE, None, f"frame of LoRaWAN type {kind}")
    opened = None if open_frame is None else open_frame(phy)
    uplink = Uplink(
        opened.node if opened else "",
        opened.payload if opened else phy,
        frame.received_at,
        SOURCE,
        opened.port if opened else None,
        opened.fcnt if opened else int.from_bytes(phy[6:8], "little"),
        phy[4:0:-1].hex(),
        kind == _CONFIRMED_UP,
        frame.rssi_dbm,
        frame.snr_db,
        frame.gateway,
        frame.data_rate,
        frame.frequency_hz,
    )
    if opened is None:
        return events.Foreign(
            uplink, f"encrypted frame of device address {uplink.session}; its session keys are missing"
        )
    return events.sort(uplink)
