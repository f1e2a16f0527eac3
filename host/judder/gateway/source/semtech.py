"""A LoRaWAN gateway's packet forwarder, over Semtech's UDP protocol, for nodes whose session keys are at hand (ABP).

No network server: nothing is sent to nodes, and none can join. Each datagram is answered when its frames are in the
spool; forwarders mostly do not send again, so a gateway that is down misses what comes meanwhile.
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Plugin
from judder.ingest import events, semtech

_WAIT_S = 0.5
_LARGEST = 65536
_AT_ONCE = 100
# What the kernel keeps for us while the disk is slow.
_BUFFER_BYTES = 4 << 20


@dataclass(slots=True, kw_only=True)
class SemtechOptions:
    """sessions: TOML file with the nodes' session keys, as for judder decode --sessions. host, port: address to listen
    at; forwarders send to UDP port 1700."""

    sessions: Path
    host: str = "127.0.0.1"
    port: int = field(default=1700)

    def __post_init__(self) -> None:
        if not self.host or not 0 <= self.port <= 65535:
            raise InputError(f"host, port: {self.host}:{self.port} is no address and UDP port")


class SemtechSource:
    def __init__(self, options: SemtechOptions) -> None:
        self._options = options

    def where(self) -> str:
        return f"udp://{self._options.host}:{self._options.port}"

    def run(self, desk: Desk) -> None:
        open_frame = desk.open_frames(self._options.sessions)
        family = socket.AF_INET6 if ":" in self._options.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            udp.bind((self._options.host, self._options.port))
            desk.connected(True)
            while not desk.stopping:
                batch = _collect(udp)
                arrivals = [
                    arrival for data, _sender in batch for arrival in arrivals_of(data, time.time(), open_frame)
                ]
                if arrivals:
                    desk.take(arrivals)
                for data, sender in batch:
                    answer = semtech.answer(data)
                    if answer:
                        with contextlib.suppress(OSError):
                            udp.sendto(answer, sender)


def arrivals_of(data: bytes, now: float, open_frame: semtech.OpenFrame) -> list[Arrival]:
    """What a datagram holds. Frames of nodes that are not in the sessions are no news: the air is full of them."""
    try:
        frames = semtech.datagram(data, received_at=now)
    except InputError as error:
        return [Arrival(Poison(Uplink("", data, now, semtech.SOURCE), error))]
    found: list[Arrival] = []
    for frame in frames:
        event = semtech.event(frame, open_frame)
        if isinstance(event, events.Foreign) and not event.node:
            event = events.Other("", frame.received_at, semtech.SOURCE, None, "frame of another network")
        found.append(Arrival(event))
    return found


def _collect(udp: socket.socket) -> list[tuple[bytes, Any]]:
    """What is there, after waiting a moment for the first."""
    batch: list[tuple[bytes, Any]] = []
    udp.settimeout(_WAIT_S)
    with contextlib.suppress(TimeoutError, BlockingIOError):
        while len(batch) < _AT_ONCE:
            batch.append(udp.recvfrom(_LARGEST))
            udp.settimeout(0)
    return batch


PLUGIN = Plugin(SemtechOptions, SemtechSource)
