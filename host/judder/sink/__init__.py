"""Observations -> the outside world. What a sink is, and which there are.

    plugin = sink.load("influx")
    writer = plugin.make(plugin.options(url="http://127.0.0.1:8086", bucket="judder"))
    writer.write([o for o in observations if writer.takes(o)])

A sink is one module with an options dataclass and PLUGIN. Its options are the keys of its table in gateway.toml. Those
marked secret(...) are shown to nobody. Importing the module needs no optional package; making the sink may.
Sinks of your own: an entry point of the group "judder.sinks", its name the sink's, that points to a Plugin.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, NamedTuple, Protocol

from judder.errors import InputError, JudderError
from judder.flow import Observation

ENTRY_POINTS = "judder.sinks"


class SinkDown(JudderError):
    """Nothing can be taken for now: the server is away, the disk is full, the key is refused. Try all of it again.

    retry_after_s: what the other side asked to wait, None when it said nothing.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Poisoned(JudderError):
    """batch[index] can never be taken, for this reason. Set it aside and write the rest again."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class Sink(Protocol):
    """Where observations go. Used by one thread. Making one reaches for no server: that is for write() to find out.

    name: as in the list of sinks. batch_size: observations it likes at once. linger_s: how long it is worth waiting
    for that many.
    """

    batch_size: int
    linger_s: float

    @property
    def name(self) -> str: ...

    def takes(self, observation: Observation) -> bool:
        """Whether it belongs here: options say which kinds, and duplicates are left out unless they are asked for."""

    def open(self) -> None:
        """Before the first write, by the same thread: what others come to listens from here on. Most have nothing to
        do. Raises SinkDown, and is then called again."""

    def write(self, batch: Sequence[Observation]) -> None:
        """Take those that takes() let pass, oldest first. Returns when they are safe on the other side, not before.

        Writing one again, alone or in another batch, changes nothing. Raises SinkDown or Poisoned; then some of the
        batch may have been taken, and all of it has to be written again, without the poisoned one.
        """

    def close(self) -> None:
        """Let go of files and connections. Nothing is lost by it, nor by being killed."""


@dataclass(slots=True, kw_only=True)
class SinkOptions:
    """Keys every sink has. A sink's own dataclass inherits them; wrong values raise InputError that names the key.

    kinds: which records, as records name them; empty: all the sink can say something with. duplicates: also messages
    that came before. batch_size, linger_s: see Sink.
    """

    kinds: tuple[str, ...] = ()
    duplicates: bool = False
    batch_size: int = 500
    linger_s: float = 1.0

    def __post_init__(self) -> None:
        self.kinds = tuple(self.kinds)
        for kind in self.kinds:
            if kind not in KINDS:
                raise InputError(f"kinds: {kind!r} is not one of {', '.join(KINDS)}")
        if self.batch_size < 1:
            raise InputError(f"batch_size: {self.batch_size} is not at least 1")
        if self.linger_s < 0:
            raise InputError(f"linger_s: {self.linger_s:g} is not at least 0")


# As records name them, in order of how many a fleet sends.
KINDS = ("reading", "alarm", "hello", "spectrum", "capture", "ack", "command", "unknown")


def secret(default: str = "") -> Any:
    """Field of an options dataclass whose value is in no log, message or report."""
    return field(default=default, repr=False, metadata={"secret": True})


class Plugin(NamedTuple):
    """options: its dataclass. make: a sink from them; raises InputError for options that cannot be, or a package
    that is not there, with the command that installs it."""

    options: type[SinkOptions]
    make: Callable[[Any], Sink]


# Name, as in gateway.toml -> module.
_MODULES = {
    "ndjson": "judder.sink.ndjson",
    "sqlite": "judder.sink.sqlite",
    "csv": "judder.sink.csv",
    "senml": "judder.sink.senml",
    "influx": "judder.sink.influx",
    "webhook": "judder.sink.webhook",
    "postgres": "judder.sink.postgres",
    "prometheus": "judder.sink.prometheus",
    "parquet": "judder.sink.parquet",
    "mqtt_json": "judder.sink.mqtt_json",
    "homeassistant": "judder.sink.homeassistant",
    "sparkplug": "judder.sink.sparkplug",
}


def names() -> tuple[str, ...]:
    """Sinks there are: Judder's, then those of installed plug-ins."""
    others = sorted(point.name for point in entry_points(group=ENTRY_POINTS) if point.name not in _MODULES)
    return (*_MODULES, *others)


def load(name: str) -> Plugin:
    """The sink of that name. Raises InputError for one there is not, with the nearest there is."""
    if name in _MODULES:
        return _plugin(name, importlib.import_module(_MODULES[name]).PLUGIN)
    for point in entry_points(group=ENTRY_POINTS, name=name):
        try:
            return _plugin(name, point.load())
        except Exception as error:  # what a foreign module raises at import is not ours to know
            raise InputError(f"sink {name!r}: its plug-in {point.value} does not load: {error}") from error
    near = get_close_matches(name, names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"there is no sink {name!r}; {hint}There are {', '.join(names())}")


def _plugin(name: str, found: object) -> Plugin:
    if not isinstance(found, Plugin):
        raise InputError(f"sink {name!r}: {type(found).__name__} where a judder.sink.Plugin is expected")
    return found


def needs(package: str, extra: str, error: ImportError) -> InputError:
    """What to raise when an optional package is not there."""
    return InputError(f"{package} is needed ({error}): pip install 'judder[{extra}]'")
