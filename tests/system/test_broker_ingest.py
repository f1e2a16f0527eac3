"""Subscriber and broker, over real MQTT on loopback, with whichever brokers this machine has."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from tests.certificates import make
from tests.host import servers

from judder.errors import DeviceError
from judder.flow import Poison, Uplink
from judder.ingest import topics
from judder.ingest.broker import Broker, free_port
from judder.ingest.events import Presence
from judder.ingest.mqtt import Subscriber

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
KINDS = [
    "amqtt",
    pytest.param("mosquitto", marks=pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")),
]
NODE = "70b3d5fffe000001"
NODE_OF_VECTORS = "70b3d57ed0000001"


def node_client(port: int) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_payloads_and_commands_pass(kind: str) -> None:
    with Broker(kind) as broker, Subscriber(broker.host, broker.port) as subscriber:
        node = node_client(broker.port)
        got: list[bytes] = []
        node.on_message = lambda _c, _d, message: got.append(message.payload)
        node.subscribe(f"judder/{NODE}/down", qos=1)
        node.publish(f"judder/{NODE}/up", b"\x82\x01\x00", qos=1).wait_for_publish(5)
        event = subscriber.get(5)
        assert isinstance(event, Uplink)
        assert (event.node, event.payload, event.source) == (NODE, b"\x82\x01\x00", "mqtt")
        assert abs(event.received_at - time.time()) < 60
        deadline = time.monotonic() + 10
        while not got and time.monotonic() < deadline:
            subscriber.send(NODE, b"\x83\x10\x01\x02")
            time.sleep(0.1)
        assert got[0] == b"\x83\x10\x01\x02"
        node.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_subscriber_comes_back_after_the_broker_was_killed(kind: str) -> None:
    with Broker(kind) as broker, Subscriber(broker.host, broker.port) as subscriber:
        broker.kill()
        broker.start()
        node = node_client(broker.port)
        deadline = time.monotonic() + 30
        event = None
        while event is None and time.monotonic() < deadline:
            node.publish(f"judder/{NODE}/up", b"\x00", qos=1)
            event = subscriber.get(0.5)
        assert isinstance(event, Uplink)
        node.loop_stop()


# Not amqtt (0.12): it forgets what a client that went away had not acknowledged.
@pytest.mark.parametrize("kind", KINDS[1:])
def test_what_is_not_acknowledged_comes_again(kind: str) -> None:
    """A gateway that dies between receiving and storing loses nothing."""
    with Broker(kind) as broker:
        node = node_client(broker.port)
        with Subscriber(broker.host, broker.port, client_id="gateway") as subscriber:
            for i in range(5):
                node.publish(f"judder/{NODE}/up", bytes([i]), qos=1).wait_for_publish(5)
            taken = [subscriber.receive(5) for _ in range(5)]
            for message in taken[:3]:
                assert message is not None
                subscriber.ack(message)
            time.sleep(0.3)  # what was acknowledged has to reach the broker before the end
        with Subscriber(broker.host, broker.port, client_id="gateway") as subscriber:
            again = [subscriber.get(5) for _ in range(2)]
            assert [event.payload for event in again if isinstance(event, Uplink)] == [b"\x03", b"\x04"]
            assert subscriber.get(0.5) is None
            node.publish(f"judder/{NODE}/up", b"\x05", qos=1).wait_for_publish(5)
            last = subscriber.get(5)
            assert isinstance(last, Uplink) and last.payload == b"\x05"
            # One of the connection before: a number that may belong to another message by now.
            assert taken[4] is not None
            subscriber.ack(taken[4])
        node.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_an_acknowledgement_after_a_reconnect_is_void(kind: str) -> None:
    """Without a session the broker numbers its messages from 1 again: an old number must not acknowledge a new one."""
    with Broker(kind) as broker, Subscriber(broker.host, broker.port) as subscriber:
        node = node_client(broker.port)
        node.publish(f"judder/{NODE}/up", b"\x00", qos=1).wait_for_publish(5)
        old = subscriber.receive(5)
        assert old is not None
        broker.kill()
        broker.start()
        deadline = time.monotonic() + 30
        new = None
        while new is None and time.monotonic() < deadline:
            node.publish(f"judder/{NODE}/up", b"\x01", qos=1)
            new = subscriber.receive(0.5)
        assert new is not None
        sent: list[int] = []
        subscriber._client.ack = lambda mid, _qos: sent.append(mid)  # type: ignore[method-assign,assignment,return-value]
        subscriber.ack(old)
        assert sent == []
        subscriber.ack(new)
        assert sent == [new._mid]
        node.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_topics_of_servers_and_what_is_malformed(kind: str) -> None:
    subscriptions = (*topics.OWN, *topics.CHIRPSTACK, *topics.of_tts("machines@works"))
    wanted = [servers.named(name) for name in ("chirpstack: up, one gateway", "tts: up", "tts: downlink ack")]
    with Broker(kind) as broker, Subscriber(broker.host, broker.port, subscriptions=subscriptions) as subscriber:
        node = node_client(broker.port)
        for vector in wanted:
            node.publish(vector["topic"], servers.body(vector), qos=1).wait_for_publish(5)
            event = subscriber.get(5)
            assert event is not None and not isinstance(event, Poison)
            assert servers.plain(event) == vector["event"]
        node.publish(wanted[0]["topic"], b"\xff{", qos=1).wait_for_publish(5)
        poison = subscriber.get(5)
        assert isinstance(poison, Poison)
        assert (poison.uplink.node, poison.uplink.payload) == (NODE_OF_VECTORS, b"\xff{")
        assert "JSON" in str(poison.error)
        node.publish(f"judder/{NODE}/status", b"online", qos=1).wait_for_publish(5)
        assert subscriber.get(5) == Presence(NODE, pytest.approx(time.time(), abs=60), "mqtt", online=True)
        node.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_tls(kind: str, tmp_path: Path) -> None:
    certificate, key, authority = make(tmp_path, "localhost")
    context = ssl.create_default_context(cadata=authority)
    with Broker(kind, tls=(certificate, key)) as broker:
        with Subscriber("localhost", broker.port, tls=context) as subscriber:
            subscriber.publish(f"judder/{NODE}/up", b"\x82\x01\x00")
            event = subscriber.get(5)
            assert isinstance(event, Uplink) and event.payload == b"\x82\x01\x00"
        for tls in (True, False):  # an authority nobody knows; no TLS at all
            with pytest.raises(DeviceError, match=f"localhost:{broker.port}"):
                Subscriber("localhost", broker.port, tls=tls, timeout_s=2)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_password(kind: str) -> None:
    with Broker(kind, users={"gateway": "a secret"}) as broker:
        with Subscriber(broker.host, broker.port, user="gateway", password="a secret") as subscriber:
            assert subscriber.get(0.1) is None
        with pytest.raises(DeviceError, match="Not authorized") as refused:
            Subscriber(broker.host, broker.port, user="gateway", password="another secret")
        assert "secret" not in str(refused.value)


def test_no_broker_is_one_line_that_says_so() -> None:
    with pytest.raises(DeviceError, match="is it running"):
        Subscriber("127.0.0.1", free_port())


def test_something_else_on_the_port_is_not_waited_for_for_ever() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DeviceError, match="no answer"):
            Subscriber("127.0.0.1", silent.getsockname()[1], timeout_s=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_broker_ends_with_a_process_that_is_killed(kind: str) -> None:
    program = (
        "import time; from judder.ingest.broker import Broker\n"
        f"b = Broker({kind!r}).start(); print(b.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        socket.create_connection(("127.0.0.1", port), 5).close()
        owner.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
        time.sleep(0.1)
    raise AssertionError("the broker lives on")
