"""The whole gateway in this process: threads, stops, full disks, what breaks. The test is the source."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.host.gateways import Disk, Kept, Told, arrivals, down, payloads

from judder.errors import DeviceError, InputError
from judder.gateway import pipeline, spool_file, status, threads
from judder.gateway.bounds import Limits
from judder.gateway.health import HealthServer
from judder.gateway.intake import Arrival
from judder.gateway.pipeline import Gateway, Outlet, Plan
from judder.gateway.source import Desk
from judder.gateway.spool import Spool, SpoolDamaged


def wait_for(condition: Callable[[], Any], what: str = "") -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what or condition}")


class Scripted:
    """A source: what the test gives it, batch by batch. acknowledged: batches take() returned for."""

    def __init__(self, *broken: Exception) -> None:
        self.broken = list(broken)
        self.given: list[Sequence[Arrival]] = []
        self.acknowledged = 0

    def give(self, *numbers: int) -> None:
        self.given.append(arrivals(*numbers))

    def where(self) -> str:
        return "a test"

    def run(self, desk: Desk) -> None:
        desk.connected(True)
        while not desk.stopping:
            if self.broken:
                raise self.broken.pop()
            if self.given:
                desk.take(self.given[0])
                self.given.pop(0)
                self.acknowledged += 1
            else:
                desk.pause(0.005)


@contextmanager
def running(folder: Path, source: Scripted, *sinks: Kept, **plan: Any) -> Iterator[Gateway]:
    made = Plan(
        folder / "spool.db",
        {"test": source},
        {sink.name: Outlet(sink, 1.0) for sink in sinks},
        **{"grace_s": 5.0, **plan},
    )
    gateway = Gateway(made, log=Told())
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(threads, "_FULL_RETRY_S", 0.02)
    monkeypatch.setattr(pipeline, "_TRIM_EVERY_S", 0.0)


def test_in_it_goes_and_out(tmp_path: Path) -> None:
    source, sink = Scripted(), Kept()
    with running(tmp_path, source, sink) as gateway:
        source.give(1, 2)
        source.give(3)
        wait_for(lambda: sink.payloads == payloads(1, 2, 3))
        wait_for(lambda: status.report(gateway)["sinks"]["kept"]["waiting"] == 0)
        told = status.report(gateway)
        assert told["ready"] and told["sources"]["test"]["received"] == 3 and told["decoded"] == {"reading": 3}
        assert status.ill(gateway) == [] and not gateway.round(0)
        assert 'judder_gateway_sink_written_total{sink="kept"} 3' in status.exposition(gateway)
    assert sink.closed


def test_a_stop_hands_over_what_there_is(tmp_path: Path) -> None:
    source, sink = Scripted(), Kept(linger_s=3600.0)
    with running(tmp_path, source, sink):
        source.give(*range(10))
        wait_for(lambda: source.acknowledged == 1)
        assert not sink.payloads
    assert sink.payloads == payloads(*range(10))


def test_a_stop_does_not_wait_for_a_sink_that_is_down(tmp_path: Path) -> None:
    source, sink = Scripted(), Kept(down)
    begun = time.monotonic()
    with running(tmp_path, source, sink):
        source.give(1)
        wait_for(lambda: source.acknowledged == 1)
    assert time.monotonic() - begun < 30
    sink.refuse = lambda _batch: None
    with running(tmp_path, source, sink):
        wait_for(lambda: sink.payloads == payloads(1), "the next start")


def test_nor_for_one_that_hangs(tmp_path: Path) -> None:
    hanging, there = threading.Event(), threading.Event()

    def hang(_batch: object) -> None:
        there.set()
        hanging.wait(60)

    source, sink = Scripted(), Kept(hang)
    with running(tmp_path, source, sink, grace_s=0.2) as gateway:
        source.give(1)
        wait_for(there.is_set)
    assert "stopped without waiting for kept" in gateway.log.rows("stop")[0]["message"]  # type: ignore[attr-defined]
    hanging.set()
    wait_for(lambda: not gateway.deliveries[0].is_alive())


def test_a_full_disk_acknowledges_nothing_until_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    monkeypatch.setattr(pipeline, "Spool", lambda path, **given: Spool(path, **given, connect=disk.connect))
    source, sink = Scripted(), Kept()
    with running(tmp_path, source, sink) as gateway:
        source.give(1)
        wait_for(lambda: sink.payloads == payloads(1))
        disk.full()
        many = range(2, 500)
        source.give(*many)
        wait_for(lambda: gateway.metrics.get("spool_failures_total") >= 3)
        assert source.acknowledged == 1
        assert gateway.log.rows("spool")[0]["message"].endswith("until it can be written")  # type: ignore[attr-defined]
        disk.full(False)
        wait_for(lambda: source.acknowledged == 2)
        wait_for(lambda: sink.payloads == payloads(1, *many))
        assert gateway.metrics.get("problems_total") == 0


def test_a_disk_with_little_left_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [0]
    monkeypatch.setattr(pipeline, "Spool", lambda path, **given: Spool(path, **given, free=lambda _folder: left[0]))
    source, sink = Scripted(), Kept()
    with running(tmp_path, source, sink) as gateway:
        source.give(1)
        assert any("MiB are left" in why for why in wait_for(lambda: status.unready(gateway)))
        assert source.acknowledged == 0
        left[0] = 1 << 40
        wait_for(lambda: sink.payloads == payloads(1))


@pytest.mark.parametrize("when_full", ["drop-oldest", "wait"])
def test_a_full_spool(tmp_path: Path, when_full: str) -> None:
    source, sink = Scripted(), Kept(down)
    limits = Limits(max_bytes=256 << 10)
    with running(tmp_path, source, sink, limits=limits, wait_when_full=when_full == "wait") as gateway:
        for first in range(0, 6000, 300):
            source.give(*range(first, first + 300))
        if when_full == "wait":
            wait_for(lambda: gateway.log.rows("spool-full"))  # type: ignore[attr-defined]
            taken = source.acknowledged
            assert 0 < taken < 20 and gateway.spool.summary().dropped == 0
            sink.refuse = lambda _batch: None
            wait_for(lambda: source.acknowledged == 20)
            wait_for(lambda: len(sink.payloads) == 6000)
        else:
            wait_for(lambda: source.acknowledged == 20)
            summary = gateway.spool.summary()
            assert summary.dropped > 0 and summary.bytes <= 256 << 10
            assert summary.dropped + summary.uplinks == 6000 == summary.dropped + gateway.spool.backlog("kept").waiting
            assert "dropped, the spool is over its size" in gateway.log.rows("spool-dropped")[0]["message"]  # type: ignore[attr-defined]
            assert status.report(gateway)["sinks"]["kept"]["dropped"] == summary.dropped


def test_a_source_that_breaks_is_started_again(tmp_path: Path) -> None:
    source, sink = (
        Scripted(ZeroDivisionError("a fault"), DeviceError("no broker at 127.0.0.1:1"), OSError("gone")),
        Kept(),
    )
    with running(tmp_path, source, sink) as gateway:
        source.give(1)
        wait_for(lambda: sink.payloads == payloads(1))
        rows = gateway.log.rows("source-down")  # type: ignore[attr-defined]
        assert "gone" in rows[0]["message"] and status.ill(gateway) == []
        assert "ZeroDivisionError" in gateway.log.rows("internal")[0]["message"]  # type: ignore[attr-defined]


def test_a_damaged_spool_ends_it_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink = Scripted(), Kept()
    with pytest.raises(SpoolDamaged), running(tmp_path, source, sink) as gateway:

        def damaged(*_given: Any) -> None:
            raise SpoolDamaged("database disk image is malformed")

        monkeypatch.setattr(gateway.spool, "store", damaged)
        source.give(1)
        wait_for(lambda: gateway.round(0.01))
    assert source.acknowledged == 0


def test_a_dead_thread_is_ill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink = Scripted(), Kept()
    with running(tmp_path, source, sink) as gateway:
        monkeypatch.setattr(gateway.sources[0], "is_alive", lambda: False)
        assert status.ill(gateway) == ["the thread 'source test' ended"]


def test_a_sink_that_is_no_more_is_said(tmp_path: Path) -> None:
    source, sink = Scripted(), Kept(down)
    with running(tmp_path, source, sink):
        source.give(1, 2)
        wait_for(lambda: source.acknowledged == 1)
    other = Kept()
    other.name = "other"  # type: ignore[misc]
    with running(tmp_path, source, other) as gateway:
        (row,) = gateway.log.rows("sink-gone")  # type: ignore[attr-defined]
        assert "sink kept is no more; it had not got 2 uplinks" in row["message"]
        wait_for(lambda: other.payloads == payloads(1, 2))  # a new one gets what there is


def test_a_health_port_that_is_taken(tmp_path: Path) -> None:
    with running(tmp_path, Scripted(), Kept()) as gateway:
        first = HealthServer(gateway, "127.0.0.1", 0)
        with pytest.raises(InputError, match="name another port in \\[service\\]"):
            HealthServer(gateway, "127.0.0.1", first.port)
        first.stop()
        with pytest.raises(InputError, match="cannot listen at nowhere"):
            HealthServer(gateway, "nowhere.invalid", 1)


def test_no_test_waits_for_the_spool_lock(tmp_path: Path) -> None:
    with running(tmp_path, Scripted(), Kept()), pytest.raises(spool_file.SpoolInUse):
        Spool(tmp_path / "spool.db")
