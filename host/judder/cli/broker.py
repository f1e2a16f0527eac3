"""A broker as people name it on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from judder.errors import InputError


@dataclass(frozen=True, slots=True)
class Target:
    """Of mqtt://user@host:port (1883), or mqtts:// (8883, TLS)."""

    host: str
    port: int
    user: str = ""
    tls: bool = False


def parse(url: str) -> Target:
    """Raises InputError for anything else, and for a password: other users of a computer see command lines."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"mqtt": 1883, "mqtts": 8883}.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not port or not parts.hostname or not re.fullmatch(r"/?", parts.path) or parts.query or parts.fragment:
        raise InputError(f"{url}: give mqtt://host:port, or mqtts://host:port for TLS")
    if parts.password is not None:
        raise InputError("leave the password out of the command line; JUDDER_MQTT_PASSWORD holds it")
    return Target(parts.hostname, port, parts.username or "", parts.scheme == "mqtts")
