"""One partition of a stream, in its order, each message once.

The server numbers what it delivers to a consumer. A number that is missing is a message that did not arrive; sent again
later, it would come out of order. So then a consumer is made anew, from where the last one ended. Nothing is fetched
before the messages fetched before are in the spool and acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nats.errors import Error
from nats.errors import TimeoutError as NothingCame

from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Stopped
from judder.gateway.source.nats import NatsOptions
from judder.gateway.source.nats_consumers import Consumers, Made
from judder.ingest import topics
from judder.ingest.events import Event

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_ANSWER_S = 5
_FETCH_S = 1.0
_RETRY_S = 0.5
# Fetches without a message, after which it is looked whether the consumer is still there.
_SILENT = 15


class Place:
    """Where this gateway is: of each partition, the number of the last message in its spool, and of the last consumer
    it had; stored with the messages."""

    def __init__(self, desk: Desk, created: str) -> None:
        self.desk = desk
        self._lock = asyncio.Lock()
        stored = json.loads(desk.position() or "{}")
        # A stream that was deleted and made anew counts from 1 again.
        known = stored.get("created") == created
        self._last: dict[str, int] = stored.get("last", {}) if known else {}
        self._consumers: dict[str, int] = stored.get("consumers", {}) if known else {}
        self._created = created

    def last(self, partition: int) -> int:
        return self._last.get(str(partition), 0)

    async def take(self, partition: int, arrivals: Sequence[Arrival], number: int) -> None:
        """Durable when it returns. number: of the last. Raises Stopped."""
        async with self._lock:
            self._last = await self._stored(arrivals, {**self._last, str(partition): number}, self._consumers)

    async def has(self, partition: int, made: Made) -> bool:
        """That consumer is ours. Whether the one before was another gateway's. Raises Stopped."""
        key = str(partition)
        foreign = made.before != self._consumers.get(key, 0)
        async with self._lock:
            consumers = {**self._consumers, key: made.number}
            await self._stored([], self._last, consumers)
            self._consumers = consumers
        return foreign

    async def _stored(
        self, arrivals: Sequence[Arrival], last: dict[str, int], consumers: dict[str, int]
    ) -> dict[str, int]:
        text = json.dumps({"created": self._created, "last": last, "consumers": consumers})
        await asyncio.to_thread(self.desk.take, arrivals, text)
        return last


class Reader:
    """holds: whether the partition is ours at this moment."""

    def __init__(
        self, client: Client, options: NatsOptions, partition: int, place: Place, holds: Callable[[], bool]
    ) -> None:
        self._client = client
        self._context = client.jetstream(timeout=_ANSWER_S)
        self._consumers = Consumers(client, options)
        self._options = options
        self._partition = partition
        self._place = place
        self._holds = holds
        self._met: set[str] | None = None  # nodes heard since another gateway had the partition; None: none had

    async def run(self) -> None:
        """Until the partition is ours no more, or the gateway stops."""
        while self._holds() and not self._client.is_closed:
            try:
                made = await self._consumers.anew(self._partition, self._place.last(self._partition))
                if await self._place.has(self._partition, made):
                    self._met = set()
                await self._follow(made.name)
            except Stopped:
                return
            except (Error, TimeoutError):  # no leader yet, a server that went away: both pass
                await asyncio.sleep(_RETRY_S)

    async def _follow(self, consumer: str) -> None:
        """Until a message is missing, or the consumer."""
        pull = await self._context.pull_subscribe_bind(consumer=consumer, stream=self._options.stream)
        delivered = silent = 0
        try:
            while self._holds():
                try:
                    messages = await pull.fetch(self._options.batch, timeout=_FETCH_S)
                except NothingCame:
                    silent += 1
                    if silent % _SILENT == 0:
                        await self._consumers.check(consumer)
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
            met = self._meet(arrivals)
            await self._place.take(self._partition, arrivals, new[-1].metadata.sequence.stream)
            self._met = met
        for message in messages[:-1]:
            await message.ack()
        if messages:
            await messages[-1].ack_sync(timeout=_ANSWER_S)

    def _meet(self, arrivals: Sequence[Arrival]) -> set[str] | None:
        """Marks the first of each node after another gateway had the partition. The nodes met then."""
        if self._met is None:
            return None
        met = set(self._met)
        for one in arrivals:
            node = one.event.node if isinstance(one.event, Uplink) else ""
            one.meanwhile = bool(node) and node not in met
            met.add(node)
        return met


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
