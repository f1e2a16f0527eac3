"""The edge node of the Sparkplug sink, heard by a host that holds it to the specification; the clock in hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks, spb_host

from judder.decode import columns
from judder.errors import InputError
from judder.sink import Poisoned, SinkDown
from judder.sink.mqtt import Leave, Message
from judder.sink.sparkplug import NumbersInFile, SparkplugOptions, SparkplugSink
from judder.sink.spb import metrics
from judder.sink.spb.edge import EdgeNode, Settings
from judder_core import schema

VELOCITY = "reading/velocity_rms_worst_mm_s"
COMMAND = "spBv1.0/Plant/NCMD/gw"
STATE = "spBv1.0/STATE/scada"


class Line:
    """An edge node and a host that hears it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = sinks.T0
        self.numbers = NumbersInFile(folder / "state")
        self.edge = EdgeNode(Settings("Plant", "gw", **settings), self.numbers, lambda: self.now)
        self.host = spb_host.Host("Plant", "gw")
        self.last_will: Message | None = None

    def hear(self, messages: Iterable[Message]) -> list[str]:
        """Verbs of what was said."""
        before = len(self.host.verbs)
        for message in messages:
            self.host.feed(message.topic, message.payload, message.qos, message.retain)
        return self.host.verbs[before:]

    def connect(self) -> list[str]:
        self.last_will = self.edge.will()
        return self.hear(self.edge.greet())

    def lose(self) -> None:
        assert self.last_will is not None
        self.hear([self.last_will])

    def write(self, *batch: Any) -> list[str]:
        return self.hear(self.edge.data(batch))

    @property
    def device(self) -> spb_host.Device:
        return self.host.devices[sinks.NODE]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    made = Line(tmp_path)
    assert made.connect() == ["NBIRTH"]
    return made


def test_the_first_reading_of_a_node_is_in_its_birth_the_next_are_data(line: Line) -> None:
    assert line.write(sinks.lorawan(sinks.observed())) == ["DBIRTH"]
    expected = {
        VELOCITY: 3.12,
        "reading/zone": "B",
        "reading/clipped": False,
        "reading/battery_mv": 3312,
        "reading/acceleration_peak_z_mg": 300,
        "reading/skewness_x": -0.12,
        "link/rssi_dbm": -101.0,
        "link/name": "Pump 3, drive end",
        "link/problems": "",
        "hello/firmware": None,
    }
    assert {name: line.device.tags[name] for name in expected} == expected
    assert line.device.units[VELOCITY] == "mm/s" and line.device.units["reading/temperature_c"] == "°C"
    assert line.write(sinks.observed(received_at=sinks.T0 + 60)) == ["DDATA"]
    sample = next(one for one in line.device.samples if one.metric == VELOCITY)
    assert sample == spb_host.Sample(VELOCITY, 3.12, int(sinks.T0 + 55) * 1000, False)


def test_every_kind_and_every_column_of_it_is_a_metric(line: Line) -> None:
    taken = [one for one in sinks.one_of_each() if one.record.kind in metrics.KINDS]
    assert line.write(*taken) == ["DBIRTH", "DDATA", "DDATA", "DDATA"]
    tags = line.device.tags
    assert (tags["alarm/value"], tags["alarm/unit"], tags["alarm/alarm_level"]) == (7.52, "mm/s", "danger")
    assert tags["hello/firmware"] == "1.2.3" and tags["hello/settings_crc"] == 0xDEADBEEF
    assert tags["spectrum/x/line1_frequency_hz"] == 24.5 and tags["spectrum/y/line1_frequency_hz"] is None
    for kind in metrics.KINDS:
        folder = "spectrum/x" if kind == "spectrum" else kind
        assert {f"{folder}/{column.name}" for column in columns.COLUMNS[kind] if column.name != "axis"} <= set(tags)


def test_types_are_in_data_unless_they_are_not_wanted(tmp_path: Path) -> None:
    line = Line(tmp_path, typed_data=False)
    line.host.typed = False
    line.connect()
    assert line.write(sinks.observed(), sinks.observed(received_at=sinks.T0 + 60)) == ["DBIRTH", "DDATA"]
    assert line.device.tags[VELOCITY] == 3.12


def test_null_is_said_when_a_value_is_there_no_more(line: Line) -> None:
    line.write(sinks.observed())
    line.write(sinks.observed(values=[0, 320], received_at=sinks.T0 + 60))
    tags = line.device.tags
    assert (tags["reading/zone"], tags["reading/temperature_c"], tags[VELOCITY]) == (None, None, 3.2)
    said = len(line.device.samples)
    line.write(sinks.observed(values=[0, 321], received_at=sinks.T0 + 120))
    assert "reading/zone" not in {one.metric for one in line.device.samples[said:]}


def test_seq_goes_round(line: Line) -> None:
    for n in range(600):  # the host checks every one
        line.write(sinks.observed(received_at=sinks.T0 + 60 * n))
    assert line.host.verbs.count("DDATA") == 599


def test_aliases_are_one_metrics_alone(line: Line) -> None:
    for i in range(50):  # the host checks them all
        assert line.write(sinks.observed(node=f"{i:016x}")) == ["DBIRTH"]
    assert line.hear(line.edge.heard(Message(COMMAND, spb_host.rebirth_command()))) == ["NBIRTH", *["DBIRTH"] * 50]


def test_late_ones_are_history_and_leave_the_tags_alone(line: Line) -> None:
    line.write(sinks.observed(values=[0, 300]))
    line.write(sinks.observed(values=[0, 900], problems=("late",), received_at=sinks.T0 + 10))
    line.write(sinks.observed(values=[0, 800], received_at=sinks.T0 - 600))
    assert line.device.tags[VELOCITY] == 3.0
    samples = [(one.value, one.historical) for one in line.device.samples if one.metric == VELOCITY]
    assert samples == [(9.0, True), (8.0, True)]


def test_what_waited_in_the_spool_is_history_but_for_the_newest(line: Line) -> None:
    line.now += 7200
    values = [[0, 100 + n] for n in range(5)]
    batch = [sinks.observed(values=one, received_at=sinks.T0 + 60 * n) for n, one in enumerate(values)]
    assert line.write(*batch) == ["DBIRTH", *["DDATA"] * 5]
    samples = [(one.value, one.historical) for one in line.device.samples if one.metric == VELOCITY]
    assert samples == [(1.0, True), (1.01, True), (1.02, True), (1.03, True), (1.04, False)]
    assert line.device.tags[VELOCITY] == 1.04


def test_a_live_batch_is_live(line: Line) -> None:
    batch = [sinks.observed(values=[0, 100 + n], received_at=sinks.T0 + n) for n in range(5)]
    line.now += 5
    line.write(*batch)
    assert not any(one.historical for one in line.device.samples)


def test_written_again_after_a_lost_connection(line: Line) -> None:
    batch = [sinks.observed(values=[0, 100 + n], received_at=sinks.T0 + n) for n in range(3)]
    line.write(*batch)
    line.lose()
    assert not line.host.online and not line.device.alive
    assert line.connect() == ["NBIRTH", "DBIRTH"]
    assert line.write(*batch) == ["DDATA"] * 3
    assert line.device.tags[VELOCITY] == 1.02


def test_bdseq_counts_connections_over_restarts_and_goes_round(tmp_path: Path) -> None:
    line = Line(tmp_path)
    for _ in range(3):
        assert line.connect() == ["NBIRTH"]
        line.lose()
        assert not line.host.online
    # Two attempts that reached no broker used no number.
    line.edge.will()
    line.edge.will()
    again = Line(tmp_path)
    again.connect()
    assert [*line.host.bdseqs, *again.host.bdseqs] == [0, 1, 2, 3]
    (tmp_path / "state").write_text("255\n")
    last = Line(tmp_path)
    last.connect()
    assert last.host.bdseqs == [0]


def test_a_will_of_the_connection_before_ends_nothing(line: Line) -> None:
    old = line.last_will
    line.connect()
    assert old is not None
    line.hear([old])
    assert line.host.online


def test_rebirth(line: Line) -> None:
    line.write(sinks.observed())
    line.write(sinks.observed(values=[0, 555], received_at=sinks.T0 + 60))
    assert line.hear(line.edge.heard(Message(COMMAND, spb_host.rebirth_command()))) == ["NBIRTH", "DBIRTH"]
    assert line.host.bdseqs == [0, 0]  # rebirth-action-3
    assert line.device.tags[VELOCITY] == 5.55


@pytest.mark.parametrize(
    "message",
    [
        Message(COMMAND, spb_host.rebirth_command(), retain=True),
        Message(COMMAND, b""),
        Message(COMMAND, b"\xff\xff"),
        Message(COMMAND, spb_host.rebirth_command().replace(b"Rebirth", b"Reboots")),
        Message("spBv1.0/Plant/NCMD/other", spb_host.rebirth_command()),
    ],
    ids=["kept by the broker", "empty", "no protobuf", "another command", "for another"],
)
def test_what_asks_for_no_rebirth(line: Line, message: Message) -> None:
    assert list(line.edge.heard(message)) == []


def test_a_silent_device_dies_and_is_born_again(line: Line) -> None:
    line.write(sinks.observed())
    line.now += 3599
    assert line.hear(line.edge.tick()) == []
    line.now += 1
    assert line.hear(line.edge.tick()) == ["DDEATH"]
    assert line.hear(line.edge.tick()) == []
    assert line.hear(line.edge.heard(Message(COMMAND, spb_host.rebirth_command()))) == ["NBIRTH"]
    assert line.write(sinks.observed(received_at=line.now)) == ["DBIRTH"]
    assert line.device.alive


def test_farewell_is_the_death_of_this_connection(line: Line) -> None:
    line.write(sinks.observed())
    assert line.hear(line.edge.farewell()) == ["NDEATH"]
    assert not line.host.online


def test_devices_are_bounded(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judder.sink.spb.edge._REMEMBERED", 3)
    for i in range(5):
        line.write(sinks.observed(node=f"{i:016x}"))
    assert line.host.verbs.count("DDEATH") == 2
    assert sum(device.alive for device in line.host.devices.values()) == 3


def state(online: bool, at_ms: int) -> Message:
    return Message(STATE, json.dumps({"online": online, "timestamp": at_ms}).encode(), retain=True)


def test_nothing_is_said_before_the_primary_host_is_there(tmp_path: Path) -> None:
    line = Line(tmp_path, primary_host="scada")
    assert STATE in line.edge.subscriptions
    assert line.connect() == []
    with pytest.raises(SinkDown, match="primary host scada is offline"):
        line.write(sinks.observed())
    assert list(line.edge.farewell()) == []
    assert line.hear(line.edge.heard(state(True, 1000))) == ["NBIRTH"]
    assert line.write(sinks.observed()) == ["DBIRTH"]
    assert list(line.edge.heard(state(True, 1001))) == []


def test_the_primary_host_goes(tmp_path: Path) -> None:
    line = Line(tmp_path, primary_host="scada")
    line.connect()
    line.hear(line.edge.heard(state(True, 1000)))
    # Its will of a connection before (termination-host-offline-timestamp).
    assert list(line.edge.heard(state(False, 999))) == []
    with pytest.raises(Leave):
        line.edge.heard(state(False, 1000))
    assert line.hear(line.edge.farewell()) == ["NDEATH"]
    assert line.connect() == []
    assert list(line.edge.heard(state(False, 1000))) == []
    assert line.hear(line.edge.heard(state(True, 2000))) == ["NBIRTH"]
    assert line.host.bdseqs == [0, 1]


@pytest.mark.parametrize(
    "payload", [b"", b"ONLINE", b"[]", b'{"online": true}', b'{"online": 1, "timestamp": 5}', b"\xff"]
)
def test_a_state_that_is_none_changes_nothing(tmp_path: Path, payload: bytes) -> None:
    line = Line(tmp_path, primary_host="scada")
    line.connect()
    assert list(line.edge.heard(Message(STATE, payload))) == []
    with pytest.raises(SinkDown):
        line.write(sinks.observed())


def test_a_state_file_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(SinkDown, match="remove it to begin anew"):
        Line(tmp_path).connect()
    (tmp_path / "taken").write_text("")
    numbers = NumbersInFile(tmp_path / "taken" / "state")
    with pytest.raises(SinkDown, match="cannot"):
        numbers.use(numbers.next())


def test_an_alarm_of_a_metric_this_version_does_not_know(line: Line) -> None:
    line.write(sinks.observed(schema.ALARM, [0x34, 12, 7, 5, 9, 0]))
    assert (line.device.tags["alarm/metric"], line.device.tags["alarm/value"]) == ("metric 12", 7.0)


def test_takes_and_refuses() -> None:
    sink = SparkplugSink(SparkplugOptions(edge_node="gw"))
    assert [o.record.kind for o in sinks.one_of_each() if sink.takes(o)] == ["reading", "alarm", "hello", "spectrum"]
    assert not sink.takes(sinks.observed(node=""))
    for name, value in (("measured_at", 1e20), ("heard_at", float("nan"))):
        never = sinks.observed()
        setattr(never, name, value)
        with pytest.raises(Poisoned) as caught:
            sink.write([sinks.observed(), never])
        assert caught.value.index == 1


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"group": ""}, "group"),
        ({"group": "a/b"}, "group"),
        ({"edge_node": "a+"}, "edge_node"),
        ({"primary_host": "#"}, "primary_host"),
        ({"expire_after_s": -1}, "expire_after_s"),
        ({"historical_after_s": float("nan")}, "historical_after_s"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        SparkplugOptions(**options)
