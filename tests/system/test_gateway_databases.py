"""The gateway with PostgreSQL, Parquet and Prometheus behind it, killed like the database: nothing lost or twice."""

import collections
import threading
import time
import urllib.request
from pathlib import Path

import paho.mqtt.client as mqtt
import pyarrow.dataset as ds
import pytest
from tests.host.tracking import hello, reading
from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.postgres import Postgres

from judder.ingest.broker import Broker, free_port

NODES = [f"70b3d57ed000{n:04x}" for n in range(1, 6)]
READINGS = {(node, number) for node in NODES for number in range(100)}


def send(port: int) -> None:
    """What the nodes send, for some seconds, until the broker has acknowledged all of it."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(f"judder/{node}/up", hello(60, 1), qos=1) for node in NODES]
    for number in range(100):
        sent += [client.publish(f"judder/{node}/up", reading(number), qos=1) for node in NODES]
        time.sleep(0.05)
    for message in sent:
        message.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def sections(broker: int, dsn: str, exporter: int) -> str:
    return f"""
[[source]]
type = "mqtt"
port = {broker}

[[sink]]
type = "postgres"
dsn = "{dsn}"
retry_max_s = 1

[[sink]]
type = "parquet"
linger_s = 0.2

[[sink]]
type = "prometheus"
listen = "127.0.0.1:{exporter}"
"""


def in_database(db: Postgres) -> int:
    if db.run("SELECT to_regclass('judder_reading')") == [(None,)]:
        return 0  # it has not got through yet
    ((count,),) = db.run("SELECT count(*) FROM judder_reading")
    return int(count)


def in_lake(gateway: GatewayProcess) -> collections.Counter[tuple[str, int]]:
    # Not while files are put together: a part may go between being listed and being read.
    folder = gateway.folder / "data" / "parquet" / "reading"
    for _ in range(20):
        try:
            table = ds.dataset(folder, partitioning="hive").to_table(columns=["node", "sequence"])
        except (FileNotFoundError, OSError):
            time.sleep(0.1)
            continue
        return collections.Counter(zip(table["node"].to_pylist(), table["sequence"].to_pylist(), strict=True))
    return collections.Counter()


@pytest.mark.timeout(300)
def test_killed_all_around(tmp_path: Path) -> None:
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    db, exporter = Postgres(), free_port()
    try:
        db.server.start()
        db.anew()
        with Broker("mosquitto", folder=tmp_path / "broker") as broker:
            text = sections(broker.port, db.dsn(), exporter)
            with GatewayProcess(tmp_path, text).start() as gateway:
                sender = threading.Thread(target=send, args=(broker.port,))
                sender.start()
                for _ in range(3):
                    time.sleep(1)
                    db.kill()
                    time.sleep(0.5)
                    gateway.kill()
                    gateway.begin()
                    wait_for(gateway.ready, "the next life")
                    db.server.start()
                sender.join()
                wait_for(lambda: in_database(db) == len(READINGS), "everything in PostgreSQL")
                wait_for(lambda: len(in_lake(gateway)) == len(READINGS), "everything in Parquet")
                with urllib.request.urlopen(f"http://127.0.0.1:{exporter}/metrics", timeout=30) as answer:
                    shown = answer.read().decode()
                assert "judder_nodes " in shown, "it listens, also when there is nothing new"
                assert gateway.stop() == 0
                assert gateway.sqlite("SELECT count(*) FROM poison", "spool.db") == [(0,)]
        assert set(db.run("SELECT node, sequence FROM judder_reading")) == READINGS
        assert db.run("SELECT count(*), count(DISTINCT id) FROM judder_hello") == [(len(NODES), len(NODES))]
        assert in_lake(gateway) == collections.Counter(READINGS)
        assert any("sink postgres" in line["message"] for line in gateway.lines("sink-down"))
    finally:
        db.remove()
