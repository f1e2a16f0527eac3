"""A NATS JetStream cluster: taken by any number of gateways, acknowledged when it is in the spool of one of them.

Nodes publish MQTT 3.1.1 to NATS itself. It tells a node that it has a message when that is in its stream $MQTT_msgs, on
most of the replicas; so that is the stream to take from. What another stream has of the same subject is not waited for:
while that stream has no leader, it gets nothing. Programs that wait for JetStream's own answer, and
name their messages (Nats-Msg-Id), may use a stream of their own.

host/integrations/nats/ has the servers' configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from judder import tls
from judder.errors import DeviceError, InputError
from judder.gateway.source import Desk, Plugin
from judder.sink import needs, secret

if TYPE_CHECKING:
    from nats.aio.client import Client

    from judder.gateway.source.nats_share import Share
    from judder.gateway.source.nats_stream import Place

MQTT_STREAM = "$MQTT_msgs"
_MQTT_SUBJECTS = "$MQTT.msgs.part.{}.judder.*.up"
_OWN_SUBJECTS = "part.{}.judder.*.up"
_POLL_S = 0.5
# A gateway that came is seen so much later by the others.
_TURN_S = 3.0
_CONNECT_S = 5
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@dataclass(slots=True, kw_only=True)
class NatsOptions:
    """servers: addresses of some or all. user, password: none by default. tls: with the system's authorities, or those
    in ca_file; cert_file, key_file: of this client. stream: where messages are; it is made where it is not there.
    subjects: which of them, {} the number of the partition; by default what judder.conf makes of Judder's topics.
    partitions: as in the servers' mappings; 1 where there are none, with subjects of your own. group: gateways of one
    group share the messages; each group gets all. replicas: of what is made there. batch: messages stored at once.
    lease_s: after so long without a word, another gateway takes over what one had."""

    servers: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    user: str = ""
    password: str = secret()
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    stream: str = MQTT_STREAM
    subjects: str = ""
    partitions: int = 8
    group: str = "judder"
    replicas: int = 3
    batch: int = 500
    lease_s: float = 15.0

    def __post_init__(self) -> None:
        if not self.servers:
            raise InputError("servers: name at least one")
        for server in self.servers:
            _address(server)
        tls.check(self)
        if self.password and not self.user:
            raise InputError("user: a password needs one")
        if not self.group or not set(self.group) <= _WORD or len(self.group) > 32:
            raise InputError(f"group: {self.group!r:.40}: up to 32 letters, digits, - and _ are expected")
        if not self.stream or not set(self.stream) <= _WORD | {"$"}:
            raise InputError(f"stream: {self.stream!r:.40} is no name of one")
        for key, low, high in (("partitions", 1, 256), ("replicas", 1, 5), ("batch", 2, 10_000), ("lease_s", 3, 3600)):
            if not low <= getattr(self, key) <= high:
                raise InputError(f"{key}: {getattr(self, key):g} is not {low} to {high}")
        self.subjects = self.subjects or (_MQTT_SUBJECTS if self.stream == MQTT_STREAM else _OWN_SUBJECTS)
        if (self.subjects.count("{}") == 1) != (self.partitions > 1) or self.subjects.count("{}") > 1:
            raise InputError(
                f"subjects: {self.subjects!r:.60}: {{}} is needed once for partitions, not with 1 partition"
            )


def _address(server: str) -> None:
    try:
        parts = urlsplit(server)
        good = parts.scheme in ("nats", "tls") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise InputError(f"servers: {server!r:.60} is no address, as nats://10.0.0.1:4222")
    if parts.username or parts.password:
        raise InputError("servers: a name and a password go into user and password, where nothing shows them")


class NatsSource:
    """make_token: a name for this run of it, which no other has."""

    def __init__(self, options: NatsOptions, make_token: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        try:
            import nats  # noqa: F401
        except ImportError as error:
            raise needs("nats-py", "nats", error) from error
        self._options = options
        self._make_token = make_token
        self._tls = tls.context(options)

    def where(self) -> str:
        options = self._options
        return f"{', '.join(options.servers)} {options.stream} ({options.partitions} partitions, {options.group})"

    def run(self, desk: Desk) -> None:
        asyncio.run(_Run(self._options, self._tls, self._make_token(), desk).main())


class _Run:
    """One connection, until the gateway stops or the connection cannot be had."""

    def __init__(self, options: NatsOptions, secure: ssl.SSLContext | None, token: str, desk: Desk) -> None:
        self._options = options
        self._tls = secure
        self._token = token
        self._desk = desk

    async def main(self) -> None:
        from nats.errors import Error

        client = await self._connect()
        try:
            await self._work(client)
        except (Error, TimeoutError) as error:
            raise DeviceError(f"{self._options.stream}: {_reason(error)}") from error
        finally:
            with contextlib.suppress(Error, OSError):
                await asyncio.wait_for(client.close(), _CONNECT_S)

    async def _connect(self) -> Client:
        """Raises DeviceError when none of the servers takes us for a while. Later it reconnects by itself."""
        import nats

        options, desk = self._options, self._desk
        why: str | None = None

        async def away() -> None:
            if not desk.stopping:
                desk.connected(False, "the server went away")

        async def back() -> None:
            desk.connected(True)

        async def failed(error: Exception) -> None:
            """What a server said goes before how the connection to it then broke."""
            nonlocal why
            if why is None or not isinstance(error, OSError):
                why = _reason(error)

        asked = asyncio.create_task(
            nats.connect(
                list(options.servers),
                name=f"judder gateway {desk.identity}",
                user=options.user or None,
                password=options.password or None,
                tls=self._tls,
                connect_timeout=_CONNECT_S,
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                disconnected_cb=away,
                reconnected_cb=back,
                error_cb=failed,
            )
        )
        until = time.monotonic() + _CONNECT_S * (1 + len(options.servers))
        while not desk.stopping and time.monotonic() < until:
            done, _ = await asyncio.wait([asked], timeout=_POLL_S)
            if done:
                return asked.result()
        while not asked.done():  # a wait_for in there may swallow a cancellation
            asked.cancel()
            await asyncio.wait([asked], timeout=_POLL_S)
        if not asked.cancelled() and asked.exception() is None:
            await asked.result().close()
        raise DeviceError(f"no connection to {', '.join(options.servers)}: {why or 'no answer'}")

    async def _work(self, client: Client) -> None:
        from judder.gateway.source.nats_consumers import Consumers
        from judder.gateway.source.nats_share import Share
        from judder.gateway.source.nats_stream import Place

        options, desk = self._options, self._desk
        created = await Consumers(client, options).begin()
        desk.connected(True)  # from now on everything is kept for us
        place = Place(desk, created)
        bucket = await self._bucket(client)
        lease_s = (await bucket.status()).ttl
        if lease_s != options.lease_s:
            # Keys go away by that, whatever we think.
            desk.note(f"gateways of this group have lease_s = {lease_s:g}; so has this one", "warning")
        share = Share(bucket, self._token, options.partitions, lease_s, time.monotonic)
        readers: dict[int, asyncio.Task[None]] = {}
        try:
            while not desk.stopping and not client.is_closed:
                await self._turn(client, share, place, readers)
                until = time.monotonic() + min(_TURN_S, lease_s / 3)
                while time.monotonic() < until and not desk.stopping:
                    await asyncio.sleep(_POLL_S)
        finally:
            share.let_go()
            await asyncio.gather(*readers.values(), return_exceptions=True)
            if client.is_connected:
                with contextlib.suppress(TimeoutError):  # the leases end by themselves
                    await asyncio.wait_for(share.leave(), _CONNECT_S)

    async def _turn(self, client: Client, share: Share, place: Place, readers: dict[int, asyncio.Task[None]]) -> None:
        """Which partitions are ours by now; each has a reader while it is."""
        from nats.errors import Error

        from judder.gateway.source.nats_stream import Reader

        async def finished(partition: int) -> None:
            if partition in readers:
                await readers.pop(partition)

        try:
            mine = await share.renew(finished)
        except (Error, TimeoutError):
            mine = share.held()  # until it lapses, which each reader looks at before it takes anything
        for partition in [one for one, task in readers.items() if one not in mine or task.done()]:
            await readers.pop(partition)
        for partition in sorted(mine - readers.keys()):
            reader = Reader(client, self._options, partition, place, partial(share.holds, partition))
            readers[partition] = asyncio.create_task(reader.run())

    async def _bucket(self, client: Client) -> Any:
        """Where gateways of a group say that they are there, and who has which partition."""
        from nats.js.api import KeyValueConfig
        from nats.js.errors import BucketNotFoundError

        options = self._options
        name = f"judder-{options.group}-{options.stream.lstrip('$')}"
        context = client.jetstream(timeout=_CONNECT_S)
        try:
            return await context.key_value(name)
        except BucketNotFoundError:
            config = KeyValueConfig(bucket=name, ttl=options.lease_s, replicas=options.replicas)
            return await context.create_key_value(config)


def _reason(error: BaseException) -> str:
    return str(error).removeprefix("nats: ") or type(error).__name__


PLUGIN = Plugin(NatsOptions, NatsSource)
