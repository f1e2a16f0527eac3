"""Tracker: rules for the numbers of readings, one test a row of docs/tracking.md."""

import pytest
from tests.host.tracking import NODE, Listener, reading

from judder.decode import numbers

U32 = 0xFFFFFFFF


def test_one_after_the_other_is_nothing_to_speak_of() -> None:
    assert Listener().numbers((0, 0, 0), (1, 60, 0), (2, 120, 1), (3, 180, 0)) == [()] * 4


def test_a_tracker_may_come_in_anywhere() -> None:
    assert Listener().numbers((5000, 0, 0), (5001, 60, 0)) == [(), ()]


def test_numbers_passed_over_are_a_gap_until_they_come() -> None:
    ear = Listener()
    assert ear.numbers((10, 0, 0), (14, 240, 0)) == [(), ("gap:3",)]
    assert ear.tracker.summary(NODE).missing == 3
    assert ear.numbers((12, 245, 125), (11, 250, 190)) == [("late",), ("late",)]
    assert ear.tracker.summary(NODE).missing == 1
    assert ear.numbers((15, 300, 0)) == [()]


def test_a_late_reading_is_placed_by_its_age() -> None:
    ear = Listener()
    ear.numbers((10, 0, 0), (12, 120, 0))
    assert ear.numbers((11, 500, 440)) == [("late",)]
    assert ear.last.measured_at - ear.last.received_at == -440


def test_hours_stored_by_a_node_come_late_and_none_is_taken_for_a_copy() -> None:
    ear = Listener()
    ear.numbers((0, 0, 0), (600, 36000, 0))
    words = [ear.hear(reading(n, age=36100 + n - 60 * n), 36100 + n) for n in range(1, 600)]
    assert words == [("late",)] * 599
    assert ear.tracker.summary(NODE).missing == 0
    again = [ear.hear(reading(n, age=37000 - 60 * n), 37000) for n in (590, 595, 599, 300)]
    assert again == [("duplicate",)] * 3 + [("late",)]  # 300: a copy, but too long ago to be sure


def test_the_same_reading_sent_again_with_a_new_age_is_a_duplicate() -> None:
    ear = Listener()
    assert ear.numbers((7, 0, 0), (7, 30, 30), (8, 60, 0), (7, 61, 61)) == [(), ("duplicate",), (), ("duplicate",)]
    assert ear.tracker.summary(NODE).duplicates == 2


def test_a_broker_that_repeats_hours_later_does_not_make_a_restart_of_it() -> None:
    ear = Listener()
    ear.numbers((7, 0, 2), (8, 60, 2))
    assert ear.hear(reading(8, 2), 7200) == ("duplicate",)
    assert ear.numbers((9, 7201, 0)) == [()]


def test_the_same_reading_cut_shorter_for_another_link_is_a_duplicate() -> None:
    ear = Listener()
    whole, cut = reading(7, 0, battery=3300), reading(7, 5, battery=3300, limit=17)
    assert len(cut) < len(whole)
    assert [ear.hear(whole, 0), ear.hear(cut, 5)] == [(), ("duplicate",)]


def test_counter_wraps_without_a_word() -> None:
    ear = Listener()
    assert ear.numbers((U32 - 1, 0, 0), (U32, 60, 0), (0, 120, 0), (1, 180, 0)) == [()] * 4
    assert ear.numbers((U32, 200, 140)) == [("duplicate",)]


def test_gap_and_late_readings_across_the_wrap() -> None:
    assert Listener().numbers((U32 - 1, 0, 0), (1, 180, 0), (U32, 181, 121)) == [(), ("gap:2",), ("late",)]


@pytest.mark.parametrize("high", [3, 100, 5000, 3_000_000_000, U32 - 5000])
def test_power_lost_numbers_begin_again(high: int) -> None:
    ear = Listener()
    ear.numbers((high - 1, 0, 0), (high, 60, 0))
    assert ear.numbers((0, 200, 0), (1, 260, 0), (2, 320, 0)) == [("sequence-reset",), (), ()]
    assert ear.tracker.summary(NODE).sequence == 2


def test_power_lost_right_after_the_first_reading() -> None:
    ear = Listener()
    ear.numbers((0, 0, 0))
    assert ear.hear(reading(0, velocity_rms_worst=140), 15) == ("sequence-reset",)
    assert ear.hear(reading(0, velocity_rms_worst=150), 30) == ("sequence-reset",)


def test_power_lost_while_the_node_was_out_of_reach() -> None:
    ear = Listener()
    ear.numbers((100, 0, 0))
    assert ear.numbers((40, 9000, 0)) == [("sequence-reset",)]


def test_reset_that_keeps_rtc_memory_goes_on_counting() -> None:
    ear = Listener()
    ear.numbers((41, 0, 0))
    assert ear.numbers((42, 90, 0)) == [()]


def test_a_number_never_seen_within_a_minute_may_be_late_or_a_restart_and_is_called_late() -> None:
    """Unless a HELLO said that the node lost power: then it is a restart (test_track_others)."""
    ear = Listener()
    ear.numbers((100, 0, 0), (101, 60, 0))
    assert ear.numbers((0, 70, 0), (1, 130, 0)) == [("late",), ("sequence-reset",)]


def test_late_readings_of_the_run_before_are_no_copies_of_the_new_ones() -> None:
    ear = Listener()
    ear.numbers((0, 0, 0), (1, 60, 0), (4, 240, 0))
    ear.numbers(*[(n, 1000 + 60 * n, 0) for n in range(20)])  # power lost; 0..19 came again
    # 2 and 3 of before, measured at 120 and 180, delivered at 2500.
    assert ear.numbers((2, 2500, 2380), (3, 2501, 2321)) == [("late",), ("late",)]
    assert ear.numbers((2, 2600, 2480), (4, 2601, 2361)) == [("duplicate",), ("late",)]  # 4: too long ago to be sure
    # A number that was higher than anything of the new run does not stop it.
    assert ear.numbers((300, 2700, 2650), (20, 2760, 0)) == [("late",), ()]


def test_a_step_too_large_for_a_gap_is_another_beginning() -> None:
    ear = Listener()
    ear.numbers((10, 0, 0))
    assert ear.numbers((10 + numbers.MAX_GAP, 60, 0)) == [(f"gap:{numbers.MAX_GAP - 1}",)]
    assert ear.numbers((11 + 3 * numbers.MAX_GAP, 200, 0)) == [("sequence-reset",)]


def test_frames_too_short_for_a_number_are_never_called_copies() -> None:
    ear = Listener()
    frame = reading(None, None, velocity_rms_worst=5, limit=11)
    assert [ear.hear(frame, at) for at in (0, 1, 60)] == [(), (), ()]
    assert ear.last.measured_at is None


def test_numbers_without_ages() -> None:
    ear = Listener()
    frames = [reading(n, None) for n in range(6)]
    assert [ear.hear(frames[n], 60.0 * n) for n in (0, 1, 3)] == [(), (), ("gap:1",)]
    assert ear.hear(frames[2], 182) == ("late",)
    assert ear.hear(frames[3], 183) == ("duplicate",)
    assert ear.hear(frames[4], 240) == ()


def test_a_jump_of_an_hour_in_age_does_not_disturb_the_order() -> None:
    """A frame that was repeated for a minute, its age standing still, and the next that was not."""
    assert Listener().numbers((1, 60, 0), (2, 100, 0), (3, 101, 20), (4, 110, 0)) == [()] * 4
