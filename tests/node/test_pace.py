"""Rate and losses from looks at a FIFO's level, against a chip that is one line of arithmetic. On CPython."""

from __future__ import annotations

import random

import pytest
from chips import Time

from node.sensors import pace


class Chip:
    """Makes samples at rate_hz from start_us on; a FIFO of `depth` that loses the oldest."""

    def __init__(self, rate_hz: float, start_us: float, depth: int = 32) -> None:
        self.rate_hz = rate_hz
        self.start_us = start_us
        self.depth = depth
        self.gone = 0  # read or lost
        self.lost = 0

    def level(self, at_us: float) -> tuple[int, bool]:
        made = max(0, int((at_us - self.start_us) * self.rate_hz / 1e6))
        over = made - self.gone - self.depth
        if over > 0:
            self.gone += over
            self.lost += over
        return made - self.gone, over > 0


class Reader:
    """Looks about every millisecond, reads when 16 wait. begin_us: where the ticks stand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rate_hz: float, seed: int, begin_us: int = 0) -> None:
        self.chance = random.Random(seed)
        self.clock = Time(begin_us)
        monkeypatch.setattr(pace, "time", self.clock)
        self.chip = Chip(rate_hz, begin_us + self.chance.uniform(0, 2000))
        self.pace = pace.Pace(3200)

    def run(self, seconds: float) -> None:
        end_us = self.clock.now_us + seconds * 1e6
        while self.clock.now_us < end_us:
            began_us = self.clock.now_us
            self.clock.now_us += 40
            level, full = self.chip.level(self.clock.now_us)
            self.clock.now_us += 20
            (self.pace.gap if full else self.pace.look)(began_us % Time.PERIOD, self.clock.now_us % Time.PERIOD, level)
            if level >= 16:
                self.chip.gone += 16
                self.pace.taken += 16
                self.clock.now_us += 200
            else:
                self.clock.now_us += self.chance.randrange(600, 1300)


@pytest.mark.parametrize("ratio", [0.8, 0.97, 1.0, 1.031, 1.2])
def test_rate(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    reader = Reader(monkeypatch, 3200 * ratio, seed=1)
    assert reader.pace.rate_dhz == 0
    reader.run(0.5)
    assert reader.pace.rate_dhz == pytest.approx(32_000 * ratio, rel=1e-3)
    reader.run(5)
    assert reader.pace.rate_dhz == pytest.approx(32_000 * ratio, rel=1e-4)


def test_rate_and_gaps_stay_right_when_the_past_is_forgotten_and_the_ticks_wrap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As after hours, with a memory of half a second instead of half a minute.
    monkeypatch.setattr(pace, "_MEMORY_US", 1 << 19)
    reader = Reader(monkeypatch, 3270.0, seed=2, begin_us=Time.PERIOD - 3_000_000)
    largest = 0
    for _ in range(12):
        reader.run(0.7)
        largest = max(largest, reader.pace.taken, *reader.pace._now.made)
        assert reader.pace.rate_dhz == pytest.approx(32_700, rel=2e-3)
        before = reader.chip.lost
        reader.clock.sleep_ms(150)
        reader.run(0.3)
        assert reader.pace.settle() == reader.chip.lost - before > 400
    assert largest < 20_000, "numbers stay small"


@pytest.mark.parametrize("seed", range(12))
def test_gaps_are_counted_exactly(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    reader = Reader(monkeypatch, 3200 * chance.uniform(0.97, 1.03), seed)
    reader.run(chance.uniform(1.0, 3.0))
    total = 0
    for _ in range(3):
        reader.clock.sleep_ms(chance.choice((11, 20, 100, 500, 1000)))
        reader.run(chance.uniform(0.2, 1.0))
        total += reader.pace.settle()
        assert (total, reader.pace.exact) == (reader.chip.lost, True)


def test_of_several_gaps_in_a_row_the_sum_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, 3210.0, seed=3)
    reader.run(2.0)
    for ms in (100, 30, 200):
        reader.clock.sleep_ms(ms)
        reader.run(0.05)
    assert reader.pace.settle() == reader.chip.lost > 800
    assert reader.pace.exact


def test_a_gap_far_longer_than_what_was_seen_before_is_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, 3210.0, seed=7)
    reader.run(0.1)
    reader.clock.sleep_ms(20_000)
    reader.run(0.2)
    assert reader.pace.settle() == pytest.approx(reader.chip.lost, rel=2e-2)
    assert not reader.pace.exact
    # It does not spoil the rate: what is seen from then on is on its own.
    reader.run(2.0)
    assert reader.pace.rate_dhz == pytest.approx(32_100, rel=1e-3)
    before = reader.chip.lost
    reader.clock.sleep_ms(50)
    reader.run(0.2)
    assert (reader.pace.settle(), reader.pace.exact) == (reader.chip.lost - before, True)


def test_a_full_fifo_that_lost_nothing_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, 3210.0, seed=4)
    reader.run(2.0)
    level, _full = reader.chip.level(reader.clock.now_us)
    reader.pace.gap(reader.clock.now_us - 40, reader.clock.now_us + 20, level)
    reader.run(0.2)
    assert reader.pace.settle() == 0
    assert reader.pace.exact


def test_a_gap_before_anything_is_known_is_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, 3200.0, seed=5)
    reader.pace.gap(reader.clock.now_us, reader.clock.now_us + 60, 32)
    assert not reader.pace.pending
    assert reader.pace.settle() == 0


def test_ratio_is_exact_with_small_steps() -> None:
    chance = random.Random(6)
    for _ in range(1000):
        denominator = chance.randrange(1, 1 << 26)
        numerator = chance.randrange(denominator)
        assert pace.ratio(numerator, denominator, 10, 7) == numerator * 10**7 // denominator
