"""One virtual node with the real firmware in an air with a gateway and a network server."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judder.decode import decode
from judder.decode.records import Record
from judder.device import boards, images
from judder.ingest.console import ConsoleReader
from judder.virtual import factory, machines
from judder.virtual.board import VirtualBoard
from judder.virtual.clock import VIRTUAL
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.events import Event
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.server import NetworkServer
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

MAC = bytes.fromhex("024a44010203")
DEV_EUI = factory.eui64(MAC)
APP_KEY = bytes(range(16))
JOIN_EUI = bytes(8)


class World:
    """heard: records in the order the network had them; lines: what the console said; path_loss_db: may be changed."""

    def __init__(
        self,
        folder: Path,
        made: images.Images,
        region: str = "EU868",
        board: str = "virtual-esp32s3-sx1262",
        **values: Any,
    ) -> None:
        self.board = boards.load(board)
        self.path_loss_db = 110.0
        plan = regions.find(region)
        self.air = Air(lambda _a, _b: self.path_loss_db)
        gateway = network_plan.make_gateway(self.air, bytes(7) + b"\1", plan)
        self.server = NetworkServer(self.air, plan, [gateway], on_event=self._event)
        self.server.add("node", DEV_EUI, JOIN_EUI, APP_KEY)
        self.heard: list[Record] = []
        self.ups: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.console: list[Record] = []
        self._reader = ConsoleReader(on_text=self.lines.append)
        self._lock = threading.Lock()
        named: dict[str, Any] = {
            "mode": "duty",
            "interval_s": 60,
            "block_samples": 256,
            "vibration_sensor": "synthetic",
            "temperature_sensor": "synthetic",
            "link": "lorawan",
            "lorawan_region": region.lower(),
            "lorawan_data_rate": 5,
            "acceleration_rms_warning_mg": 0,
        }
        stored = {name: settings.from_text(name, value) for name, value in (named | values).items()}
        stored |= {"node_id": DEV_EUI, "app_key": APP_KEY}
        flash = factory.make_flash(folder / "flash.bin", self.board, made, stored)
        wiring = Wiring.for_board(self.board, machines.standstill(), medium=self.air)
        self.radio = wiring.radio
        self.modem = wiring.modem
        self.node = VirtualBoard(flash, flash_size=self.board.flash_bytes, mac=MAC, wiring=wiring, clock=VIRTUAL)
        wiring.attach(self.air, self.air.station("node", self.node.clock, gain_dbi=2.0))
        self.node.console(self._hear)

    def __enter__(self) -> World:
        self.air.__enter__()
        self.node.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.node.__exit__(*error)
        self.air.__exit__(*error)

    def _hear(self, data: bytes) -> None:
        self.console += [decode(payload) for _node, payload in self._reader.feed(data)]

    def _event(self, event: Event) -> None:
        if event.kind == "up":
            with self._lock:
                self.ups.append(event.body)
                self.heard.append(decode(base64.b64decode(event.body["data"])))

    def of(self, kind: str) -> list[Any]:
        with self._lock:
            return [record for record in self.heard if record.kind == kind]

    def command(
        self, action: str, argument: int | None = None, changes: dict[str, Any] | None = None, tag: int = 7
    ) -> None:
        """Queue a COMMAND for after the next uplink."""
        from judder_core import codec

        by_key = None
        if changes is not None:
            by_key = {settings.row(name)[0]: settings.from_text(name, value) for name, value in changes.items()}
        payload = codec.encode(schema.COMMAND, [tag, schema.COMMAND_ACTIONS.index(action), argument, by_key])
        self.server.enqueue(DEV_EUI, schema.COMMAND + 1, payload)

    def wait(self, condition: Callable[[], Any], timeout_s: float = 120.0) -> Any:
        """The first true value of condition(); AssertionError with what was heard when it does not come."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"console: {self.lines[-15:]}, heard: {self.heard[-5:]}"
            time.sleep(0.05)
        return value
