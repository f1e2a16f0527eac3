"""The node's Wi-Fi link on MicroPython against a NATS cluster's MQTT listeners, by host/integrations/nats."""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from nats.js.api import AckPolicy, ConsumerConfig
from runner import FAKES, run
from tests.system.nats_cluster import PASSWORD, Cluster

from judder.gateway.source import nats_consumers
from judder.gateway.source.nats import NatsOptions

NODE = "0011223344556677"
SENDER = FAKES / "sender.py"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"), [NODE])
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> str:
    path = tmp_path / "settings.json"
    values = {"wifi_ssid": "hall", "mqtt_host": "127.0.0.1", "mqtt_port": cluster.mqtt_ports[0], "timeout_s": 10}
    values |= {"link": 1, "mqtt_user": NODE, "mqtt_password": NODE[::-1]}
    path.write_text(json.dumps(values))
    return str(path)


def test_what_a_node_publishes_is_in_the_stream_in_its_order(cluster: Cluster, settings: str) -> None:
    async def begin(client: Any) -> None:
        await nats_consumers.Consumers(client, NatsOptions()).begin()
        config = ConsumerConfig(durable_name="all", ack_policy=AckPolicy.EXPLICIT, filter_subject="$MQTT.msgs.part.>")
        await client.jetstream(timeout=10).add_consumer("$MQTT_msgs", config)

    async def taken(client: Any) -> list[tuple[str, bytes]]:
        pull = await client.jetstream(timeout=10).pull_subscribe_bind(consumer="all", stream="$MQTT_msgs")
        found: list[tuple[str, bytes]] = []
        while len(found) < 20:
            for message in await pull.fetch(100, timeout=30):
                found.append((message.subject, message.data))
                await message.ack()
        return found

    cluster.run(begin)
    output = run(SENDER, settings, "20", "0")
    assert "done" in output.split("\n") and "failures 0" in output
    found = cluster.run(taken)
    assert [data for _subject, data in found] == [b"message %d" % i for i in range(20)]
    (subject,) = {subject for subject, _data in found}  # one partition
    assert re.fullmatch(rf"\$MQTT\.msgs\.part\.[0-7]\.judder\.{NODE}\.up", subject)


def test_a_command_reaches_a_node_that_was_asleep_by_another_server(cluster: Cluster, settings: str) -> None:
    assert "done" in run(SENDER, settings, "1", "0")  # subscribes
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.username_pw_set("gateway", PASSWORD)
    client.connect("127.0.0.1", cluster.mqtt_ports[1])
    client.loop_start()
    try:
        client.publish(f"judder/{NODE}/down", b"\x01\x02", 1).wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()
    assert "down 0102" in run(SENDER, settings, "3", "100")
    assert "down" not in run(SENDER, settings, "3", "100"), "acknowledged, so not delivered again"


@pytest.mark.parametrize("topic", ["judder/+/down", "part/#", "#", "$MQTT/sub/#", "$MQTT/msgs/#"])
def test_a_node_hears_nobody_elses(cluster: Cluster, topic: str) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.username_pw_set(NODE, NODE[::-1])
    answers: queue.Queue[bool] = queue.Queue()
    client.on_subscribe = lambda *said: answers.put(said[3][0].is_failure)
    client.on_connect = lambda *_said: client.subscribe(topic, 1)
    client.connect("127.0.0.1", cluster.mqtt_ports[2])
    client.loop_start()
    try:
        assert answers.get(timeout=60), "refused"
    finally:
        client.disconnect()
        client.loop_stop()
