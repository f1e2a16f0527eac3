"""The quick path for ordinary uplinks of ChirpStack: msgspec reads what is wanted and checks its types as it goes.

Needs msgspec (the extra `gateway`). What is not quite ordinary gives None, and judder.ingest.chirpstack decides with
the standard library; so results never depend on which of the two read an event (tests hold them against each other).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from judder.errors import JudderError
from judder.flow import Uplink
from judder.ingest import envelope

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
    nsTime: str | None = None


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


_decode = msgspec.json.Decoder(_Up).decode


def _link(copy: _Heard) -> tuple[float, float]:
    return copy.snr, copy.rssi


def up(body: bytes | str) -> Uplink | None:
    """An Uplink with a payload and a time, or None. Never raises for what is in the body."""
    try:
        found = _decode(body)
        heard = found.rxInfo
        best = heard[0] if len(heard) == 1 else max(heard, key=_link)
        info = found.deviceInfo
        lora = found.txInfo.modulation.lora
        if not found.data:
            return None
        return Uplink(
            envelope.node_id(info.devEui),
            found.data,
            envelope.unix_s(best.nsTime or found.time),
            "chirpstack",
            found.fPort,
            found.fCnt,
            found.devAddr or None,
            found.confirmed,
            best.rssi,
            best.snr,
            best.gatewayId or None,
            envelope.lora(lora.spreadingFactor, lora.bandwidth),
            found.txInfo.frequency,
            info.deviceName or None,
            info.tags or {},
            found.deduplicationId or None,
        )
    except (ValueError, TypeError, RecursionError, OverflowError, JudderError):
        return None
