"""The NATS source without a server: its options, how gateways share partitions, what becomes of a message."""

import asyncio
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nats.js.errors import KeyWrongLastSequenceError, NoKeysError
from tests.host import tracking
from tests.host.gateways import NODE, Clock

from judder.errors import DeviceError, InputError
from judder.flow import Poison, Uplink
from judder.gateway.source import nats, nats_consumers, nats_stream
from judder.gateway.source.nats import NatsOptions
from judder.gateway.source.nats_share import Share

RECIPE = Path(__file__).parents[2] / "host" / "integrations" / "nats"
LEASE_S = 10.0


class Bucket:
    """A key-value bucket whose keys go away by the test's clock. fail: raised in place of every answer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[int, float]] = {}
        self._revision = 0
        self.fail: Exception | None = None
        self.owners: dict[str, bytes] = {}

    def _there(self, key: str) -> int:
        revision, at = self._kept.get(key, (0, 0.0))
        return revision if self._clock() < at + LEASE_S else 0

    async def put(self, key: str, value: bytes) -> int:
        if self.fail:
            raise self.fail
        self._revision += 1
        self._kept[key] = (self._revision, self._clock())
        self.owners[key] = value
        return self._revision

    async def create(self, key: str, value: bytes) -> int:
        return await self.update(key, value, last=0)

    async def update(self, key: str, value: bytes, last: int) -> int:
        if not self.fail and self._there(key) != last:
            raise KeyWrongLastSequenceError
        return await self.put(key, value)

    async def delete(self, key: str, last: int | None = None) -> None:
        if last is not None and self._there(key) != last:
            raise KeyWrongLastSequenceError
        self._kept.pop(key, None)

    async def keys(self) -> list[str]:
        found = [key for key in self._kept if self._there(key)]
        if not found:
            raise NoKeysError
        return found


class Workers:
    """Gateways of one group. finished: partitions given back, in turn."""

    def __init__(self, *names: str, partitions: int = 8) -> None:
        self.clock = Clock(0.0)
        self.bucket = Bucket(self.clock)
        self.shares = {name: Share(self.bucket, name, partitions, LEASE_S, self.clock) for name in names}
        self.finished: list[tuple[str, int]] = []

    def renew(self, name: str) -> set[int]:
        async def finished(partition: int) -> None:
            assert not self.shares[name].holds(partition), "no more is taken by then"
            self.finished.append((name, partition))

        return asyncio.run(self.shares[name].renew(finished))

    def held(self) -> list[set[int]]:
        found = [share.held() for share in self.shares.values()]
        assert sum(map(len, found)) == len(set().union(*found)), "no partition is with two"
        return found


def test_one_has_all_and_two_share() -> None:
    workers = Workers("a", "b")
    assert workers.renew("a") == set(range(8))
    assert workers.renew("b") == set()  # still with a
    assert workers.renew("a") == {0, 2, 4, 6}
    assert workers.finished == [("a", one) for one in (1, 3, 5, 7)]
    assert workers.renew("b") == {1, 3, 5, 7}
    assert workers.held() == [{0, 2, 4, 6}, {1, 3, 5, 7}]


def test_more_gateways_than_partitions() -> None:
    workers = Workers("a", "b", "c", partitions=2)
    for _ in range(3):
        for name in workers.shares:
            workers.renew(name)
            workers.held()
    assert workers.held() == [{0}, {1}, set()]


def test_one_that_is_gone_is_replaced_when_its_leases_are_over() -> None:
    workers = Workers("a", "b")
    for name in ("a", "b", "a", "b"):
        workers.renew(name)
    for second in range(1, 40):
        workers.clock.now = float(second)
        workers.renew("a")
        _, gone = workers.held()
        assert len(gone) == (4 if second < LEASE_S * 0.9 else 0)
        if workers.shares["a"].held() == set(range(8)):
            break
    assert LEASE_S <= workers.clock.now <= LEASE_S + 2


def test_one_that_leaves_is_replaced_at_once() -> None:
    workers = Workers("a", "b")
    for name in ("a", "b", "a", "b"):
        workers.renew(name)
    asyncio.run(workers.shares["b"].leave())
    assert workers.renew("a") == set(range(8))


def test_servers_that_do_not_answer() -> None:
    """What is held is held until the lease is over, and then by nobody."""
    workers = Workers("a")
    workers.renew("a")
    workers.bucket.fail = TimeoutError()
    with pytest.raises(TimeoutError):
        workers.renew("a")
    assert len(workers.shares["a"].held()) == 8
    workers.clock.now = LEASE_S * 0.9
    assert workers.shares["a"].held() == set()
    workers.bucket.fail = None
    workers.clock.now = LEASE_S + 1
    assert workers.renew("a") == set(range(8))


def test_a_list_of_keys_that_never_ends() -> None:
    """As nats-py 2.15 gives when the last key's time is over between its count and its delivery."""
    workers = Workers("a")

    class Endless(Bucket):
        asked = 0

        async def keys(self) -> list[str]:
            self.asked += 1
            if self.asked == 1:
                await asyncio.Event().wait()
            return await super().keys()

    share = Share(Endless(workers.clock), "a", 1, 0.3, workers.clock)

    async def finished(_partition: int) -> None: ...

    with pytest.raises(TimeoutError):
        asyncio.run(share.renew(finished))
    assert asyncio.run(share.renew(finished)) == {0}


def test_a_lease_counts_from_before_it_was_asked_for() -> None:
    workers = Workers("a")

    class Slow(Bucket):
        async def put(self, key: str, value: bytes) -> int:
            revision = await super().put(key, value)
            workers.clock.now += LEASE_S / 2
            return revision

    share = Share(Slow(workers.clock), "a", 1, LEASE_S, workers.clock)

    async def finished(_partition: int) -> None: ...

    asyncio.run(share.renew(finished))
    assert share.holds(0)
    workers.clock.now += LEASE_S * 0.4
    assert not share.holds(0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers": ()}, "servers: name at least one"),
        ({"servers": ("http://a:4222",)}, "is no address"),
        ({"servers": ("nats://a:x",)}, "is no address"),
        ({"servers": ("nats://gateway:secret@a:4222",)}, "go into user and password"),
        ({"password": "x"}, "user: a password needs one"),
        ({"cert_file": Path("c.pem")}, "these two go together"),
        ({"group": "a.b"}, "group: 'a.b'"),
        ({"stream": "a b"}, "stream: 'a b'"),
        ({"partitions": 0}, "partitions: 0 is not 1 to 256"),
        ({"lease_s": 1}, "lease_s: 1 is not 3 to 3600"),
        ({"partitions": 1}, "not with 1 partition"),
        ({"subjects": "judder.*.up"}, "{} is needed once for partitions"),
    ],
)
def test_options_that_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        NatsOptions(**given)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_a_connection_that_does_not_want_to_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio.wait_for, which nats-py waits by, may swallow a cancellation in CPython 3.11."""
    swallowed = 0

    async def stubborn(*_given: Any, **_named: Any) -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    class Stopping:
        """After the first look."""

        identity = "0"
        looks = 0

        @property
        def stopping(self) -> bool:
            self.looks += 1
            return self.looks > 1

    monkeypatch.setattr("nats.connect", stubborn)
    desk: Any = Stopping()
    with pytest.raises(DeviceError, match="no answer"):
        nats.NatsSource(NatsOptions()).run(desk)
    assert swallowed == 3


def test_subjects_follow_the_stream() -> None:
    assert NatsOptions().subjects == "$MQTT.msgs.part.{}.judder.*.up"
    assert NatsOptions(stream="JUDDER").subjects == "part.{}.judder.*.up"
    assert NatsOptions(partitions=1, subjects="$MQTT.msgs.judder.*.up").partitions == 1


def test_streams_are_made_as_the_files_say() -> None:
    """The files are for those who make them by hand: `nats stream add --config`, or $JS.API.STREAM.CREATE."""
    for name, file in ((nats.MQTT_STREAM, "stream-mqtt.json"), ("JUDDER", "stream-judder.json")):
        config = nats_consumers.stream_config(NatsOptions(stream=name)).as_dict()
        wanted = json.loads((RECIPE / file).read_text())
        assert {key: config.get(key) for key in wanted} == wanted


class Message:
    """What the source looks at in a message."""

    def __init__(self, subject: str, data: bytes, consumer: int = 1, stream: int = 1, **headers: str) -> None:
        at = datetime.datetime.fromtimestamp(tracking.T0, datetime.UTC)
        numbers = type("Numbers", (), {"consumer": consumer, "stream": stream})
        self.metadata = type("Metadata", (), {"timestamp": at, "sequence": numbers})
        self.subject, self.data, self.headers = subject, data, headers or None


@pytest.mark.parametrize("stem", ["$MQTT.msgs.part.3.", "part.3.", ""])
def test_a_message_is_an_uplink(stem: str) -> None:
    message: Any = Message(f"{stem}judder.{NODE}.up", tracking.reading(1), **{"Nats-Msg-Id": "one"})
    event = nats_stream.arrival(message).event
    assert isinstance(event, Uplink)
    assert (event.node, event.source, event.received_at, event.dedup) == (NODE, "nats", tracking.T0, "one")


def test_what_is_none_is_set_aside_with_its_node() -> None:
    message: Any = Message(f"$MQTT.msgs.part.3.judder.{NODE}.status", b"perhaps")
    event = nats_stream.arrival(message).event
    assert isinstance(event, Poison)
    assert event.uplink.node == NODE and event.uplink.source == "nats"
    assert "a status is online or offline" in str(event.error)


def test_a_delivery_that_is_missing_ends_the_row() -> None:
    def numbers(*consumer: int) -> list[int]:
        messages: Any = [Message("a.b.c", b"", number) for number in consumer]
        return [one.metadata.sequence.consumer for one in nats_stream.unbroken(messages, 3)]

    assert numbers(4, 5, 6) == [4, 5, 6]
    assert numbers(4, 6, 7) == [4]
    assert numbers(5) == []
    assert numbers() == []
