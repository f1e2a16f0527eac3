"""An edge node of Sparkplug B 3.0 that speaks for all nodes of a gateway, each a device. No I/O but through its Role.

What the specification asks for, by its ids: births before data, all of them again on a Rebirth
(message-flow-edge-node-*, operational-behavior-data-commands-rebirth-*), seq 0 to 255 (payloads-sequence-num-*), a will
whose bdSeq is that of the next NBIRTH (payloads-ndeath-*), aliases that are one metric's alone (payloads-alias-*), and
waiting for a primary host where one is named (message-flow-edge-node-birth-publish-phid-*).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from judder import __version__
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import SinkDown
from judder.sink.mqtt import Leave, Message, Role
from judder.sink.spb import metrics, wire

REBIRTH = "Node Control/Rebirth"
_REMEMBERED = 10_000  # devices
# Aliases of a device: its number, and that of the metric in the low bits. Below the first device's are the edge node's.
_ALIAS_BITS = 10
_BDSEQ, _SOFTWARE = 1, 2
assert len(metrics.DEFINITIONS) < 1 << _ALIAS_BITS


class Numbers(Protocol):
    """bdSeq numbers, one for each connection, over restarts."""

    def next(self) -> int:
        """The next, again and again until it is used."""

    def use(self, number: int) -> None:
        """It went out in a CONNECT that was accepted. Raises SinkDown when that cannot be kept."""


@dataclass(slots=True)
class Settings:
    """primary_host: whose STATE to wait for, "" for none. expire_after_s: a silent device is dead then, 0: never.
    historical_after_s: what waited longer in this gateway is history, unless it is the newest there is. typed_data: say
    types in data too: the specification advises against it, and some hosts read nothing without."""

    group: str
    edge_node: str
    primary_host: str = ""
    expire_after_s: float = 3600.0
    historical_after_s: float = 300.0
    typed_data: bool = True


@dataclass(slots=True)
class _Device:
    number: int
    values: dict[int, tuple[Any, int]] = field(default_factory=dict)  # number of a metric -> (value, at_ms)
    newest: dict[str, float] = field(default_factory=dict)  # group -> at_s
    heard_at: float = 0.0
    alive: bool = False  # and so in the births


class EdgeNode(Role):
    """clock: Unix time in seconds."""

    def __init__(self, settings: Settings, numbers: Numbers, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._numbers = numbers
        self._clock = clock
        self._devices: dict[str, _Device] = {}  # the longest silent first
        self._made = 0
        self._seq = 0
        self._bdseq = 0
        self._born = False
        self._host_online = False
        self._host_at = -1.0
        self._command = f"spBv1.0/{settings.group}/NCMD/{settings.edge_node}"
        self._state = f"spBv1.0/STATE/{settings.primary_host}"
        self.subscriptions = (self._command, *([self._state] if settings.primary_host else []))

    # --- of a connection

    def will(self) -> Message:
        self._born = False
        self._bdseq = self._numbers.next()
        return self._death()

    def greet(self) -> Iterable[Message]:
        self._numbers.use(self._bdseq)
        # What the host is now comes with the subscription.
        self._host_online = not self._settings.primary_host
        return self._births() if self._host_online else ()

    def heard(self, message: Message) -> Iterable[Message]:
        if message.topic == self._state and self._settings.primary_host:
            return self._host(message.payload)
        # A command that the broker kept is of some time before, and would come with every connection.
        if message.topic == self._command and not message.retain and self._born and _asks_for_rebirth(message.payload):
            return self._births()
        return ()

    def tick(self) -> Iterable[Message]:
        if not self._born or not self._settings.expire_after_s:
            return []
        late = self._clock() - self._settings.expire_after_s
        return [self._bury(name, one) for name, one in self._devices.items() if one.alive and one.heard_at <= late]

    def farewell(self) -> Iterable[Message]:
        return [self._death()] if self._born else []

    def _host(self, payload: bytes) -> Iterable[Message]:
        try:
            said = json.loads(payload)
            online, at = said["online"], said["timestamp"]
            if not isinstance(online, bool) or not isinstance(at, int | float):
                return ()
        except (ValueError, TypeError, KeyError):
            return ()
        if at < self._host_at:  # a will of a connection before
            return ()
        self._host_at, self._host_online = at, online
        if online and not self._born:
            return self._births()
        if self._born and not online:
            raise Leave
        return ()

    # --- data

    def data(self, batch: Sequence[Observation]) -> list[Message]:
        """What a batch is in messages. Raises SinkDown while the primary host is away."""
        if not self._born:
            raise SinkDown(f"the primary host {self._settings.primary_host} is offline")
        grouped = [metrics.groups(one) for one in batch]
        last = {(one.node, group.name): i for i, one in enumerate(batch) for group in grouped[i]}
        found: list[Message] = []
        for i, one in enumerate(batch):
            followed = {group.name for group in grouped[i] if last[one.node, group.name] > i}
            found += self._data_of(one, grouped[i], followed)
        return found

    def _data_of(
        self, observation: Observation, groups: Sequence[metrics.Group], followed: set[str]
    ) -> Iterator[Message]:
        """followed: names of groups of which this batch has a later one of the same node."""
        now = self._clock()
        device = self._devices.pop(observation.node, None) or self._new_device()
        self._devices[observation.node] = device
        if len(self._devices) > _REMEMBERED:
            name, forgotten = next(iter(self._devices.items()))
            if forgotten.alive:
                yield self._bury(name, forgotten)
            del self._devices[name]
        received = observation.heard_at if observation.heard_at is not None else now
        device.heard_at = max(device.heard_at, min(received, now))
        waited = now - received > self._settings.historical_after_s
        live: dict[int, tuple[Any, int]] = {}
        history: dict[int, tuple[Any, int]] = {}
        for name, at, values in groups:
            at_s = now if at is None else at
            old = "late" in observation.problems and name != "link"
            if old or at_s < device.newest.get(name, at_s) or (waited and name in followed):
                history |= {i: (value, _ms(at_s)) for i, value in values.items() if value is not None}
                continue
            device.newest[name] = at_s
            for i, value in values.items():
                # Null is said once: when what was there is there no more.
                if value is not None or device.values.get(i, (None,))[0] is not None:
                    live[i] = value, _ms(at_s)
        device.values |= live
        if not device.alive:
            device.alive = True
            yield self._birth(observation.node, device)
            live = {}  # it is in there
        said = [self._metric(device, i, value, at) for i, (value, at) in live.items()]
        said += [self._metric(device, i, value, at, historical=True) for i, (value, at) in history.items()]
        if said:
            yield self._message("DDATA", observation.node, said)

    def _new_device(self) -> _Device:
        self._made += 1
        return _Device(self._made)

    # --- messages

    def _births(self) -> list[Message]:
        self._born = True
        self._seq = 0
        now = _ms(self._clock())
        said = [
            self._bdseq_metric(now, alias=_BDSEQ),
            # Without an alias (operational-behavior-data-commands-rebirth-name-aliases).
            wire.metric(wire.Metric(REBIRTH, False, wire.BOOLEAN, now), wire.BOOLEAN),
            wire.metric(
                wire.Metric("Properties/Software", f"Judder {__version__}", wire.STRING, now, _SOFTWARE), wire.STRING
            ),
        ]
        found = [self._message("NBIRTH", "", said)]
        return found + [self._birth(name, one) for name, one in self._devices.items() if one.alive]

    def _birth(self, name: str, device: _Device) -> Message:
        now = _ms(self._clock())
        said = [
            self._metric(device, i, *device.values.get(i, (None, now)), birth=True)
            for i in range(len(metrics.DEFINITIONS))
        ]
        return self._message("DBIRTH", name, said)

    def _bury(self, name: str, device: _Device) -> Message:
        device.alive = False
        return self._message("DDEATH", name, [])

    def _death(self) -> Message:
        now = _ms(self._clock())
        return Message(self._topic("NDEATH"), wire.payload(now, [self._bdseq_metric(now)]))

    def _bdseq_metric(self, now_ms: int, alias: int | None = None) -> bytes:
        return wire.metric(wire.Metric("bdSeq", self._bdseq, wire.INT64, now_ms, alias), wire.INT64)

    def _metric(
        self, device: _Device, i: int, value: Any, at_ms: int, *, historical: bool = False, birth: bool = False
    ) -> bytes:
        name, type_, unit = metrics.DEFINITIONS[i]
        alias = device.number << _ALIAS_BITS | i
        type_said = type_ if birth or self._settings.typed_data else None
        said = wire.Metric(None, value, type_said, at_ms, alias, historical)
        if birth:
            said.name = name
            said.properties = (("engUnit", unit),) if unit else ()
        return wire.metric(said, type_)

    def _message(self, verb: str, device: str, said: Iterable[bytes]) -> Message:
        # All but the will, and an NDEATH in its place, go with QoS 0 (topics-*-mqtt).
        made = Message(self._topic(verb, device), wire.payload(_ms(self._clock()), said, self._seq), qos=0)
        self._seq = (self._seq + 1) % 256
        return made

    def _topic(self, verb: str, device: str = "") -> str:
        topic = f"spBv1.0/{self._settings.group}/{verb}/{self._settings.edge_node}"
        return f"{topic}/{device}" if device else topic


def _asks_for_rebirth(payload: bytes) -> bool:
    try:
        return any(found.name == REBIRTH and found.value is True for found in wire.read(payload))
    except InputError:
        return False


def _ms(at_s: float) -> int:
    return max(0, round(at_s * 1000))
