"""One partition of a stream, in its order, each message once: Reader. What has to be there first: made().

A durable consumer `<group>-<partition>-<n>` remembers how far the group is. Its server numbers what it delivers; a
number that is missing is a message that did not arrive; sent again later, it would come out of order. So then, and
each time a partition is taken up, a consumer is made anew, n one higher, from where the last ones ended; those go when
it is there. Nothing is fetched before the messages fetched before are in the spool and acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nats.errors import Error
from nats.errors import TimeoutError as NothingCame
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Stopped
from judder.gateway.source.nats import MQTT_STREAM, NatsOptions
from judder.ingest import topics
from judder.ingest.events import Event

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

ACK_WAIT_S = 30
DUPLICATES_S = 120
KEPT_S = 7 * 86400
_ANSWER_S = 5
_FETCH_S = 1.0
_RETRY_S = 0.5
# Fetches without a message, after which it is looked whether the consumer is still there.
_SILENT = 15


def stream_config(options: NatsOptions) -> StreamConfig:
    """What is made where it is not there: of MQTT, as the server would make it; else one that keeps a week."""
    if options.stream == MQTT_STREAM:
        # Kept until every consumer has it; without one it is not kept at all, so a gateway comes before the nodes.
        return StreamConfig(
            name=MQTT_STREAM,
            subjects=["$MQTT.msgs.>"],
            retention=RetentionPolicy.INTEREST,
            storage=StorageType.FILE,
            num_replicas=options.replicas,
        )
    return StreamConfig(
        name=options.stream,
        subjects=[options.subjects.format("*")],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=options.replicas,
        duplicate_window=DUPLICATES_S,
        max_age=KEPT_S,
    )


async def made(client: Client, options: NatsOptions) -> str:
    """Of the stream, which is made where it is not there, when it was made. Raises nats.errors.Error."""
    context = client.jetstream(timeout=_ANSWER_S)
    try:
        info = await context.stream_info(options.stream)
    except NotFoundError:
        info = await context.add_stream(stream_config(options))
    return str(info.created)


class Place:
    """Where this gateway is: of each partition, the number of the last message in its spool; stored with them."""

    def __init__(self, desk: Desk, created: str) -> None:
        self.desk = desk
        self._lock = asyncio.Lock()
        stored = json.loads(desk.position() or "{}")
        # A stream that was deleted and made anew counts from 1 again.
        self._last: dict[str, int] = stored.get("last", {}) if stored.get("created") == created else {}
        self._created = created

    def last(self, partition: int) -> int:
        return self._last.get(str(partition), 0)

    async def take(self, partition: int, arrivals: Sequence[Arrival], number: int) -> None:
        """Durable when it returns. number: of the last. Raises Stopped."""
        async with self._lock:
            after = {**self._last, str(partition): number}
            text = json.dumps({"created": self._created, "last": after})
            await asyncio.to_thread(self.desk.take, arrivals, text)
            self._last = after


class Reader:
    """holds: whether the partition is ours at this moment."""

    def __init__(
        self, client: Client, options: NatsOptions, partition: int, place: Place, holds: Callable[[], bool]
    ) -> None:
        self._client = client
        self._context = client.jetstream(timeout=_ANSWER_S)
        self._options = options
        self._partition = partition
        self._place = place
        self._holds = holds

    async def run(self) -> None:
        """Until the partition is ours no more, or the gateway stops."""
        while self._holds() and not self._client.is_closed:
            try:
                await self._follow(await self._consumer())
            except Stopped:
                return
            except (Error, TimeoutError):  # no leader yet, a server that went away: both pass
                await asyncio.sleep(_RETRY_S)

    async def _consumer(self) -> str:
        """A new one, from where the group is. Raises nats.errors.Error, also where one of the old does not answer."""
        stem = f"{self._options.group}-{self._partition}-"
        old = {
            int(n.removeprefix(stem)): n for n in await self._names() if n.startswith(stem) and n[len(stem) :].isdigit()
        }
        last = self._place.last(self._partition)
        for name in old.values():
            last = max(last, _done(await self._context.consumer_info(self._options.stream, name)))
        config = ConsumerConfig(
            durable_name=f"{stem}{max(old, default=0) + 1}",
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if last else DeliverPolicy.ALL,
            opt_start_seq=last + 1 if last else None,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=2 * self._options.batch,
            filter_subject=self._options.subjects.format(self._partition),
        )
        info = await self._context.add_consumer(self._options.stream, config)
        for name in old.values():
            with contextlib.suppress(Error, TimeoutError):  # the next one made takes it away
                await self._context.delete_consumer(self._options.stream, name)
        return info.name

    async def _names(self) -> list[str]:
        """Of all consumers of the stream: also of those that have no leader at the moment, which lists with details
        leave out."""
        found: list[str] = []
        while True:
            ask = json.dumps({"offset": len(found)}).encode()
            subject = f"$JS.API.CONSUMER.NAMES.{self._options.stream}"
            answer: dict[str, Any] = json.loads((await self._client.request(subject, ask, timeout=_ANSWER_S)).data)
            if "error" in answer:
                raise Error(answer["error"].get("description", "no list of consumers"))
            names = answer.get("consumers") or []
            found += names
            if not names or len(found) >= answer.get("total", 0):
                return found

    async def _follow(self, consumer: str) -> None:
        """Until a message is missing, or the consumer."""
        stream = self._options.stream
        pull = await self._context.pull_subscribe_bind(consumer=consumer, stream=stream)
        delivered = silent = 0
        try:
            while self._holds():
                try:
                    messages = await pull.fetch(self._options.batch, timeout=_FETCH_S)
                except NothingCame:
                    silent += 1
                    if silent % _SILENT == 0:
                        await self._context.consumer_info(stream, consumer)
                    continue
                silent = 0
                whole = unbroken(messages, delivered)
                delivered += len(whole)
                await self._take(whole)
                if len(whole) < len(messages):
                    return
        finally:
            with contextlib.suppress(Error, TimeoutError):
                await pull.unsubscribe()

    async def _take(self, messages: Sequence[Msg]) -> None:
        last = self._place.last(self._partition)
        new = [message for message in messages if message.metadata.sequence.stream > last]
        if not self._holds():
            return
        if new:
            arrivals = [arrival(message) for message in new]
            await self._place.take(self._partition, arrivals, new[-1].metadata.sequence.stream)
        for message in messages[:-1]:
            await message.ack()
        if messages:
            await messages[-1].ack_sync(timeout=_ANSWER_S)


def _done(info: ConsumerInfo) -> int:
    """Number of the message up to which all are acknowledged."""
    begun = (info.config.opt_start_seq or 1) - 1
    return max(begun, info.ack_floor.stream_seq if info.ack_floor else 0)


def unbroken(messages: Sequence[Msg], before: int) -> list[Msg]:
    """Those that follow each other, as the consumer's server counts what it delivers."""
    found: list[Msg] = []
    for message in messages:
        if message.metadata.sequence.consumer != before + len(found) + 1:
            break
        found.append(message)
    return found


def arrival(message: Msg) -> Arrival:
    """When the cluster got it is when it was received: it may have waited for us."""
    at = message.metadata.timestamp.timestamp()
    event: Event | Poison
    try:
        event = topics.parse(message.subject, message.data, received_at=at, source="nats")
    except InputError as error:
        return Arrival(Poison(Uplink(topics.node_of(message.subject), message.data, at, "nats"), error))
    if isinstance(event, Uplink) and message.headers:
        event.dedup = message.headers.get("Nats-Msg-Id")
    return Arrival(event)
