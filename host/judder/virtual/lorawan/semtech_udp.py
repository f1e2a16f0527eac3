"""Datagrams between a packet forwarder and a network server: Semtech's UDP protocol, version 2.

Lora-net/packet_forwarder, PROTOCOL.TXT v1.4. Bytes in, bytes out; no sockets here.

    0       protocol version      1-2   token      3   kind      4-11  gateway EUI (from the gateway)      then JSON
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from judder.virtual.lorawan.gateway import Downlink, Uplink
from judder.virtual.lorawan.regions import DataRate

VERSION = 2
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = range(6)
_VERSIONS = (1, 2)
GPS_UNLOCKED = "GPS_UNLOCKED"

_RATE = re.compile(r"SF(\d{1,2})BW(125|250|500)")
_COUNTER = 1 << 32  # the concentrator's microsecond counter wraps


class DatagramError(ValueError):
    """A datagram that cannot be understood; says why."""


def from_gateway(kind: int, token: int, eui: bytes, body: dict[str, Any] | None = None) -> bytes:
    """A datagram of the gateway: PUSH_DATA, PULL_DATA or TX_ACK."""
    text = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    return bytes((VERSION,)) + token.to_bytes(2, "big") + bytes((kind,)) + eui + text


@dataclass(frozen=True)
class FromServer:
    """A datagram of the server. body: JSON text of a PULL_RESP."""

    kind: int
    token: int
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> FromServer:
        """Raises DatagramError."""
        if len(data) < 4:
            raise DatagramError(f"{len(data)} bytes")
        if data[0] not in _VERSIONS:
            raise DatagramError(f"protocol version {data[0]}")
        if data[3] not in (PUSH_ACK, PULL_ACK, PULL_RESP):
            raise DatagramError(f"kind {data[3]}")
        return cls(data[3], int.from_bytes(data[1:3], "big"), data[4:])


def counter(time_us: int, offset_us: int) -> int:
    """The concentrator's counter at a time of the air."""
    return (time_us + offset_us) % _COUNTER


def rxpk(uplink: Uplink, offset_us: int) -> dict[str, Any]:
    """An uplink as an entry of "rxpk". tmst is the end of the frame."""
    return {
        "tmst": counter(uplink.time_us, offset_us),
        "chan": uplink.channel,
        "rfch": 0,
        "freq": uplink.frequency_hz / 1e6,
        "stat": -1 if uplink.damaged else 1,
        "modu": "LORA",
        "datr": str(uplink.rate),
        "codr": "4/5",
        "rssi": round(uplink.rssi_dbm),
        "lsnr": round(uplink.snr_db, 1),
        "size": len(uplink.payload),
        "data": base64.b64encode(uplink.payload).decode(),
    }


@dataclass(frozen=True)
class Wish:
    """What a PULL_RESP asks for. when: "imme", "tmst" or "tmms"; downlink.time_us counts for tmst only."""

    when: str
    downlink: Downlink


def parse_txpk(body: bytes, now_us: int, offset_us: int) -> Wish:
    """Read the "txpk" of a PULL_RESP at a time of the air. Raises DatagramError."""
    try:
        packet = json.loads(body)["txpk"]
        rate = _RATE.fullmatch(str(packet["datr"]))
        if packet.get("modu", "LORA") != "LORA" or rate is None:
            raise DatagramError(f"modulation {packet.get('modu')} {packet['datr']} is not LoRa")
        if str(packet.get("codr", "4/5")) != "4/5":
            raise DatagramError(f"coding rate {packet['codr']}")
        payload = base64.b64decode(packet["data"] + "=" * (-len(packet["data"]) % 4), validate=True)
        if not 1 <= len(payload) <= 255 or len(payload) != packet["size"]:
            raise DatagramError(f"{len(payload)} bytes of data, size {packet['size']}")
        when = "imme" if packet.get("imme") else "tmst" if "tmst" in packet else "tmms"
        time_us = now_us
        if when == "tmst":
            # The nearest moment with this counter: half of what is possible lies behind us.
            ahead_us = (int(packet["tmst"]) - counter(now_us, offset_us) + _COUNTER // 2) % _COUNTER - _COUNTER // 2
            time_us = now_us + ahead_us
        elif when == "tmms":
            int(packet["tmms"])
        downlink = Downlink(
            payload,
            time_us,
            round(float(packet["freq"]) * 1e6),
            DataRate(int(rate[1]), int(rate[2]) * 1000),
            float(packet.get("powe", 14)),
            bool(packet.get("ipol", False)),
            not packet.get("ncrc", False),
            int(packet.get("prea", 8)),
        )
    except DatagramError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise DatagramError(f"PULL_RESP {body[:200]!r}: {error!r}") from error
    return Wish(when, downlink)


def tx_ack(error: str, power_dbm: float | None = None) -> dict[str, Any] | None:
    """Body of a TX_ACK; None, as sent when there is nothing to say. power_dbm: what was reduced to."""
    if error != "NONE":
        return {"txpk_ack": {"error": error}}
    if power_dbm is not None:
        return {"txpk_ack": {"warn": "TX_POWER", "value": round(power_dbm)}}
    return None
