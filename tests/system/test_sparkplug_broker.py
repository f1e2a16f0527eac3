"""The Sparkplug sink at real brokers, heard by a host that holds it to the specification."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks, spb_host
from tests.system.listener import BROKERS, Listener, needs_mosquitto

from judder.ingest.broker import Broker
from judder.sink import SinkDown
from judder.sink.sparkplug import SparkplugOptions, SparkplugSink

VELOCITY = "reading/velocity_rms_worst_mm_s"


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker(request.param) as found:
        yield found


class HostAtBroker:
    """A host that reads all that was said, in its order."""

    def __init__(self, broker: Broker) -> None:
        self.host = spb_host.Host("Judder", "gw")
        self.listener = Listener(broker, ["spBv1.0/Judder/#"])
        # amqtt (0.12) delivers with the subscription's QoS what was published with 0.
        self._tells_qos = broker.kind == "mosquitto"
        self._fed = 0

    def until(self, enough: Callable[[], bool]) -> None:
        def fed(messages: list[Any]) -> bool:
            for message in messages[self._fed :]:
                self._fed += 1
                # Who comes later knows nothing before a birth.
                if "/NCMD/" not in message.topic and (self.host.births or "/NBIRTH/" in message.topic):
                    qos = message.qos if self._tells_qos else int("/NDEATH/" in message.topic)
                    self.host.feed(message.topic, message.payload, qos, message.retain)
            return enough()

        self.listener.wait(fed)

    def ask_for_rebirth(self) -> None:
        self.listener.say("spBv1.0/Judder/NCMD/gw", spb_host.rebirth_command(), qos=0)

    def __enter__(self) -> "HostAtBroker":
        return self

    def __exit__(self, *_error: object) -> None:
        self.listener.close()


def open_sink(broker: Broker, folder: Path, **options: Any) -> SparkplugSink:
    said = {"host": broker.host, "port": broker.port, "edge_node": "gw", "state": folder / "state", **options}
    return SparkplugSink(SparkplugOptions(**said))


def readings(first: int, count: int) -> list[Any]:
    now = time.time()
    return [sinks.observed(values=[0, first + i], received_at=now + (i - count) / 10) for i in range(count)]


def test_births_data_rebirth_and_death(broker: Broker, tmp_path: Path) -> None:
    with HostAtBroker(broker) as at:
        with open_sink(broker, tmp_path) as sink:
            sink.write(readings(0, 300))
            # All of it was taken by the broker when write() returned, QoS 0 or not.
            at.until(lambda: len(at.host.verbs) >= 301)
            assert at.host.verbs == ["NBIRTH", "DBIRTH", *["DDATA"] * 299]
            at.ask_for_rebirth()
            at.until(lambda: at.host.births == 2 and at.host.devices[sinks.NODE].alive)
            sink.write(readings(300, 1))
        at.until(lambda: at.host.verbs[-1] == "NDEATH")
    assert at.host.devices[sinks.NODE].tags[VELOCITY] == 3.0
    assert at.host.bdseqs == [0, 0] and not at.host.online


def test_broker_killed_and_back(broker: Broker, tmp_path: Path) -> None:
    with open_sink(broker, tmp_path, timeout_s=5) as sink:
        sink.write(readings(0, 2))
        broker.kill()
        with pytest.raises(SinkDown):
            sink.write(readings(2, 2))
        broker.start()
        with HostAtBroker(broker) as at:
            sink.write(readings(2, 2))
            # The edge node may have been back before this host was.
            at.ask_for_rebirth()
            at.until(lambda: at.host.devices.get(sinks.NODE, spb_host.Device()).tags.get(VELOCITY) == 0.03)
            assert at.host.bdseqs[-1] >= 1


PROGRAM = """
import sys, time
from pathlib import Path
from tests.host import sinks
from judder.sink.sparkplug import SparkplugOptions, SparkplugSink
sink = SparkplugSink(SparkplugOptions(port=int(sys.argv[1]), edge_node="gw", state=Path(sys.argv[2])))
sink.write([sinks.observed(received_at=time.time())])
print("written", flush=True)
time.sleep(60)
"""


@needs_mosquitto
def test_the_death_of_a_gateway_that_is_killed_is_told_with_its_number(tmp_path: Path) -> None:
    with Broker("mosquitto") as broker, HostAtBroker(broker) as at:
        for number in range(2):
            command = [sys.executable, "-c", PROGRAM, str(broker.port), str(tmp_path / "state")]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
                assert gateway.stdout is not None and gateway.stdout.readline() == "written\n"
                at.until(lambda: at.host.online)
                gateway.kill()
            at.until(lambda: not at.host.online)
            assert at.host.bdseq == number
    assert at.host.verbs == ["NBIRTH", "DBIRTH", "NDEATH"] * 2


def test_a_primary_host_comes_and_goes(broker: Broker, tmp_path: Path) -> None:
    with HostAtBroker(broker) as at, open_sink(broker, tmp_path, primary_host="scada") as sink:

        def state(online: bool, at_ms: int) -> None:
            body = json.dumps({"online": online, "timestamp": at_ms}).encode()
            at.listener.say("spBv1.0/STATE/scada", body, retain=True)

        def write_when_up(batch: list[Any]) -> None:
            deadline = time.monotonic() + 30
            while True:
                try:
                    return sink.write(batch)
                except SinkDown as error:
                    assert time.monotonic() < deadline, error
                    time.sleep(0.1)

        with pytest.raises(SinkDown, match="primary host scada is offline"):
            sink.write(readings(0, 1))
        assert at.host.verbs == []
        state(True, 1000)
        write_when_up(readings(0, 1))
        at.until(lambda: at.host.verbs == ["NBIRTH", "DBIRTH"])
        state(False, 2000)
        at.until(lambda: at.host.verbs[-1] == "NDEATH")
        with pytest.raises(SinkDown):
            sink.write(readings(1, 1))
        state(True, 3000)
        write_when_up(readings(1, 1))
        at.until(lambda: at.host.devices[sinks.NODE].tags[VELOCITY] == 0.01)
    assert at.host.bdseqs[0] == 0
