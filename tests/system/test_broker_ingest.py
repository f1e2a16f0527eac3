"""Subscriber and broker, over real MQTT on loopback, with whichever brokers this machine has."""

import shutil
import socket
import subprocess
import sys
import time

import paho.mqtt.client as mqtt
import pytest

from judder.errors import DeviceError
from judder.ingest.mqtt import Subscriber
from judder.virtual.broker import Broker, free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
KINDS = [
    "amqtt",
    pytest.param("mosquitto", marks=pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")),
]
NODE = "70b3d5fffe000001"


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
        message = subscriber.get(5)
        assert message is not None
        assert (message.node, message.payload, message.is_status) == (NODE, b"\x82\x01\x00", False)
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
        message = None
        while message is None and time.monotonic() < deadline:
            node.publish(f"judder/{NODE}/up", b"\x00", qos=1)
            message = subscriber.get(0.5)
        assert message is not None
        node.loop_stop()


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
        "import time; from judder.virtual.broker import Broker\n"
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
