"""Where uplinks come from. What a source is, and which there are.

A source is one module with an options dataclass and PLUGIN. Its options are the keys of its [[source]] in gateway.toml;
those marked judder.sink.secret(...) are shown to nobody. Importing the module needs no optional package.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from judder.errors import InputError
from judder.gateway.intake import Arrival
from judder.ingest.semtech import OpenFrame


class Stopped(Exception):
    """The gateway stops; what was not taken comes again."""


class Desk(Protocol):
    """What a source is handed: the way in. origin: its name. identity: of this gateway, different for any other.
    open_port: opens a serial port, a pyserial object. open_frames: a file of session keys -> what opens LoRaWAN frames.
    """

    origin: str
    identity: str
    open_port: Callable[[str], Any]
    open_frames: Callable[[Path], OpenFrame]

    @property
    def stopping(self) -> bool: ...

    def take(self, arrivals: Sequence[Arrival], position: str | None = None) -> None:
        """Durable when it returns; then acknowledge. While the disk refuses, it waits. Raises Stopped.

        position: where the source is after these, in its own words; Desk.position() gives it after a start.
        """

    def position(self) -> str | None: ...

    def connected(self, is_up: bool, why: str = "") -> None:
        """Tell as often as you like."""

    def missed(self, total: int) -> None:
        """So many messages were dropped so far because nobody took them in time."""

    def note(self, message: str, level: str = "info") -> None:
        """A line for the log. level: "info" or "warning"."""

    def pause(self, seconds: float) -> bool:
        """Wait; True when the gateway stops."""


class Source(Protocol):
    def where(self) -> str:
        """For people: address and topics, path, port; no secret."""

    def run(self, desk: Desk) -> None:
        """Until desk.stopping. Raises JudderError or OSError when it cannot go on: it is then started again."""


class Plugin(NamedTuple):
    """options: its dataclass. make: a source from them; raises InputError for options that cannot be, or for a package
    that is not there, with the command that installs it."""

    options: type[Any]
    make: Callable[[Any], Source]


# Type, as in gateway.toml -> (module, attribute).
_MODULES = {
    "broker": ("judder.gateway.source.broker", "PLUGIN"),
    "mqtt": ("judder.gateway.source.mqtt", "MQTT"),
    "chirpstack": ("judder.gateway.source.mqtt", "CHIRPSTACK"),
    "tts": ("judder.gateway.source.mqtt", "TTS"),
    "file": ("judder.gateway.source.file", "PLUGIN"),
    "console": ("judder.gateway.source.console", "PLUGIN"),
    "semtech": ("judder.gateway.source.semtech", "PLUGIN"),
    "nats": ("judder.gateway.source.nats", "PLUGIN"),
}


def names() -> tuple[str, ...]:
    return tuple(_MODULES)


def load(name: str) -> Plugin:
    """The type of source of that name. Raises InputError for one there is not, with the nearest there is."""
    if name not in _MODULES:
        near = get_close_matches(name, _MODULES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no source {name!r}; {hint}There are {', '.join(_MODULES)}")
    module, attribute = _MODULES[name]
    found: Plugin = getattr(importlib.import_module(module), attribute)
    return found
