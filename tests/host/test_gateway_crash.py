"""The gateway dies at every step it takes, one by one: each SQL statement, each acknowledgement, each write of a sink.

What it had acknowledged is then nowhere but in its spool, what it had not the broker sends again, marked as repeated.
At the end every message must be downstream once. A gateway that acknowledges first, one that moves its cursor first,
and one that does not know again what a broker repeats, are caught.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.host.gateways import NODE, OTHER, T0, Clock, Kept, Told, open_spool
from tests.host.tracking import hello, reading

from judder.flow import Observation, Uplink
from judder.gateway import spool_file
from judder.gateway.delivery import Delivery
from judder.gateway.intake import Arrival, Intake
from judder.gateway.metrics import Metrics
from judder.sink import rows

# As a node sends: a HELLO, which has no number to be known by, then readings; another node between.
MESSAGES = [(NODE, hello(60, 1)), (OTHER, hello(90, 3))]
MESSAGES += [(node, reading(number)) for number in range(6) for node in (NODE, OTHER)]
_IN_FLIGHT = 5


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing in it may catch this and go on."""


class Life:
    """Counts steps and ends at one of them. After it everything fails: the dead clean nothing up."""

    def __init__(self, end: int | None) -> None:
        self.steps = 0
        self.end = end
        self.over = False

    def step(self) -> None:
        if self.over or self.steps == self.end:
            self.over = True
            raise Killed
        self.steps += 1


class Mortal:
    """A connection of SQLite; death comes before or after each statement."""

    def __init__(self, life: Life, path: Path, synchronous: str) -> None:
        self.life = life
        self.inner = spool_file.connect(path, synchronous)

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def execute(self, *given: Any) -> Any:
        self.life.step()
        found = self.inner.execute(*given)
        self.life.step()
        return found

    def executemany(self, *given: Any) -> Any:
        self.life.step()
        return self.inner.executemany(*given)

    def close(self) -> None:
        if not self.life.over:
            self.inner.close()


class World:
    """What outlives the gateway: the broker, what is downstream, and the disk. received_at of a message is when this
    life began: sent again it comes at another time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = list(enumerate(MESSAGES))
        self.sent: set[int] = set()
        self.downstream: dict[Any, Observation] = {}  # by id: a sink is idempotent
        self.connection = 0

    def live(self, life: Life, *, hasty: bool = False, careless: bool = False) -> None:
        """One life of a gateway, to its end or the end of all work. hasty: acknowledges before it stores. careless:
        moves the cursor before the sink has it."""
        self.connection += 1
        made: list[Mortal] = []

        def connect(path: Path, synchronous: str) -> Mortal:
            made.append(Mortal(life, path, synchronous))
            return made[-1]

        spool = None
        try:
            spool = open_spool(self.folder, connect=connect)
            spool.attach(["kept"])
            clock = Clock(T0 + 3600 + 60 * self.connection)
            told, metrics = Told(), Metrics()
            intake = Intake(spool, clock=clock, log=told, metrics=metrics)
            sink = Kept(lambda batch: self._take(batch, life), batch_size=4)
            delivery = Delivery("kept", sink, spool, clock=Clock(0), wall=clock, log=told, metrics=metrics)
            if careless:
                _advance_first(delivery, spool)
            while self.queue:
                batch = self.queue[:_IN_FLIGHT]
                taken = [self._arrival(number, node, payload, clock()) for number, (node, payload) in batch]
                if hasty:
                    self._acknowledge(len(batch), life)
                intake.take("plant", taken)
                if not hasty:
                    self._acknowledge(len(batch), life)
                self._deliver(delivery)
            self._deliver(delivery)
            spool.close()
        except Killed:
            pass
        finally:
            for connection in made:  # as the kernel closes what a dead process had open
                connection.inner.close()
            if spool is not None:
                spool._lock.release()

    def _arrival(self, number: int, node: str, payload: bytes, now: float) -> Arrival:
        repeated = number in self.sent
        self.sent.add(number)
        return Arrival(Uplink(node, payload, now, "mqtt"), self.connection if repeated else None)

    def _acknowledge(self, count: int, life: Life) -> None:
        for _ in range(count):
            life.step()
            self.queue.pop(0)

    def _take(self, batch: Sequence[Observation], life: Life) -> None:
        for observation in batch:  # some of a batch may be taken before the end
            life.step()
            self.downstream[rows.identity(observation)] = observation
        life.step()

    @staticmethod
    def _deliver(delivery: Delivery) -> None:
        while delivery.step(flush=True) is not None:
            pass

    def found(self) -> list[tuple[str, bytes]]:
        return [(one.node, one.uplink.payload) for one in self.downstream.values()]


def _advance_first(delivery: Delivery, spool: Any) -> None:
    step = delivery._next_batch

    def ahead() -> Any:
        batch, last = step()
        spool.advance("kept", last)
        return batch, last

    delivery._next_batch = ahead  # type: ignore[method-assign]


def deaths(folder: Path, every: int = 1, **how: bool) -> list[tuple[int, World]]:
    """The world after a death at each step of a life (or every few), and a second life to the end."""
    whole = Life(None)
    World(folder / "whole").live(whole, **how)
    assert whole.steps > 150
    found = []
    for end in range(0, whole.steps, every):
        world = World(folder / str(end))
        world.live(Life(end), **how)
        world.live(Life(None), **how)
        found.append((end, world))
    return found


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In memory, where there is such a place: a process that dies takes nothing from the operating system's hands, so
    the disk itself need not be waited for."""
    real = spool_file.set_up
    monkeypatch.setattr(spool_file, "set_up", lambda connection, _how: real(connection, "OFF"))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        yield Path(name)


def test_dead_at_any_step_it_loses_nothing_and_doubles_nothing(folder: Path) -> None:
    for end, world in deaths(folder):
        assert sorted(world.found()) == sorted(MESSAGES), f"dead at step {end}"
        words = {word for one in world.downstream.values() for word in one.problems}
        assert not words, f"dead at step {end}: {words}"


def test_dead_twice(folder: Path) -> None:
    whole = Life(None)
    World(folder / "whole").live(whole)
    for end in range(0, whole.steps, 29):
        for again in range(0, whole.steps, 31):
            world = World(folder / f"{end}-{again}")
            for life in (Life(end), Life(again), Life(None)):
                world.live(life)
            assert sorted(world.found()) == sorted(MESSAGES), f"dead at steps {end} and {again}"


@pytest.mark.parametrize("how", ["hasty", "careless", "forgetful"])
def test_a_sabotaged_gateway_is_caught(folder: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "forgetful":
        monkeypatch.setattr("judder.gateway.intake._Recent.has", lambda *_given: False)
    losses = [
        end
        for end, world in deaths(folder, 5, hasty=how == "hasty", careless=how == "careless")
        if sorted(world.found()) != sorted(MESSAGES)
    ]
    assert losses
