"""A node's console on a serial port. Nothing is acknowledged there: what is sent while nobody listens is lost."""

from __future__ import annotations

from dataclasses import dataclass

from judder.errors import InputError
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Plugin
from judder.ingest import port as console_port


@dataclass(slots=True, kw_only=True)
class ConsoleOptions:
    """port: device path (better one of /dev/serial/by-id), rfc2217://host:port, socket://host:port or virtual."""

    port: str

    def __post_init__(self) -> None:
        if not self.port.strip():
            raise InputError("port: name one; 'judder ports' lists them")


class ConsoleSource:
    def __init__(self, options: ConsoleOptions) -> None:
        self._options = options

    def where(self) -> str:
        return self._options.port

    def run(self, desk: Desk) -> None:
        port = desk.open_port(self._options.port)
        try:
            desk.connected(True)
            # The reader ends when its clock says so: here, when the gateway stops.
            for event in console_port.uplinks(port, seconds=1, clock=lambda: 2.0 if desk.stopping else 0.0):
                desk.take([Arrival(event)])
        finally:
            port.close()


PLUGIN = Plugin(ConsoleOptions, ConsoleSource)
