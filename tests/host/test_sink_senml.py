"""SenML packs, resolved and checked after RFC 8428 by a reader written from its text, not from our writer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks
from tests.host.http_server import Answer, Asked, HttpServer

from judder.errors import InputError
from judder.sink import Poisoned
from judder.sink.senml import SenmlOptions, SenmlSink

# RFC 8428 section 12.1, the rows without an asterisk.
UNITS_TEXT = (
    "m kg s A K cd mol Hz rad sr N Pa W J C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit "
    "bit/s lat lon pH dB dBW count / %RH %EL EL 1/s S/m"
)
UNITS = set(UNITS_TEXT.split())
# RFC 8428 section 4.5.1, and RFC 9039 section 3.2 with its mac form.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
DEV_MAC = re.compile(r"urn:dev:mac:[0-9a-f]{16}(_[A-Za-z0-9.\-]+)*")
LABELS = {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"}  # section 4.3


def resolve(pack: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Section 4.6: base values hold until the next; every record has a full name, an absolute time and one value."""
    base: dict[str, Any] = {}
    out = []
    for record in pack:
        assert set(record) <= LABELS
        base |= {label: value for label, value in record.items() if label.startswith("b")}
        name = base.get("bn", "") + record.get("n", "")
        time = base.get("bt", 0) + record.get("t", 0)
        assert NAME.fullmatch(name) and DEV_MAC.fullmatch(name), name
        assert time >= 1 << 28, "relative to the reader's clock (section 4.5.3)"
        values = [label for label in ("v", "vs", "vb", "vd") if label in record]
        assert len(values) == 1, record
        unit = record.get("u", base.get("bu"))
        assert unit is None or (unit in UNITS and values == ["v"]), record
        assert not isinstance(record.get("v"), bool | str) and isinstance(record.get("vs", ""), str)
        out.append({"n": name, "t": time, "u": unit, "value": record[values[0]]})
    return out


def open_sink(web: HttpServer, **options: Any) -> SenmlSink:
    return SenmlSink(SenmlOptions(url=web.url, **options))


def posted(web: HttpServer) -> list[dict[str, Any]]:
    return [record for asked in web.asked for record in resolve(json.loads(asked.body))]


def test_a_reading_in_units_of_the_registry() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.lorawan(sinks.reading(1))])
    assert web.asked[0].headers["content-type"] == "application/senml+json"
    found = {record["n"].removeprefix(f"urn:dev:mac:{sinks.NODE}_"): record for record in posted(web)}
    assert {record["t"] for record in found.values()} == {sinks.T0 + 55}
    # By hand from the values on air; 1 g = 9.80665 m/s2 (ISO 80000-3), 0 dBm = -30 dBW.
    expected = {
        "velocity_rms_worst": ("m/s", 0.00312),
        "velocity_rms_z": ("m/s", 0.00155),
        "acceleration_rms_x": ("m/s2", 1.176798),  # 120 mg
        "temperature": ("Cel", 41.5),
        "battery": ("V", 3.312),
        "line_frequency_x": ("Hz", 24.5),
        "energy_spent": ("J", 0.812),
        "age": ("s", 5),
        "kurtosis_x": (None, 3.1),
        "zone": (None, "B"),
        "clipped": (None, False),
        "uplink_rssi": ("dBW", -131),
        "uplink_snr": ("dB", 0),
    }
    assert {name: (found[name]["u"], found[name]["value"]) for name in expected} == expected


def test_every_kind_in_one_pack() -> None:
    batch = [*sinks.one_of_each(), sinks.reading(2, node=sinks.OTHER)]
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([observation for observation in batch if sink.takes(observation)])
    assert len(web.asked) == 1
    found = {(record["n"], record["t"]): record for record in posted(web)}
    assert len(found) == len(posted(web)), "two values of one name and time"
    alarm = found[f"urn:dev:mac:{sinks.NODE}_alarm_value", sinks.T0 - 2]
    assert (alarm["u"], alarm["value"]) == ("m/s", 0.00752)
    assert found[f"urn:dev:mac:{sinks.NODE}_spectrum_x_line1_frequency", sinks.T0]["value"] == 24.5
    assert found[f"urn:dev:mac:{sinks.NODE}_hello_reset_cause", sinks.T0]["value"] == "power-on"
    assert found[f"urn:dev:mac:{sinks.OTHER}_sequence", sinks.T0 + 115]["value"] == 2


def test_numbers_have_no_made_up_digits() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.observed(values=[0, n, n]) for n in range(0, 3000, 7)])
    text = b"".join(asked.body for asked in web.asked).decode()
    assert all(len(number) <= 9 for number in re.findall(r'"u":"m/s","v":([^,}]+)', text))


def test_a_file_with_a_pack_a_line_twice_the_same(tmp_path: Path) -> None:
    path = tmp_path / "out.senml"
    batch = [sinks.reading(n) for n in range(5)]
    with SenmlSink(SenmlOptions(path=path)) as sink:
        sink.write(batch[:3])
    path.write_bytes(path.read_bytes()[:-9])
    with SenmlSink(SenmlOptions(path=path)) as sink:
        sink.write(batch)
        sink.write(batch)
    packs = [resolve(json.loads(line)) for line in sinks.lines(path)]
    numbers = [record["value"] for pack in packs for record in pack if record["n"].endswith("_sequence")]
    assert numbers == [0, 1, 2, 3, 4]


def test_a_refused_observation_is_found() -> None:
    def judge(asked: Asked) -> Answer:
        return Answer(400, b"sequence") if b'"n":"sequence","v":3}' in asked.body else Answer(204)

    with HttpServer(judge) as web, open_sink(web) as sink, pytest.raises(Poisoned, match="400") as caught:
        sink.write([sinks.reading(n) for n in range(9)])
    assert caught.value.index == 3


def test_no_time_is_poison() -> None:
    lost = sinks.hello(problems=("clock-ahead",))
    lost.heard_at = None
    early = sinks.hello(received_at=1e6)
    with HttpServer() as web, open_sink(web) as sink:
        for bad in (lost, early):
            with pytest.raises(Poisoned, match="clock"):
                sink.write([bad])


def test_no_node_is_poison_and_no_number_is_left_out() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        with pytest.raises(Poisoned, match="names no node"):
            sink.write([sinks.reading(1, node="")])
        sink.write([sinks.reading(1, snr_db=float("nan"), rssi_dbm=float("-inf"))])
    assert not [record for record in posted(web) if "uplink" in record["n"]]


def test_either_a_server_or_a_file(tmp_path: Path) -> None:
    for options in ({}, {"url": "http://x", "path": tmp_path}):
        with pytest.raises(InputError, match="url or path"):
            SenmlOptions(**options)  # type: ignore[arg-type]
