"""The stream and its consumers, which remember at the servers how far a group of gateways is in each partition.

A durable consumer is called `<group>-<partition>-<n>`. Each time a partition is taken up one is made, n one higher,
from where those before it ended; they go when it is there. So at no moment is there none: a stream that keeps what
somebody has not got keeps it, and where the group is cannot be lost.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from nats.errors import Error
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

from judder.gateway.source.nats import MQTT_STREAM, NatsOptions

if TYPE_CHECKING:
    from nats.aio.client import Client

ACK_WAIT_S = 30
DUPLICATES_S = 120
KEPT_S = 7 * 86400
_ANSWER_S = 5


def stream_config(options: NatsOptions) -> StreamConfig:
    """What is made where it is not there: of MQTT, as the server would make it; else one that keeps a week."""
    if options.stream == MQTT_STREAM:
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


class Made(NamedTuple):
    """A consumer. number: its n; before: that of the one before it, 0 for none."""

    name: str
    number: int
    before: int


class Consumers:
    """All methods raise nats.errors.Error or TimeoutError: no leader, a server that went away. Both pass."""

    def __init__(self, client: Client, options: NatsOptions) -> None:
        self._client = client
        self._context = client.jetstream(timeout=_ANSWER_S)
        self._options = options

    async def begin(self) -> str:
        """The stream and a consumer for every partition are there from now on. When the stream was made."""
        try:
            info = await self._context.stream_info(self._options.stream)
        except NotFoundError:
            info = await self._context.add_stream(stream_config(self._options))
        names = await self._names()
        for partition in range(self._options.partitions):
            if not self._of(partition, names):
                await self._make(partition, 1, 0)
        return str(info.created)

    async def anew(self, partition: int, last: int) -> Made:
        """A consumer that goes on after the last message acknowledged, or after number `last` where that is later."""
        old = self._of(partition, await self._names())
        before = max(old, default=0)
        for one in old.values():
            last = max(last, _done(await self._context.consumer_info(self._options.stream, one)))
        name = await self._make(partition, before + 1, last)
        for one in old.values():
            with contextlib.suppress(Error, TimeoutError):  # the next one made takes it away
                await self._context.delete_consumer(self._options.stream, one)
        return Made(name, before + 1, before)

    async def check(self, consumer: str) -> None:
        """Raises also where it is not there any more."""
        await self._context.consumer_info(self._options.stream, consumer)

    async def _make(self, partition: int, number: int, last: int) -> str:
        config = ConsumerConfig(
            durable_name=f"{self._options.group}-{partition}-{number}",
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if last else DeliverPolicy.ALL,
            opt_start_seq=last + 1 if last else None,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=2 * self._options.batch,
            filter_subject=self._options.subjects.format(partition),
        )
        return (await self._context.add_consumer(self._options.stream, config)).name

    def _of(self, partition: int, names: list[str]) -> dict[int, str]:
        """Number -> name, of those of the group and the partition."""
        stem = f"{self._options.group}-{partition}-"
        ends = {name: name.removeprefix(stem) for name in names if name.startswith(stem)}
        return {int(end): name for name, end in ends.items() if end.isdigit()}

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


def _done(info: ConsumerInfo) -> int:
    """Number of the message up to which all are acknowledged."""
    begun = (info.config.opt_start_seq or 1) - 1
    return max(begun, info.ack_floor.stream_seq if info.ack_floor else 0)
