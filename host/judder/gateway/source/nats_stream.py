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
from judder.gateway.source.nats_consumers import Consumers
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
        self._consumers = Consumers(client, options)
        self._options = options
        self._partition = partition
        self._place = place
        self._holds = holds

    async def run(self) -> None:
        """Until the partition is ours no more, or the gateway stops."""
        while self._holds() and not self._client.is_closed:
            try:
                await self._follow(await self._consumers.anew(self._partition, self._place.last(self._partition)))
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
            await self._place.take(self._partition, arrivals, new[-1].metadata.sequence.stream)
        for message in messages[:-1]:
            await message.ack()
        if messages:
            await messages[-1].ack_sync(timeout=_ANSWER_S)


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
