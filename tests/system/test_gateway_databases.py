"""The gateway with PostgreSQL, Parquet and Prometheus behind it, killed like the database: nothing lost or twice."""

import collections
import threading
import time
import urllib.request
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.postgres import Postgres
from tests.system.test_gateway_killed import NODES, send

from judder.ingest.broker import Broker, free_port

READINGS = {(node, number) for node in NODES for number in range(200)}


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
                count = "SELECT count(*) FROM judder_reading"
                wait_for(lambda: db.run(count) == [(len(READINGS),)], "everything in PostgreSQL")
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
