"""The way out: in order, again until it is taken, and one that can never be taken holds up nothing. No test waits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.host.gateways import NODE, T0, Clock, Kept, Told, down, open_spool, payloads, rows
from tests.host.tracking import alarm

from judder.flow import Observation, Uplink
from judder.gateway.delivery import Delivery
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Batch, Row, Spool
from judder.sink import Poisoned, SinkDown


class Way:
    def __init__(self, folder: Path, sink: Kept, spool: Spool | None = None, **given: Any) -> None:
        self.spool = spool or open_spool(folder)
        self.spool.attach([sink.name])
        self.sink, self.clock, self.log, self.metrics = sink, Clock(1000.0), Told(), Metrics()
        self.delivery = Delivery(
            sink.name,
            sink,
            self.spool,
            clock=self.clock,
            wall=Clock(T0),
            log=self.log,
            metrics=self.metrics,
            **{"jitter": lambda: 1.0, **given},
        )

    def store(self, *numbers: int) -> None:
        self.spool.store(Batch(rows(*numbers)), T0)

    def drain(self) -> float | None:
        """Steps as long as there is something to do at once."""
        while True:
            wait_s = self.delivery.step()
            if wait_s != 0.0:
                return wait_s


def test_everything_goes_in_order_and_the_cursor_with_it(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept(batch_size=4))
    way.store(*range(10))
    assert way.drain() is None
    assert [len(batch) for batch in way.sink.batches] == [4, 4, 2] and way.sink.payloads == payloads(*range(10))
    assert way.spool.cursor("kept") == 10 and way.delivery.state.written == 10
    again = Way(tmp_path, Kept(), way.spool)
    assert again.drain() is None and not again.sink.batches
    way.spool.close()


def test_a_sink_is_opened_before_there_is_anything_and_again_until_it_is(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept())
    opened: list[float] = []

    def open_() -> None:
        opened.append(way.clock.now)
        if len(opened) < 3:
            raise SinkDown("cannot listen") if len(opened) == 1 else ValueError("a bug")

    way.sink.open = open_  # type: ignore[method-assign]
    assert way.delivery.step() == 1.0 and way.delivery.state.last_error == "cannot listen"
    way.clock.now += 1.0
    assert way.delivery.step() == 2.0 and "a bug" in way.delivery.state.last_error
    way.clock.now += 2.0
    assert way.delivery.step() is None and way.delivery.state.down_since is None
    way.store(1)
    assert way.drain() is None and len(opened) == 3 and len(way.sink.payloads) == 1
    way.spool.close()


def test_a_fuller_batch_is_waited_for_a_while(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept(batch_size=10, linger_s=2.0))
    way.store(1)
    assert way.delivery.step() == 2.0
    way.clock.now += 1.5
    way.store(2)
    assert way.delivery.step() == 0.5
    way.clock.now += 0.5
    assert way.drain() is None and way.sink.payloads == payloads(1, 2)
    way.store(*range(3, 13))
    assert way.delivery.step() == 0.0  # full: at once
    way.store(13)
    assert way.delivery.step(flush=True) == 0.0 and len(way.sink.payloads) == 13  # stopping: at once
    way.spool.close()


def test_an_hour_without_the_server_loses_nothing(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept(batch_size=100), retry_max_s=60.0)
    way.sink.refuse = down
    way.store(1)
    tried = []
    end = way.clock.now + 3600
    number = 1
    while way.clock.now < end:
        wait_s = way.delivery.step()
        assert wait_s is not None and 0 < wait_s <= 60
        tried.append(wait_s)
        way.clock.now += wait_s
        number += 1
        way.store(number)
    # 1, 2, 4, ... 60 s: an hour is some sixty attempts, and few lines.
    assert tried[:7] == [1, 2, 4, 8, 16, 32, 60] and 60 <= len(tried) <= 70
    assert len(way.log.rows("sink-down")) <= 7
    assert way.delivery.state.last_error == "no answer from http://127.0.0.1:9"
    assert way.metrics.get("sink_up", sink="kept") == 0
    assert way.spool.backlog("kept").waiting == number
    way.sink.refuse = lambda _batch: None
    assert way.drain() is None
    assert way.sink.payloads == payloads(*range(1, number + 1))
    assert way.metrics.get("sink_up", sink="kept") == 1 and way.log.rows("sink-up")[0]["down_s"] >= 3600
    way.spool.close()


def test_before_its_time_it_is_not_tried_again(tmp_path: Path) -> None:
    calls = []
    way = Way(tmp_path, Kept(lambda batch: (calls.append(1), down(batch))))
    way.store(1)
    assert way.delivery.step() == 1.0
    way.clock.now += 0.4
    assert way.delivery.step() == pytest.approx(0.6) and len(calls) == 1
    way.spool.close()


def test_what_the_server_asked_for_is_waited(tmp_path: Path) -> None:
    asked = [120.0, 1e9]

    def refuse(_batch: Sequence[Observation]) -> None:
        raise SinkDown("429 Too Many Requests", asked.pop(0))

    way = Way(tmp_path, Kept(refuse), retry_max_s=60.0)
    way.store(1)
    assert way.delivery.step() == 120
    way.clock.now += 120
    assert way.delivery.step() == 3600  # but no more than an hour
    way.spool.close()


def test_one_that_can_never_be_taken_is_set_aside(tmp_path: Path) -> None:
    bad = payloads(2, 5)

    def refuse(batch: Sequence[Observation]) -> None:
        for index, one in enumerate(batch):
            if one.uplink.payload in bad:
                raise Poisoned(index, "422 no such field")

    way = Way(tmp_path, Kept(refuse, batch_size=4))
    way.store(*range(8))
    assert way.drain() is None
    assert way.sink.payloads == payloads(0, 1, 3, 4, 6, 7)
    assert [(a.stage, a.reason, a.row.uplink.payload) for _n, _at, a in way.spool.poison()] == [
        ("sink:kept", "422 no such field", one) for one in bad
    ]
    way.spool.close()


def test_a_refusal_then_an_outage_sets_aside_once(tmp_path: Path) -> None:
    state = {"down": True}

    def refuse(batch: Sequence[Observation]) -> None:
        if batch[0].uplink.payload == payloads(1)[0]:
            raise Poisoned(0, "no")
        if state["down"]:
            raise SinkDown("away")

    way = Way(tmp_path, Kept(refuse))
    way.store(1, 2)
    for _ in range(5):
        way.clock.now += way.delivery.step() or 0.0
    state["down"] = False
    assert way.drain() is None
    assert len(way.spool.poison()) == 1 and way.sink.payloads == payloads(2)
    assert way.metrics.get("poison_total", stage="sink:kept") == 1
    way.spool.close()


def test_a_sink_that_breaks_on_one_message_goes_on_with_the_rest(tmp_path: Path) -> None:
    def refuse(batch: Sequence[Observation]) -> None:
        if payloads(3)[0] in [one.uplink.payload for one in batch]:
            raise ZeroDivisionError("a fault")

    way = Way(tmp_path, Kept(refuse))
    way.store(*range(6))
    assert way.drain() is None
    assert way.sink.payloads == payloads(0, 1, 2, 4, 5)
    assert "ZeroDivisionError" in way.spool.poison()[0][2].reason
    way.spool.close()


def test_a_sink_that_breaks_on_everything_is_down(tmp_path: Path) -> None:
    def refuse(_batch: Sequence[Observation]) -> None:
        raise ZeroDivisionError("a fault")

    way = Way(tmp_path, Kept(refuse))
    way.store(*range(6))
    assert way.delivery.step() == 1.0 and not way.spool.poison() and way.spool.cursor("kept") == 0
    assert "ZeroDivisionError" in way.delivery.state.last_error
    way.spool.close()


def test_an_os_error_is_an_outage(tmp_path: Path) -> None:
    def refuse(_batch: Sequence[Observation]) -> None:
        raise OSError(28, "No space left on device")

    way = Way(tmp_path, Kept(refuse))
    way.store(1)
    assert way.delivery.step() == 1.0 and "No space left" in way.delivery.state.last_error
    way.spool.close()


def test_only_what_the_sink_takes(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept(kinds=("alarm",), batch_size=3))
    way.store(*range(100))
    way.spool.store(Batch([Row("plant", Uplink(NODE, alarm(5), T0, "mqtt"))]), T0)
    assert way.drain() is None
    assert way.sink.payloads == [alarm(5)] and way.spool.cursor("kept") == 101
    way.spool.close()


def test_what_an_older_version_stored_and_this_one_cannot_read(tmp_path: Path) -> None:
    way = Way(tmp_path, Kept())
    way.spool.store(Batch([Row("plant", Uplink(NODE, b"\xff", T0, "mqtt")), *rows(1)]), T0)
    assert way.drain() is None
    assert way.sink.payloads == payloads(1) and way.spool.poison()[0][2].stage == "decode"
    way.spool.close()


def test_two_sinks_do_not_wait_for_each_other(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    slow, fast = Kept(down), Kept()
    slow.name, fast.name = "slow", "fast"  # type: ignore[misc]
    spool.attach(["slow", "fast"])
    ways = [
        Delivery(s.name, s, spool, clock=Clock(), wall=Clock(), log=Told(), metrics=Metrics()) for s in (slow, fast)
    ]
    spool.store(Batch(rows(1, 2)), T0)
    assert ways[0].step() and ways[1].step() == 0.0
    assert fast.payloads == payloads(1, 2) and spool.cursor("slow") == 0
    spool.close()
