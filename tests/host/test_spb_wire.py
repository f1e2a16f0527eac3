"""Sparkplug payloads on the wire, written by us and read by the protobuf package, and the other way round."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.host import spb_host

from judder.errors import InputError
from judder.sink.spb import wire

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
VALUES = st.one_of(
    st.tuples(st.just(wire.INT32), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.tuples(st.just(wire.INT64), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just(wire.DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(wire.BOOLEAN), st.booleans()),
    st.tuples(st.just(wire.STRING), TEXTS),
    st.tuples(st.sampled_from([wire.INT32, wire.DOUBLE, wire.STRING]), st.none()),
)
U64 = st.integers(0, (1 << 64) - 1)
METRICS = st.tuples(
    VALUES,
    st.none() | TEXTS,
    st.booleans(),
    st.none() | U64,
    st.none() | U64,
    st.booleans(),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(METRICS, max_size=4), U64, st.none() | st.integers(0, 255))
def test_what_we_write_protobuf_reads(described: list[Any], at_ms: int, seq: int | None) -> None:
    bodies = []
    for (type_, value), name, says_type, alias, when, historical, properties in described:
        said = wire.Metric(name, value, type_ if says_type else None, when, alias, historical, properties)
        bodies.append(wire.metric(said, type_))
    found = spb_host.parse(wire.payload(at_ms, bodies, seq))
    assert found.timestamp == at_ms
    assert (found.seq if found.HasField("seq") else None) == seq
    assert len(found.metrics) == len(described)
    for metric, row in zip(found.metrics, described, strict=True):
        (type_, value), name, says_type, alias, when, historical, properties = row
        assert spb_host.value_of(metric, type_) == value
        assert (metric.name if metric.HasField("name") else None) == name
        assert (metric.datatype if metric.HasField("datatype") else None) == (type_ if says_type else None)
        assert (metric.alias if metric.HasField("alias") else None) == alias
        assert (metric.timestamp if metric.HasField("timestamp") else None) == when
        assert metric.is_historical == historical
        found_properties = zip(metric.properties.keys, metric.properties.values, strict=True)
        assert tuple((key, one.string_value) for key, one in found_properties) == properties
        assert all(one.type == wire.STRING for one in metric.properties.values)


@settings(max_examples=100, deadline=None)
@given(TEXTS, U64, st.booleans(), st.floats(width=32, allow_nan=False), TEXTS)
def test_what_protobuf_writes_we_read(name: str, number: int, truth: bool, small: float, text: str) -> None:
    made = spb_host.Payload(timestamp=number, seq=3, uuid="u", body=b"b")
    made.metrics.add(name=name, boolean_value=truth, datatype=11, timestamp=number, is_transient=True)
    made.metrics.add(alias=number, long_value=number, is_historical=True)
    made.metrics.add(float_value=small)
    made.metrics.add(double_value=math.pi).properties.keys.append("k")
    made.metrics.add(string_value=text)
    made.metrics.add(bytes_value=b"\x00")
    found = wire.read(made.SerializeToString())
    assert [one.value for one in found] == [truth, number, small, math.pi, text, None]
    assert found[0] == wire.Metric(name, truth, 11, number)
    assert (found[1].alias, found[1].historical) == (number, True)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        wire.read(body)
    except InputError as error:
        assert str(error).startswith("Sparkplug")


@pytest.mark.parametrize("cut", range(1, len(spb_host.rebirth_command())))
def test_a_command_cut_short_asks_for_nothing_it_does_not_say(cut: int) -> None:
    whole = spb_host.rebirth_command()
    assert [one.value for one in wire.read(whole)] == [True]
    try:
        found = wire.read(whole[:cut])
    except InputError:
        return
    assert found == []
