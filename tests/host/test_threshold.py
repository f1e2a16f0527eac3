"""The alarm's levels: values worked out by hand from `reached at the limit, left below (100 - h) % of it`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.alarm.threshold import DANGER, NONE, STATE_BYTES, WARNING, Threshold, release


def make(warning: int, danger: int, *options: int) -> Threshold:
    threshold = Threshold(*options)
    threshold.set_limits(warning, danger)
    return threshold


def levels(threshold: Threshold, values: list[int], every_s: int = 1) -> list[int]:
    return [threshold.update(value, index * every_s) for index, value in enumerate(values)]


def saved(threshold: Threshold) -> bytes:
    data = bytearray(STATE_BYTES + 4)
    threshold.pack_into(data, 3)
    assert data[:3] + data[-1:] == bytes(4), "nothing outside its place"
    return bytes(data)


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
        # 0.2 mm/s in 0.01 mm/s: 4.50 is left below 4.30, 7.10 below 6.90.
        ((450, 710, 0, 20), [449, 450, 430, 429, 710, 690, 689, 429], [0, 1, 1, 0, 2, 2, 1, 0]),
        # 0.2 below 0.3 would be more than half of it: 0.15 holds, 0.14 does not.
        ((30, 0, 0, 20), [30, 15, 14], [1, 1, 0]),
    ],
)
def test_levels(limits: tuple[int, ...], values: list[int], expected: list[int]) -> None:
    assert levels(make(*limits), values) == expected


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        # 2 of the last 3, up and down. One outlier does nothing; two with one between do.
        ((0, 0, 2, 3), [9, 0, 0, 9, 0, 9, 0, 9, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]),
        # 3 of 5: what was seen before a change does not count again after it.
        ((0, 0, 3, 5), [9, 9, 9, 0, 0, 9, 0, 9, 9, 9], [0, 0, 1, 1, 1, 1, 0, 0, 0, 1]),
        # 3 of 3 is three in a row.
        ((0, 0, 3, 3), [9, 9, 0, 9, 9, 9, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0]),
        # Between release (5) and limit (9) is no vote either way.
        ((50, 0, 2, 2), [9, 5, 9, 9, 5, 5, 4, 4], [0, 0, 0, 1, 1, 1, 1, 0]),
    ],
)
def test_confirmation(options: tuple[int, ...], values: list[int], expected: list[int]) -> None:
    assert levels(make(9, 0, *options), values) == expected


def test_hold_off_delays_the_way_down_and_never_the_way_up() -> None:
    threshold = make(10, 20, 0, 0, 1, 1, 60)
    story = [(0, 10), (1, 0), (2, 20), (59, 0), (60, 0), (61, 0), (62, 0), (63, 10), (64, 0), (123, 0)]
    # Warning was reached at 0 s and danger at 2 s: they end at 60 s and 62 s at the earliest.
    assert [threshold.update(value, now_s) for now_s, value in story] == [1, 1, 2, 2, 2, 2, 0, 1, 1, 0]


def test_a_clock_that_starts_again_starts_the_hold_off_again() -> None:
    threshold = make(10, 0, 0, 0, 1, 1, 60)
    assert [threshold.update(v, t) for t, v in [(1000, 10), (5, 0), (64, 0), (65, 0)]] == [1, 1, 1, 0]


def test_limit_names_what_was_crossed() -> None:
    """The limit reached on the way up, the limit left on the way down, unchanged in between."""
    threshold = make(2000, 4000, 10)
    crossed = []
    for value in (1000, 2500, 4500, 3700, 2500, 1000, 9000, 1000):
        threshold.update(value, 0)
        crossed.append(threshold.limit)
    assert crossed == [0, 2000, 4000, 4000, 4000, 2000, 4000, 2000]
    only_danger = make(0, 4000, 10)
    levels(only_danger, [4000, 0])
    assert only_danger.limit == 4000
    only_danger.update(4000, 0)
    assert (only_danger.clear(), only_danger.limit) == (NONE, 4000)


def test_clearing_forgets_what_was_confirmed() -> None:
    threshold = make(9, 0, 0, 0, 2, 2, 3600)
    assert levels(threshold, [9, 9, 9]) == [0, 1, 1]
    assert threshold.clear() == NONE
    assert levels(threshold, [9, 9]) == [0, 1]


def test_limits_may_change_under_a_level() -> None:
    threshold = make(10, 20)
    threshold.update(25, 0)
    threshold.set_limits(12, 22)
    assert threshold.level == DANGER
    threshold.set_limits(12, 0)
    assert threshold.level == WARNING, "a danger limit that is off holds nothing"
    threshold.set_limits(0, 0)
    assert threshold.level == NONE


@given(
    values=st.lists(st.integers(0, 6000), min_size=1, max_size=40),
    at=st.integers(0, 40),
    percent=st.integers(0, 50),
    confirm=st.integers(1, 4),
    more=st.integers(0, 4),
    hold_off_s=st.integers(0, 5),
)
def test_state_survives_sleep(
    values: list[int], at: int, percent: int, confirm: int, more: int, hold_off_s: int
) -> None:
    """Saved and restored at any point, the levels that follow are those of a threshold that never slept."""
    options = (percent, 0, confirm, confirm + more, hold_off_s)
    first, second, awake = (make(2000, 4000, *options) for _ in range(3))
    before = [first.update(value, now_s) for now_s, value in enumerate(values[:at])]
    second.unpack_from(saved(first), 3)
    assert saved(second) == saved(first)
    after = [second.update(value, at + index) for index, value in enumerate(values[at:])]
    assert before + after == levels(awake, values)


@given(
    values=st.lists(st.integers(0, 6000), max_size=60),
    warning=st.integers(1, 3000),
    gap=st.integers(0, 2000),
    percent=st.integers(0, 50),
)
def test_level_follows_from_definition(values: list[int], warning: int, gap: int, percent: int) -> None:
    """Each limit is a switch of its own with hysteresis; the level is the highest that is on."""
    limits = (warning, warning + gap)
    threshold = make(*limits, percent)
    on = [False, False]
    for value in values:
        for index, limit in enumerate(limits):
            if value >= limit:
                on[index] = True
            elif value * 100 < limit * (100 - percent):
                on[index] = False
        assert threshold.update(value, 0) == (DANGER if on[1] else WARNING if on[0] else NONE)


def test_a_state_that_no_longer_fits_is_forgotten() -> None:
    both = make(2000, 4000)
    both.update(5000, 7)
    danger_only = make(0, 4000)
    danger_only.unpack_from(saved(both), 3)
    assert danger_only.level == DANGER
    assert danger_only.update(0, 8) == NONE
    neither = make(0, 0)
    neither.unpack_from(saved(both), 3)
    assert neither.level == NONE


@given(limit=st.integers(1, 65535), percent=st.integers(0, 50), absolute=st.integers(0, 70000))
def test_an_alarm_can_always_clear(limit: int, percent: int, absolute: int) -> None:
    assert limit / 2 <= release(limit, percent, absolute) <= limit


@pytest.mark.parametrize("wrong", [(-1, 0), (0, -1), (5, 4)])
def test_impossible_limits_are_refused(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        make(*wrong)


@pytest.mark.parametrize("wrong", [(-1,), (51,), (0, -1), (0, 0, 0, 1), (0, 0, 2, 1), (0, 0, 1, 9)])
def test_impossible_options_are_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        Threshold(*wrong)
