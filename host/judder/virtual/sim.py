"""A fleet of virtual nodes, each the real firmware on a MicroPython of its own, to stdout or to a broker."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from judder.decode import decode
from judder.decode.records import Record
from judder.device import boards, images
from judder.device.boards import Board
from judder.device.profile import Value
from judder.errors import DecodeError, DeviceError, InputError
from judder.ingest.console import ConsoleReader
from judder.virtual import factory, machines
from judder.virtual.board import VirtualBoard
from judder.virtual.clock import VIRTUAL
from judder.virtual.signal import Sequence, Source
from judder.virtual.wiring import Wiring
from judder_core import schema

_FOREVER_S = 1e9

# name -> machine of node `number`; seeds differ, so no two nodes report the same numbers.
SCENARIOS: dict[str, Callable[[int, float], Source]] = {
    "healthy": lambda seed, _s: machines.imbalance(0.05 + 0.01 * (seed % 7), seed=seed),
    "imbalance": lambda seed, _s: machines.imbalance(0.6, seed=seed),
    "misalignment": lambda seed, _s: machines.misalignment(seed=seed),
    "bearing": lambda seed, _s: machines.bearing_fault(seed=seed),
    "stopped": lambda seed, _s: machines.standstill(seed=seed),
    "clipped": lambda seed, _s: machines.clipped(seed=seed),
    "failing": lambda seed, duration_s: Sequence(
        [(duration_s / 2, machines.imbalance(seed=seed)), (_FOREVER_S, machines.bearing_fault(seed=seed))]
    ),
}
MIXED = "mixed"
_MIXED_ORDER = ("healthy", "healthy", "failing", "healthy", "misalignment", "stopped", "healthy", "bearing")

OnMessage = Callable[[str, Record, float], None]


@dataclass
class Totals:
    """nodes that ran, messages by kind heard on the consoles (none of them when they go to a broker), bad frames."""

    nodes: int = 0
    messages: int = 0
    alarms: int = 0
    bad_frames: int = 0
    board_seconds: float = 0.0


def machine_of(scenario: str, duration_s: float) -> Callable[[int], Source]:
    """What shakes node `number`, from 0. Raises InputError for a scenario there is none of."""
    if scenario != MIXED and scenario not in SCENARIOS:
        raise InputError(f"there is no scenario '{scenario}'; there are {', '.join([*SCENARIOS, MIXED])}")

    def machine(number: int) -> Source:
        kind = _MIXED_ORDER[number % len(_MIXED_ORDER)] if scenario == MIXED else scenario
        return SCENARIOS[kind](number + 1, duration_s)

    return machine


def simulate(
    count: int,
    scenario: str,
    *,
    duration_s: float,
    values: Mapping[str, Value] | None = None,
    broker: tuple[str, int] | None = None,
    pace: float | None = None,
    first: int = 0,
    board: Board | None = None,
    on_message: OnMessage = lambda _node, _record, _time: None,
) -> Totals:
    """Run `count` nodes for duration_s of their time. broker: (host, port), default their consoles.

    on_message(node id, record, board time in s) for what comes over the consoles, one at a time. first: number of the
    first node, which makes its identity. Raises InputError for a scenario there is none of, DeviceError when nothing
    listens at the broker's address, and what the boards raise.
    """
    machine = machine_of(scenario, duration_s)
    board = boards.load(boards.DEFAULT) if board is None else board
    base: dict[str, Value] = {"mode": 0, "interval_s": 60, "acceleration_rms_warning_mg": 250}
    base |= dict(values or {})
    if broker is not None:
        _reach(broker)
        base |= {"link": schema.LINKS.index("wifi"), "wifi_ssid": "virtual"}
        base |= {"mqtt_host": broker[0], "mqtt_port": broker[1]}
    made = images.build(board)
    totals = Totals()
    lock = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="judder-sim-") as folder, ExitStack() as stack:
        fleet = []
        for number in range(first, first + count):
            mac = factory.mac_address(number)
            flash = factory.make_flash(
                Path(folder) / f"{number}.bin", board, made, {**base, "node_id": factory.eui64(mac)}
            )
            virtual = VirtualBoard(
                flash,
                chip=board.chip.name,
                flash_size=board.flash_bytes,
                mac=mac,
                wiring=Wiring.for_board(board, machine(number)),
                clock=VIRTUAL,
                pace=pace,
            )
            virtual.console(_listener(virtual, totals, lock, on_message))
            stack.enter_context(virtual)
            fleet.append(virtual)
            totals.nodes += 1
        running = list(fleet)
        while running:
            time.sleep(0.1)
            for virtual in [one for one in running if one.now_us >= duration_s * 1e6]:
                totals.board_seconds += virtual.now_us / 1e6
                virtual.power_cut()
                running.remove(virtual)
    return totals


def _reach(broker: tuple[str, int]) -> None:
    """Nodes try for ever, as they should; a person who mistyped the address wants to know at once."""
    host, port = broker
    try:
        socket.create_connection(broker, timeout=5).close()
    except OSError as error:
        raise DeviceError(f"no broker at {host}:{port} ({error}); is it running?") from error


def _listener(
    virtual: VirtualBoard, totals: Totals, lock: threading.Lock, on_message: OnMessage
) -> Callable[[bytes], None]:
    reader = ConsoleReader()

    def hear(data: bytes) -> None:
        for node, payload in reader.feed(data):
            with lock:
                try:
                    record = decode(payload)
                except DecodeError:
                    totals.bad_frames += 1
                    continue
                totals.messages += 1
                totals.alarms += record.kind == "alarm"
                on_message(node.hex(), record, virtual.now_us / 1e6)

    return hear
