"""Observations as JSON to a broker: one message each, on judder/<node id>/<kind>, QoS 1.

The object is the line NDJSON has of it. Its "id" is the same when a message is sent again: drop what came before.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, rows
from judder.sink.base import BaseSink
from judder.sink.mqtt import Message, MqttOptions, Publisher

_FIELDS = {"node", "kind"}
# Ends of the topics of nodes themselves: a gateway would hear itself.
_OF_NODES = ("up", "down", "status")


@dataclass(slots=True, kw_only=True)
class MqttJsonOptions(MqttOptions):
    """topic: where to, with {node} and {kind} for the node's id and the kind of record. retain: the broker keeps the
    last message of each topic for those that come later."""

    topic: str = "judder/{node}/{kind}"
    retain: bool = False

    def __post_init__(self) -> None:
        MqttOptions.__post_init__(self)
        try:
            found = {
                name for _text, name, _spec, _conversion in string.Formatter().parse(self.topic) if name is not None
            }
            example = self.topic.format(node="70b3d57ed0000001", kind="reading") if found <= _FIELDS else ""
        except ValueError:
            example = ""
        if not example or set("+#\0") & set(example):
            raise InputError(f"topic: {self.topic!r} is no topic with at most {{node}} and {{kind}} in it")
        levels = example.split("/")
        if len(levels) >= 3 and levels[-3] == "judder" and levels[-1] in _OF_NODES:
            raise InputError(f"topic: {self.topic!r} is what nodes use: a gateway would hear itself")


class MqttJsonSink(BaseSink):
    """A node that has no id is "unknown" in the topic."""

    name = "mqtt_json"

    def __init__(self, options: MqttJsonOptions) -> None:
        super().__init__(options)
        self._topic = options.topic
        self._retain = options.retain
        self._publisher = Publisher(options)

    def write(self, batch: Sequence[Observation]) -> None:
        messages = [self._message(index, observation) for index, observation in enumerate(batch)]
        self._publisher.send(lambda: messages)

    def _message(self, index: int, observation: Observation) -> Message:
        topic = self._topic.format(node=observation.node or "unknown", kind=observation.record.kind)
        _id, body = rows.json_line(index, observation)
        return Message(topic, body, self._retain)

    def close(self) -> None:
        self._publisher.close()


PLUGIN = Plugin(MqttJsonOptions, MqttJsonSink)
