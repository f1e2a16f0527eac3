"""A modem driver on CPython with a modem model on the other end of its UART, and a network that is a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chips import Time

from judder.virtual.modems.model import Model, character_us
from judder.virtual.modems.network import Answer, Downlink, Identity, Prompt, Session, Uplink
from judder.virtual.modems.rak3172 import Rak3172
from judder.virtual.modems.wioe5 import WioE5 as WioE5Model
from judder_core import codec, schema
from node.link.modem import driver
from node.link.modem.rak3172 import RAK3172
from node.link.modem.wioe5 import WioE5

NODE_ID = bytes.fromhex("024A44FFFE000001")
JOIN_EUI = bytes.fromhex("70B3D57ED0000001")
APP_KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
KINDS: dict[str, tuple[type[driver.Modem], type[Any]]] = {"rak3172": (RAK3172, Rak3172), "wioe5": (WioE5, WioE5Model)}

SETTINGS: dict[str, Any] = {
    "mode": 1,
    "lorawan_region": 0,
    "lorawan_activation": 0,
    "join_eui": JOIN_EUI,
    "dev_eui": b"",
    "app_key": APP_KEY,
    "dev_addr": b"",
    "nwk_s_key": b"",
    "app_s_key": b"",
    "lorawan_sub_band": 0,
    "lorawan_adr": 1,
    "lorawan_data_rate": 0,
    "lorawan_max_eirp_dbm": 0,
    "antenna_gain_db": 2,
    "lorawan_rx1_delay_s": 1,
    "lorawan_rx2_data_rate": 15,
    "lorawan_rx2_hz": 0,
    "lorawan_confirm": 0,
}


@dataclass
class Table:
    """Knows devices by DevEui and sessions by address. deaf: hears nothing. losses: answers that get lost, from now
    on. answers: what the next uplinks bring back, in order; then plain acknowledgements.
    """

    devices: dict[bytes, tuple[bytes, bytes]] = field(default_factory=lambda: {NODE_ID: (JOIN_EUI, APP_KEY)})
    sessions: set[bytes] = field(default_factory=set)
    deaf: bool = False
    losses: int = 0
    answers: list[Answer] = field(default_factory=list)
    joins: list[tuple[Identity, int, int]] = field(default_factory=list)
    uplinks: list[Uplink] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)

    def join(self, identity: Identity, data_rate: int, now_us: int) -> Session | None:
        self.joins.append((identity, data_rate, now_us))
        if self.deaf or self.devices.get(identity.dev_eui) != (identity.join_eui, identity.app_key):
            return None
        address = (0x26010000 + len(self.joins)).to_bytes(4, "big")
        self.sessions.add(address)
        return Session(address)

    def uplink(self, session: Session, uplink: Uplink, now_us: int) -> Answer:
        if self.deaf or session.dev_addr not in self.sessions:
            return Answer()
        self.uplinks.append(uplink)
        self.at_us.append(now_us)
        if self.losses:
            self.losses -= 1
            return Answer()
        return self.answers.pop(0) if self.answers else Answer(acknowledged=uplink.confirmed)

    @property
    def messages(self) -> list[tuple[int | None, bytes]]:
        """(port, payload) of what was heard, empty frames left out."""
        return [(uplink.port, uplink.payload) for uplink in self.uplinks if uplink.payload]


class Wire:
    """The node's UART. chunk: bytes a read gives at most; take: bytes a write takes at most."""

    name = "UART 2 (tx 17, rx 16, 115200 baud)"

    def __init__(self, model: Model, time: Time, baudrate: int, chunk: int = 1000, take: int = 1000) -> None:
        self.model = model
        self.time = time
        self.baudrate = baudrate
        self.chunk = chunk
        self.take = take
        self.reset_pin = False
        self.sent = b""
        self._fifo = b""
        self._free_us = 0.0

    def write(self, data: bytes) -> int | None:
        part = bytes(data[: self.take])
        start_us = max(self.time.now_us, self._free_us)
        self.model.hear(part, start_us, self.baudrate)
        self._free_us = start_us + len(part) * character_us(self.baudrate)
        self.sent += part
        return len(part) or None

    def readinto(self, buffer: bytearray) -> int | None:
        self._fifo = (self._fifo + self.model.speak(self.time.now_us, self.baudrate))[:1024]
        part = self._fifo[: min(self.chunk, len(buffer))]
        self._fifo = self._fifo[len(part) :]
        buffer[: len(part)] = part
        return len(part) or None

    def reset(self) -> bool:
        if self.reset_pin:
            self.model.reset(self.time.now_us)
        return self.reset_pin

    def commands(self) -> list[str]:
        """What the node said, a command a line."""
        lines = self.sent.replace(b"\xff", b"").decode("ascii").replace("\r", "\n").split("\n")
        return [line for line in lines if line]


class Bench:
    """Modem, wire, driver and network. said: lines for the console."""

    def __init__(
        self,
        kind: str,
        settings: dict[str, Any] | None = None,
        network: Table | None = None,
        model: Any = None,
        baudrate: int | None = None,
        chunk: int = 1000,
        take: int = 1000,
    ) -> None:
        self.kind = kind
        self.time = Time()
        self.network = Table() if network is None else network
        self.model = KINDS[kind][1](Prompt(self.network)) if model is None else model
        # The strictest a modem can be: after each frame the whole of its pause.
        self.model.station.burst_us = 0
        self.wire = Wire(self.model, self.time, baudrate or self.model.baudrate, chunk, take)
        self.settings = {**SETTINGS, **(settings or {})}
        self.said: list[str] = []
        self.draws = 0
        self.model.power_on()
        self.link = self.make()

    def make(self, session: bytes = b"", asleep_ms: int = 0) -> Any:
        """A driver as after a start, or after a deep sleep."""
        return KINDS[self.kind][0](
            self.wire, self.settings, NODE_ID, self.random, self.time, self.said.append, session, asleep_ms
        )

    def random(self, count: int) -> bytes:
        self.draws += 1
        return bytes((self.draws * 37 + place) & 0xFF for place in range(count))

    @property
    def now_s(self) -> float:
        return self.time.now_us / 1e6

    def run(self, until: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Let it work until something is so; AssertionError when it does not come."""
        end_us = self.time.now_us + seconds * 1e6
        while not (value := until()):
            assert self.time.now_us < end_us, (self.said, self.wire.commands()[-12:])
            self.link.step(20)
        return value

    def idle(self, seconds: float, leap: bool = False) -> None:
        """Let it work so long. leap: pass over the pauses it takes."""
        end_us = self.time.now_us + seconds * 1e6
        while self.time.now_us < end_us:
            if leap and self.link.pause_ms() > 100:
                self.time.sleep_ms(min(self.link.pause_ms() - 50, int(end_us - self.time.now_us) // 1000 + 1))
            self.link.step(20)

    def join(self, seconds: float = 60.0) -> None:
        self.run(self.link.ready, seconds)

    def deliver(self, message: bytes, tries: int = 20) -> None:
        """Send it until it is acknowledged, as the outbox does."""
        for _ in range(tries):
            self.run(self.link.ready, 1000)
            if self.send(message):
                return
        raise AssertionError((self.said, self.wire.commands()[-12:]))

    def send(self, message: bytes, confirmed: bool = True, seconds: float = 200.0) -> bool:
        """Send one message and wait for what becomes of it."""
        assert self.link.ready()
        outcome = self.link.send(message, confirmed)
        if outcome is None:
            outcome = self.run(lambda: (self.link.outcome(),) if self.link.outcome() is not None else None, seconds)[0]
        return outcome


def message(kind: int = schema.HELLO, length: int | None = None) -> bytes:
    """Some message of that kind, exactly `length` bytes long."""
    if length is None:
        return codec.encode(kind, [500, 12600, 3, 1, 77] if kind == schema.HELLO else [1, 2, 3, 4])
    head = bytes((0x98, 0x40, kind)) if length > 26 else bytes((0x80 | length - 1 & 0x1F, kind))
    return head + bytes(length - len(head))


def command(tag: int) -> Downlink:
    """A COMMAND as the network sends it."""
    return Downlink(schema.COMMAND + schema.FPORT_OFFSET, codec.encode(schema.COMMAND, [tag, 0, 0, {11: 30}]))
