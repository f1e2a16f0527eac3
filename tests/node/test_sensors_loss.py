"""Samples lost: every driver against the register model of its part. On CPython, with the kernels' twins.

What was lost is read from the samples themselves (`Numbered`), asking neither driver nor chip to count.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from parts_bench import PARTS, Busy, Part, Setup

from node.sensors import gap

ALL = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
UNSTAMPED = pytest.mark.parametrize(
    "part",
    [part for part in PARTS.values() if part.name != "iis3dwb"],
    ids=[name for name in PARTS if name != "iis3dwb"],
)
# Random stalls per part; many with JUDDER_FULL=1. bench_soak.py makes hundreds.
SEEDS = 60 if os.environ.get("JUDDER_FULL") else 3
# Words a driver takes at once at most, to place a stall somewhere in the block.
BURSTS = {"iis3dwb": 128, "adxl345": 1, "adxl345-i2c": 1, "mpu6050": 32}


def stall_at(setup: Setup, stalls: dict[int, int]) -> Any:
    calls = 0

    def before() -> None:
        nonlocal calls
        calls += 1
        setup.clock.now_us += 1000 * stalls.get(calls, 0)

    return before


def fifo_us(setup: Setup) -> float:
    return setup.driver._depth * 1e6 / setup.part.nominal_hz


@ALL
def test_samples_lost_are_counted_exactly(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """Stalls of 20 ms to 1 s at random places, the clock at random, the rate off by up to 3 %: never one too many."""
    n = 2048
    per_burst = BURSTS.get(part.name, 16)
    seen = 0
    for seed in range(SEEDS):
        setup = Setup(monkeypatch, part, seed).ready()
        chance = random.Random(seed + 100)
        for _ in range(2):
            assert setup.fill(n) == (0, 0)
        stalls = {chance.randrange(1, n // per_burst): chance.choice((20, 50, 200, 1000)) for _ in range(1 + seed % 2)}
        setup.wire.before = stall_at(setup, stalls)
        before = setup.chip.samples_lost
        lost, truth = setup.fill(n)
        assert (lost, setup.driver.lost_exact) == (truth, True), (seed, stalls)
        if part.name not in ("mpu6050", "iis3dwb"):
            # MPU6050: what waited in the overflowed FIFO is thrown away as well. IIS3DWB: the last burst may be longer
            # than the block.
            assert lost == setup.chip.samples_lost - before
        seen += lost
        # And all is well again.
        setup.wire.before = None
        assert setup.fill(n) == (0, 0)
        assert setup.driver.lost_exact
        assert setup.driver.rate_dhz / 10 == pytest.approx(setup.true_hz, rel=1e-3)
    assert seen > 0


def in_any_case(setup: Setup, n: int) -> tuple[int, bool]:
    """A block that may be lossy: what must hold whatever happened. (samples lost, whether the driver knows that.)"""
    lost, truth = setup.fill(n)
    exact = setup.driver.lost_exact
    assert lost == truth or not exact, "a wrong number"
    assert lost > 0 or truth == 0, "a loss that is not flagged"
    return truth, exact


@ALL
def test_a_busy_node_may_not_know_how_many_but_never_says_a_wrong_number(
    monkeypatch: pytest.MonkeyPatch, part: Part
) -> None:
    """Every transfer drawn out, before and after the chip answers, and up to five stalls anywhere, from the first block
    on, in its last burst and after it too."""
    known = 0
    seeds = 3 * SEEDS
    for seed in range(seeds):
        setup = Setup(monkeypatch, part, seed).ready()
        chance = random.Random(seed + 200)
        setup.wire.lag = busy = Busy(setup.clock, chance, mean_us=chance.choice((0, 15, 60)))
        n = chance.choice((256, 512, 1024))
        for _ in range(chance.randrange(4)):
            in_any_case(setup, n)
        block_us = n * 1e6 / part.nominal_hz
        busy.stalls = sorted(
            (
                setup.clock.now_us + chance.uniform(0, 1.05) * block_us,
                fifo_us(setup) * chance.choice((0.5, 1, 1.3, 3, 20)),
            )
            for _ in range(chance.randrange(1, 6))
        )
        known += in_any_case(setup, n)[1]
        in_any_case(setup, n)
    assert known >= 0.5 * seeds


@ALL
def test_a_node_that_is_always_too_slow_says_so(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """Half a FIFO's time more on either side of each transfer, on average. IIS3DWB: still exact, it has stamps."""
    for seed in range(SEEDS):
        setup = Setup(monkeypatch, part, seed).ready()
        chance = random.Random(seed + 300)
        setup.fill(1024)
        setup.wire.lag = Busy(setup.clock, chance, mean_us=fifo_us(setup) / 2 if part.name != "mpu6050" else 20_000)
        lost, exact = in_any_case(setup, 2048)
        assert lost > 0
        assert exact == (part.name == "iis3dwb")


@UNSTAMPED
def test_a_gap_too_long_for_what_was_seen_before_is_not_a_number(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """The rate is known to a sample in 256; over a hundred times as long it may be any of many."""
    setup = Setup(monkeypatch, part, 5).ready()
    setup.fill(256)
    stall_us = 100 * 256e6 / part.nominal_hz
    setup.wire.lag = Busy(setup.clock, random.Random(1), stalls=[(setup.clock.now_us + 0.2 * stall_us / 100, stall_us)])
    lost, truth = setup.fill(256)
    assert not setup.driver.lost_exact
    assert lost == pytest.approx(truth, rel=0.02)
    # What comes after it is a stream of its own, and is counted as one.
    assert setup.fill(1024) == (0, 0)
    assert setup.driver.lost_exact
    assert setup.driver.rate_dhz / 10 == pytest.approx(setup.true_hz, rel=2e-3)


@UNSTAMPED
@pytest.mark.parametrize("minutes", [5, 18])
def test_a_gap_longer_than_the_ticks_can_tell_is_not_a_number(
    monkeypatch: pytest.MonkeyPatch, part: Part, minutes: int
) -> None:
    """ticks_us wraps after 17.9 minutes, so 18 look like a few seconds."""
    setup = Setup(monkeypatch, part, 6).ready()
    for _ in range(2):
        setup.fill(1024)
    stall_us = minutes * 60_000_000
    setup.wire.lag = Busy(
        setup.clock, random.Random(1), stalls=[(setup.clock.now_us + 0.3e9 / part.nominal_hz, stall_us)]
    )
    truth, exact = in_any_case(setup, 1024)
    assert truth > 0
    assert not exact


@pytest.mark.parametrize("change_per_s", [-3e-6, 3e-7, 3e-6])
def test_a_clock_that_drifts(monkeypatch: pytest.MonkeyPatch, change_per_s: float) -> None:
    """As when a machine warms up. Parts of the rate and second; 3e-6 is two degrees a minute at 100 ppm a degree."""
    known = 0
    for seed in range(SEEDS):
        setup = Setup(monkeypatch, PARTS["lis3dh"], seed).ready()
        run, since_us = setup.chip._run, setup.clock.now_us
        monkeypatch.setattr(
            setup.chip,
            "_run",
            lambda now_us, run=run, since_us=since_us: run(now_us + int(change_per_s * (now_us - since_us) ** 2 / 2e6)),
        )
        chance = random.Random(seed + 400)
        for _ in range(4):
            assert setup.fill(2048) == (0, 0)
        for _ in range(2):
            at_us = setup.clock.now_us + chance.uniform(0.1, 0.8) * 2048e6 / setup.true_hz
            setup.wire.lag = Busy(setup.clock, chance, stalls=[(at_us, chance.uniform(50_000, 1_000_000))])
            known += in_any_case(setup, 2048)[1]
    assert known >= SEEDS


def test_the_bounds_are_what_keeps_numbers_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a driver that takes the middle of what is possible for the only number says wrong ones."""
    losses = gap.losses

    def middle(*stretches: Any) -> tuple[int, int]:
        fewest, most = losses(*stretches)
        one = (fewest + most + gap.ONE) // (2 * gap.ONE) * gap.ONE
        return one, one

    monkeypatch.setattr(gap, "losses", middle)
    with pytest.raises(AssertionError, match="a wrong number"):
        for seed in range(20):
            setup = Setup(monkeypatch, PARTS["lis3dh-fast"], seed).ready()
            setup.fill(256)
            setup.wire.lag = Busy(setup.clock, random.Random(1), stalls=[(setup.clock.now_us + 20_000, 1e6)])
            in_any_case(setup, 256)
