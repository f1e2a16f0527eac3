"""kill -9 at any moment, against a real mosquitto: nothing is lost, and nothing is downstream twice."""

import os
import random
import threading
import time
from pathlib import Path

import pytest
from tests.host.tracking import hello, reading
from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.test_gateway import FILES, publisher

from judder.ingest.broker import Broker

FULL = bool(os.environ.get("JUDDER_FULL"))
NODES = [f"70b3d57ed000{n:04x}" for n in range(1, 6)]
READINGS = 3000 if FULL else 120  # of each node
KILLS = 60 if FULL else 4
SEED = 20261125


@pytest.mark.timeout(1800 if FULL else 180)
def test_killed_at_any_moment(tmp_path: Path) -> None:
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    rng = random.Random(SEED)
    with Broker("mosquitto", folder=tmp_path / "broker") as broker:
        source = f'[[source]]\ntype = "mqtt"\nname = "plant"\nport = {broker.port}\n'
        with GatewayProcess(tmp_path, source + FILES).start() as gateway:
            sender = threading.Thread(target=send, args=(broker.port, 0.4))
            sender.start()
            for _ in range(KILLS):
                time.sleep(rng.uniform(0, 1.5))
                gateway.kill()
                gateway.begin()
                if rng.random() < 0.7:  # else it is killed while it starts
                    wait_for(gateway.ready, "the next life")
            sender.join()
            wait_for(gateway.ready, "the last life")
            expected = {(node, number) for node in NODES for number in range(READINGS)}
            there = wait_for(lambda: _readings(gateway) >= expected and gateway.ndjson(), "everything downstream")
            wait_for(lambda: gateway.sqlite("SELECT count(*) FROM reading")[0][0] >= len(expected), "SQLite too")
            assert gateway.stop() == 0

            readings = [(row["node"], row["sequence"]) for row in there if row["kind"] == "reading"]
            assert len(readings) == len(set(readings)) == len(expected)
            ids = [row["id"] for row in there]
            assert len(ids) == len(set(ids)) == len(expected) + len(NODES)
            assert gateway.sqlite("SELECT count(*), count(DISTINCT node || sequence) FROM reading") == [
                (len(expected), len(expected))
            ]
            assert gateway.sqlite("SELECT count(*) FROM hello") == [(len(NODES),)]
            # No word of a Tracker that forgot something, or took a repetition for a start.
            assert {word for row in there for word in row["problems"]} == set()
            assert gateway.sqlite("SELECT count(*) FROM poison", "spool.db") == [(0,)]


@pytest.mark.timeout(180)
def test_a_broker_that_is_started_again_meanwhile(tmp_path: Path) -> None:
    """Both sides connect again by themselves, and both send again what was not acknowledged."""
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    rng = random.Random(SEED)
    with Broker("mosquitto", folder=tmp_path / "broker") as broker:
        source = f'[[source]]\ntype = "mqtt"\nname = "plant"\nport = {broker.port}\n'
        with GatewayProcess(tmp_path, source + FILES).start() as gateway:
            sender = threading.Thread(target=send, args=(broker.port, 0.1))
            sender.start()
            for _ in range(2):
                time.sleep(rng.uniform(0.2, 1.0))
                broker.stop()
                broker.start()
            sender.join()
            expected = {(node, number) for node in NODES for number in range(READINGS)}
            wait_for(lambda: _readings(gateway) >= expected, "everything downstream")
            assert gateway.stop() == 0
            readings = [(row["node"], row["sequence"]) for row in gateway.ndjson() if row["kind"] == "reading"]
            assert len(readings) == len(set(readings)) == len(expected)


def _readings(gateway: GatewayProcess) -> set[tuple[str, int]]:
    return {(row["node"], row["sequence"]) for row in gateway.ndjson() if row["kind"] == "reading"}


def send(port: int, pause_s: float) -> None:
    """What five nodes send, each in its order, until the broker has acknowledged all of it. pause_s: now and then,
    so that it takes about as long as what happens meanwhile."""
    node = publisher(port)
    acknowledged: list[int] = []
    node.on_publish = lambda _client, _data, mid, *_: acknowledged.append(mid)
    for name in NODES:
        node.publish(f"judder/{name}/up", hello(60, 1), qos=1)
    for number in range(READINGS):
        for name in NODES:
            node.publish(f"judder/{name}/up", reading(number), qos=1)
        if number % 10 == 0:
            time.sleep(pause_s)
    wait_for(lambda: len(acknowledged) >= len(NODES) * (1 + READINGS), "the broker's acknowledgements")
    node.disconnect()
    node.loop_stop()
