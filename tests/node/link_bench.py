"""The node's LoRaWAN link whole, on CPython: MAC, driver, radio model, an air, a gateway and a network server."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from chips import Time
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from radio_bench import Port

import node.link.radio as contract
from judder.virtual.chips.sx1262 import Sx1262
from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import network_plan
from judder.virtual.lorawan import regions as network_regions
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.server import NetworkServer
from node.link.lorawan import regions, session
from node.link.lorawan.link import Lorawan
from node.link.lorawan.mac import Mac
from node.link.radio import sx1262

DEV_EUI = bytes.fromhex("024a44fffe000001")
JOIN_EUI = bytes(8)
APP_KEY = bytes(range(16))
CONFIRM_NONE, CONFIRM_ALARMS, CONFIRM_ALL = range(3)


class BoardTime(Time):
    """Moves a board's clock with it; uptime is the same time in milliseconds."""

    def __init__(self) -> None:
        self.board = BoardClock("virtual")
        self._now_us = 0

    @property
    def now_us(self) -> int:  # type: ignore[override]
        return self._now_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        self._now_us = value
        self.board.observe(value)

    def uptime_ms(self) -> int:
        return self._now_us // 1000


class Aes:
    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(bytes(key)), modes.ECB())

    def encrypt(self, block: bytes) -> bytes:
        return self._cipher.encryptor().update(bytes(block))


class Bench:
    """link on a radio model in an air with one gateway. vault, rtc: what it kept. fails: flash refuses."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        region: str = "EU868",
        confirm: int = CONFIRM_ALARMS,
        loss: float = 0.0,
        path_loss: float = 110.0,
        rx1_delay_s: int = 1,
        **options: Any,
    ) -> None:
        self.time = BoardTime()
        for module in (contract, sx1262):
            monkeypatch.setattr(module, "time", self.time)
        self.plan = network_regions.find(region)
        self.air = Air(path_loss, loss=loss)
        self.gateway = network_plan.make_gateway(self.air, bytes(7) + b"\1", self.plan)
        self.server = NetworkServer(self.air, self.plan, [self.gateway], rx1_delay_s=rx1_delay_s)
        self.server.add("node", DEV_EUI, JOIN_EUI, APP_KEY)
        self.chip = Sx1262(self.air, tcxo_mv=1800)
        self.chip.station = self.air.station("node", self.time.board, gain_dbi=2.0)
        self.port = Port(self.chip, self.time)
        self.region, self.confirm, self.options = region.lower(), confirm, options
        self.vault: list[bytes] = []
        self.rtc: list[bytes] = []
        self.said: list[str] = []
        self.times: list[tuple[int, int, int]] = []
        self.fails = False
        self.ticks = 0
        self.start()

    def start(self, awake: bytes | None = None) -> None:
        """As after power-on or, with what session() gave, after a deep sleep."""
        identity = session.otaa(DEV_EUI, JOIN_EUI, APP_KEY)
        identity.data_rate = 5
        for name, value in self.options.items():
            setattr(identity, name, value)
        self.mac = Mac(
            regions.find(self.region),
            identity,
            Aes,
            random.Random(7).randbytes,
            self.time.uptime_ms(),
            self.vault[-1] if self.vault else None,
            awake,
        )
        self.radio = sx1262.SX1262(self.port, self.chip.tcxo_mv, True, 0)
        self.link = Lorawan(
            self.mac,
            self.radio,
            self.time,
            self.time,
            self,
            self.rtc.append,
            self._tick,
            self.confirm,
            lambda *when: self.times.append(when),
            self.said.append,
        )

    def _tick(self) -> None:
        self.ticks += 1

    def save(self, blob: bytes) -> None:
        if self.fails:
            raise OSError(5)
        self.vault.append(bytes(blob))

    # --- what a node does

    def run(self, seconds: float, away_ms: int = 0, until: Any = lambda: False) -> bool:
        """Steps as a node makes them; away_ms: it measures so long between two."""
        end_ms = self.time.uptime_ms() + seconds * 1000
        while self.time.uptime_ms() < end_ms:
            self.link.step(0 if away_ms else 20)
            if until():
                return True
            if away_ms:
                self.time.sleep_ms(away_ms)
        return False

    def join(self) -> None:
        assert self.run(120, until=self.link.ready), self.said

    def send(self, message: bytes, confirmed: bool = False, away_ms: int = 0) -> bool | None:
        assert self.link.ready()
        outcome = self.link.send(message, confirmed)
        if outcome is None:
            self.run(60, away_ms, until=lambda: self.link.outcome() is not None)
            outcome = self.link.outcome()
        return outcome

    # --- what the network says of it

    def ups(self) -> list[dict[str, Any]]:
        return [event.body for event in self.server.events if event.kind == "up"]

    def payloads(self) -> list[tuple[int, bytes]]:
        return [(body["fPort"], base64.b64decode(body["data"])) for body in self.ups()]

    def clean(self) -> None:
        """Nothing the audit found, and nothing done to the radio that its data sheet forbids."""
        assert self.server.violations == []
        assert self.chip.faults == []
        assert self.air.timeline.errors == []
