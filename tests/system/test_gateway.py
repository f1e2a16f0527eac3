"""`judder gateway` from end to end: real brokers, real files, real signals."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from tests.certificates import make
from tests.host.tracking import hello, reading
from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for

from judder.ingest.broker import Broker, free_port

NODE = "70b3d57ed0000001"
FILES = '[[sink]]\ntype = "ndjson"\nlinger_s = 0.05\n[[sink]]\ntype = "sqlite"\nlinger_s = 0.05\n'


@pytest.fixture(autouse=True)
def mosquitto() -> None:
    """Skips by name where it is not installed."""
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")


def publisher(port: int, host: str = "127.0.0.1", user: str = "", password: str = "") -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if user:
        client.username_pw_set(user, password)
    client.max_inflight_messages_set(100)
    client.connect(host, port)
    client.loop_start()
    return client


def publish(client: mqtt.Client, *payloads: bytes, node: str = NODE) -> None:
    """Until the broker has acknowledged all of them."""
    for info in [client.publish(f"judder/{node}/up", payload, qos=1) for payload in payloads]:
        info.wait_for_publish(60)
        assert info.is_published()


def test_with_no_configuration_it_works_at_once(tmp_path: Path) -> None:
    """Its own broker, files in ./judder-data, and it says where everything is."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "judder.cli.main", "gateway", "--json"], cwd=tmp_path, stderr=log
        )
    try:

        def said(event: str, word: str) -> str:
            for line in (tmp_path / "log").read_text().splitlines():
                row = json.loads(line)
                if row["event"] == event and word in row["message"]:
                    return str(row["message"])
            return ""

        assert str(tmp_path / "judder-data") in wait_for(lambda: said("started", "data"), "the start")
        where = wait_for(lambda: said("source", "nodes publish to"), "the broker")
        wait_for(lambda: said("source-up", "connected"), "the source")
        host, port = where.split("nodes publish to ")[1].split(",")[0].rsplit(":", 1)
        node = publisher(int(port), host)
        publish(node, hello(60, 1), reading(1), reading(2))
        node.loop_stop()
        folder = tmp_path / "judder-data"
        wait_for(lambda: sum(len(f.read_text().splitlines()) for f in folder.glob("readings-*.ndjson")) == 3, "lines")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert said("stopped", "kept in the spool")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)
    with contextlib.closing(sqlite3.connect(folder / "judder.db")) as db:
        assert db.execute("SELECT count(*) FROM reading").fetchone() == (2,)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    with Broker("mosquitto") as broker:
        source = f'[[source]]\ntype = "mqtt"\nport = {broker.port}\n'
        with GatewayProcess(tmp_path, source + FILES).start() as gateway:
            node = publisher(broker.port)
            publish(node, reading(1), reading(2), reading(2), reading(5), reading(6)[:-1])
            node.loop_stop()
            wait_for(lambda: len(gateway.ndjson()) == 3, "three readings")
            status = wait_for(
                lambda: (s := gateway.status())["sinks"]["sqlite"]["waiting"] == 0 and s, "everything handed on"
            )
            assert status["ready"] and status["sources"]["mqtt"] == {"up": True, "received": 5, "error": None}
            assert status["decoded"] == {"reading": 4} and status["poison"]["kept"] == 1
            assert status["problems"] == {"duplicate": 1, "gap": 1} and status["nodes"] == 1
            assert status["sinks"]["sqlite"]["written"] == 3 and status["spool"]["dropped"] == 0
            code, metrics = gateway.ask("/metrics")
            assert code == 200 and 'judder_gateway_sink_written_total{sink="ndjson"} 3' in metrics
            assert gateway.ask("/healthz") == (200, "healthy\n") and gateway.ask("/nothing")[0] == 404
            broker.kill()
            code, why = wait_for(lambda: (a := gateway.ask("/readyz"))[0] == 503 and a, "not ready")
            assert "source mqtt: the broker went away" in why and gateway.ask("/healthz")[0] == 200
            broker.start()
            wait_for(gateway.ready, "the broker again")
            assert gateway.stop() == 0
            assert gateway.lines("stopped")


def test_a_broker_with_passwords_and_one_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "password").write_text("s3cret\n")
    source = f'[[source]]\ntype = "broker"\nport = {port}\nusers = {{ pump = {{ file = "password" }} }}\n'
    with GatewayProcess(tmp_path, source + FILES).start() as gateway:
        node = publisher(port, user="pump", password="s3cret")
        publish(node, reading(1))
        node.loop_stop()
        refused = publisher(port, user="pump", password="wrong")
        wait_for(lambda: len(gateway.ndjson()) == 1, "a reading")
        assert not refused.is_connected()
        refused.loop_stop()
        pid = tmp_path / "data" / "broker" / "mosquitto.pid"
        first = pid.read_text()
        os.kill(int(first), signal.SIGKILL)
        wait_for(lambda: pid.read_text() not in (first, ""), "a new one")
        wait_for(gateway.ready, "a new broker")
        node = publisher(port, user="pump", password="s3cret")
        publish(node, reading(2))
        node.loop_stop()
        wait_for(lambda: len(gateway.ndjson()) == 2, "another reading")
        assert gateway.stop() == 0 and "s3cret" not in gateway.log()
    # Its broker ended with it.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_broker_with_tls(tmp_path: Path) -> None:
    port = free_port()
    certificate, key, authority = make(tmp_path, "broker.test")
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(authority))
    source = f'[[source]]\ntype = "broker"\nport = {port}\ncert_file = "{certificate.name}"\nkey_file = "{key.name}"\n'
    with GatewayProcess(tmp_path, source + FILES).start() as gateway:
        node = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        node.tls_set(str(tmp_path / "ca.pem"))
        node.connect("127.0.0.1", port)
        node.loop_start()
        publish(node, reading(1))
        node.loop_stop()
        wait_for(lambda: len(gateway.ndjson()) == 1, "a reading")
        assert gateway.stop() == 0


def test_what_cannot_begin(tmp_path: Path) -> None:
    with Broker("mosquitto") as broker, socket.create_server(("127.0.0.1", 0)) as taken:
        source = f'[[source]]\ntype = "mqtt"\nport = {broker.port}\n'
        with GatewayProcess(tmp_path, source + FILES).start() as gateway:
            done = subprocess.run(
                [sys.executable, "-m", "judder.cli.main", "gateway", "--config", str(gateway.path)],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 7 and "is in use by process" in done.stderr
            gateway.stop()
        text = gateway.path.read_text().replace(str(gateway.health), str(taken.getsockname()[1]))
        gateway.path.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "judder.cli.main", "gateway", "--config", str(gateway.path)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 7 and "name another port in [service]" in done.stderr
