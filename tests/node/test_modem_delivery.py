"""The outbox over a modem: everything arrives once, in order, whatever the modem does meanwhile."""

from __future__ import annotations

import pytest
from modem_bench import KINDS, Bench, Table, command

from judder.virtual.modems.network import Answer
from judder_core import schema
from node.delivery import Delivery
from node.message import build
from node.store.outbox import Outbox

both = pytest.mark.parametrize("kind", list(KINDS))


class Clock:
    def __init__(self, bench: Bench) -> None:
        self._time = bench.time

    def uptime_ms(self) -> int:
        return self._time.now_us // 1000


def delivery(bench: Bench) -> tuple[Delivery, Outbox]:
    outbox = Outbox(16)
    return Delivery(outbox, bench.link, build, Clock(bench), lambda: None), outbox


def put(made: Delivery, count: int) -> None:
    for tag in range(1, count + 1):
        made.put(schema.ACK, build.ack(tag, 0, 0, 77), 0)


@both
def test_all_of_it_in_order(kind: str) -> None:
    network = Table(answers=[Answer(acknowledged=True, downlink=command(9))])
    bench = Bench(kind, {"lorawan_data_rate": 5}, network)
    made, outbox = delivery(bench)
    put(made, 8)
    assert made.flush(300_000)
    assert len(outbox) == 0
    assert [payload[2] for _, payload in network.messages] == list(range(1, 9))
    assert bench.link.poll() == [command(9).payload]


@both
def test_what_is_lost_goes_again(kind: str) -> None:
    network = Table(losses=2)
    bench = Bench(kind, {"lorawan_data_rate": 5, "lorawan_confirm": 2}, network)
    made, _outbox = delivery(bench)
    put(made, 3)
    bench.model.restart(16_000_000)
    assert made.flush(900_000)
    tags = [payload[2] for _, payload in network.messages]
    assert list(dict.fromkeys(tags)) == [1, 2, 3]
    assert made.dropped == 0


@both
def test_a_wait_for_the_duty_cycle_does_not_lose_what_was_to_go(kind: str) -> None:
    bench = Bench(kind, {"lorawan_data_rate": 0})
    made, outbox = delivery(bench)
    put(made, 2)
    assert made.flush(60_000) is False, "the join request alone has used up more than that"
    assert bench.link.pause_ms() > 0
    assert len(outbox) == 2
    assert made.flush(600_000)
    assert [payload[2] for _, payload in bench.network.messages] == [1, 2]
