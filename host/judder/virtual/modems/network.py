"""The narrow side of a modem model: what its stack asks of a LoRaWAN network, one exchange of class A at a time.

    Model --commands--> Station (data rate, duty cycle, counters) --join, uplink--> Network

judder.virtual.modems.on_air makes real frames and has a network server at the other end of the air; Prompt asks
somebody who knows the answer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_JOIN_DELAY_US = 5_000_000
_SECOND_US = 1_000_000
_WINDOW_US = 100_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks to join. EUIs as they are printed, most significant byte first. region: as in the settings.

    channels: numbers of a fixed plan it keeps to, empty for all.
    """

    dev_eui: bytes
    join_eui: bytes
    app_key: bytes
    region: str
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """What a join gives, or an ABP modem was told. Keys are the network's business: empty where nobody needs them."""

    dev_addr: bytes
    nwk_s_key: bytes = b""
    app_s_key: bytes = b""
    rx1_delay_s: int = 1


@dataclass(frozen=True, slots=True)
class Uplink:
    """port None: an empty frame, for the answers of the MAC or to fetch what waits. counter: FCntUp.

    mac_bytes: what Answer.mac_bytes said last. region, channels: as in Identity.
    """

    port: int | None
    payload: bytes
    confirmed: bool
    data_rate: int
    counter: int
    adr: bool = True
    mac_bytes: int = 0
    region: str = "eu868"
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Downlink:
    """A payload for the application. window: 1 or 2."""

    port: int
    payload: bytes
    confirmed: bool = False
    multicast: bool = False
    window: int = 1
    rssi_dbm: int = -70
    snr_db: int = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says to an uplink. pending: more is waiting. data_rate: from now on (LinkADRReq).

    mac_bytes: answers to MAC commands that the next uplink has to carry.
    """

    acknowledged: bool = False
    downlink: Downlink | None = None
    pending: bool = False
    data_rate: int | None = None
    mac_bytes: int = 0


class Clock(Protocol):
    """Board time in microseconds, as the model has it."""

    @property
    def now_us(self) -> int:
        """Of what happens just now."""

    def at(self, when_us: float, what: Callable[[], None]) -> None:
        """Do it then."""


class Network(Protocol):
    """Each call begins to transmit now and says what came of it when the windows are over, by `done`, on that clock.

    air_us: how long the frame takes.
    """

    def join(
        self, identity: Identity, data_rate: int, air_us: int, clock: Clock, done: Callable[[Session | None], None]
    ) -> None:
        """A join request; None when no join-accept comes back."""

    def uplink(
        self, session: Session, uplink: Uplink, air_us: int, clock: Clock, done: Callable[[Answer], None]
    ) -> None:
        """An uplink; Answer() when nobody heard it, or knows the session."""


class Directory(Protocol):
    """A network that needs no frames and no time. now_us: when the frame begins."""

    def join(self, identity: Identity, data_rate: int, now_us: int) -> Session | None:
        """See Network."""

    def uplink(self, session: Session, uplink: Uplink, now_us: int) -> Answer:
        """See Network."""


class Silence:
    """No gateway far and wide."""

    def join(self, *_request: object) -> None:
        """Nobody answers."""

    def uplink(self, *_frame: object) -> Answer:
        """Nobody hears it."""
        return Answer()


class Prompt:
    """Asks a Directory and keeps the times of the receive windows."""

    def __init__(self, directory: Directory | None = None) -> None:
        self.directory = directory or Silence()

    def join(
        self, identity: Identity, data_rate: int, air_us: int, clock: Clock, done: Callable[[Session | None], None]
    ) -> None:
        """See Network."""
        session = self.directory.join(identity, data_rate, clock.now_us)
        wait_us = _JOIN_DELAY_US + (_SECOND_US if session is None else 0) + _WINDOW_US
        clock.at(clock.now_us + air_us + wait_us, lambda: done(session))

    def uplink(
        self, session: Session, uplink: Uplink, air_us: int, clock: Clock, done: Callable[[Answer], None]
    ) -> None:
        """See Network."""
        answer = self.directory.uplink(session, uplink, clock.now_us)
        down = answer.downlink
        first = answer.acknowledged if down is None else down.window == 1
        wait_us = session.rx1_delay_s * 1_000_000 + (0 if first else _SECOND_US) + _WINDOW_US
        clock.at(clock.now_us + air_us + wait_us, lambda: done(answer))
