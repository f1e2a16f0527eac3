"""Line protocol, read by a parser that is not ours (line-protocol-parser), and what InfluxDB's answers mean."""

import base64
import re
from typing import Any

import pytest
from line_protocol_parser import parse_line
from tests.host import sinks
from tests.host.http_server import Answer, Asked, HttpServer

from judder.errors import InputError
from judder.sink import Poisoned, SinkDown
from judder.sink.influx import InfluxOptions, InfluxSink


def open_sink(web: HttpServer, **options: Any) -> InfluxSink:
    return InfluxSink(InfluxOptions(url=web.url, **options))


def points(web: HttpServer) -> list[dict[str, Any]]:
    return [parse_line(line) for asked in web.asked for line in asked.body.decode().split("\n")]


def test_a_reading_is_a_point_at_the_time_it_was_true() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.lorawan(sinks.reading(1, problems=("late", "gap:3")))])
    (point,) = points(web)
    assert point["measurement"] == "judder_reading"
    assert point["tags"] == {"node": sinks.NODE}
    assert point["time"] == 1764043255_000000000
    expected = {
        "sequence": 1,
        "zone": "B",
        "alarm_level": "warning",
        "clipped": False,
        "velocity_rms_worst_mm_s": 3.12,
        "velocity_rms_x_mm_s": 3.01,
        "acceleration_peak_z_mg": 300,
        "kurtosis_x": 3.1,
        "temperature_c": 41.5,
        "battery_mv": 3312,
        "received_at": sinks.T0 + 60,
        "problems": "late gap:3",
        "uplink_rssi_dbm": -101.0,
        "uplink_snr_db": 0.0,
        "uplink_fcnt": 0,
        "uplink_data_rate": "SF7BW125",
    }
    assert {name: point["fields"].get(name) for name in expected} == expected
    # A type once given to a field is for ever: whole numbers of a float column stay floats.
    body = web.asked[0].body.decode()
    assert re.search(r"\bband_low_hz=10\.0[, ]", body) and re.search(r"\bbattery_mv=3312i[, ]", body)


def test_every_kind_but_captures() -> None:
    batch = sinks.one_of_each()
    with HttpServer() as web, open_sink(web, prefix="") as sink:
        taken = [observation for observation in batch if sink.takes(observation)]
        sink.write(taken)
    found = points(web)
    assert [point["measurement"] for point in found] == ["reading", "alarm", "hello", "spectrum", "ack", "unknown"]
    alarm, spectrum = found[1], found[3]
    assert alarm["tags"] == {"node": sinks.NODE, "metric": "velocity_rms"}
    assert (alarm["fields"]["value"], alarm["fields"]["limit"]) == (7.52, 7.1) and "metric" not in alarm["fields"]
    assert spectrum["tags"] == {"node": sinks.NODE, "axis": "x"}
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a,b",
        "a=b",
        "a\\b",
        "a\\",
        'a"b',
        "two\nlines",
        "\\,x=1 y=2",
        " ",
        "",
        "Pumpe ä",
        "\ud800",
        "\x00",
        "\u2028",
    ],
)
def test_names_of_people_stay_within_their_tag_and_field(text: str) -> None:
    observation = sinks.reading(1, name=text, gateway=text, tags={"hall": text})
    with HttpServer() as web, open_sink(web, tags=["name", "hall"]) as sink:
        sink.write([observation])
    (point,) = points(web)
    plain = sinks.reading(1)
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([plain])
    (reference,) = points(web)
    assert set(point["tags"]) <= {"node", "name", "hall"} and point["tags"]["node"] == sinks.NODE
    assert set(point["fields"]) == set(reference["fields"]) | {"uplink_gateway"}
    same = " ".join(text.split())
    if "\\" not in text and same and text.isprintable():
        assert point["tags"]["name"] == point["tags"]["hall"] == point["fields"]["uplink_gateway"] == same


@pytest.mark.parametrize(
    ("options", "path", "key"),
    [
        (
            {"org": "plant", "bucket": "b c", "token": "t"},
            "/api/v2/write?org=plant&bucket=b+c&precision=ns",
            "Token t",
        ),
        ({"api": "v3", "bucket": "db", "token": "t"}, "/api/v3/write_lp?db=db&precision=nanosecond", "Bearer t"),
        ({"api": "v1", "retention_policy": "year"}, "/write?db=judder&rp=year&precision=ns", None),
        (
            {"api": "v1", "user": "u", "password": "p:w"},
            "/write?db=judder&precision=ns",
            "Basic " + base64.b64encode(b"u:p:w").decode(),
        ),
    ],
)
def test_addresses_and_keys_of_the_three_apis(options: dict[str, Any], path: str, key: str | None) -> None:
    """Paths and headers as in InfluxData's API references of v1, v2 and v3 Core."""
    with HttpServer() as web, open_sink(web, **options) as sink:
        sink.write([sinks.reading(1)])
        sink.write([])
    (asked,) = web.asked
    assert (asked.path, asked.headers.get("authorization")) == (path, key)


def test_the_same_batch_twice_is_the_same_points() -> None:
    batch = [sinks.reading(n) for n in range(5)]
    with HttpServer() as web, open_sink(web) as sink:
        sink.write(batch)
        sink.write(batch)
    assert web.asked[0].body == web.asked[1].body


def test_one_bad_point_is_found_among_many() -> None:
    def judge(asked: Asked) -> Answer:
        bad = [line for line in asked.body.decode().split("\n") if "sequence=37i" in line]
        return Answer(400, b'{"error":"partial write: field type conflict dropped=1"}') if bad else Answer(204)

    batch = [sinks.reading(n) for n in range(100)]
    with HttpServer(judge) as web, open_sink(web) as sink:
        with pytest.raises(Poisoned, match="field type conflict") as caught:
            sink.write(batch)
        assert caught.value.index == 37
        assert len(web.asked) < 20
        web.asked.clear()
        sink.write(batch[:37] + batch[38:])
    assert len(points(web)) == 99


def test_a_batch_that_is_too_large_is_sent_in_parts() -> None:
    def judge(asked: Asked) -> Answer:
        return Answer(413) if asked.body.count(b"\n") >= 10 else Answer(204)

    with HttpServer(judge) as web, open_sink(web) as sink:
        sink.write([sinks.reading(n) for n in range(33)])
    taken = [line for asked in web.asked if judge(asked).status == 204 for line in asked.body.split(b"\n")]
    assert len(taken) == 33


def test_down_and_back() -> None:
    web = HttpServer().start()
    web.stop()
    with open_sink(web) as sink:
        for _ in range(3):
            with pytest.raises(SinkDown):
                sink.write([sinks.reading(1)])
        web.start()
        sink.write([sinks.reading(1)])
        web.stop()
    assert len(points(web)) == 1


def test_no_number_and_no_node_are_left_out() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.reading(1, node="", snr_db=float("nan"), rssi_dbm=float("-inf"))])
    (point,) = points(web)
    assert not {"uplink_snr_db", "uplink_rssi_dbm"} & point["fields"].keys() and point["fields"]["sequence"] == 1
    assert point["tags"] == {}


def test_a_time_nobody_believes_is_poison() -> None:
    lost = sinks.hello(problems=("clock-behind",))
    lost.heard_at = None
    with HttpServer() as web, open_sink(web) as sink, pytest.raises(Poisoned, match="clock") as caught:
        sink.write([sinks.reading(1), lost])
    assert caught.value.index == 1 and not web.asked


@pytest.mark.parametrize(
    ("options", "key"), [({"api": "v4"}, "api"), ({"bucket": ""}, "bucket"), ({"token": "a\nb"}, "token")]
)
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        InfluxOptions(url="http://127.0.0.1:1", **options)


def test_keys_are_not_shown() -> None:
    shown = repr(InfluxOptions(url="http://x", token="T0KEN", password="PASS", headers={"X-Key": "HDR"}))
    assert not re.search("T0KEN|PASS|HDR", shown)
