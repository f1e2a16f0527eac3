"""Publishing over real MQTT on loopback: what write() promises, through every way a broker can be away."""

import json
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import certificates
from tests.host import sinks
from tests.system import daemon
from tests.system.listener import BROKERS, Listener, needs_mosquitto

from judder.ingest.broker import Broker, free_port
from judder.sink import SinkDown
from judder.sink.mqtt import Message, MqttOptions, Publisher, Role
from judder.sink.mqtt_json import MqttJsonOptions, MqttJsonSink


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker(request.param) as found:
        yield found


def open_sink(broker: Broker, **options: Any) -> MqttJsonSink:
    return MqttJsonSink(MqttJsonOptions(host=broker.host, port=broker.port, **options))


def test_every_kind_has_its_topic_and_is_there_when_write_returns(broker: Broker) -> None:
    batch = sinks.one_of_each()
    with Listener(broker) as listener, open_sink(broker) as sink:
        sink.write(batch)
        got = listener.first(len(batch))
    kinds = ["reading", "alarm", "hello", "capture", "spectrum", "ack", "unknown"]
    assert [message.topic for message in got] == [f"judder/{sinks.NODE}/{kind}" for kind in kinds]
    assert {message.qos for message in got} == {1}
    row = json.loads(got[0].payload)
    assert (row["velocity_rms_worst_mm_s"], row["zone"], row["uplink"]["name"]) == (3.12, "B", "Pump 3, drive end")
    assert row["payload"] == batch[0].uplink.payload.hex()


def test_thousands_in_their_order(broker: Broker) -> None:
    """More than a connection has on its way at once."""
    batch = [sinks.reading(n) for n in range(1000)]
    with Listener(broker) as listener, open_sink(broker) as sink:
        sink.write(batch)
        sink.write(batch[:1])
        rows = [json.loads(message.payload) for message in listener.first(1001)]
    assert [row["sequence"] for row in rows] == [*range(1000), 0]
    assert rows[0]["id"] == rows[-1]["id"]


def test_topic_and_retain_as_told(broker: Broker) -> None:
    with open_sink(broker, topic="plant/{kind}/{node}", retain=True) as sink:
        sink.write([sinks.reading(1), sinks.reading(2), sinks.reading(3, node="")])
    with Listener(broker, ["plant/#"]) as listener:
        found = {message.topic: json.loads(message.payload)["sequence"] for message in listener.first(2)}
    assert found == {f"plant/reading/{sinks.NODE}": 2, "plant/reading/unknown": 3}


def test_killed_and_back(broker: Broker) -> None:
    with open_sink(broker, timeout_s=5) as sink:
        sink.write([sinks.reading(0)])
        broker.kill()
        for _ in range(2):
            with pytest.raises(SinkDown, match=f"{broker.host}:{broker.port}"):
                sink.write([sinks.reading(1)])
        broker.start()
        with Listener(broker) as listener:
            sink.write([sinks.reading(1)])
            (message,) = listener.first(1)
            # Nothing of what failed is said later.
            sink.write([sinks.reading(2)])
            assert json.loads(listener.first(2)[1].payload)["sequence"] == 2
    assert json.loads(message.payload)["sequence"] == 1


def test_a_broker_that_falls_silent_is_down_in_time() -> None:
    """It takes the connection, then nothing more: no acknowledgement, no end."""

    def serve(listening: socket.socket) -> None:
        connection, _address = listening.accept()
        connection.recv(1024)
        connection.sendall(b"\x20\x02\x00\x00")  # CONNACK, accepted
        silent.wait(30)
        connection.close()

    silent = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        sink = MqttJsonSink(MqttJsonOptions(port=listening.getsockname()[1], timeout_s=0.5))
        with pytest.raises(SinkDown, match=r"did not answer within 0.5 s"):
            sink.write([sinks.reading(1)])
        silent.set()
        sink.close()
        thread.join(10)


def test_no_broker_is_down_and_making_the_sink_is_not() -> None:
    port = free_port()
    sink = MqttJsonSink(MqttJsonOptions(port=port))
    with pytest.raises(SinkDown, match=f"cannot reach the broker at 127.0.0.1:{port}"):
        sink.write([sinks.reading(1)])
    sink.close()


def test_tls(tmp_path: Path) -> None:
    certificate, key, authority = certificates.make(tmp_path, "localhost")
    ca_file = tmp_path / "authority.pem"
    ca_file.write_text(ssl.DER_cert_to_PEM_cert(authority))
    with Broker(tls=(certificate, key)) as broker:
        said = {"host": "localhost", "port": broker.port, "tls": True}
        with MqttJsonSink(MqttJsonOptions(**said, ca_file=ca_file)) as sink:
            sink.write([sinks.reading(1)])
        with MqttJsonSink(MqttJsonOptions(**said)) as stranger, pytest.raises(SinkDown, match="certificate"):
            stranger.write([sinks.reading(1)])


@needs_mosquitto
def test_a_password() -> None:
    with Broker("mosquitto", users={"sink": "a secret"}) as broker:
        with open_sink(broker, user="sink", password="a secret") as sink:
            sink.write([sinks.reading(1)])
        with open_sink(broker, user="sink", password="another secret") as other, pytest.raises(SinkDown) as caught:
            other.write([sinks.reading(1)])
    assert "look at user and password" in str(caught.value) and "secret" not in str(caught.value)


class Present(Role):
    """Says hello and goodbye, and answers."""

    subscriptions = ("there/say",)

    def will(self) -> Message:
        return Message("there/state", b"lost", retain=True)

    def greet(self) -> list[Message]:
        return [Message("there/state", b"here", retain=True)]

    def heard(self, message: Message) -> list[Message]:
        return [Message("there/answer", message.payload.upper(), qos=0)]

    def farewell(self) -> list[Message]:
        return [Message("there/state", b"gone", retain=True)]


def state(listener: Listener, payload: bytes) -> None:
    listener.wait(lambda messages: any((m.topic, m.payload) == ("there/state", payload) for m in messages))
    listener.forget()


def test_a_role_greets_answers_and_says_farewell(broker: Broker) -> None:
    """And comes back by itself: no write() is needed to be seen again."""
    publisher = Publisher(MqttOptions(host=broker.host, port=broker.port), Present(), "judder-present")
    with Listener(broker) as listener:
        publisher.send(lambda: [Message("there/data", b"1", qos=0)])
        state(listener, b"here")
        listener.say("there/say", b"hello")
        listener.wait(lambda messages: any(m.payload == b"HELLO" for m in messages))
    broker.kill()
    broker.start()
    with Listener(broker) as listener:
        state(listener, b"here")
        publisher.close()
        state(listener, b"gone")


@needs_mosquitto
def test_another_with_the_same_client_id_takes_over_and_the_will_is_said_before() -> None:
    """As after a crash: the broker still holds the connection of the process before."""
    with Broker("mosquitto") as broker, Listener(broker) as listener:
        options = MqttOptions(host=broker.host, port=broker.port)
        old = Publisher(options, Present(), "judder-present")
        old.send(list)
        old._closing.set()  # a process that is gone does not come back
        new = Publisher(options, Present(), "judder-present")
        new.send(list)
        found = [m.payload for m in listener.wait(lambda messages: len(messages) >= 3)]
        new.close()
        old.close()
    assert found[:3] == [b"here", b"lost", b"here"]


@needs_mosquitto
def test_the_will_is_said_when_a_broker_did_not_answer_in_time() -> None:
    """Ended without a DISCONNECT, after which a broker keeps the will to itself."""
    with Broker("mosquitto") as broker, Listener(broker) as listener:
        publisher = Publisher(MqttOptions(host=broker.host, port=broker.port, timeout_s=0.5), Present())
        publisher.send(list)
        assert broker._process is not None
        broker._process.send_signal(signal.SIGSTOP)
        with pytest.raises(SinkDown, match="did not answer"):
            publisher.send(lambda: [Message("there/data", b"1")])
        broker._process.send_signal(signal.SIGCONT)
        found = listener.wait(lambda messages: [m.payload for m in messages].count(b"here") >= 2)
        publisher.close()
    assert b"lost" in [m.payload for m in found if m.topic == "there/state"]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[int]:
    """Port of a mosquitto that lets everybody publish below judder/ and nowhere else."""
    port = free_port()
    (tmp_path / "acl").write_text("topic readwrite judder/#\ntopic readwrite there/#\n")
    user = "user root\n" if os.geteuid() == 0 else ""
    (tmp_path / "conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path / 'acl'}\n{user}"
    )

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    command = [daemon.program("mosquitto", "/usr/sbin", "/usr/local/sbin"), "-c", str(tmp_path / "conf")]
    broker = daemon.Daemon(command, tmp_path, ready)
    broker.start()
    yield port
    broker.stop()


def test_a_topic_that_is_not_ours_is_told_in_mqtt_5(strict: int) -> None:
    with MqttJsonSink(MqttJsonOptions(port=strict, protocol="5")) as sink:
        sink.write([sinks.reading(1)])
    with (
        MqttJsonSink(MqttJsonOptions(port=strict, protocol="5", topic="plant/{node}")) as sink,
        pytest.raises(SinkDown, match=f"refuses plant/{sinks.NODE}: Not authorized"),
    ):
        sink.write([sinks.reading(1)])
    # In 3.1.1 a broker has no word for it.
    with MqttJsonSink(MqttJsonOptions(port=strict, topic="plant/{node}")) as sink:
        sink.write([sinks.reading(1)])


@needs_mosquitto
def test_in_mqtt_5_too_the_end_is_told() -> None:
    with Broker("mosquitto") as broker, Listener(broker) as listener:
        publisher = Publisher(MqttOptions(host=broker.host, port=broker.port, protocol="5"), Present())
        publisher.send(lambda: [Message("there/data", b"1", qos=0)])
        state(listener, b"here")
        listener.say("there/say", b"hello")
        listener.wait(lambda messages: any(m.payload == b"HELLO" for m in messages))
        publisher.close()
        found = [m.payload for m in listener.wait(lambda messages: any(m.payload == b"lost" for m in messages))]
    assert found[-2:] == [b"gone", b"lost"]
