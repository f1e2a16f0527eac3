"""What the reader of a NATS partition takes and acknowledges when servers deliver badly; bad readers are caught."""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from nats.errors import TimeoutError as NothingCame
from tests.host import tracking
from tests.host.gateways import NODE

from judder.gateway.intake import Arrival
from judder.gateway.source import Stopped, nats_stream
from judder.gateway.source.nats import NatsOptions
from judder.gateway.source.nats_consumers import Made
from judder.gateway.source.nats_stream import Place, Reader

LAST = 8


class Desk:
    """refuse: how often take() stops the gateway instead."""

    stopping = False

    def __init__(self, refuse: int = 0) -> None:
        self.taken: list[bytes] = []
        self.marked: list[bool] = []
        self.refuse = refuse

    def position(self) -> None:
        return None

    def take(self, arrivals: Sequence[Arrival], _position: str) -> None:
        if self.refuse and arrivals:
            self.refuse -= 1
            raise Stopped
        self.marked += [one.meanwhile for one in arrivals]
        self.taken += [one.event.payload for one in arrivals]  # type: ignore[union-attr]


class Message:
    def __init__(self, server: "Server", number: int, delivery: int) -> None:
        at = datetime.datetime.fromtimestamp(tracking.T0, datetime.UTC)
        numbers = type("Numbers", (), {"stream": number, "consumer": delivery})
        self.metadata = type("Metadata", (), {"timestamp": at, "sequence": numbers})
        self.subject, self.data, self.headers = f"judder.{NODE}.up", tracking.reading(number), None
        self._server, self._number = server, number

    async def ack(self) -> None:
        assert self.data in self._server.desk.taken, "acknowledged before it was stored"
        self._server.acknowledged.add(self._number)

    async def ack_sync(self, timeout: float) -> None:  # noqa: ARG002
        await self.ack()


class Server:
    """A stream of readings 1 to LAST, and its consumer. lost: delivered once and not arrived; delivered again at the
    end, as after ack_wait."""

    def __init__(self, desk: Desk, lost: Sequence[int] = (), fetch: int = 3) -> None:
        self.desk = desk
        self.acknowledged: set[int] = set()
        self.made: list[int] = []
        self.number = 0
        self._lost = set(lost)
        self._fetch = fetch

    # As Consumers.
    async def anew(self, _partition: int, last: int) -> Made:
        self.made.append(last)
        self._waiting = list(range(last + 1, LAST + 1))
        self._again: list[int] = []
        self._delivery = 0
        self.number += 1
        return Made(f"group-0-{self.number}", self.number, self.number - 1)

    async def check(self, _consumer: str) -> None: ...

    # As a JetStream context, and a pull subscription.
    async def pull_subscribe_bind(self, **_named: str) -> "Server":
        return self

    async def unsubscribe(self) -> None: ...

    async def fetch(self, _batch: int, timeout: float) -> list[Message]:  # noqa: ARG002
        found = []
        for number in (self._waiting or self._again)[: self._fetch]:
            (self._waiting or self._again).remove(number)
            self._delivery += 1
            if number in self._lost:
                self._lost.remove(number)
                self._again.append(number)
            else:
                found.append(Message(self, number, self._delivery))
        if not found:
            await asyncio.sleep(0)
            raise NothingCame
        return found


def read(server: Server) -> None:
    """Until all is acknowledged, or it has been tried long enough."""
    rounds = 0

    def holds() -> bool:
        nonlocal rounds
        rounds += 1
        return rounds < 200 and len(server.acknowledged) < LAST

    client: Any = type("Client", (), {"is_closed": False, "jetstream": lambda _self, timeout: server})()  # noqa: ARG005

    async def run() -> None:
        reader = Reader(client, NatsOptions(), 0, Place(server.desk, "now"), holds)  # type: ignore[arg-type]
        reader._consumers = server  # type: ignore[assignment]
        await reader.run()

    asyncio.run(run())


ALL = [tracking.reading(number) for number in range(1, LAST + 1)]


@pytest.mark.parametrize("lost", [(), (1,), (2,), (3,), (4, 5), (3, 6), (8,), (1, 2, 3), (2, 5, 8)])
@pytest.mark.parametrize("fetch", [1, 2, 3, 100])
def test_what_did_not_arrive_is_taken_in_its_place(lost: tuple[int, ...], fetch: int) -> None:
    server = Server(Desk(), lost, fetch)
    read(server)
    assert server.desk.taken == ALL
    assert server.acknowledged == set(range(1, LAST + 1))
    assert not any(server.desk.marked), "nobody else had it"
    assert server.made[0] == 0 and server.made == sorted(server.made)


def test_a_reader_that_does_not_count_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_stream, "unbroken", lambda messages, _before: list(messages))
    with pytest.raises(AssertionError, match="acknowledged before it was stored"):  # and so lost
        read(Server(Desk(), lost=(2,), fetch=3))


def test_one_that_acknowledges_first_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Reader._take

    async def hasty(self: Reader, messages: Any) -> None:
        for message in messages:
            await message.ack()
        await take(self, messages)

    monkeypatch.setattr(Reader, "_take", hasty)
    with pytest.raises(AssertionError, match="acknowledged before it was stored"):
        read(Server(Desk()))


def test_what_the_spool_did_not_take_is_not_acknowledged() -> None:
    server = Server(Desk(refuse=1))
    read(server)
    assert server.desk.taken == [] and server.acknowledged == set()


def test_a_node_another_gateway_heard_meanwhile_is_marked_once() -> None:
    server = Server(Desk(), lost=(3,))
    server.number = 7  # seven consumers were made by others
    read(server)
    assert server.desk.taken == ALL
    assert server.desk.marked == [True] + [False] * (LAST - 1)


def test_a_lease_that_is_over_takes_no_more() -> None:
    server = Server(Desk())
    turns = iter([True, True, False])  # for run(), for the fetch, and then no more
    client: Any = type("Client", (), {"is_closed": False, "jetstream": lambda _self, timeout: server})()  # noqa: ARG005

    async def run() -> None:
        place = Place(server.desk, "now")  # type: ignore[arg-type]
        reader = Reader(client, NatsOptions(), 0, place, lambda: next(turns, False))
        reader._consumers = server  # type: ignore[assignment]
        await reader.run()

    asyncio.run(run())
    assert server.desk.taken == [] and server.acknowledged == set()
