"""`judder gateway` with the three sinks that publish, whose broker is away for a while: nothing is lost on the way."""

import json
from pathlib import Path

from tests.host.tracking import hello, reading
from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.listener import Listener
from tests.system.test_gateway import NODE, publish, publisher
from tests.system.test_sparkplug_broker import HostAtBroker

from judder.ingest.broker import Broker

SINKS = """
[[source]]
type = "mqtt"
port = {source}

[[sink]]
type = "mqtt_json"
port = {port}
linger_s = 0.05
retry_max_s = 1

[[sink]]
type = "homeassistant"
port = {port}
gateway = "g"
linger_s = 0.05
retry_max_s = 1

[[sink]]
type = "sparkplug"
port = {port}
edge_node = "gw"
linger_s = 0.05
retry_max_s = 1
"""


def test_a_broker_that_is_away_gets_everything_later(tmp_path: Path) -> None:
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    with Broker("mosquitto") as nodes, Broker("mosquitto", folder=tmp_path / "broker") as others:
        sections = SINKS.format(source=nodes.port, port=others.port)
        with (
            GatewayProcess(tmp_path, sections).start() as gateway,
            Listener(others, ["judder/#"], session="reader") as reader,
        ):
            node = publisher(nodes.port)
            with HostAtBroker(others) as at:
                publish(node, hello(60, 1), *(reading(n) for n in range(1, 6)))
                at.until(lambda: NODE in at.host.devices and at.host.devices[NODE].tags["reading/sequence"] == 5)
                assert at.host.devices[NODE].tags["hello/uptime_s"] == 60
            reader.first(6)
            others.stop()
            publish(node, *(reading(n) for n in range(6, 26)))
            wait_for(lambda: not any(sink["up"] for sink in gateway.status()["sinks"].values()), "all sinks down")
            others.start()
            publish(node, *(reading(n) for n in range(26, 31)))
            rows = [json.loads(message.payload) for message in reader.wait(lambda messages: len(messages) >= 31)]
            found = {row["id"]: row["sequence"] for row in rows if row["kind"] == "reading"}
            assert sorted(found.values()) == list(range(1, 31))
            with Listener(others, ["homeassistant/#", "judder-ha/#"]) as home_assistant:
                config = f"homeassistant/device/judder_{NODE}/config"
                home_assistant.wait(lambda messages: config in {message.topic for message in messages})
            with HostAtBroker(others) as at:
                at.ask_for_rebirth()
                at.until(lambda: NODE in at.host.devices and at.host.devices[NODE].tags["reading/sequence"] == 30)
                assert gateway.stop() == 0
                at.until(lambda: not at.host.online)
            node.loop_stop()
