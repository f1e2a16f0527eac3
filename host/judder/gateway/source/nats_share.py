"""Who takes which partition: gateways of a group share them evenly, and one that is gone is replaced.

A key-value bucket whose keys go away by themselves after lease_s holds `worker.<token>` of every gateway that is there
and `part.<n>` of every partition that is taken. A partition belongs to the worker at its number, modulo their count, in
the order of their tokens. It is given back before another can have it, so never two take from one: a lease counts from
before it was asked for, so it is over here before it is over there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from nats.errors import Error
from nats.js.errors import KeyWrongLastSequenceError, NoKeysError

# Of a lease: what is left unused of it, for clocks that do not go alike.
_MARGIN = 0.1


class Share:
    """bucket: a nats.js.kv.KeyValue, or what behaves like one. clock: monotonic seconds."""

    def __init__(self, bucket: Any, token: str, partitions: int, lease_s: float, clock: Callable[[], float]) -> None:
        self._bucket = bucket
        self._token = token
        self._partitions = partitions
        self._lease_s = lease_s * (1 - _MARGIN)
        self._clock = clock
        self._revisions: dict[int, int] = {}
        self._until: dict[int, float] = {}

    def holds(self, partition: int) -> bool:
        return self._clock() < self._until.get(partition, 0.0)

    def held(self) -> set[int]:
        return {partition for partition in self._until if self.holds(partition)}

    async def renew(self, finished: Callable[[int], Awaitable[None]]) -> set[int]:
        """The partitions that are ours until the next time. Ask again well before lease_s is over.

        finished: awaited before one is given back: no more is taken from it, what was taken is acknowledged. Raises
        nats.errors.Error or TimeoutError where the servers do not answer; leases go on until they are over.
        """
        await self._bucket.put(f"worker.{self._token}", b"")
        workers = sorted(key.removeprefix("worker.") for key in await self._keys() if key.startswith("worker."))
        place = workers.index(self._token) if self._token in workers else 0
        due = {one for one in range(self._partitions) if one % max(1, len(workers)) == place}
        for partition in sorted(set(self._until) - due):
            self._until[partition] = 0.0
            await finished(partition)
            await self._give_back(partition)
        for partition in sorted(due):
            await self._lease(partition)
        return self.held()

    def let_go(self) -> None:
        """Nothing is held any more; readers see it and end."""
        self._until = dict.fromkeys(self._until, 0.0)

    async def leave(self) -> None:
        """Others need not wait for the leases to be over. Best effort."""
        for partition in list(self._revisions):
            await self._give_back(partition)
        with contextlib.suppress(Error, TimeoutError):
            await self._bucket.delete(f"worker.{self._token}")

    async def _keys(self) -> list[str]:
        # nats-py waits for ever for the last key when that one goes away, its lease over, before it is delivered.
        try:
            return list(await asyncio.wait_for(self._bucket.keys(), self._lease_s / 3))
        except NoKeysError:
            return []

    async def _lease(self, partition: int) -> None:
        key, value, asked = f"part.{partition}", self._token.encode(), self._clock()
        try:
            if self.holds(partition):
                revision = await self._bucket.update(key, value, last=self._revisions[partition])
            else:
                self._forget(partition)
                revision = await self._bucket.create(key, value)
        except KeyWrongLastSequenceError:  # another has it
            self._forget(partition)
            return
        self._revisions[partition] = revision
        self._until[partition] = asked + self._lease_s

    async def _give_back(self, partition: int) -> None:
        revision = self._revisions.get(partition)
        self._forget(partition)
        if revision is not None:
            with contextlib.suppress(Error, TimeoutError):  # it goes by itself
                await self._bucket.delete(f"part.{partition}", last=revision)

    def _forget(self, partition: int) -> None:
        self._revisions.pop(partition, None)
        self._until.pop(partition, None)
