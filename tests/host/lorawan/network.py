"""A network with one device of the test double, for tests."""

from __future__ import annotations

import base64
from typing import Any

from device_double import APP_KEY, JOIN_EUI, DeviceDouble, eui

from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.audit import describe
from judder.virtual.lorawan.events import Event
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.server import NetworkServer


class Network:
    """air, gateways, server and `device` (number 1), not joined yet. options: of NetworkServer."""

    def __init__(
        self,
        region: str = "EU868",
        *,
        gateways: int = 1,
        path_loss: Any = 120.0,
        loss: float = 0.0,
        dr: int | None = None,
        **options: Any,
    ) -> None:
        self.plan = regions.find(region)
        self.air = Air(path_loss, loss=loss)
        euis = [bytes.fromhex(f"00000000000000{number:02x}") for number in range(1, gateways + 1)]
        self.gateways = [network_plan.make_gateway(self.air, one, self.plan) for one in euis]
        self.server = NetworkServer(self.air, self.plan, self.gateways, **options)
        self.device = self.add(1, dr=dr)

    def add(self, number: int, **options: Any) -> DeviceDouble:
        self.server.add(f"node {number}", eui(number), JOIN_EUI, APP_KEY)
        return DeviceDouble(self.air, self.plan, number, **options)

    def settle(self, device: DeviceDouble | None = None) -> None:
        """Let what has been sent be worked through."""
        (device or self.device).sleep(10)
        assert self.air.timeline.errors == []

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event.body for event in self.server.events if event.kind == kind]

    @property
    def last(self) -> Event:
        return self.server.events[-1]

    def data(self) -> list[bytes]:
        """Payloads of the uplinks."""
        return [base64.b64decode(body.get("data", "")) for body in self.events("up")]

    def rules(self) -> list[str]:
        """Rules broken so far, each once, in order."""
        return list(dict.fromkeys(violation.rule for violation in self.server.violations))

    def assert_clean(self) -> None:
        assert self.server.violations == [], describe(self.server.violations)
        assert self.air.timeline.errors == []
