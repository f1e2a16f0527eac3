"""What systemd wants to be told by a service of Type=notify, without a library: sd_notify(3).

One datagram of NAME=value lines to the socket that NOTIFY_SOCKET names; a leading @ stands for an abstract one.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says nothing where no service manager asked for it. environment: os.environ, whose two variables it takes out so
    that programs started from here do not speak in our name."""

    def __init__(self, environment: dict[str, str] | os._Environ[str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environment)
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """To be called at least every watchdog_s / 2, as long as all is well."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto("\n".join(lines).encode(), address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """None where nobody watches, or somebody else is watched."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environment["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
