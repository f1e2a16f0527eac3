"""What flows through a gateway: Uplink -> Observation -> sinks; Poison for what could not be decoded.

    uplink = Uplink("70b3d57ed0000001", payload, received_at=1764043200.0, source="mqtt")
    observation = tracker.feed(uplink, decode(uplink.payload))

`ingest` makes the first, `decode` reads its payload, `decode.track` makes the second, a sink takes it. Types only: no
input or output, no clock. Slotted dataclasses that can be changed, like records: frozen ones cost twice the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from judder.decode.clocks import AHEAD, BEHIND
from judder.decode.records import Record
from judder.errors import InputError, JudderError

# Where an uplink came in. A plain text, so that a plug-in may add its own.
SOURCES = ("mqtt", "chirpstack", "tts", "nats", "console", "semtech", "file")

_EUI = re.compile(r"[0-9a-f]{16}")


@dataclass(slots=True)
class Uplink:
    """One payload as it came in, with what its carrier said of it. None: not said.

    node: EUI-64 as 16 lower-case hex digits, "" where the carrier names no node. received_at: Unix time in seconds, of
    the network server where it gives one, else of this computer. source: one of SOURCES.

    port: LoRaWAN FPort. fcnt: LoRaWAN uplink frame counter; 0 where a server leaves a zero out. session: what tells
    one join from the next (devAddr or session key id). confirmed: the node asked for an acknowledgement. gateway: the
    one that heard it best. data_rate: as "SF7BW125". name: what people call the device. tags: the server's. dedup: the
    server's own id of this uplink.
    """

    node: str
    payload: bytes
    received_at: float
    source: str
    port: int | None = None
    fcnt: int | None = None
    session: str | None = None
    confirmed: bool = False
    rssi_dbm: float | None = None
    snr_db: float | None = None
    gateway: str | None = None
    data_rate: str | None = None
    frequency_hz: int | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    dedup: str | None = None


@dataclass(slots=True)
class Observation:
    """A record with who sent it and when it was true.

    measured_at: Unix time in seconds: received_at less the age the node gave; None for records without one. problems:
    words of the Tracker ("duplicate", "late", "gap:3", "reboot", ...), empty when all is as it should be. heard_at:
    received_at as the Tracker believes it: this computer's time in place of a clock that is off; None: not said.
    """

    uplink: Uplink
    record: Record
    measured_at: float | None = None
    problems: tuple[str, ...] = ()
    heard_at: float | None = None

    @property
    def node(self) -> str:
        return self.uplink.node

    @property
    def received_at(self) -> float:
        return self.uplink.received_at

    @property
    def at(self) -> float | None:
        """When it was true, as well as can be told: measured, else received. None where no clock can be believed."""
        if self.measured_at is not None:
            return self.measured_at
        if self.heard_at is not None:
            return self.heard_at
        return None if AHEAD in self.problems or BEHIND in self.problems else self.uplink.received_at


@dataclass(slots=True)
class Poison:
    """An uplink that can never be taken, and why. It is set aside; those after it go on."""

    uplink: Uplink
    error: JudderError


def node_id(text: str) -> str:
    """An EUI-64 as people and servers write it (upper case, with - or : between bytes) -> 16 lower-case hex digits.

    Raises InputError for anything else.
    """
    plain = text.strip().lower().replace("-", "").replace(":", "")
    if not _EUI.fullmatch(plain):
        raise InputError(f"{text!r} is no EUI-64; 16 hex digits are expected, as 70b3d57ed0000001")
    return plain
