"""The narrow side of a modem model: what its radio asks of a LoRaWAN network, one exchange of class A at a time.

The modem does frames, keys and receive windows by itself, so what is left is who may join and what an uplink brings
back. A network server serves this by making the frames in between; tests serve it with a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks to join. EUIs as they are printed, most significant byte first. region: as in the settings."""

    dev_eui: bytes
    join_eui: bytes
    app_key: bytes
    region: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a join gives, or an ABP modem was told. Keys are the network's business: empty where nobody needs them."""

    dev_addr: bytes
    nwk_s_key: bytes = b""
    app_s_key: bytes = b""
    rx1_delay_s: int = 1


@dataclass(frozen=True, slots=True)
class Uplink:
    """port None: an empty frame, for the answers of the MAC or to fetch what waits. counter: FCntUp."""

    port: int | None
    payload: bytes
    confirmed: bool
    data_rate: int
    counter: int


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


class Network(Protocol):
    """Times are board time in microseconds."""

    def join(self, identity: Identity, data_rate: int, now_us: int) -> Session | None:
        """A join request went out at now_us; None when no join accept comes back."""

    def uplink(self, session: Session, uplink: Uplink, now_us: int) -> Answer:
        """An uplink went out at now_us. A network that did not hear it, or does not know the session, says nothing:
        Answer()."""


class Silence:
    """No gateway far and wide."""

    def join(self, *_request: object) -> None:
        """Nobody answers."""

    def uplink(self, *_frame: object) -> Answer:
        """Nobody hears it."""
        return Answer()
