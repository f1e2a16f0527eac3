"""What looks say about a gap, against a linear program solver (scipy's HiGHS) and against chips made of arithmetic."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.optimize import linprog

from node.sensors import gap

Points = list[tuple[int, int]]


def looks(chance: random.Random, rate: float, phase: float, begin_us: int, end_us: int, grain_us: int) -> tuple:
    """(lows, highs) of looks at a clock that has made floor(phase + rate * t), each within grain_us of its moment."""
    lows, highs = [], []
    for _ in range(chance.randrange(1, 30)):
        t = chance.randrange(begin_us, end_us)
        made = math.floor(phase + rate * t)
        lows.append((t + chance.randrange(grain_us + 1), made))
        highs.append((t - chance.randrange(grain_us + 1), made + 1))
    return lows, highs


def solved(before: tuple, after: tuple, low: float, high: float) -> tuple[float, float]:
    """Least and most of phase before less phase after, by the solver. Unknowns: rate in 1/ms, both phases."""
    rows, limits = [], []
    for side, (lows, highs) in enumerate((before, after)):
        for us, made in lows:
            rows.append([-us / 1000, -(side == 0), -(side == 1)])
            limits.append(-made)
        for us, made in highs:
            rows.append([us / 1000, side == 0, side == 1])
            limits.append(made)
    ends = []
    for sign in (1, -1):
        found = linprog(
            [0, sign, -sign],
            A_ub=np.array(rows, float),
            b_ub=np.array(limits, float),
            bounds=[(1000 * low, 1000 * high), (None, None), (None, None)],
        )
        assert found.status == 0, found.message
        ends.append(sign * found.fun)
    return ends[0], ends[1]


@pytest.mark.parametrize("seed", range(40))
def test_the_interval_is_what_a_solver_finds(seed: int) -> None:
    chance = random.Random(seed)
    rate = chance.uniform(0.0008, 0.0055)
    lost = chance.randrange(0, 4000)
    gap_us = int(lost / rate) + 10_000
    before = looks(chance, rate, 0.3, -chance.randrange(20_000, 2_000_000), -1, 50)
    # After the gap `lost` fewer have been counted.
    shifted = looks(chance, rate, 0.3 - lost, gap_us, gap_us + chance.randrange(5_000, 300_000), 50)
    low, high = rate * 0.75, rate * 1.25
    ends = gap.rates(*before, int(low * gap.ONE), int(high * gap.ONE))
    ends = gap.rates(*shifted, *ends)
    assert ends[0] <= rate * gap.ONE <= ends[1]
    fewest, most = gap.losses(before, shifted, *ends)
    expected = solved(before, shifted, low, high)
    assert (fewest / gap.ONE, most / gap.ONE) == pytest.approx(expected, abs=0.01)
    assert fewest <= lost * gap.ONE <= most


def test_looks_of_no_steady_clock_allow_no_rate() -> None:
    lows: Points = [(0, 0), (1000, 10), (2000, 30)]
    highs: Points = [(0, 1), (1000, 11), (2000, 31)]
    low, high = gap.rates(lows, highs, 0, gap.ONE)
    assert low > high
