"""The Influx sink and the InfluxDB that Debian has (1.6): points in, points out, errors as it words them."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks
from tests.system import daemon

from judder.ingest.broker import free_port
from judder.sink import Poisoned, SinkDown
from judder.sink.influx import InfluxOptions, InfluxSink

CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
"""


class Influx:
    def __init__(self, folder: Path) -> None:
        program = daemon.program("influxd", "/usr/sbin", "/usr/bin")
        self.url = f"http://127.0.0.1:{free_port()}"
        port = int(self.url.rsplit(":", 1)[1])
        config = folder / "influxdb.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, rpc=free_port()))
        self.server = daemon.Daemon([program, "run", "-config", str(config)], folder, self._up)

    def _up(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/ping", timeout=1).close()
        except OSError:
            return False
        return True

    def query(self, text: str, method: str = "GET") -> list[dict[str, Any]]:
        said = urllib.parse.urlencode({"db": "judder", "epoch": "ns", "q": text})
        request = urllib.request.Request(f"{self.url}/query?{said}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            result = json.load(answer)["results"][0]
        assert "error" not in result, result
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], row, strict=True))}
            for series in result.get("series", [])
            for row in series["values"]
        ]


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    made = Influx(tmp_path_factory.mktemp("influx"))
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def sink(influx: Influx) -> Iterator[InfluxSink]:
    influx.query("CREATE DATABASE judder", "POST")
    yield InfluxSink(InfluxOptions(url=influx.url, api="v1", tags=("name", "hall")))
    influx.query("DROP DATABASE judder", "POST")


def test_what_was_written_twice_is_there_once_and_as_it_was(influx: Influx, sink: InfluxSink) -> None:
    batch = [sinks.lorawan(sinks.reading(n)) for n in range(50)]
    sink.write(batch)
    sink.write(batch[10:])
    rows = influx.query("SELECT * FROM judder_reading")
    assert [row["sequence"] for row in rows] == list(range(50))
    last = rows[-1]
    assert last["time"] == int(sinks.T0 + 60 * 49 - 5) * 10**9
    assert (last["node"], last["name"], last["hall"]) == (sinks.NODE, "Pump 3, drive end", "A")
    assert (last["velocity_rms_worst_mm_s"], last["battery_mv"], last["clipped"]) == (3.12, 3312, False)
    types = {row["fieldKey"]: row["fieldType"] for row in influx.query("SHOW FIELD KEYS FROM judder_reading")}
    assert (types["battery_mv"], types["band_low_hz"], types["clipped"]) == ("integer", "float", "boolean")


def test_every_kind_and_awkward_names(influx: Influx, sink: InfluxSink) -> None:
    batch = [observation for observation in sinks.one_of_each() if sink.takes(observation)]
    for text in ("a,b=c d", 'quo"te', "back\\slash", "end\\", "two\nlines", "ä"):
        batch.append(sinks.reading(1, name=text, gateway=text, tags={"hall": text}))
    sink.write(batch)
    found = {row["name"] for row in influx.query("SHOW MEASUREMENTS")}
    assert found == {f"judder_{kind}" for kind in ("reading", "alarm", "hello", "spectrum", "ack", "unknown")}
    rows = influx.query("SELECT * FROM judder_reading WHERE uplink_gateway != ''")
    assert {row["name"] for row in rows} >= {"a,b=c d", 'quo"te', "back/slash", "end/", "two lines", "ä"}
    assert {row["uplink_gateway"] for row in rows} >= {"a,b=c d", 'quo"te', "back\\slash", "end\\", "two lines", "ä"}


def test_a_field_somebody_gave_another_type_poisons_one_point(influx: Influx, sink: InfluxSink) -> None:
    other = f"judder_reading,node={sinks.OTHER} battery_mv=3.3 {int(sinks.T0 + 360 - 5)}000000000"
    request = urllib.request.Request(f"{influx.url}/write?db=judder", other.encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()
    batch = [sinks.hello(), sinks.reading(1), sinks.alarm()]
    with pytest.raises(Poisoned, match="field type conflict") as caught:
        sink.write(batch)
    assert caught.value.index == 1
    sink.write([batch[0], batch[2]])
    assert len(influx.query("SELECT * FROM judder_alarm")) == 1


def test_no_such_database_is_down_not_poison(influx: Influx) -> None:
    elsewhere = InfluxSink(InfluxOptions(url=influx.url, api="v1", bucket="nonesuch"))
    with pytest.raises(SinkDown, match="database not found"):
        elsewhere.write([sinks.reading(1)])


def test_killed_and_back(influx: Influx, sink: InfluxSink) -> None:
    sink.write([sinks.reading(0)])
    influx.server.stop(9)
    with pytest.raises(SinkDown, match="no answer"):
        sink.write([sinks.reading(1)])
    influx.server.start()
    sink.write([sinks.reading(1)])
    assert [row["sequence"] for row in influx.query("SELECT sequence FROM judder_reading")] == [0, 1]
