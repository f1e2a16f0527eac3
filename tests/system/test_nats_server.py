"""The NATS source and one nats-server of Debian's, over TLS: what is taken when, and what is wrong."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from tests import certificates
from tests.host.gateways import NODE
from tests.host.tracking import reading
from tests.system import daemon
from tests.system.gateway_process import wait_for
from tests.system.nats_cluster import Node, listening

from judder.errors import DeviceError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival
from judder.gateway.source import Stopped
from judder.gateway.source.nats import NatsOptions, NatsSource
from judder.gateway.source.nats_consumers import Consumers
from judder.ingest.broker import free_port

CONFIG = """
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{folder}/jetstream" }}
authorization {{ user: gateway, password: "right" }}
tls {{ cert_file: "{certificate}", key_file: "{key}" }}
"""


class Server:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        certificate, key, authority = certificates.make(folder, "nats.test")
        self.ca = folder / "ca.pem"
        self.ca.write_text(ssl.DER_cert_to_PEM_cert(authority))
        config = folder / "nats.conf"
        config.write_text(CONFIG.format(port=self.port, folder=folder, certificate=certificate, key=key))
        program = daemon.program("nats-server", "/usr/sbin")
        self.daemon = daemon.Daemon([program, "-c", str(config)], folder, lambda: listening(self.port))

    def options(self, **other: Any) -> NatsOptions:
        given = {"servers": (f"nats://127.0.0.1:{self.port}",), "user": "gateway", "password": "right"}
        given |= {"ca_file": self.ca, "stream": "JUDDER", "partitions": 1, "subjects": "judder.*.*", "replicas": 1}
        return NatsOptions(**{**given, "lease_s": 3, **other})

    def publish(self, *messages: tuple[str, bytes]) -> None:
        async def all_of_them() -> None:
            tls = ssl.create_default_context(cafile=self.ca)
            client = await nats.connect(f"nats://127.0.0.1:{self.port}", user="gateway", password="right", tls=tls)
            for subject, payload in messages:
                await client.jetstream().publish(subject, payload)
            await client.close()

        asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("nats"))
    made.daemon.start()
    yield made
    made.daemon.stop()


class Desk:
    """A gateway's side. stored: where it is, as its spool would keep it. refuse: take() waits, as for a full disk."""

    origin, identity = "test", "0000"

    def __init__(self, stored: str | None = None) -> None:
        self.stopping = False
        self.taken: list[Arrival] = []
        self.said: list[tuple[bool, str]] = []
        self.notes: list[str] = []
        self.stored = stored
        self.room = threading.Event()
        self.room.set()

    def take(self, arrivals: Sequence[Arrival], position: str | None = None) -> None:
        self.room.wait(60)
        if self.stopping:
            raise Stopped
        self.taken += arrivals
        self.stored = position

    def position(self) -> str | None:
        return self.stored

    def connected(self, is_up: bool, why: str = "") -> None:
        self.said.append((is_up, why))

    def missed(self, total: int) -> None: ...

    def note(self, message: str, level: str = "info") -> None:
        self.notes.append(f"{level}: {message}")

    def pause(self, seconds: float) -> bool:  # noqa: ARG002
        return self.stopping

    @property
    def payloads(self) -> list[bytes]:
        return [one.event.payload for one in self.taken if isinstance(one.event, Uplink)]


@contextmanager
def running(options: NatsOptions, desk: Any) -> Iterator[None]:
    thread = threading.Thread(target=NatsSource(options).run, args=(desk,))
    thread.start()
    try:
        wait_for(lambda: desk.said or not thread.is_alive(), "a connection")
        yield
    finally:
        desk.stopping = True
        desk.room.set()
        thread.join(60)
    assert not thread.is_alive()


def frames(*numbers: int) -> list[tuple[str, bytes]]:
    return [(f"judder.{NODE}.up", reading(number)) for number in numbers]


def payloads(*numbers: int) -> list[bytes]:
    return [reading(number) for number in numbers]


def test_over_tls_from_where_it_was(server: Server) -> None:
    first, second = Desk(), Desk()
    with running(server.options(group="where"), first):
        assert first.said == [(True, "")]
        server.publish(*frames(1, 2), ("judder.nobody.up", b"?"), *frames(3))
        wait_for(lambda: len(first.payloads) == 3, "all of them")
        assert first.payloads == payloads(1, 2, 3)
        (poison,) = [one.event for one in first.taken if isinstance(one.event, Poison)]
        assert "nobody" in str(poison.error)
    server.publish(*frames(4, 5))  # nobody is there
    with running(server.options(group="where"), second):  # another gateway, which was told nothing
        wait_for(lambda: len(second.payloads) == 2, "the rest")
        assert second.payloads == payloads(4, 5)


def test_what_was_not_stored_comes_again_and_what_was_does_not(server: Server) -> None:
    """The first stops while its disk is full; the second has stored all, and dies before that is acknowledged."""
    full, whole = Desk(), Desk()
    full.room.clear()
    with running(server.options(group="again"), full):
        server.publish(*frames(11, 12))
        full.room.wait(2)
    assert full.taken == [] and full.stored is None
    with running(server.options(group="again"), whole):
        wait_for(lambda: payloads(11, 12) == whole.payloads[-2:], "what was not stored")
    # As after a crash: its spool has more than the servers know to be acknowledged.
    later = Desk(whole.stored)
    with running(server.options(group="other"), later):
        server.publish(*frames(13))
        wait_for(lambda: later.payloads, "what is new")
        assert later.payloads == payloads(13)


def test_a_stream_made_anew_begins_anew(server: Server) -> None:
    stale = Desk('{"created": "2020-01-01 00:00:00+00:00", "last": {"0": 1000000}}')
    with running(server.options(group="anew"), stale):
        server.publish(*frames(21))
        wait_for(lambda: reading(21) in stale.payloads, "what the number alone would leave out")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "wrong"}, "Authorization"),
        ({"servers": ("nats://127.0.0.1:1",)}, "no connection to nats://127.0.0.1:1: "),
        ({"ca_file": None, "tls": True}, "certificate verify failed"),
    ],
)
def test_what_is_wrong_is_said(
    server: Server, wrong: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judder.gateway.source.nats._CONNECT_S", 1)
    with pytest.raises(DeviceError) as error:
        NatsSource(server.options(**wrong)).run(Desk())
    assert said.lower() in str(error.value).lower()


def test_every_partition_is_kept_from_the_first_moment(server: Server) -> None:
    """A stream of MQTT keeps only what some consumer wants: all of them are there before the source says it is."""
    options = server.options(stream="$MQTT_msgs", partitions=8, subjects="$MQTT.msgs.part.{}.judder.*.*")
    desk = Desk()

    async def consumers() -> list[str]:
        tls = ssl.create_default_context(cafile=server.ca)
        client = await nats.connect(options.servers[0], user="gateway", password="right", tls=tls)
        found = [info.name for info in await client.jetstream().consumers_info("$MQTT_msgs")]
        await client.close()
        return found

    with running(options, desk):
        assert {name.rsplit("-", 1)[0] for name in asyncio.run(consumers())} == {f"judder-{n}" for n in range(8)}


def test_names_of_other_groups_are_left_alone(server: Server) -> None:
    one, two = Desk(), Desk()
    with running(server.options(group="west"), one), running(server.options(group="west-0"), two):
        server.publish(*frames(31))
        wait_for(lambda: reading(31) in one.payloads and reading(31) in two.payloads, "each group all")


def test_leases_are_as_long_as_those_of_the_group(server: Server) -> None:
    """Longer ones would be over at the servers first, and another gateway would take the same."""
    first, second = Desk(), Desk()
    with running(server.options(group="lease"), first), running(server.options(group="lease", lease_s=600), second):
        wait_for(lambda: second.notes, "what it does instead")
    assert first.notes == []
    assert second.notes == ["warning: gateways of this group have lease_s = 3; so has this one"]


SMALL = """
server_name: small
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{folder}/jetstream", max_file_store: 100KB }}
mqtt {{ host: 127.0.0.1, port: {mqtt} }}
mappings: {{ "judder.*.up": "part.{{{{partition(8,1)}}}}.judder.{{{{wildcard(1)}}}}.up" }}
"""


def test_nodes_are_told_no_more_when_the_store_is_full(tmp_path: Path) -> None:
    """And what they were told of is there."""
    port, mqtt = free_port(), free_port()
    (tmp_path / "nats.conf").write_text(SMALL.format(port=port, mqtt=mqtt, folder=tmp_path))
    program = daemon.program("nats-server", "/usr/sbin")
    server = daemon.Daemon([program, "-c", "nats.conf"], tmp_path, lambda: listening(port) and listening(mqtt))
    server.start()

    async def kept(begin: bool) -> int:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        if begin:
            await Consumers(client, NatsOptions(replicas=1)).begin()
        info = await client.jetstream().stream_info("$MQTT_msgs")
        await client.close()
        return int(info.state.messages)

    try:
        assert asyncio.run(kept(True)) == 0
        node, told = Node(NODE, [mqtt], patience_s=5), 0
        with pytest.raises(AssertionError, match="was not told"):
            for _ in range(1000):
                node.publish(bytes(1000), attempts=1)
                told += 1
        assert 0 < told == asyncio.run(kept(False))
    finally:
        server.stop()
