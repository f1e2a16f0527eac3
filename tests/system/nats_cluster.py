"""Three nats-servers of Debian's on loopback, with the files of host/integrations/nats; nodes that publish to them."""

import asyncio
import shutil
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import nats
import paho.mqtt.client as mqtt
from tests.system import daemon
from tests.system.gateway_process import wait_for

from judder.ingest.broker import free_port

RECIPE = Path(__file__).parents[2] / "host" / "integrations" / "nats"
PASSWORD = "a word of the gateways"
_ANSWER_S = 15.0
_Found = TypeVar("_Found")


class Cluster:
    """start(), kill() and stop(). nodes: ids of those that may publish, each with its id turned round as password."""

    def __init__(self, folder: Path, nodes: Iterable[str], size: int = 3) -> None:
        self.folder = folder
        self._program = daemon.program("nats-server", "/usr/sbin")
        self.ports = [free_port() for _ in range(size)]
        self.mqtt_ports = [free_port() for _ in range(size)]
        self._monitors = [free_port() for _ in range(size)]
        self._routes = [free_port() for _ in range(size)]
        self._users = _users(nodes)
        self.servers = [self._server(number) for number in range(size)]

    @property
    def urls(self) -> list[str]:
        return [f"nats://127.0.0.1:{port}" for port in self.ports]

    def source(self, **keys: Any) -> str:
        """A [[source]] of gateway.toml."""
        keys = {"servers": self.urls, "user": "gateway", "password": PASSWORD, **keys}
        lines = [f"{key} = {value!r}" for key, value in keys.items()]
        return "\n".join(['[[source]]\ntype = "nats"', *lines, ""])

    def start(self) -> None:
        for server in self.servers:
            server.start()

        async def usable(client: Any) -> bool:
            try:
                await client.jetstream(timeout=2).account_info()
            except (nats.errors.Error, TimeoutError):
                return False
            return True

        wait_for(lambda: self.run(usable), "a cluster with a leader")

    def kill(self, number: int) -> None:
        """As a power cut does."""
        self.servers[number].stop(signal.SIGKILL)

    def leader(self, stream: str) -> int:
        """Which server leads that stream."""

        async def ask(client: Any) -> int:
            info = await client.jetstream(timeout=_ANSWER_S).stream_info(stream)
            return int(info.cluster.leader.removeprefix("nats-")) - 1

        return self.run(ask)

    def run(self, what: Callable[[Any], Awaitable[_Found]]) -> _Found:
        """With a connection of the gateways' user."""

        async def with_it() -> _Found:
            client = await nats.connect(self.urls, user="gateway", password=PASSWORD, error_cb=_quiet)
            try:
                return await what(client)
            finally:
                await client.close()

        return asyncio.run(asyncio.wait_for(with_it(), 60))

    def stop(self) -> None:
        for server in self.servers:
            server.stop(signal.SIGKILL)

    def _server(self, number: int) -> daemon.Daemon:
        here = self.folder / f"nats-{number + 1}"
        here.mkdir(parents=True)
        shutil.copy(RECIPE / "judder.conf", here)
        (here / "users.conf").write_text(self._users)
        routes = {f"NATS_ROUTE_{n}": f"nats://cluster:c1@127.0.0.1:{port}" for n, port in enumerate(self._routes, 1)}
        environ = {
            "NATS_NAME": f"nats-{number + 1}",
            "NATS_HOST": "127.0.0.1",
            "NATS_PORT": str(self.ports[number]),
            "NATS_MONITOR": f"127.0.0.1:{self._monitors[number]}",
            "NATS_STORE": str(here / "jetstream"),
            "NATS_CLUSTER_PORT": str(self._routes[number]),
            "NATS_CLUSTER_PASSWORD": "c1",
            "NATS_MQTT_PORT": str(self.mqtt_ports[number]),
            "NATS_ADMIN_PASSWORD": '"an admin"',
            "JUDDER_GATEWAY_PASSWORD": f'"{PASSWORD}"',  # a value is read as the file is
            **routes,
        }
        command = ["env", *(f"{key}={value}" for key, value in environ.items()), self._program, "-c", "judder.conf"]
        return daemon.Daemon(command, here, lambda: listening(self._monitors[number]))


def listening(port: int) -> bool:
    """Healthy a server of a cluster is with another one only; it listens before."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


async def _quiet(_error: Exception) -> None: ...


def _users(nodes: Iterable[str]) -> str:
    """As host/integrations/nats/users.conf, with more nodes."""
    template = (RECIPE / "users.conf").read_text()
    example = "70b3d57ed0000001"
    start = template.index('  { user: "' + example)
    one = template[start : template.rindex("]")].rstrip()
    many = [one.replace(example, node).replace("$JUDDER_NODE_1_PASSWORD", f'"{node[::-1]}"') for node in nodes]
    return template[:start] + "\n".join(many) + "\n]\n"


class Node:
    """Publishes as a node does: MQTT 3.1.1 with QoS 1, one at a time, again until it is told that it is there. From one
    server to the next when one does not answer. sent: how often it published. topic_of: as whom."""

    def __init__(self, node: str, ports: Sequence[int], first: int = 0, patience_s: float = 10.0) -> None:
        self.node = self.topic_of = node
        self.sent = 0
        self._ports = ports
        self._at = first
        self._patience_s = patience_s
        self._client: mqtt.Client | None = None

    def publish(self, payload: bytes, attempts: int = 60) -> None:
        for _ in range(attempts):
            if self._client is None:
                self._client = self._connected()
            if self._client is not None:
                info = self._client.publish(f"judder/{self.topic_of}/up", payload, qos=1)
                self.sent += 1
                if self._told(info):
                    return
            self.close()
            self._at += 1
        raise AssertionError(f"{self.node} was not told in {attempts} attempts")

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _told(self, info: mqtt.MQTTMessageInfo) -> bool:
        """Whether it was, before the connection ended or patience did."""
        until = time.monotonic() + self._patience_s
        try:
            while not info.is_published() and self._alive() and time.monotonic() < until:
                info.wait_for_publish(0.5)
            return info.is_published()
        except (ValueError, RuntimeError):  # it was not even sent
            return False

    def _alive(self) -> bool:
        return self._client is not None and self._client.is_connected()

    def _connected(self) -> mqtt.Client | None:
        port = self._ports[self._at % len(self._ports)]
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"judder-{self.node}", protocol=mqtt.MQTTv311)
        client.username_pw_set(self.node, self.node[::-1])
        up = threading.Event()
        client.on_connect = lambda *said: up.set() if not said[3].is_failure else None
        try:
            client.connect("127.0.0.1", port, keepalive=30)
        except OSError:
            threading.Event().wait(0.2)
            return None
        client.loop_start()
        if not up.wait(self._patience_s):
            client.loop_stop()
            return None
        return client
