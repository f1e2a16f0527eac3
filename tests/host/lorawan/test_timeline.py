"""Conservative synchronisation: nothing turns up in the past, and nobody waits for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from judder.virtual import clock as clock_states
from judder.virtual.clock import BoardClock
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.timeline import Member, Timeline

JOIN_S = 20.0


def run_all(bodies: list[Callable[[], None]]) -> None:
    """Each in a thread; fails when one does not end."""
    threads = [threading.Thread(target=body, daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)
    assert not [thread for thread in threads if thread.is_alive()], "deadlock"


class Diary:
    """What was done when, and up to when somebody was told that he knows everything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.deeds: list[tuple[int, str]] = []
        self.told_us = 0
        self.late: list[tuple[int, int]] = []

    def act(self, now_us: int, name: str) -> None:
        with self._lock:
            self.deeds.append((now_us, name))
            if now_us < self.told_us:
                self.late.append((now_us, self.told_us))

    def told(self, now_us: int) -> list[tuple[int, str]]:
        with self._lock:
            self.told_us = max(self.told_us, now_us)
            return sorted(deed for deed in self.deeds if deed[0] < now_us)


def wanderer(
    timeline: Timeline, member: Member, diary: Diary, seed: int, steps: int, ends: str
) -> tuple[Callable[[], None], list[list[tuple[int, str]]]]:
    """Moves, acts and asks at random times of its own and at its own real speed; ends in one of several ways."""
    seen: list[list[tuple[int, str]]] = []

    def body() -> None:
        chance, hurry = random.Random(seed), random.Random()
        now_us = 0
        for _ in range(steps):
            now_us += chance.randrange(1, 5000)
            timeline.advance(member, now_us)
            if hurry.random() < 0.1:
                time.sleep(hurry.random() * 0.002)
            if chance.random() < 0.5:
                diary.act(now_us, member.name)
            elif timeline.wait(member, now_us):
                seen.append(diary.told(now_us))
        if ends == "stops":
            timeline.stop(member)
        elif ends == "leaves":
            timeline.leave(member)
        else:  # asleep for a year
            timeline.advance(member, now_us + 365 * 86400 * 1_000_000)

    return body, seen


@pytest.mark.parametrize("seed", range(5))
def test_nothing_turns_up_in_the_past(seed: int) -> None:
    chance = random.Random(seed)
    timeline, diary = Timeline(), Diary()
    members = [timeline.join(f"m{n}") for n in range(8)]
    bodies = []
    for n, member in enumerate(members):
        # Some end early; the others must get on without them.
        steps = chance.choice((0, 1, 10, 200))
        bodies.append(
            wanderer(timeline, member, diary, seed * 100 + n, steps, chance.choice(("stops", "leaves", "")))[0]
        )
    run_all(bodies)
    assert diary.deeds
    assert not diary.late
    assert not timeline.set_aside


def test_without_waiting_things_do_turn_up_in_the_past() -> None:
    class Careless(Timeline):
        def wait(self, member: Member, now_us: int) -> bool:
            return member.now_us >= now_us or True

    timeline, diary = Careless(), Diary()
    members = [timeline.join(f"m{n}") for n in range(8)]
    run_all([wanderer(timeline, member, diary, n, 200, "stops")[0] for n, member in enumerate(members)])
    assert diary.late


def test_the_same_run_sees_the_same_whoever_is_faster() -> None:
    def run() -> list[list[list[tuple[int, str]]]]:
        timeline, diary = Timeline(), Diary()
        pairs = [wanderer(timeline, timeline.join(f"m{n}"), diary, n, 100, "stops") for n in range(5)]
        run_all([body for body, _seen in pairs])
        return [seen for _body, seen in pairs]

    first = run()
    assert any(first[0])
    assert all(run() == first for _ in range(3))


def test_who_stands_still_is_set_aside_and_named() -> None:
    timeline = Timeline(patience_s=0.3)
    stuck, fine = timeline.join("stuck"), timeline.join("fine")
    timeline.advance(stuck, 100)
    done: list[bool] = []
    run_all([lambda: done.append(timeline.wait(fine, 1_000_000))])
    assert done == [True]
    assert timeline.set_aside == ["stuck"]
    assert timeline.now_us == 1_000_000


def test_the_one_furthest_behind_is_never_set_aside_while_it_moves() -> None:
    timeline = Timeline(patience_s=2.5)
    slow, fine = timeline.join("slow"), timeline.join("fine")

    def crawl() -> None:
        for step in range(12):
            time.sleep(0.3)
            timeline.advance(slow, step * 1000)
        timeline.stop(slow)

    run_all([crawl, lambda: timeline.wait(fine, 1_000_000) or None])
    assert not timeline.set_aside


def test_a_wait_ends_when_its_own_clock_is_stopped() -> None:
    timeline = Timeline()
    timeline.join("other")
    member = timeline.join("one")
    answers: list[bool] = []

    def stop() -> None:
        time.sleep(0.1)
        timeline.stop(member)

    run_all([lambda: answers.append(timeline.wait(member, 1000)), stop])
    assert answers == [False]


def test_events_come_in_order_and_no_earlier_than_the_slowest() -> None:
    timeline = Timeline()
    one, other = timeline.join("one"), timeline.join("other")
    happened: list[tuple[int, str]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: happened.append((timeline.now_us, name))

    timeline.at(300, note("c"))
    timeline.at(100, note("a"))
    timeline.at(100, note("b"))
    timeline.advance(one, 1000)
    assert happened == []
    timeline.advance(other, 99)
    assert happened == []
    timeline.advance(other, 100)
    assert happened == [(100, "a"), (100, "b")]
    timeline.at(150, lambda: timeline.at(200, note("made by an event")))
    timeline.stop(other)
    assert happened == [(100, "a"), (100, "b"), (200, "made by an event"), (300, "c")]
    assert timeline.now_us == 1000


def test_an_event_that_fails_is_kept_and_the_rest_goes_on() -> None:
    timeline = Timeline()
    member = timeline.join("one")
    happened: list[int] = []
    timeline.at(10, lambda: 1 // 0 or None)
    timeline.at(20, lambda: happened.append(20))
    timeline.advance(member, 30)
    assert happened == [20]
    assert [type(error) for error in timeline.errors] == [ZeroDivisionError]


def test_finish_runs_what_is_left_once_nobody_moves() -> None:
    timeline = Timeline()
    member = timeline.join("one")
    happened: list[int] = []
    timeline.at(500, lambda: happened.append(500))
    with pytest.raises(RuntimeError, match="still clocks"):
        timeline.finish(1000)
    timeline.stop(member)
    assert happened == []
    timeline.finish(1000)
    assert happened == [500]


def test_real_time_waits_for_nobody_and_runs_events_when_due() -> None:
    timeline = Timeline(real=True)
    timeline.start()
    slow = timeline.join("slow")
    member = timeline.join("one")
    done = threading.Event()
    started = time.monotonic()
    timeline.at(timeline.now_us + 200_000, done.set)
    assert timeline.wait(member, timeline.now_us + 60_000_000)
    assert time.monotonic() - started < 0.15
    assert done.wait(5)
    assert time.monotonic() - started >= 0.19
    timeline.close()
    assert slow.now_us < 60_000_000


# --- clocks of boards


def test_a_board_whose_power_comes_back_goes_on_from_the_present() -> None:
    air = Air()
    clock = BoardClock("virtual")
    other = BoardClock("virtual")
    station = air.station("one", clock)
    air.station("other", other)
    clock.observe(5_000_000)
    clock.become(clock_states.OFF)
    other.observe(9_000_000)
    assert air.timeline.now_us == 9_000_000
    clock.power_on()
    clock.pass_over(300_000)
    clock.become(clock_states.GOING)
    assert station.to_air_us(300_000) == 9_000_000
    clock.observe(400_000)
    other.observe(20_000_000)
    assert air.timeline.now_us == 9_100_000, "it is waited for again"


def test_a_board_that_is_switched_on_later() -> None:
    air = Air()
    clock, other = BoardClock("virtual"), BoardClock("virtual")
    with air.hold():
        station = air.station("one", clock, later_us=7_000_000)
        air.station("other", other)
    other.observe(5_000_000)
    assert air.timeline.now_us == 5_000_000
    other.observe(9_000_000)
    assert air.timeline.now_us == 7_000_000, "from then on it is waited for"
    clock.observe(300_000)
    assert station.to_air_us(300_000) == air.timeline.now_us == 7_300_000


def test_a_board_at_the_prompt_is_not_waited_for_and_catches_up_when_it_acts() -> None:
    air = Air()
    clock, other = BoardClock("virtual"), BoardClock("virtual")
    station = air.station("one", clock)
    air.station("other", other)
    clock.observe(1_000_000)
    clock.become(clock_states.IDLE)
    other.observe(3_000_000)
    assert air.timeline.now_us == 3_000_000
    clock.observe(1_500_000)
    assert station.to_air_us(1_500_000) == 3_000_000


def test_a_board_without_power_waits_for_nobody() -> None:
    air = Air()
    clock = BoardClock("virtual")
    station = air.station("one", clock)
    air.station("other", BoardClock("virtual"))
    clock.become(clock_states.OFF)
    assert not station.wait(1_000_000)
    station.leave()
    assert not clock.watchers
