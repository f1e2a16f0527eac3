"""What the Prometheus sink shows, read by prometheus_client's own parser."""

import socket
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.host import sinks

from judder.errors import InputError
from judder.sink import SinkDown
from judder.sink.prometheus import PrometheusOptions, PrometheusSink
from judder_core import schema


class Shown:
    """A sink, what the time is, and what a fetch gives: {(name, labels without node): value} of a node."""

    def __init__(self, **options: Any) -> None:
        self.now = sinks.T0 + 100
        self.sink = PrometheusSink(PrometheusOptions(listen="127.0.0.1:0", **options), clock=lambda: self.now)

    def text(self) -> str:
        url = f"http://127.0.0.1:{self.sink._exporter.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())

    def all(self) -> list[tuple[str, dict[str, str], float]]:
        families = list(text_string_to_metric_families(self.text()))
        return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]

    def of(self, node: str = sinks.NODE) -> dict[Any, float]:
        found = {}
        for name, labels, value in self.all():
            if labels.pop("node", None) == node:
                key = (name, *labels.values()) if labels else name
                assert key not in found
                found[key] = value
        return found


@pytest.fixture
def shown() -> Iterator[Shown]:
    made = Shown()
    yield made
    made.sink.close()


def test_a_reading_as_gauges(shown: Shown) -> None:
    shown.sink.write([sinks.lorawan(sinks.reading(1))])
    found = shown.of()
    expected = {
        "judder_zone": 2,
        "judder_alarm_level": 1,
        "judder_velocity_rms_worst_mm_per_second": 3.12,
        ("judder_velocity_rms_mm_per_second", "x"): 3.01,
        ("judder_velocity_rms_mm_per_second", "z"): 1.55,
        ("judder_acceleration_peak_mg", "y"): 520,
        ("judder_kurtosis", "x"): 3.1,
        "judder_temperature_c": 41.5,
        "judder_battery_mv": 3312,
        "judder_clipped": 0,
        "judder_link_rssi_dbm": -101,
        "judder_link_snr_db": 0,
        "judder_last_heard_timestamp_seconds": sinks.T0 + 55,
        ("judder_messages_total", "reading"): 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_who_it_is_and_what_its_hello_says(shown: Shown) -> None:
    shown.sink.write([sinks.lorawan(sinks.reading(1)), sinks.hello()])
    (about,) = [labels for name, labels, _value in shown.all() if name == "judder_node_info"]
    expected = {"node": sinks.NODE, "name": "Pump 3, drive end", "firmware": "1.2.3", "link": "lorawan"}
    assert expected.items() <= about.items()
    found = shown.of()
    assert (found["judder_hello_uptime_seconds"], found["judder_hello_rssi_dbm"]) == (60, -97)


def test_what_was_not_sent_is_not_there(shown: Shown) -> None:
    shown.sink.write([sinks.reading(1), sinks.observed(values=[0x40, 312], received_at=sinks.T0 + 90)])
    found = shown.of()
    assert found["judder_velocity_rms_worst_mm_per_second"] == 3.12
    assert not {"judder_zone", "judder_temperature_c"} & found.keys()
    assert not [key for key in found if key[0] == "judder_velocity_rms_mm_per_second"]


def test_late_readings_do_not_replace_newer_ones(shown: Shown) -> None:
    late = sinks.reading(2, received_at=sinks.T0 + 90)
    late.record.age_s = late.record.temperature_c = 80  # type: ignore[attr-defined]
    late.measured_at = sinks.T0 + 10
    lost = sinks.reading(3, problems=("clock-behind",))
    lost.measured_at = lost.heard_at = None
    shown.sink.write([sinks.reading(1), late, lost])
    found = shown.of()
    assert (found["judder_temperature_c"], found["judder_messages_total", "reading"]) == (41.5, 3)
    assert found["judder_problems_total", "clock-behind"] == 1


def test_an_alarm_is_the_level_until_the_next_reading(shown: Shown) -> None:
    danger = sinks.alarm(received_at=sinks.T0 + 70)  # 2 s old
    shown.sink.write([sinks.reading(1), danger])
    assert shown.of()["judder_alarm_level"] == 2
    over = sinks.observed(schema.ALARM, [0, 1, 300, 710, 9, 0], received_at=sinks.T0 + 80)
    shown.sink.write([over, danger])
    assert shown.of()["judder_alarm_level"] == 0


def test_a_silent_node_keeps_its_last_word_and_no_values(shown: Shown) -> None:
    shown.sink.write([sinks.lorawan(sinks.reading(1)), sinks.hello(), sinks.reading(1, node=sinks.OTHER)])
    shown.now = sinks.T0 + 55 + 7200
    assert "judder_temperature_c" in shown.of()
    shown.now += 1
    found = {key if isinstance(key, str) else key[0] for key in shown.of()}
    assert found == {"judder_node_info", "judder_messages_total", "judder_last_heard_timestamp_seconds"}
    shown.sink.write([sinks.reading(2, received_at=shown.now)])
    assert "judder_temperature_c" in shown.of() and "judder_temperature_c" not in shown.of(sinks.OTHER)


def test_what_is_written_twice_counts_once(shown: Shown) -> None:
    batch = [sinks.reading(n, problems=("gap:3",)) for n in range(5)]
    shown.sink.write(batch)
    before = shown.text()
    shown.sink.write(batch[2:])
    shown.sink.write(batch)
    assert shown.text() == before
    assert shown.of()["judder_messages_total", "reading"] == shown.of()["judder_problems_total", "gap"] == 5


def test_nodes_are_bounded_and_those_heard_last_stay() -> None:
    shown = Shown(max_nodes=10)
    ids = [f"70b3d57ed00000{n:02x}" for n in range(30)]
    shown.sink.write([sinks.reading(1, node=node) for node in ids])
    shown.sink.write([sinks.reading(2, node=ids[20])])
    shown.sink.write([sinks.reading(1, node="70b3d57ed0000099")])
    found = shown.all()
    shown.sink.close()
    heard = [labels["node"] for name, labels, _value in found if name == "judder_last_heard_timestamp_seconds"]
    assert heard == [*ids[22:], ids[20], "70b3d57ed0000099"]
    values = {name: value for name, labels, value in found if not labels}
    assert (values["judder_nodes"], values["judder_nodes_forgotten_total"]) == (10, 21)


def test_series_of_a_node_that_says_all_there_is_are_few(shown: Shown) -> None:
    batch = [*sinks.one_of_each(), sinks.lorawan(sinks.reading(2, problems=("late", "gap:2", "sequence-reset")))]
    shown.sink.write(batch)
    assert 50 < len(shown.of()) < 100


@pytest.mark.parametrize("text", ['a"b', "back\\slash", "two\nlines", "\ud800", "\x00", "{}", "ä"])
def test_names_of_people_stay_within_their_label(shown: Shown, text: str) -> None:
    shown.sink.write([sinks.reading(1, name=text, problems=(text,))])
    (about,) = [labels for name, labels, _value in shown.all() if name == "judder_node_info"]
    same = " ".join(text.replace("\ud800", "\ufffd").replace("\x00", "\ufffd").split())
    assert about["name"] == same


def test_an_address_that_is_taken_is_down_until_it_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sink = PrometheusSink(PrometheusOptions(listen=f"127.0.0.1:{port}"))
        with pytest.raises(SinkDown, match=rf"cannot listen at 127\.0\.0\.1:{port}: .*in use; name another in listen"):
            sink.write([sinks.reading(1)])
    sink.write([sinks.reading(1)])
    sink.close()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_it_listens_from_open_on(shown: Shown) -> None:
    assert shown.sink._exporter.port == 0
    shown.sink.open()
    shown.sink.open()
    assert "judder_nodes 0.0" in shown.text()


def test_making_one_listens_nowhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        PrometheusSink(PrometheusOptions(listen=f"127.0.0.1:{other.getsockname()[1]}")).close()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"listen": "9878"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"listen": "::1:9878"}, "listen"),
        ({"stale_s": 0}, "stale_s"),
        ({"max_nodes": 0}, "max_nodes"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        PrometheusOptions(**options)


def test_without_its_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "judder.sink.prometheus_exporter", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InputError, match=r"pip install 'judder\[prometheus\]'"):
        PrometheusSink(PrometheusOptions())
