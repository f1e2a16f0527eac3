"""Tracker: clocks, starts, alarms, LoRaWAN counters, messages without number: one test a row of docs/tracking.md."""

import math

import pytest
from tests.host.tracking import NODE, T0, Listener, alarm, hello, payload, reading

from judder import decode
from judder.decode.track import Tracker
from judder.errors import DecodeError
from judder.flow import Poison, Uplink
from judder_core import schema

POWER_ON, HARD, WATCHDOG, DEEP_SLEEP = 1, 2, 3, 4

# --- two clocks


def test_measured_is_received_less_the_age() -> None:
    ear = Listener()
    ear.hear(reading(1, 90), 100)
    assert ear.last.measured_at == T0 + 10
    ear.hear(reading(2, None), 200)
    assert ear.last.measured_at is None
    ear.hear(hello(5, 1), 300)
    assert ear.last.measured_at is None


@pytest.mark.parametrize("age", [401 * 86400, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_age_no_node_reaches_is_a_clock_of_1970_or_2106_and_places_nothing(age: int) -> None:
    ear = Listener()
    ear.hear(reading(5), 0)
    assert ear.hear(reading(6, age), 60) == ("clock-behind",)
    assert ear.last.measured_at is None
    assert ear.numbers((7, 120, 0), (8, 180, 0)) == [(), ()]


@pytest.mark.parametrize("when", [0.0, 1_262_304_000.0, -1e12, math.nan, -math.inf])  # 1970, 2010
def test_a_server_in_1970(when: float) -> None:
    blind = Listener()
    assert blind.hear(reading(5), when - T0) == ("clock-behind",)
    assert blind.last.measured_at is blind.last.at is None
    seeing = Listener(clock=lambda: T0 + 1000)
    assert seeing.hear(reading(5, 10), when - T0) == ("clock-behind",)
    assert (seeing.last.measured_at, seeing.last.heard_at, seeing.last.at) == (T0 + 990, T0 + 1000, T0 + 990)
    assert [ear.numbers((6, 1060, 0), (7, 1120, 0)) for ear in (blind, seeing)] == [[(), ()]] * 2


@pytest.mark.parametrize("when", [4_294_967_295.0, 1e15, math.inf])  # 2106
def test_a_server_in_2106(when: float) -> None:
    blind = Listener()
    assert blind.hear(reading(5), when - T0) == ("clock-ahead",)
    assert blind.last.measured_at is blind.last.at is None
    seeing = Listener(clock=lambda: T0 + 1000)
    assert seeing.hear(reading(5, 10), when - T0) == ("clock-ahead",)
    assert (seeing.last.measured_at, seeing.last.heard_at, seeing.last.at) == (T0 + 990, T0 + 1000, T0 + 990)
    # And the true time afterwards is not "late".
    assert [ear.numbers((6, 1060, 0), (7, 1120, 0)) for ear in (blind, seeing)] == [[(), ()]] * 2


def test_a_server_an_hour_ahead_is_noticed_where_there_is_a_clock_to_compare_with() -> None:
    ear = Listener(clock=lambda: T0)
    assert ear.hear(reading(5), 3600) == ("clock-ahead",)
    assert ear.last.measured_at == T0
    assert ear.hear(reading(6), 200) == ()  # clocks differ a little everywhere


# --- starts


def test_daily_hello_is_no_start() -> None:
    ear = Listener()
    assert ear.hear(hello(10, 1, POWER_ON), 0) == ()
    assert ear.hear(hello(86410, 1, POWER_ON), 86400) == ()


def test_wakes_from_deep_sleep_are_no_starts() -> None:
    ear = Listener()
    ear.hear(hello(10, 1, POWER_ON), 0)
    assert ear.hear(hello(86410, 1441, DEEP_SLEEP), 86400) == ()


@pytest.mark.parametrize(
    ("uptime", "boots", "cause"),
    [
        (4, 1, POWER_ON),  # power lost: the boots begin again
        (4, 7, WATCHDOG),  # boots go on, uptime does not
        (90_000, 7, HARD),  # both are higher than before; the cause is no wake
        (4, None, None),  # cut short
    ],
)
def test_starts_are_seen_by_uptime_and_boots(uptime: int, boots: int | None, cause: int | None) -> None:
    ear = Listener()
    ear.hear(hello(80_000, 6, POWER_ON), 0)
    assert ear.hear(hello(uptime, boots, cause), 100_000) == ("reboot",)
    assert ear.tracker.summary(NODE).reboots == 1


def test_after_a_hello_that_tells_of_lost_power_numbers_begin_again_at_once() -> None:
    ear = Listener()
    ear.hear(hello(80_000, 6, POWER_ON), 0)
    ear.numbers((100, 10, 0))
    assert ear.hear(hello(3, 1, POWER_ON), 20) == ("reboot",)
    # Within the minute in which a number not seen before would pass for a late one.
    assert ear.numbers((0, 25, 0), (1, 30, 0)) == [("sequence-reset",), ()]


def test_a_start_that_keeps_its_numbers() -> None:
    ear = Listener()
    ear.hear(hello(80_000, 6, POWER_ON), 0)
    ear.numbers((100, 10, 0))
    assert ear.hear(hello(3, 7, WATCHDOG), 20) == ("reboot",)
    assert ear.numbers((101, 25, 0)) == [()]


def test_a_node_that_starts_over_and_over_is_not_taken_for_copies() -> None:
    ear = Listener()
    assert [ear.hear(hello(3, 1, POWER_ON), 20 * n) for n in range(4)] == [(), *[("reboot",)] * 3]
    same = reading(0)
    words = []
    for n in range(10, 13):
        words += [ear.hear(hello(3, 1, POWER_ON), 20 * n), ear.hear(same, 20 * n + 5)]
    assert words == [("reboot",), (), ("reboot",), ("sequence-reset",), ("reboot",), ("sequence-reset",)]


def test_a_hello_twice_within_seconds_is_a_duplicate() -> None:
    ear = Listener()
    assert [ear.hear(hello(3, 1, POWER_ON), at) for at in (0, 2)] == [(), ("duplicate",)]


def test_a_hello_sent_again_in_the_same_lorawan_session_is_a_duplicate() -> None:
    ear = Listener()
    frame = hello(3, 1, POWER_ON)
    assert ear.hear(frame, 0, session="a", fcnt=0) == ()
    assert ear.hear(frame, 600, session="a", fcnt=1) == ("duplicate",)
    assert ear.hear(frame, 1200, session="b", fcnt=0) == ("rejoin", "reboot")


# --- LoRaWAN


def test_the_same_frame_count_twice_is_a_duplicate_whatever_it_says() -> None:
    frames = [
        reading(3),
        reading(None, None, limit=11),
        hello(3, 1),
        alarm(None, None),
        payload(schema.ACK, tag=1, status=0),
    ]
    for number, frame in enumerate(frames):
        ear = Listener()
        assert ear.hear(frame, 0, session="a", fcnt=number) == ()
        assert ear.hear(frame, 1, session="a", fcnt=number, dedup="another id") == ("duplicate",)
        assert ear.hear(frame, 9000, session="a", fcnt=number) == ("duplicate",)


def test_the_server_s_own_id_tells_copies_where_there_is_no_counter() -> None:
    ear = Listener()
    frame = alarm(None, None)
    assert [ear.hear(frame, at, dedup="id 1") for at in (0, 500)] == [(), ("duplicate",)]
    assert ear.hear(frame, 600, dedup="id 2") == ()


def test_equal_frames_with_other_counters_are_not_copies() -> None:
    ear = Listener()
    frame = reading(None, None, velocity_rms_worst=0, limit=11)
    assert [ear.hear(frame, 60 * n, session="a", fcnt=n) for n in range(3)] == [()] * 3


def test_an_unacknowledged_reading_sent_as_a_new_frame_is_a_duplicate() -> None:
    ear = Listener()
    assert ear.hear(reading(3, 0), 0, session="a", fcnt=7) == ()
    assert ear.hear(reading(3, 90), 90, session="a", fcnt=8) == ("duplicate",)


def test_a_join_begins_a_session_and_counters_from_zero() -> None:
    ear = Listener()
    ear.hear(reading(3), 0, session="a", fcnt=700)
    assert ear.hear(reading(4), 60, session="b", fcnt=0) == ("rejoin",)
    assert ear.hear(reading(5), 120, session="b", fcnt=1) == ()


def test_a_frame_of_the_session_before_that_a_queue_delivers_late() -> None:
    ear = Listener()
    ear.hear(reading(3), 0, session="a", fcnt=700)
    ear.hear(reading(5), 120, session="b", fcnt=0)
    assert ear.hear(reading(4), 60, session="a", fcnt=701) == ("late",)
    assert ear.hear(reading(6), 180, session="b", fcnt=1) == ()


def test_counter_that_goes_back_within_a_session() -> None:
    ear = Listener()
    ear.hear(reading(3), 0, session="a", fcnt=700)
    assert ear.hear(reading(0), 600, session="a", fcnt=0) == ("fcnt-reset", "sequence-reset")
    assert ear.hear(reading(1), 660, session="a", fcnt=1) == ()


def test_reset_of_the_counter_to_one_that_was_there_is_no_copy() -> None:
    ear = Listener()
    for n in range(6):
        ear.hear(reading(n), 60 * n, session="a", fcnt=n)
    assert ear.hear(reading(0, velocity_rms_worst=77), 900, session="a", fcnt=5) == ("sequence-reset",)


def test_a_16_bit_counter_wraps() -> None:
    ear = Listener()
    ear.hear(reading(3), 0, session="a", fcnt=65535)
    assert ear.hear(reading(4), 60, session="a", fcnt=0) == ()


def test_reordered_uplinks_by_their_time_at_the_server() -> None:
    ear = Listener()
    ear.hear(reading(3), 0, session="a", fcnt=7)
    ear.hear(reading(5), 120, session="a", fcnt=9)
    assert ear.hear(hello(9, 1), 60, session="a", fcnt=8) == ("late",)
    # The late HELLO taught nothing: the next one is the first.
    assert ear.hear(hello(5, 2, WATCHDOG), 180, session="a", fcnt=10) == ()


# --- alarms and the rest


def test_alarms_overtake_their_reading_and_leave_no_gap() -> None:
    ear = Listener()
    ear.numbers((9, 0, 0))
    assert ear.hear(alarm(10), 60) == ()
    assert ear.numbers((10, 62, 2)) == [()]


def test_the_same_alarm_with_a_new_age_is_a_duplicate_and_another_level_is_not() -> None:
    ear = Listener()
    assert ear.hear(alarm(10, 0), 0) == ()
    assert ear.hear(alarm(10, 45), 45) == ("duplicate",)
    assert ear.hear(alarm(10, 45, state=16), 46) == ()
    assert ear.hear(alarm(11, 0), 60) == ()


def test_an_alarm_older_than_the_latest_is_late() -> None:
    ear = Listener()
    ear.hear(alarm(20, 0, state=0), 600)
    assert ear.hear(alarm(10, 605, state=16), 610) == ("late",)


def test_alarms_without_a_number_are_never_called_copies() -> None:
    ear = Listener()
    assert [ear.hear(alarm(None, None), at) for at in (0, 1)] == [(), ()]


def test_spectra_and_acks_twice() -> None:
    ear = Listener()
    frame = payload(schema.SPECTRUM, axis=1, sequence=4, resolution=400)
    assert [ear.hear(frame, at) for at in (0, 100)] == [(), ("duplicate",)]
    assert ear.hear(payload(schema.SPECTRUM, axis=2, sequence=4, resolution=400), 101) == ()
    ack = payload(schema.ACK, tag=1, status=0)
    # A tag used again has the same answer: not a copy once the carrier's seconds are over.
    assert [ear.hear(ack, at) for at in (0, 3, 60)] == [(), ("duplicate",), ()]


def test_captures_are_for_the_assembler() -> None:
    ear = Listener()
    frame = payload(
        schema.CAPTURE, capture=1, index=0, count=1, axis=1, sample_rate=10, scale=1, samples=1, first=0, data=b"ab"
    )
    ear.hear(reading(3), 0)
    assert {ear.hear(frame, n) for n in range(20)} == {()}
    assert ear.hear(reading(3, 30), 30) == ("duplicate",)


# --- who


def test_a_node_nobody_knows() -> None:
    lines: list[str] = []
    ear = Listener(known={NODE}, log=lines.append)
    assert ear.hear(reading(1), 0) == ()
    assert ear.hear(reading(1), 0, node="70b3d57ed0000002") == ("unknown-node",)
    assert lines == ["node 70b3d57ed0000002: unknown-node: the node is not in the inventory"]


def test_nodes_are_told_apart() -> None:
    ear = Listener()
    assert [ear.hear(reading(1), n, node=f"70b3d57ed00000{n:02x}") for n in range(9)] == [()] * 9


def test_an_uplink_that_names_no_node_has_times_only() -> None:
    ear = Listener()
    assert [ear.hear(reading(1, 5), n, node="") for n in range(3)] == [()] * 3
    assert ear.last.measured_at == T0 - 3 and len(ear.tracker) == 0


def test_log_lines_are_one_an_hour_for_each_node_and_word() -> None:
    lines: list[str] = []
    ear = Listener(log=lines.append)
    ear.numbers((0, 0, 0), *[(2 * n, 60 * n, 0) for n in range(1, 100)])
    assert lines == [
        f"node {NODE}: gap:1: readings are missing",
        f"node {NODE}: gap:1: readings are missing (59 more since the last such line)",
    ]
    assert ear.tracker.counts == {"gap": 99}
    ear.hear(reading(0), 0, node="70b3d57ed0000002")
    ear.hear(reading(2), 60, node="70b3d57ed0000002")
    assert lines[-1].startswith("node 70b3d57ed0000002: gap:1")


def test_refused_payloads_are_logged_with_their_reason() -> None:
    lines: list[str] = []
    tracker = Tracker(log=lines.append)
    for _ in range(50):
        uplink = Uplink(NODE, b"\x82\x01", T0, "mqtt")
        with pytest.raises(DecodeError) as caught:
            decode(uplink.payload)
        tracker.refuse(Poison(uplink, caught.value))
    assert lines == [f"node {NODE}: refused: the frame ends early at byte 2 in 8201"]
    assert tracker.counts == {"refused": 50} and len(tracker) == 0
