"""The broker a gateway brings along: what it acknowledged outlives the gateway's death; passwords."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from tests.system.test_broker_ingest import MOSQUITTO, NODE, node_client

from judder.errors import DeviceError
from judder.flow import Uplink
from judder.ingest.broker import Broker, free_port
from judder.ingest.mqtt import Subscriber

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")

OWNER = """
import sys, time
from pathlib import Path
from judder.ingest.broker import Broker
with Broker("mosquitto", port=int(sys.argv[1]), folder=Path(sys.argv[2])):
    print("up", flush=True)
    time.sleep(60)
"""


def test_what_it_holds_outlives_the_death_of_its_owner(tmp_path: Path) -> None:
    port = free_port()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(port), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    try:
        assert owner.stdout.readline() == "up\n"
        with Subscriber("127.0.0.1", port, client_id="gateway"):
            pass  # has a session from now on
        node = node_client(port)
        for i in range(40):
            node.publish(f"judder/{NODE}/up", bytes([i]), qos=1).wait_for_publish(5)
        node.loop_stop()
    finally:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait(10)
        owner.stdout.close()
    with (
        Broker("mosquitto", port=port, folder=tmp_path) as broker,
        Subscriber(broker.host, broker.port, client_id="gateway") as subscriber,
    ):
        got = [subscriber.get(5) for _ in range(40)]
    assert [event.payload[0] for event in got if isinstance(event, Uplink)] == list(range(40))


def test_only_those_with_a_password_get_in(tmp_path: Path) -> None:
    other = tmp_path / "others"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(other), "pump", "its own"], check=True, capture_output=True)
    with Broker("mosquitto", users={"gateway": "a: secret"}, users_file=other) as broker:
        with Subscriber(broker.host, broker.port, user="gateway", password="a: secret") as subscriber:
            node = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            node.username_pw_set("pump", "its own")
            node.connect(broker.host, broker.port)
            node.loop_start()
            node.publish(f"judder/{NODE}/up", b"\x00", qos=1).wait_for_publish(5)
            assert subscriber.get(5) is not None
            node.loop_stop()
        for user, password in (("", ""), ("gateway", "wrong"), ("pump", "a: secret")):
            with pytest.raises(DeviceError, match="uthori"):
                Subscriber(broker.host, broker.port, user=user, password=password)


def test_passwords_need_mosquitto() -> None:
    with pytest.raises(DeviceError, match="apt install mosquitto"):
        Broker("amqtt", users={"a": "b"})


def test_it_listens_where_it_is_told(tmp_path: Path) -> None:
    with Broker("mosquitto", host="127.0.0.2", folder=tmp_path) as broker:
        with Subscriber("127.0.0.2", broker.port):
            pass
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", broker.port), 1)
        broker.stop()
        assert not broker.running()
    assert Broker("mosquitto", host="0.0.0.0").local == "127.0.0.1"
