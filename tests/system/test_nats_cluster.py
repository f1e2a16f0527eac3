"""Three nats-servers, two gateways, and one of each killed: nothing lost, nothing twice, every node in its order."""

import asyncio
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.errors import KeyNotFoundError, NoKeysError
from tests.host.tracking import reading
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.nats_cluster import Cluster, Node

FULL = bool(os.environ.get("JUDDER_FULL"))
NODES = [f"70b3d57ed000{n:04x}" for n in range(1, 61 if FULL else 13)]
READINGS = 200 if FULL else 50  # of each node
SENDERS = 6
STREAM = "$MQTT_msgs"
FILES = '[[sink]]\ntype = "ndjson"\nlinger_s = 0.05\n[[sink]]\ntype = "sqlite"\nlinger_s = 0.05\n'


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path / "cluster", NODES)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def gateways(cluster: Cluster, folder: Path, **keys: Any) -> Iterator[list[GatewayProcess]]:
    """Two of them, each with half of the partitions."""
    with ExitStack() as stack:
        found = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            gateway = GatewayProcess(folder / name, cluster.source(**keys) + FILES)
            found.append(stack.enter_context(gateway.start()))
        wait_for(lambda: _shares(cluster) == [4, 4], "eight partitions shared by two")
        yield found


class Senders:
    """All nodes, each in its order, from a few threads. done: messages that nodes were told of."""

    def __init__(self, cluster: Cluster) -> None:
        self.done = 0
        self.failed: list[BaseException] = []
        self._lock = threading.Lock()
        self._nodes = [Node(name, cluster.mqtt_ports, n) for n, name in enumerate(NODES)]
        self._threads = [threading.Thread(target=self._send, args=(self._nodes[n::SENDERS],)) for n in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert not self.failed, self.failed

    @property
    def again(self) -> int:
        """Messages published once more because nobody had said that they are there."""
        return sum(node.sent for node in self._nodes) - self.done

    def _send(self, nodes: list[Node]) -> None:
        try:
            for number in range(READINGS):
                for node in nodes:
                    node.publish(reading(number))
                    with self._lock:
                        self.done += 1
        except BaseException as error:
            self.failed.append(error)
        finally:
            for node in nodes:
                node.close()


WANTED = {(node, number) for node in NODES for number in range(READINGS)}


@pytest.mark.timeout(900 if FULL else 240)
def test_the_leader_is_killed(cluster: Cluster, tmp_path: Path, capsys: Any) -> None:
    senders = Senders(cluster)
    # Long leases: no partition is to go to the other gateway while the servers find a new leader.
    with gateways(cluster, tmp_path, lease_s=60) as both:
        senders.start()
        wait_for(lambda: senders.done > len(WANTED) / 2 or senders.failed, "half of the messages")
        cluster.kill(cluster.leader(STREAM))
        senders.join()
        wait_for(lambda: set().union(*map(_readings, both)) >= WANTED, "every message downstream")
        time.sleep(2)  # for what should not come
        rows = [_readings(gateway) for gateway in both]
        copies = sum(gateway.status()["problems"].get("duplicate", 0) for gateway in both)
        for gateway in both:
            assert gateway.stop() == 0, gateway.log()[-2000:]
        found = Counter(row for one in rows for row in one)
        with capsys.disabled():
            print(_summary("a server killed, leader of the stream", found, rows, senders))
            print(f"{copies} copies in the stream, left out by the Tracker")
        assert set(found) == WANTED
        assert set(found.values()) == {1}
        assert _breaks(rows) == 0
        assert all(rows), "both took some"
        for gateway, own in zip(both, rows, strict=True):
            kept = gateway.sqlite("SELECT count(*), count(DISTINCT node || sequence) FROM reading")
            assert kept == [(len(own), len(own))]
            assert gateway.sqlite("SELECT count(*) FROM poison", "spool.db") == [(0,)]


@pytest.mark.timeout(900 if FULL else 240)
def test_a_gateway_is_killed(cluster: Cluster, tmp_path: Path, capsys: Any) -> None:
    """The other takes over. What both took is one and the same: sinks that both write to have it once."""
    senders = Senders(cluster)
    with gateways(cluster, tmp_path, lease_s=4) as both:
        senders.start()
        wait_for(lambda: senders.done > len(WANTED) / 2 or senders.failed, "half of the messages")
        both[1].kill()
        senders.join()
        wait_for(lambda: _shares(cluster) == [8], "one with all partitions")
        both[1].start()  # what it had stored goes downstream
        wait_for(lambda: set().union(*map(_readings, both)) >= WANTED, "every message downstream")
        wait_for(lambda: _shares(cluster) == [4, 4], "both with their half again")
        _one_more(cluster, both, READINGS)
        assert both[0].stop() == 0, both[0].log()[-2000:]
        wait_for(lambda: _shares(cluster) == [8], "the other with all partitions")
        _one_more(cluster, both, READINGS + 1)
        assert both[1].stop() == 0, both[1].log()[-2000:]
        rows = [[row for row in _readings(gateway) if row in WANTED] for gateway in both]
        ids = {row["id"] for gateway in both for row in gateway.ndjson() if row["sequence"] < READINGS}
        with capsys.disabled():
            print(_summary("a gateway killed", Counter(row for one in rows for row in one), rows, senders))
            print(f"{len(ids)} of {len(WANTED)} rows where both write to one database")
        assert set().union(*rows) == WANTED
        assert len(ids) == len(WANTED)
        assert _breaks(rows) == 0
        assert all(rows), "both took some"
        words = {word for gateway in both for row in gateway.ndjson() for word in row["problems"]}
        assert words == set(), "what the other took meanwhile is no gap"


def _one_more(cluster: Cluster, gateways: list[GatewayProcess], number: int) -> None:
    """Of each node, downstream."""
    for name in NODES:
        node = Node(name, cluster.mqtt_ports)
        node.publish(reading(number))
        node.close()
    wanted = {(name, number) for name in NODES}
    wait_for(lambda: set().union(*map(_readings, gateways)) >= wanted, "one more of each")


def test_programs_that_name_their_messages(cluster: Cluster, tmp_path: Path) -> None:
    """In a stream of their own, made by the gateway: published again and again, there once. Its leader is killed."""

    async def publish(client: Any, numbers: range) -> int:
        context, again = client.jetstream(timeout=2), 0
        for node, number in itertools.product(NODES[:4], numbers):
            for attempt in range(200):
                try:
                    name = {"Nats-Msg-Id": f"{node}-{number}"}
                    found = await context.publish(f"judder.{node}.up", reading(number), headers=name)
                except (nats.errors.Error, TimeoutError):
                    await asyncio.sleep(0.2)
                    continue
                again += bool(found.duplicate)
                if attempt or found.duplicate or number % 3:
                    break  # every third one twice
        return again

    source = cluster.source(stream="JUDDER")
    with GatewayProcess(tmp_path, source + FILES).start() as gateway:
        again = cluster.run(lambda client: publish(client, range(20)))
        assert again >= 4 * 7
        cluster.kill(cluster.leader("JUDDER"))
        cluster.run(lambda client: publish(client, range(20, 40)))
        wanted = {(node, number) for node in NODES[:4] for number in range(40)}
        wait_for(lambda: set(_readings(gateway)) >= wanted, "every message downstream")
        assert gateway.stop() == 0
        rows = _readings(gateway)
        assert len(rows) == len(wanted) and _breaks([rows]) == 0
        assert {row["uplink"]["dedup"] for row in gateway.ndjson()} == {f"{node}-{number}" for node, number in wanted}


def test_a_node_is_itself_and_nobody_else(cluster: Cluster, tmp_path: Path) -> None:
    """By the permissions of users.conf: the server tells it that it has what it throws away, as MQTT 3.1.1 lets it."""
    with GatewayProcess(tmp_path, cluster.source() + FILES).start() as gateway:
        node = Node(NODES[0], cluster.mqtt_ports)
        node.publish(reading(1))
        node.topic_of = NODES[1]
        node.publish(reading(2))
        node.topic_of = NODES[0]
        node.publish(reading(3))
        wait_for(lambda: (NODES[0], 3) in _readings(gateway), "what it published after")
        assert _readings(gateway) == [(NODES[0], 1), (NODES[0], 3)]
        node.close()
    log = "".join((server / "log").read_text() for server in cluster.folder.iterdir())
    assert f'Publish Violation - User "{NODES[0]}"' in log


def _readings(gateway: GatewayProcess) -> list[tuple[str, int]]:
    """(node, number) as they came downstream."""
    return [(row["node"], row["sequence"]) for row in gateway.ndjson() if row["kind"] == "reading"]


def _breaks(rows: list[list[tuple[str, int]]]) -> int:
    """How often a node's reading came after a later one of its own."""
    count = 0
    for one in rows:
        latest: dict[str, int] = {}
        for node, number in one:
            count += number < latest.get(node, -1)
            latest[node] = max(number, latest.get(node, -1))
    return count


def _summary(what: str, found: Counter[Any], rows: list[list[Any]], senders: Senders) -> str:
    twice = sum(found.values()) - len(found)
    shares = ", ".join(str(len(one)) for one in rows)
    return (
        f"\n{what}: {len(found)} of {len(WANTED)} messages of {len(NODES)} nodes, {len(WANTED) - len(found)} lost, "
        f"{twice} twice downstream, {_breaks(rows)} order breaks; by gateway {shares}; "
        f"published again by nodes {senders.again}"
    )


def _shares(cluster: Cluster) -> list[int]:
    """How many partitions each gateway has."""

    async def ask(client: Any) -> list[int]:
        bucket = await client.jetstream(timeout=10).key_value("judder-judder-MQTT_msgs")
        try:
            keys = [key for key in await bucket.keys() if key.startswith("part.")]
            owners = Counter([(await bucket.get(key)).value for key in keys])
        except (KeyNotFoundError, NoKeysError):  # one is just given back
            return []
        return sorted(owners.values())

    return cluster.run(ask)
