"""The quick path for ordinary uplinks of ChirpStack: msgspec reads what is wanted and checks its types as it goes.

Needs msgspec (the extra `gateway`). What is not quite ordinary gives None, and judder.ingest.chirpstack decides with
the standard library; so results never depend on which of the two read an event (tests hold them against each other).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import envelope
from judder_core import schema

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Counter = Annotated[int, msgspec.Meta(ge=0, le=envelope.MAX_COUNTER)]
_Frequency = Annotated[int, msgspec.Meta(ge=1)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=255)]


class _Device(msgspec.Struct, gc=False):
    devEui: str
    deviceName: str | None = None
    tags: dict[str, str] | None = None


class _Heard(msgspec.Struct, gc=False):
    rssi: float
    gatewayId: str | None = None
    snr: float = 0.0
    nsTime: _Time | None = None


class _Lora(msgspec.Struct, gc=False):
    bandwidth: int
    spreadingFactor: int


class _Modulation(msgspec.Struct, gc=False):
    lora: _Lora


class _Sent(msgspec.Struct, gc=False):
    frequency: _Frequency
    modulation: _Modulation


# msgspec looks for the next key where the last one was, hence in the server's order.
class _Up(msgspec.Struct, gc=False):
    deviceInfo: _Device
    fPort: _Port
    data: bytes
    rxInfo: list[_Heard]
    txInfo: _Sent
    deduplicationId: str | None = None
    time: str | None = None
    devAddr: str | None = None
    fCnt: _Counter = 0
    confirmed: bool = False
    joinServerContext: None = None  # anything else: the payload is still encrypted


# A message of ours in its ordinary form: an array of up to 23 items, its kind in one byte.
_OFFSET = schema.FPORT_OFFSET
_SHORT_PORTS = 23 + _OFFSET

_node_id, _lora_rate = envelope.node_id, envelope.lora_rate
_decode = msgspec.json.Decoder(_Up).decode


def _link(copy: _Heard) -> tuple[float, float]:
    return copy.snr, copy.rssi


def up(body: bytes) -> Uplink | None:
    """An Uplink that is ours by its port, or None. Never raises for what is in the body."""
    try:
        found = _decode(body)
        payload, port = found.data, found.fPort
        if payload[1] + _OFFSET != port or port > _SHORT_PORTS or not 0x81 <= payload[0] <= 0x97:
            return None
        heard = found.rxInfo
        best = heard[0] if len(heard) == 1 else max(heard, key=_link)
        info = found.deviceInfo
        lora = found.txInfo.modulation.lora
        return Uplink(
            _node_id(info.devEui),
            payload,
            best.nsTime.timestamp() if best.nsTime is not None else envelope.unix_s(found.time or ""),
            "chirpstack",
            port,
            found.fCnt,
            found.devAddr or None,
            found.confirmed,
            best.rssi,
            best.snr,
            best.gatewayId or None,
            _lora_rate(lora.spreadingFactor, lora.bandwidth),
            found.txInfo.frequency,
            info.deviceName or None,
            info.tags or {},
            found.deduplicationId or None,
        )
    except (ValueError, IndexError, RecursionError, OverflowError, InputError):  # msgspec's errors are ValueErrors
        return None
