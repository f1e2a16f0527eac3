"""A fleet of virtual nodes over LoRaWAN: the real firmware on boards of their own, a shared air, gateways, a network.

The network is the small server in this package, on a virtual clock; or a real one that the user runs, reached through
packet forwarders, in real time.
"""

from __future__ import annotations

import base64
import csv
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judder.decode import decode
from judder.device import boards, images
from judder.device.boards import Board
from judder.device.profile import Value
from judder.errors import DecodeError, InputError
from judder.virtual import factory
from judder.virtual.board import VirtualBoard
from judder.virtual.clock import REAL, VIRTUAL
from judder.virtual.lorawan import network_plan, propagation, regions
from judder.virtual.lorawan.events import Event
from judder.virtual.lorawan.forwarder import Forwarder
from judder.virtual.lorawan.gateway import Gateway
from judder.virtual.lorawan.ledger import Ledger, OnLine
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import Plan
from judder.virtual.lorawan.server import NetworkServer
from judder.virtual.signal import Source
from judder.virtual.wiring import Wiring
from judder_core import schema, settings

BOARD = "virtual-esp32s3-sx1262"
JOIN_EUI = bytes(8)
ANTENNA_GAIN_DB = 2  # the setting's default
_RADIUS_M = 1500.0
_SPREAD_US = 60_000_000  # within which nodes are switched on
_START_S = 2.0  # of this computer, for one board
_GATEWAY_MARK = bytes.fromhex("024a44fffe")  # as virtual boards': locally administered


@dataclass(frozen=True)
class Identity:
    """What a network server has to know of a node. dev_eui, join_eui, app_key: hex, as printed."""

    name: str
    dev_eui: str
    join_eui: str
    app_key: str


@dataclass
class Outcome:
    """ledger: nodes by name. violations: what the audit found, as text; empty behind somebody else's server."""

    ledger: Ledger
    gateways: list[dict[str, Any]] = field(default_factory=list)
    messages: int = 0
    alarms: int = 0
    bad_payloads: int = 0
    node_seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What to simulate. source: the machine of node `number`. forward: (host, port) of a real network server.

    state: folder that keeps flash and keys from run to run; a real server refuses a DevNonce it has seen, so with
    `forward` it has to stay. Without one everything is thrown away.
    """

    nodes: int
    region: str
    duration_s: float
    source: Callable[[int], Source]
    gateways: int = 1
    sub_band: int = network_plan.DEFAULT_SUB_BAND
    loss: float = 0.0
    seed: int = 1
    first: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)
    board: str = BOARD
    forward: tuple[str, int] | None = None
    state: Path | None = None


def simulate(
    request: Request,
    on_line: OnLine = lambda _line: None,
    on_ready: Callable[[list[Identity]], None] = lambda _nodes: None,
) -> Outcome:
    """Run it to the end. on_line: every event, see Ledger, and "message" for decoded payloads. on_ready: before it
    starts, with what to register at a network server. Raises InputError, BoardError and what boards raise.
    """
    plan = regions.find(request.region)
    board = boards.load(request.board)
    if board.radio is None or not board.micropython.synthetic:
        raise InputError(f"board {board.name} is no virtual board with a LoRa radio: take {BOARD}")
    made = images.build(board)
    with ExitStack() as stack:
        folder = request.state
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="judder-sim-")))
        names = [f"node-{number:03d}" for number in range(request.first, request.first + request.nodes)]
        air = Air(
            _path_loss(request, names),
            loss=request.loss,
            seed=request.seed,
            real=request.forward is not None,
            patience_s=60.0 + _START_S * request.nodes,  # the first waits for the last to be switched on
        )
        gateways = _gateways(request, air, plan)
        identities = keep_identities(folder, names, request.first)
        on_ready(identities)
        server = None
        if request.forward is None:
            server = NetworkServer(air, plan, gateways, sub_band=request.sub_band, seed=request.seed)
            for one in identities:
                server.add(one.name, *map(bytes.fromhex, (one.dev_eui, one.join_eui, one.app_key)))
        else:
            for gateway in gateways:
                stack.enter_context(Forwarder(gateway, *request.forward, on_event=_forwarding(gateway, on_line)))
        outcome = Outcome(Ledger(air, gateways, on_line))
        if server is not None:
            server.on_event = _messages(outcome, on_line)
        with air.hold():
            fleet = [
                _node(request, board, made, folder, air, identity, request.first + place)
                for place, identity in enumerate(identities)
            ]
        for identity in identities:
            outcome.ledger.add(identity.name)
        stack.enter_context(air)
        for virtual in fleet:
            stack.enter_context(virtual)
        _run(fleet, request.duration_s, outcome)
        if not air.timeline.real:
            air.finish()
        if server is not None:
            outcome.violations = [str(violation) for violation in server.violations]
        outcome.set_aside = list(air.timeline.set_aside)
        outcome.gateways = [_report(gateway) for gateway in gateways]
        return outcome


def _run(fleet: list[VirtualBoard], duration_s: float, outcome: Outcome) -> None:
    running = list(fleet)
    while running:
        time.sleep(0.05)
        for virtual in [one for one in running if one.now_us >= duration_s * 1e6]:
            outcome.node_seconds += virtual.now_us / 1e6
            virtual.power_cut()
            running.remove(virtual)


# --- what it is made of


def _path_loss(request: Request, names: list[str]) -> propagation.PathLoss:
    """Nodes anywhere in a circle, gateways evenly on one a third as wide; one gateway stands in the middle."""
    chance = random.Random(request.seed)
    places: dict[str, tuple[float, float]] = {}
    for name in names:
        radius_m, angle = _RADIUS_M * math.sqrt(chance.random()), 2 * math.pi * chance.random()
        places[name] = radius_m * math.cos(angle), radius_m * math.sin(angle)
    for number in range(request.gateways):
        angle, radius_m = 2 * math.pi * number / request.gateways, 0.0 if request.gateways == 1 else _RADIUS_M / 3
        places[gateway_eui(number).hex()] = radius_m * math.cos(angle), radius_m * math.sin(angle)
    return propagation.log_distance(places, seed=request.seed)


def gateway_eui(number: int) -> bytes:
    """EUI of gateway `number`, to register it under."""
    return _GATEWAY_MARK + (0xFF0000 + number).to_bytes(3, "big")


def _gateways(request: Request, air: Air, plan: Plan) -> list[Gateway]:
    return [
        network_plan.make_gateway(air, gateway_eui(number), plan, request.sub_band)
        for number in range(request.gateways)
    ]


def keep_identities(folder: Path, names: list[str], first: int) -> list[Identity]:
    """Identities in folder/devices.csv: those that are there stay, new ones get a random key of their own.

    Raises InputError for a file that cannot be read.
    """
    path = folder / "devices.csv"
    known: dict[str, Identity] = {}
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                known = {row["name"]: Identity(**row) for row in csv.DictReader(file)}
        except (OSError, TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path}: cannot be used ({error!r}); take another folder") from error
    wanted = []
    for number, name in enumerate(names, first):
        eui = factory.eui64(factory.mac_address(number)).hex()
        wanted.append(known.get(name) or Identity(name, eui, JOIN_EUI.hex(), os.urandom(16).hex()))
    rows = list({**known, **{one.name: one for one in wanted}}.values())
    folder.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(0o600)  # keys
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["name", "dev_eui", "join_eui", "app_key"])
        writer.writeheader()
        writer.writerows(vars(one) for one in rows)
    new.replace(path)
    return wanted


def _node(
    request: Request, board: Board, made: images.Images, folder: Path, air: Air, identity: Identity, number: int
) -> VirtualBoard:
    mac = factory.mac_address(number)
    values: dict[str, Value] = {"mode": 0, "interval_s": 300, "acceleration_rms_warning_mg": 250}
    values |= dict(request.values)
    values |= {
        "node_id": factory.eui64(mac),
        "link": schema.LINKS.index("lorawan"),
        "lorawan_region": _choice("lorawan_region", regions.find(request.region).name.lower()),
        "app_key": bytes.fromhex(identity.app_key),
        "join_eui": bytes.fromhex(identity.join_eui),
        "dev_eui": bytes.fromhex(identity.dev_eui),
        "antenna_gain_db": ANTENNA_GAIN_DB,
    }
    if regions.find(request.region).fixed:
        values["lorawan_sub_band"] = request.sub_band
    flash = factory.remake_flash(folder / f"{identity.name}.bin", board, made, values)
    wiring = Wiring.for_board(board, request.source(number), medium=air)
    virtual = VirtualBoard(
        flash,
        chip=board.chip.name,
        flash_size=board.flash_bytes,
        mac=mac,
        wiring=wiring,
        clock=VIRTUAL if request.forward is None else REAL,
    )
    # Nobody switches a whole plant on in one moment.
    later_us = 0 if air.timeline.real else random.Random(f"{request.seed}/{number}").randrange(_SPREAD_US)
    wiring.attach(air, air.station(identity.name, virtual.clock, gain_dbi=ANTENNA_GAIN_DB, later_us=later_us))
    return virtual


def _choice(name: str, word: str) -> int:
    """Stored value of a setting that is one of several words."""
    words = settings.row(name)[3]
    assert isinstance(words, tuple)
    return words.index(word)


# --- what is told


def _messages(outcome: Outcome, on_line: OnLine) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        body = event.body
        line: dict[str, Any] = {"node": event.device.name, "time": body["time"]}
        if event.kind == "log":
            on_line({"event": "log", **line, "code": body["code"], "description": body["description"]})
        if event.kind != "up":
            return
        try:
            record = decode(base64.b64decode(body.get("data", "")))
        except DecodeError as error:
            outcome.bad_payloads += 1
            on_line({"event": "bad payload", **line, "description": str(error)})
            return
        outcome.messages += 1
        outcome.alarms += record.kind == "alarm"
        on_line({"event": "message", **line, "f_cnt": body.get("fCnt", 0), **record.to_dict()})

    return on_event


def _forwarding(gateway: Gateway, on_line: OnLine) -> Callable[[str, dict[str, Any]], None]:
    def on_event(kind: str, details: dict[str, Any]) -> None:
        on_line({"event": f"forwarder {kind}", "gateway": gateway.eui.hex(), **details})

    return on_event


def _report(gateway: Gateway) -> dict[str, Any]:
    counts = gateway.counts
    return {
        "gateway": gateway.eui.hex(),
        "received": counts.received,
        "damaged": counts.damaged,
        "deaf": counts.deaf,
        "sent": counts.sent,
        "sent_s": round(counts.sent_us / 1e6, 3),
        "refused": counts.refused,
    }
