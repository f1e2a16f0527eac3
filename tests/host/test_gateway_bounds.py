"""A spool within its limits: what every sink has goes first; what is lost is counted and said."""

from pathlib import Path

import pytest
from tests.host.gateways import T0, open_spool, rows

from judder.gateway import bounds
from judder.gateway.bounds import RECENT, Keeper, Limits
from judder.gateway.spool import Batch, Spool

DAY = 86400.0


class Lost:
    def __init__(self) -> None:
        self.told: list[tuple[int, dict[str, int], str]] = []

    def __call__(self, count: int, missed: dict[str, int], reason: str) -> None:
        self.told.append((count, missed, reason))


def filled(folder: Path, count: int, now: float = T0, start: int = 0) -> Spool:
    spool = open_spool(folder)
    spool.attach(["fast", "slow"])
    for first in range(start, start + count, 1000):
        spool.store(Batch(rows(*range(first, min(first + 1000, start + count)))), now)
    return spool


def test_what_every_sink_has_goes_but_for_the_recent(tmp_path: Path) -> None:
    spool, lost = filled(tmp_path, RECENT + 500), Lost()
    keeper = Keeper(spool, Limits(), lost)
    spool.advance("fast", RECENT + 500)
    spool.advance("slow", 100)
    keeper.trim(T0)
    assert spool.read(0, 1)[0].id == 101
    spool.advance("slow", RECENT + 500)
    keeper.trim(T0)
    assert spool.read(0, 1)[0].id == 501 and not lost.told  # those a broker may repeat are known again
    spool.close()


def test_over_the_size_the_oldest_go_and_it_is_counted(tmp_path: Path) -> None:
    spool, lost = filled(tmp_path, 6000), Lost()
    limit = Keeper(spool, Limits(), lost).bytes_used() // 2
    keeper = Keeper(spool, Limits(max_bytes=limit), lost)
    spool.advance("fast", 1500)
    keeper.make_room()
    assert keeper.bytes_used() <= limit
    first = spool.read(0, 1)[0].id
    assert spool.cursor("slow") == spool.cursor("fast") == first - 1
    # The slow one missed everything up to there, the fast one what it had not got.
    assert spool.backlog("slow").dropped == first - 1 and spool.backlog("fast").dropped == first - 1 - 1500
    assert sum(count for count, _missed, _why in lost.told) == first - 1 == spool.summary().dropped
    assert all(why == "the spool is over its size" for _count, _missed, why in lost.told)
    spool.close()


def test_delivered_ones_make_room_without_a_loss(tmp_path: Path) -> None:
    spool, lost = filled(tmp_path, 4000), Lost()
    limit = Keeper(spool, Limits(), lost).bytes_used() // 2
    keeper = Keeper(spool, Limits(max_bytes=limit), lost)
    assert keeper.full()
    for sink in ("fast", "slow"):
        spool.advance(sink, 3999)
    assert not keeper.full() and not lost.told and [row.id for row in spool.read(0, 10)] == [4000]
    spool.close()


def test_over_the_age_they_go(tmp_path: Path) -> None:
    spool, lost = filled(tmp_path, 10), Lost()
    spool.store(Batch(rows(11)), T0 + 2 * DAY)
    keeper = Keeper(spool, Limits(max_age_s=DAY), lost)
    keeper.trim(T0 + DAY - 1)
    assert not lost.told
    keeper.trim(T0 + 2 * DAY)
    assert [row.id for row in spool.read(0, 20)] == [11]
    assert lost.told == [(10, {"fast": 10, "slow": 10}, "older than the spool keeps anything")]
    spool.close()


def test_a_clock_that_is_not_set_costs_nothing(tmp_path: Path) -> None:
    spool, lost = filled(tmp_path, 10, now=1000.0), Lost()  # stored in 1970
    keeper = Keeper(spool, Limits(max_age_s=DAY), lost)
    for now in (2000.0, T0, 5e9):
        keeper.trim(now)
    assert len(spool.read(0, 20)) == 10 and not lost.told
    spool.close()


def test_freed_pages_go_back_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_VACUUM_PAGES", 16)
    spool = filled(tmp_path, 5000)
    keeper = Keeper(spool, Limits(), Lost())
    for sink in ("fast", "slow"):
        spool.advance(sink, 5000)
    with spool.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    keeper._drop_delivered(recent=0)
    for _ in range(10):
        keeper.trim(T0)
    with spool.reading() as db:
        free = db.execute("PRAGMA freelist_count").fetchone()[0]
        assert db.execute("PRAGMA page_count").fetchone()[0] < pages / 2
    assert free <= bounds._VACUUM_PAGES
    spool.close()
