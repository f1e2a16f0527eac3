"""A Sparkplug host for tests: reads with the protobuf package, and holds an edge node to the specification as it reads.

The schema is the part of sparkplug_b.proto (specification 3.0, section 6.4.1) a reading can need, field for field. The
rules are named by their ids there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

# Types of FieldDescriptorProto.
DOUBLE, FLOAT, UINT64, BOOL, STRING, MESSAGE, BYTES, UINT32 = 1, 2, 4, 8, 9, 11, 12, 13
OPTIONAL, REPEATED = 1, 3

# Message -> (name, number, type, label, in the oneof "value", type of message).
_SCHEMA: dict[str, list[tuple[str, int, int, int, bool, str]]] = {
    "Payload": [
        ("timestamp", 1, UINT64, OPTIONAL, False, ""),
        ("metrics", 2, MESSAGE, REPEATED, False, "Metric"),
        ("seq", 3, UINT64, OPTIONAL, False, ""),
        ("uuid", 4, STRING, OPTIONAL, False, ""),
        ("body", 5, BYTES, OPTIONAL, False, ""),
    ],
    "Metric": [
        ("name", 1, STRING, OPTIONAL, False, ""),
        ("alias", 2, UINT64, OPTIONAL, False, ""),
        ("timestamp", 3, UINT64, OPTIONAL, False, ""),
        ("datatype", 4, UINT32, OPTIONAL, False, ""),
        ("is_historical", 5, BOOL, OPTIONAL, False, ""),
        ("is_transient", 6, BOOL, OPTIONAL, False, ""),
        ("is_null", 7, BOOL, OPTIONAL, False, ""),
        ("properties", 9, MESSAGE, OPTIONAL, False, "PropertySet"),
        ("int_value", 10, UINT32, OPTIONAL, True, ""),
        ("long_value", 11, UINT64, OPTIONAL, True, ""),
        ("float_value", 12, FLOAT, OPTIONAL, True, ""),
        ("double_value", 13, DOUBLE, OPTIONAL, True, ""),
        ("boolean_value", 14, BOOL, OPTIONAL, True, ""),
        ("string_value", 15, STRING, OPTIONAL, True, ""),
        ("bytes_value", 16, BYTES, OPTIONAL, True, ""),
    ],
    "PropertySet": [
        ("keys", 1, STRING, REPEATED, False, ""),
        ("values", 2, MESSAGE, REPEATED, False, "PropertyValue"),
    ],
    "PropertyValue": [
        ("type", 1, UINT32, OPTIONAL, False, ""),
        ("is_null", 2, BOOL, OPTIONAL, False, ""),
        ("int_value", 3, UINT32, OPTIONAL, True, ""),
        ("long_value", 4, UINT64, OPTIONAL, True, ""),
        ("float_value", 5, FLOAT, OPTIONAL, True, ""),
        ("double_value", 6, DOUBLE, OPTIONAL, True, ""),
        ("boolean_value", 7, BOOL, OPTIONAL, True, ""),
        ("string_value", 8, STRING, OPTIONAL, True, ""),
    ],
}


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_test.proto", package="test", syntax="proto2")
    for name, rows in _SCHEMA.items():
        message = file.message_type.add(name=name)
        if any(row[4] for row in rows):
            message.oneof_decl.add(name="value")
        for field_name, number, type_, label, in_oneof, of in rows:
            added = message.field.add(name=field_name, number=number, type=type_, label=label)
            if of:
                added.type_name = f".test.{of}"
            if in_oneof:
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Payload"))


Payload: Any = _payload_class()
NAMES = {3: "int_value", 4: "long_value", 10: "double_value", 11: "boolean_value", 12: "string_value"}


def parse(body: bytes) -> Any:
    """A payload with nothing in it that the schema does not know."""
    found = Payload.FromString(body)
    assert not _unknown(found)
    return found


def _unknown(message: Message) -> bool:
    if len(UnknownFieldSet(message)):  # type: ignore[arg-type]
        return True
    for descriptor, value in message.ListFields():
        if descriptor.message_type:
            each = [value] if isinstance(value, Message) else value
            if any(_unknown(one) for one in each):
                return True
    return False


def value_of(metric: Any, type_: int) -> Any:
    """As section 6.4.16 says: integers are two's complement in unsigned fields."""
    if metric.is_null:
        assert metric.WhichOneof("value") is None
        return None
    assert metric.WhichOneof("value") == NAMES[type_], (metric, type_)
    value = getattr(metric, NAMES[type_])
    bits = {3: 32, 4: 64}.get(type_)
    return value - (1 << bits) if bits and value >> (bits - 1) else value


@dataclass
class Sample:
    """A value as it came. metric: its name."""

    metric: str
    value: Any
    at_ms: int
    historical: bool


@dataclass
class Device:
    alive: bool = False
    tags: dict[str, Any] = field(default_factory=dict)  # current values
    samples: list[Sample] = field(default_factory=list)  # all that came in DDATA
    births: int = 0
    units: dict[str, str] = field(default_factory=dict)


class Host:
    """feed() takes what the edge node publishes and raises AssertionError where a rule is broken."""

    def __init__(self, group: str, edge_node: str) -> None:
        self._prefix = f"spBv1.0/{group}/"
        self._edge_node = edge_node
        self.typed = True
        self.online = False
        self.births = 0
        self.bdseq: int | None = None
        self.bdseqs: list[int] = []
        self.devices: dict[str, Device] = {}
        self.verbs: list[str] = []
        self._seq = -1
        self._aliases: dict[int, tuple[str, str, int]] = {}

    def feed(self, topic: str, body: bytes, qos: int, retain: bool) -> None:
        assert topic.startswith(self._prefix), topic
        verb, edge_node, *device = topic.removeprefix(self._prefix).split("/")
        assert edge_node == self._edge_node
        assert not retain, "payloads-*-retain"
        payload = parse(body)
        self.verbs.append(verb)
        assert payload.HasField("timestamp")
        if verb == "NDEATH":
            self._ndeath(payload, qos)
            return
        assert qos == 0, "payloads-*-qos"
        if verb == "NBIRTH":
            self._seq = -1
        expected = (self._seq + 1) % 256
        assert payload.HasField("seq") and payload.seq == expected, f"payloads-sequence-num: {payload.seq} {expected}"
        self._seq = payload.seq
        if verb == "NBIRTH":
            assert not device
            self._nbirth(payload)
            return
        assert self.online, "message-flow-edge-node-birth-publish: before the NBIRTH"
        (name,) = device
        found = self.devices.setdefault(name, Device())
        if verb == "DBIRTH":
            self._dbirth(name, found, payload)
        elif verb == "DDATA":
            self._ddata(name, found, payload)
        else:
            assert verb == "DDEATH"
            assert found.alive and not payload.metrics
            found.alive = False

    def _nbirth(self, payload: Any) -> None:
        self.online = True
        self.births += 1
        self._aliases = {}
        for device in self.devices.values():
            device.alive = False
        by_name = {metric.name: metric for metric in payload.metrics}
        self._check_birth("", payload)
        rebirth = by_name["Node Control/Rebirth"]
        assert rebirth.datatype == 11 and rebirth.boolean_value is False, "payloads-nbirth-rebirth-req"
        assert not rebirth.HasField("alias"), "operational-behavior-data-commands-rebirth-name-aliases"
        self.bdseq = value_of(by_name["bdSeq"], 4)
        self.bdseqs.append(self.bdseq or 0)
        assert 0 <= self.bdseqs[-1] <= 255

    def _ndeath(self, payload: Any, qos: int) -> None:
        assert qos == 1, "payloads-ndeath-will-message-qos"
        assert not payload.HasField("seq"), "payloads-ndeath-seq"
        (metric,) = payload.metrics
        assert metric.name == "bdSeq"
        if value_of(metric, 4) == self.bdseq:
            self.online = False
            for device in self.devices.values():
                device.alive = False

    def _check_birth(self, device: str, payload: Any) -> None:
        names = [metric.name for metric in payload.metrics]
        assert len(names) == len({name.lower() for name in names}), "case-sensitivity-metric-names"
        for metric in payload.metrics:
            assert metric.name and metric.HasField("datatype") and metric.HasField("timestamp")
            value_of(metric, metric.datatype)
            if metric.name != "Node Control/Rebirth":
                assert metric.HasField("alias"), "payloads-alias-birth-requirement"
                assert metric.alias not in self._aliases, "payloads-alias-uniqueness"
                self._aliases[metric.alias] = device, metric.name, metric.datatype
            assert len(metric.properties.keys) == len(metric.properties.values), "payloads-propertyset-*-array-size"

    def _dbirth(self, name: str, device: Device, payload: Any) -> None:
        self._aliases = {alias: known for alias, known in self._aliases.items() if known[0] != name}
        self._check_birth(name, payload)
        device.alive = True
        device.births += 1
        device.tags = {metric.name: value_of(metric, metric.datatype) for metric in payload.metrics}
        device.units = {
            metric.name: metric.properties.values[0].string_value
            for metric in payload.metrics
            if metric.properties.keys
        }
        assert not any(metric.is_historical for metric in payload.metrics)

    def _ddata(self, name: str, device: Device, payload: Any) -> None:
        assert device.alive, "payloads-ddata-order: before the DBIRTH"
        assert payload.metrics
        for metric in payload.metrics:
            assert not metric.HasField("name"), "payloads-alias-data-cmd-requirement"
            # Where it is not there: payloads-metric-datatype-not-req, which is a SHOULD.
            assert metric.HasField("datatype") == self.typed
            assert metric.HasField("timestamp"), "payloads-name-birth-data-requirement"
            of, tag, type_ = self._aliases[metric.alias]
            assert of == name
            assert not self.typed or metric.datatype == type_
            value = value_of(metric, type_)
            device.samples.append(Sample(tag, value, metric.timestamp, metric.is_historical))
            if not metric.is_historical:
                device.tags[tag] = value


def rebirth_command() -> bytes:
    """As a host asks for it (section 6.4.23)."""
    made = Payload(timestamp=1486144502122)
    made.metrics.add(name="Node Control/Rebirth", timestamp=1486144502122, datatype=11, boolean_value=True)
    body: bytes = made.SerializeToString()
    return body
