"""Observations to SCADA hosts over Sparkplug B 3.0: the gateway is an edge node, every node a device of it.

Sparkplug sends with QoS 0; write() returns when the broker has taken everything. With primary_host it also waits for
that to be there: what comes meanwhile stays in the spool, and comes as history. (judder.sink.spb)
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, SinkDown, durable, rows
from judder.sink.base import BaseSink
from judder.sink.mqtt import MqttOptions, Publisher
from judder.sink.spb import metrics
from judder.sink.spb.edge import EdgeNode, Settings

_NO_ID = re.compile(r"[+#/\0]")


@dataclass(slots=True, kw_only=True)
class SparkplugOptions(MqttOptions):
    """group, edge_node: Sparkplug's ids of this gateway, no two gateways have the same; edge_node is the computer's
    name unless given. primary_host: the host application without which nothing is sent, empty: none. expire_after_s:
    when a node that says nothing is dead, at least twice the time between readings; 0: never. historical_after_s: what
    waited longer is history, unless it is the newest of its node. typed_data: say types in data too: some hosts read
    nothing without; the specification advises against it. state: a file of our own, one for each sink."""

    group: str = "Judder"
    edge_node: str = field(default_factory=socket.gethostname)
    primary_host: str = ""
    expire_after_s: float = 3600.0
    historical_after_s: float = 300.0
    typed_data: bool = True
    state: Path = Path("sparkplug.state")
    kinds: tuple[str, ...] = metrics.KINDS

    def __post_init__(self) -> None:
        MqttOptions.__post_init__(self)
        self.state = Path(self.state)
        for key in ("group", "edge_node", "primary_host"):
            text = getattr(self, key)
            if _NO_ID.search(text) or (not text and key != "primary_host"):
                raise InputError(f"{key}: {text!r} is no id for Sparkplug, which has no +, # or / in it")
        for key in ("expire_after_s", "historical_after_s"):
            if not getattr(self, key) >= 0:
                raise InputError(f"{key}: {getattr(self, key):g} is not at least 0")


class NumbersInFile:
    """bdSeq, 0 to 255 and round, in a text file: the number last used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None

    def next(self) -> int:
        if self._last is None:
            try:
                self._last = int(self._path.read_text()) % 256
            except FileNotFoundError:
                self._last = 255  # the first is 0
            except (OSError, ValueError) as error:
                raise SinkDown(f"cannot read the number in {self._path}: {error}; remove it to begin anew") from error
        return (self._last + 1) % 256

    def use(self, number: int) -> None:
        try:
            durable.make_folder(self._path.parent)
            with durable.placing(self._path) as file:
                file.write(b"%d\n" % number)
        except OSError as error:
            raise SinkDown(f"cannot write {self._path}: {error.strerror or error}") from error
        self._last = number


class SparkplugSink(BaseSink):
    """Without captures; nodes by their id, so an uplink that names none is left out."""

    name = "sparkplug"
    KINDS = metrics.KINDS

    def __init__(self, options: SparkplugOptions, clock: Callable[[], float] = time.time) -> None:
        super().__init__(options)
        settings = Settings(
            options.group,
            options.edge_node,
            options.primary_host,
            options.expire_after_s,
            options.historical_after_s,
            options.typed_data,
        )
        self._edge = EdgeNode(settings, NumbersInFile(options.state), clock)
        # One id for one edge node: the broker ends what a crash left over before the new one is born.
        self._publisher = Publisher(options, self._edge, f"judder-{options.group}-{options.edge_node}")

    def takes(self, observation: Observation) -> bool:
        return bool(observation.node) and super().takes(observation)

    def write(self, batch: Sequence[Observation]) -> None:
        for index, observation in enumerate(batch):
            for at in (observation.at, observation.heard_at):
                if at is not None and rows.moment(at) is None:
                    raise Poisoned(index, f"no calendar has its time, {at!r}")
        self._publisher.send(lambda: self._edge.data(batch))

    def close(self) -> None:
        self._publisher.close()


PLUGIN = Plugin(SparkplugOptions, SparkplugSink)
