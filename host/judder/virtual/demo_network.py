"""What stands between the demonstration's node and its decoder: an MQTT broker, or a LoRaWAN gateway and server."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from judder.device.boards import Board
from judder.device.profile import Value
from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import chirpstack
from judder.ingest.broker import Broker
from judder.ingest.mqtt import Subscriber
from judder.virtual.board import VirtualBoard
from judder.virtual.signal import Source
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

MQTT_BOARD = "virtual-esp32s3"
LORAWAN_BOARD = "virtual-esp32s3-sx1262"


class Network(Protocol):
    """title: for people. board: which virtual board it takes. captures: whether it carries a waveform in good time.

    settings(): what the node has to be told. wiring() and attach(): before the node starts at the machine. get():
    payload and Unix time of arrival, None after timeout_s. send(): a COMMAND. report(): lines about what it saw.
    """

    title: str
    board: str
    captures: bool

    def settings(self) -> dict[str, Value]: ...

    def wiring(self, board: Board, source: Source, rate_hz: float | None) -> Wiring: ...

    def attach(self, virtual: VirtualBoard, wiring: Wiring, node: str, key_file: Path) -> None: ...

    def get(self, timeout_s: float) -> tuple[bytes, float] | None: ...

    def send(self, payload: bytes) -> None: ...

    def report(self) -> list[str]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make(link: str, broker_kind: str | None, region: str) -> Network:
    """link: "mqtt" or "lorawan". Raises InputError for another, and for a region there is none of."""
    if link == "mqtt":
        return MqttNetwork(broker_kind)
    if link == "lorawan":
        return LorawanNetwork(region)
    raise InputError(f"there is no link '{link}' for the demonstration; there are mqtt and lorawan")


class MqttNetwork:
    """A broker on loopback."""

    board = MQTT_BOARD
    captures = True

    def __init__(self, kind: str | None) -> None:
        self._broker = Broker(kind)
        self._subscriber: Subscriber | None = None
        self._node = ""
        self.title = f"MQTT to {self._broker.kind} at {self._broker.host}:{self._broker.port}"

    def settings(self) -> dict[str, Value]:
        link = schema.LINKS.index("wifi")
        return {"link": link, "wifi_ssid": "virtual", "mqtt_host": self._broker.host, "mqtt_port": self._broker.port}

    def wiring(self, board: Board, source: Source, rate_hz: float | None) -> Wiring:
        return Wiring.for_board(board, source, rate_hz=rate_hz)

    def attach(self, virtual: VirtualBoard, wiring: Wiring, node: str, key_file: Path) -> None:  # noqa: ARG002
        self._node = node
        self._subscriber = Subscriber(self._broker.host, self._broker.port)

    def get(self, timeout_s: float) -> tuple[bytes, float] | None:
        assert self._subscriber is not None
        event = self._subscriber.get(timeout_s)
        if not isinstance(event, Uplink) or event.node != self._node:
            return None
        return event.payload, event.received_at

    def send(self, payload: bytes) -> None:
        assert self._subscriber is not None
        self._subscriber.send(self._node, payload)

    def report(self) -> list[str]:
        return []

    def __enter__(self) -> Self:
        self._broker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscriber is not None:
            self._subscriber.close()
        self._broker.__exit__(kind, error, trace)


class LorawanNetwork:
    """An air with one gateway and the small network server."""

    board = LORAWAN_BOARD
    captures = False  # a waveform of 8 KB is minutes of air-time, which the duty cycle spreads over hours

    def __init__(self, region: str) -> None:
        # cryptography is needed for this way alone.
        from judder.virtual.lorawan import network_plan, propagation, regions
        from judder.virtual.lorawan.medium import Air
        from judder.virtual.lorawan.server import NetworkServer

        plan = regions.find(region)
        self._region = plan.name
        self.title = f"LoRaWAN, {plan.name}, one gateway 800 m away"
        # Log-distance path loss with the exponent the fleet simulation takes.
        self._air = Air(propagation.log_distance({"node": (800.0, 0.0), _GATEWAY.hex(): (0.0, 0.0)}, seed=1))
        gateway = network_plan.make_gateway(self._air, _GATEWAY, plan)
        self._payloads: queue.Queue[tuple[bytes, float]] = queue.Queue()
        self._server = NetworkServer(self._air, plan, [gateway], on_event=self._event)
        self._fixed = plan.fixed
        self._dev_eui = b""

    def _event(self, event: object) -> None:
        kind, body = event.kind, event.body  # type: ignore[attr-defined]  # lorawan.events.Event, imported late
        found = chirpstack.parse(body, kind)
        if isinstance(found, Uplink):
            self._payloads.put((found.payload, time.time()))

    def settings(self) -> dict[str, Value]:
        values: dict[str, Value] = {
            "link": schema.LINKS.index("lorawan"),
            "lorawan_region": settings.REGIONS.index(self._region.lower()),
            # SF7, or the fastest the region has; joining slowly would be the whole demonstration.
            "lorawan_data_rate": 3 if self._fixed else 5,
            "interval_s": 5,
        }
        if self._fixed:
            values["lorawan_sub_band"] = 2
        return values

    def wiring(self, board: Board, source: Source, rate_hz: float | None) -> Wiring:
        return Wiring.for_board(board, source, rate_hz=rate_hz, medium=self._air)

    def attach(self, virtual: VirtualBoard, wiring: Wiring, node: str, key_file: Path) -> None:  # noqa: ARG002
        """Register the node with what its provisioning left in the key file, as a technician would."""
        known: Mapping[str, str] = json.loads(key_file.read_text(encoding="utf-8"))["lorawan"]
        self._dev_eui = bytes.fromhex(known["dev_eui"])
        self._server.add("node", self._dev_eui, bytes.fromhex(known["join_eui"]), bytes.fromhex(known["app_key"]))
        wiring.attach(self._air, self._air.station("node", virtual.clock, gain_dbi=2.0))

    def get(self, timeout_s: float) -> tuple[bytes, float] | None:
        try:
            return self._payloads.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def send(self, payload: bytes) -> None:
        self._server.enqueue(self._dev_eui, schema.COMMAND + schema.FPORT_OFFSET, payload)

    def report(self) -> list[str]:
        ups = [event.body for event in self._server.events if event.kind == "up"]
        rates = sorted({f"SF{up['txInfo']['modulation']['lora']['spreadingFactor']}" for up in ups})
        joins = sum(event.kind == "join" for event in self._server.events)
        violations = self._server.violations
        if violations:
            raise InputError(f"the node broke a rule of LoRaWAN: {violations[0]}")
        return [f"lorawan     {joins} join, {len(ups)} uplinks at {', '.join(rates)}, no rule broken"]

    def __enter__(self) -> Self:
        self._air.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._air.__exit__(kind, error, trace)


_GATEWAY = bytes.fromhex("024a44fffeff0000")
