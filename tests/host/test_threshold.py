"""The alarm's levels: values worked out by hand from `reached at the limit, left below (100 - h) % of it`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.alarm.threshold import DANGER, NONE, WARNING, Threshold


def levels(threshold: Threshold, values: list[int]) -> list[int]:
    return [threshold.update(value) for value in values]


@pytest.mark.parametrize(
    ("limits", "values", "expected"),
    [
        # 10 % below 2000 is 1800, below 4000 is 3600: at those values the level holds, one less and it is left.
        ((2000, 4000, 10), [1999, 2000, 1999, 1800, 1799, 1999], [0, 1, 1, 1, 0, 0]),
        ((2000, 4000, 10), [3999, 4000, 3999, 3600, 3599, 1800, 1799], [1, 2, 2, 2, 1, 1, 0]),
        ((2000, 4000, 10), [5000, 0], [2, 0]),
        ((2000, 4000, 0), [2000, 1999, 4000, 3999], [1, 0, 2, 1]),
        # 10 % below 25 is 22.5: 23 holds, 22 does not.
        ((25, 0, 10), [25, 23, 22], [1, 1, 0]),
        ((0, 4000, 10), [3999, 4000, 3600, 3599], [0, 2, 2, 0]),
        ((2000, 0, 10), [60000, 1799], [1, 0]),
        ((0, 0, 10), [0, 65535], [0, 0]),
        ((3000, 3000, 10), [3000, 2700, 2699], [2, 2, 0]),
        # A danger limit close above warning: falling out of danger lands in warning, which still holds.
        ((2000, 2050, 10), [2050, 1845, 1844, 1799], [2, 2, 1, 0]),
        ((600, 0, 10), [-200, 600, -1], [0, 1, 0]),
    ],
)
def test_levels(limits: tuple[int, int, int], values: list[int], expected: list[int]) -> None:
    assert levels(Threshold(*limits), values) == expected


def test_limit_names_what_was_crossed() -> None:
    """The limit reached on the way up, the limit left on the way down, unchanged in between."""
    threshold = Threshold(2000, 4000, 10)
    crossed = []
    for value in (1000, 2500, 4500, 3700, 2500, 1000, 9000, 1000):
        threshold.update(value)
        crossed.append(threshold.limit)
    assert crossed == [0, 2000, 4000, 4000, 4000, 2000, 4000, 2000]
    only_danger = Threshold(0, 4000, 10)
    levels(only_danger, [4000, 0])
    assert only_danger.limit == 4000


@given(
    values=st.lists(st.integers(0, 6000), min_size=1, max_size=40),
    at=st.integers(0, 40),
    percent=st.integers(0, 50),
)
def test_state_survives_sleep(values: list[int], at: int, percent: int) -> None:
    """Saved and restored at any point, the levels that follow are those of a threshold that never slept."""
    awake = levels(Threshold(2000, 4000, percent), values)
    first, second = Threshold(2000, 4000, percent), Threshold(2000, 4000, percent)
    before = levels(first, values[:at])
    second.restore(first.state())
    assert before + levels(second, values[at:]) == awake


@given(
    values=st.lists(st.integers(0, 6000), max_size=60),
    warning=st.integers(1, 3000),
    gap=st.integers(0, 2000),
    percent=st.integers(0, 50),
)
def test_level_follows_from_definition(values: list[int], warning: int, gap: int, percent: int) -> None:
    """Each limit is a switch of its own with hysteresis; the level is the highest that is on."""
    limits = (warning, warning + gap)
    threshold = Threshold(*limits, percent)
    on = [False, False]
    for value in values:
        for index, limit in enumerate(limits):
            if value >= limit:
                on[index] = True
            elif value < limit * (100 - percent) / 100:
                on[index] = False
        assert threshold.update(value) == (DANGER if on[1] else WARNING if on[0] else NONE)


@pytest.mark.parametrize("state", [-1, 3, 255, WARNING])
def test_a_state_that_no_longer_fits_starts_afresh(state: int) -> None:
    threshold = Threshold(0, 4000, 10)
    threshold.restore(state)
    assert threshold.level == NONE


@pytest.mark.parametrize("wrong", [(-1, 0, 10), (0, -1, 10), (5, 4, 10), (1, 2, -1), (1, 2, 100)])
def test_impossible_limits_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError):
        Threshold(*wrong)
