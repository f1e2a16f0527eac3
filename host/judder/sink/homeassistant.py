"""Nodes as devices of Home Assistant: discovery and states over MQTT (judder.integrate.homeassistant).

Discovery is retained and said again at every connection and when Home Assistant starts. States are not retained, for a
retained one would count as new at every start of Home Assistant; they are said again then as long as they hold. Home
Assistant dates a state when it comes, so what comes late or waited too long is history it has no place for: left out.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from judder.decode.records import Hello
from judder.errors import InputError
from judder.flow import Observation
from judder.integrate import homeassistant as ha
from judder.sink import Plugin, rows
from judder.sink.base import BaseSink
from judder.sink.mqtt import Message, MqttOptions, Publisher, Role

_REMEMBERED = 10_000  # nodes
_TOPIC = re.compile(r"[^+#\0/][^+#\0]*(?<!/)")
_STATUS = b"online"


def _host_name() -> str:
    return re.sub(r"[^0-9A-Za-z_-]", "-", socket.gethostname())[:40] or "judder"


@dataclass(slots=True, kw_only=True)
class HomeAssistantOptions(MqttOptions):
    """discovery_prefix: as set in Home Assistant. states: what topics of states begin with. gateway: this gateway's
    name, a topic under states says whether it is there; the computer's unless given. expire_after_s: when a node that
    says nothing is unavailable, at least twice the time between readings; 0: never."""

    discovery_prefix: str = "homeassistant"
    states: str = "judder-ha"
    gateway: str = field(default_factory=_host_name)
    expire_after_s: int = 3600
    kinds: tuple[str, ...] = ("reading", "alarm", "hello")

    def __post_init__(self) -> None:
        MqttOptions.__post_init__(self)
        for key in ("discovery_prefix", "states"):
            if not _TOPIC.fullmatch(getattr(self, key)):
                raise InputError(f"{key}: {getattr(self, key)!r} is no beginning of a topic")
        if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", self.gateway):
            raise InputError(f"gateway: {self.gateway!r}: up to 64 letters, digits, - and _ are expected")
        if self.expire_after_s < 0:
            raise InputError(f"expire_after_s: {self.expire_after_s} is not at least 0")


@dataclass(slots=True)
class _Node:
    """What is known of a node. states: last level of a topic -> (when it was true, the state)."""

    name: str | None = None
    hello: Hello | None = None
    states: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    heard_at: float = 0.0
    online: bool = False


class Presence(Role):
    """Does no I/O. clock: Unix time in seconds."""

    def __init__(self, options: HomeAssistantOptions, clock: Callable[[], float]) -> None:
        self._topics = ha.Topics(options.discovery_prefix, options.states, options.gateway)
        self._expire_after_s = options.expire_after_s
        self._clock = clock
        self._nodes: dict[str, _Node] = {}  # the longest silent first
        self.subscriptions = (f"{options.discovery_prefix}/status",)

    def will(self) -> Message:
        return Message(self._topics.gateway_availability, ha.OFFLINE, retain=True)

    def greet(self) -> Iterator[Message]:
        yield Message(self._topics.gateway_availability, ha.ONLINE, retain=True)
        for node, known in self._nodes.items():
            yield from self._introduce(node, known)

    def heard(self, message: Message) -> Iterable[Message]:
        """Home Assistant started. A retained word of it is of some time before."""
        return self.greet() if message.payload == _STATUS and not message.retain else ()

    def farewell(self) -> Iterable[Message]:
        return (self.will(),)

    def tick(self) -> Iterator[Message]:
        for node, known in self._nodes.items():
            if known.online and not self._holds(known.heard_at):
                known.online = False
                yield self._availability(node, known)

    def news(self, batch: Sequence[Observation]) -> Iterator[Message]:
        for observation in batch:
            yield from self._news_of(observation)

    def _news_of(self, observation: Observation) -> Iterator[Message]:
        node = observation.node
        known = self._nodes.pop(node, None)
        new = known is None
        known = known or _Node()
        self._nodes[node] = known
        if len(self._nodes) > _REMEMBERED:
            del self._nodes[next(iter(self._nodes))]
        changed = self._learn(observation, known)
        found = self._current(observation, known)
        if found:
            known.heard_at = max(known.heard_at, min(self._clock(), self._at(observation)))
        online, known.online = known.online, self._holds(known.heard_at)
        if new or changed:
            yield self._discovery(node, known)
        if new or online != known.online:
            yield self._availability(node, known)
        for what, state in found.items():
            yield self._state(node, what, state)

    def _learn(self, observation: Observation, known: _Node) -> bool:
        """Whether there is something that discovery tells."""
        before = known.name, known.hello
        if observation.uplink.name:
            known.name = rows.line(observation.uplink.name)
        if isinstance(observation.record, Hello) and "late" not in observation.problems:
            known.hello = observation.record
        return (known.name, known.hello) != before

    def _current(self, observation: Observation, known: _Node) -> dict[str, dict[str, Any]]:
        """Its states that are the newest of their topic; those are remembered."""
        at = self._at(observation)
        if "late" in observation.problems or not self._holds(at):
            return {}
        found = {
            what: state
            for what, state in ha.states(observation).items()
            if what not in known.states or at >= known.states[what][0]
        }
        known.states.update({what: (at, state) for what, state in found.items()})
        return found

    def _introduce(self, node: str, known: _Node) -> Iterator[Message]:
        yield self._discovery(node, known)
        known.online = self._holds(known.heard_at)
        yield self._availability(node, known)
        for what, (at, state) in known.states.items():
            if self._holds(at):
                yield self._state(node, what, state)

    def _at(self, observation: Observation) -> float:
        """Where no clock can be believed it was now."""
        at = observation.at
        return self._clock() if at is None or rows.moment(at) is None else at

    def _holds(self, at: float) -> bool:
        return not self._expire_after_s or at > self._clock() - self._expire_after_s

    def _discovery(self, node: str, known: _Node) -> Message:
        said = ha.discovery(node, self._topics, expire_after_s=self._expire_after_s, name=known.name, hello=known.hello)
        return Message(self._topics.discovery(node), _json(said), retain=True)

    def _availability(self, node: str, known: _Node) -> Message:
        return Message(self._topics.availability(node), ha.ONLINE if known.online else ha.OFFLINE, retain=True)

    def _state(self, node: str, what: str, state: dict[str, Any]) -> Message:
        return Message(self._topics.state(node, what), _json(state))


class HomeAssistantSink(BaseSink):
    """Nodes by their id: an uplink that names none is left out."""

    name = "homeassistant"
    KINDS = ("reading", "alarm", "hello")

    def __init__(self, options: HomeAssistantOptions, clock: Callable[[], float] = time.time) -> None:
        super().__init__(options)
        self._presence = Presence(options, clock)
        # The broker ends a connection a crash left over when the same id comes again, and says its will before, not
        # a minute after.
        self._publisher = Publisher(options, self._presence, f"judder-ha-{options.gateway}")

    def takes(self, observation: Observation) -> bool:
        return bool(observation.node) and super().takes(observation)

    def write(self, batch: Sequence[Observation]) -> None:
        self._publisher.send(lambda: list(self._presence.news(batch)))

    def close(self) -> None:
        self._publisher.close()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


PLUGIN = Plugin(HomeAssistantOptions, HomeAssistantSink)
