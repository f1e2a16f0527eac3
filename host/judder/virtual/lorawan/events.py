"""What the network tells an application, as ChirpStack v4 says it on MQTT: JSON names, zero values left out."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from judder.virtual.lorawan.device import Device, Item
from judder.virtual.lorawan.gateway import Uplink


@dataclass(frozen=True)
class Event:
    """kind: up, join, ack, txack, status or log; what comes behind .../event/ in the topic. body: the JSON object."""

    kind: str
    device: Device
    body: dict[str, Any]

    @property
    def topic(self) -> str:
        """MQTT topic it would be published under."""
        info = self.body["deviceInfo"]
        return f"application/{info['applicationId']}/device/{info['devEui']}/event/{self.kind}"


@dataclass(frozen=True)
class Application:
    """Names that stand in every event. start: the moment at which the air's time is zero, UTC."""

    start: datetime
    name: str = "judder"
    profile: str = "judder"
    region: str = "eu868"

    def make(self, kind: str, device: Device, at_us: int, **body: Any) -> Event:
        """An event at a time of the air."""
        return Event(kind, device, _without_zeros(self._head(device, at_us) | body))

    def up(self, device: Device, copies: Sequence[Uplink], at_us: int, **body: Any) -> Event:
        """An uplink; copies: what each gateway heard, the best first."""
        rate, frequency_hz = copies[0].rate, copies[0].frequency_hz
        lora = {"bandwidth": rate.bandwidth_hz, "spreadingFactor": rate.sf, "codeRate": "CR_4_5"}
        return self.make(
            "up",
            device,
            at_us,
            **body,
            rxInfo=[_without_zeros(self._heard(copy)) for copy in copies],
            txInfo={"frequency": frequency_hz, "modulation": {"lora": lora}},
            regionConfigId=self.region,
        )

    def time(self, at_us: int) -> str:
        """A time of the air in RFC 3339."""
        moment = self.start + timedelta(microseconds=at_us)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _head(self, device: Device, at_us: int) -> dict[str, Any]:
        info = {
            "tenantId": _uuid("tenant"),
            "tenantName": self.name,
            "applicationId": _uuid(f"application {self.name}"),
            "applicationName": self.name,
            "deviceProfileId": _uuid(f"profile {self.profile}"),
            "deviceProfileName": self.profile,
            "deviceName": device.name,
            "devEui": device.dev_eui.hex(),
            "deviceClassEnabled": "CLASS_A",
        }
        return {
            "deduplicationId": _uuid(f"{device.dev_eui.hex()} {at_us}"),
            "time": self.time(at_us),
            "deviceInfo": info,
        }

    def _heard(self, copy: Uplink) -> dict[str, Any]:
        return {
            "gatewayId": copy.gateway.eui.hex(),
            "uplinkId": int.from_bytes(copy.payload[-4:], "little"),
            "gwTime": self.time(copy.time_us),
            "rssi": round(copy.rssi_dbm),
            "snr": round(copy.snr_db, 1),
            "channel": copy.channel,
            "context": base64.b64encode((copy.time_us & 0xFFFFFFFF).to_bytes(4, "big")).decode(),
            "crcStatus": "CRC_OK",
        }


def ack(item: Item, fcnt_down: int, acknowledged: bool) -> dict[str, Any]:
    """Body of an ack event."""
    return {"queueItemId": item.id, "acknowledged": acknowledged, "fCntDown": fcnt_down}


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"judder virtual {name}"))


def _without_zeros(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value not in (0, False, "", None)}
