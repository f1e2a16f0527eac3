"""What a network keeps of a device: identity, sessions, what waits to be sent to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.mirror import Mirror

ADR_HISTORY = 20


@dataclass
class Item:
    """A downlink of the application. attempts: how often a confirmed one is sent before it counts as failed."""

    id: str
    port: int
    payload: bytes
    confirmed: bool = False
    attempts: int = 1


@dataclass
class Heard:
    """One uplink for the ADR algorithm. snr_db: at the best gateway."""

    fcnt: int
    snr_db: float


@dataclass
class Session:
    """Keys, counters and settings from one join to the next. fcnt_up: last one taken, -1 before; fcnt_down: next."""

    dev_addr: int
    nwk_s_key: bytes
    app_s_key: bytes
    settings: Mirror
    fcnt_up: int = -1
    fcnt_down: int = 0
    adr: bool = False
    history: deque[Heard] = field(default_factory=lambda: deque(maxlen=ADR_HISTORY))
    to_send: list[Command] = field(default_factory=list)  # MAC commands for the next downlink
    unanswered: list[Command] = field(default_factory=list)  # sent, and nothing came back yet
    tries: int = 0  # of `unanswered`
    adr_refusals: int = 0
    awaiting_ack: Item | None = None
    awaiting_fcnt: int = 0


@dataclass
class Device:
    """EUIs and keys are bytes as printed. app_key: empty for ABP. queue: downlinks of the application, in order."""

    name: str
    dev_eui: bytes
    join_eui: bytes = b""
    app_key: bytes = b""
    last_dev_nonce: int = -1
    join_nonce: int = 0
    session: Session | None = None
    offered: Session | None = None  # accepted, and the device has not used it yet
    queue: deque[Item] = field(default_factory=deque)
    # Instead of the next answer: PHYPayloads for window 1 or 2, as they are.
    injected: deque[tuple[int, bytes]] = field(default_factory=deque)
    commands: list[bytes] = field(default_factory=list)  # MAC bytes to send as they are, one downlink each
    uplinks: int = 0
    downlinks: int = 0
    joins: int = 0
    airtime_us: int = 0
    rates: dict[str, int] = field(default_factory=dict)
    last_snr_db: float | None = None
    sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))  # PHYPayloads of data downlinks, newest last
