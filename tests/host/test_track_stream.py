"""Tracker over whole lives of nodes: what it says against what happened; and its memory, stored and bounded."""

import json
import random
from collections import Counter
from typing import NamedTuple

import pytest
from tests.host.tracking import NODE, T0, Listener, alarm, hello, reading

from judder.decode.track import Tracker
from judder.errors import InputError

INTERVAL_S = 60


class Arrival(NamedTuple):
    at_s: float
    run: int  # which time since power-on
    sequence: int
    measured_s: float
    frame: bytes


def life(rng: random.Random) -> list[Arrival]:
    """A node's readings in the order they arrive.

    It loses power now and then and counts from 0 again; some readings are lost; a dead link makes it store and deliver
    late; what is not acknowledged is sent again with a new age, and a broker delivers some twice.
    """
    out = []
    at = 100.0
    for run in range(3):
        back_at = 0.0
        for sequence in range(rng.randint(1, 60)):
            at += INTERVAL_S
            if rng.random() < 0.03:
                back_at = at + rng.uniform(100, 2000)
            if rng.random() < 0.05:
                continue  # lost for good
            velocity = rng.randrange(65536)
            sent = max(at, back_at + rng.uniform(0, 20)) + rng.uniform(0, 0.8)
            for copy in [sent] if rng.random() < 0.8 else [sent, sent + rng.uniform(3, 40)]:
                frame = reading(sequence, int(copy - at), velocity_rms_worst=velocity)
                arrived = copy + rng.uniform(0, 0.9)
                out += [Arrival(arrived, run, sequence, at, frame)]
                if rng.random() < 0.05:
                    out += [Arrival(arrived + rng.uniform(0, 5), run, sequence, at, frame)]
        at += rng.uniform(5, 3000)
    return sorted(out)


def test_no_reading_is_taken_for_a_copy_and_copies_are_found() -> None:
    rng = random.Random(11)
    firsts = copies = found = resets = runs = 0
    for _ in range(200):
        ear = Listener()
        arrivals = life(rng)
        known: set[tuple[int, int]] = set()
        for arrival in arrivals:
            words = ear.hear(arrival.frame, arrival.at_s)
            assert ear.last is not None and ear.last.measured_at is not None
            assert -0.01 <= ear.last.measured_at - T0 - arrival.measured_s < 7  # age in whole seconds, and the way
            if (arrival.run, arrival.sequence) in known:
                copies += 1
                found += "duplicate" in words
            else:
                firsts += 1
                # The one mistake that would lose data.
                assert "duplicate" not in words, (arrival, words)
            known.add((arrival.run, arrival.sequence))
            resets += "sequence-reset" in words
        runs += len({arrival.run for arrival in arrivals}) - 1
    print(f"{found} of {copies} copies found, {resets} resets seen of {runs}, {firsts} readings")
    assert firsts > 15_000 and found > 0.97 * copies
    assert 0.97 * runs < resets < 1.03 * runs


def test_gaps_add_up_to_what_was_lost() -> None:
    rng = random.Random(5)
    sent = [n for n in range(2000) if n in (0, 1999) or rng.random() < 0.7]
    order = sorted(sent, key=lambda n: n + rng.choice((0, 0, 0, 30)))  # some come half an hour late
    ear = Listener()
    for place, n in enumerate(order):
        at_s = INTERVAL_S * (max(order[: place + 1]) + 1)
        ear.hear(reading(n, at_s - INTERVAL_S * n), at_s)
    assert ear.tracker.summary(NODE).missing == 2000 - len(sent)


def test_a_tracker_that_is_stored_and_read_back_goes_on_as_if_nothing_had_happened() -> None:
    rng = random.Random(7)
    arrivals = life(rng)
    events = [(a.frame, a.at_s, {}) for a in arrivals]
    events += [(hello(5, 1), arrivals[9].at_s, {}), (alarm(3), arrivals[20].at_s, {"session": "é", "fcnt": 4})]
    steady, interrupted = Listener(), Listener()
    stored = []
    for frame, at_s, more in sorted(events, key=lambda event: event[1]):
        assert steady.hear(frame, at_s, **more) == interrupted.hear(frame, at_s, **more)
        stored.append(json.loads(json.dumps(interrupted.tracker.changes())))
        if len(stored) % 5:
            interrupted.tracker = Tracker.from_dict(*stored)
        else:
            interrupted.tracker = Tracker.from_dict(json.loads(json.dumps(interrupted.tracker.to_dict())))
    assert steady.tracker.to_dict() == interrupted.tracker.to_dict()
    assert interrupted.tracker.changes()["nodes"] == {}


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"version": 2, "nodes": {}},
        {"version": 1},
        {"version": 1, "nodes": {NODE: []}},
        {"version": 1, "nodes": {NODE: None}},
        {"version": 1, "nodes": []},
        None,
        [],
    ],
)
def test_stored_state_that_is_none_is_refused(stored: object) -> None:
    with pytest.raises(InputError, match="begin without it"):
        Tracker.from_dict(stored)  # type: ignore[arg-type]


def test_damaged_state_is_refused_or_harmless() -> None:
    ear = Listener()
    ear.numbers((1, 0, 0), (4, 60, 0))
    good = ear.tracker.to_dict()["nodes"][NODE]
    rng = random.Random(2)
    outcomes: Counter[bool] = Counter()
    for _ in range(2000):
        values = json.loads(json.dumps(good))
        inner = rng.choice((values, values[-2]))
        inner[rng.randrange(len(inner))] = rng.choice((None, "", "zz", "00", [], {}, -1, 1.5, 1 << 40, True))
        try:
            hurt = Listener()
            hurt.tracker = Tracker.from_dict({"version": 1, "nodes": {NODE: values}})
        except InputError:
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        for sequence in (4, 5, 7, 6, 0):
            hurt.hear(reading(sequence), 120 + sequence)
        json.dumps(hurt.tracker.to_dict())
    assert min(outcomes.values()) > 100


def test_nodes_beyond_the_limit_push_out_the_longest_silent() -> None:
    ear = Listener(limit=3)
    for n, name in enumerate("abcadc"):
        ear.hear(reading(n), n, node=name * 16)
    assert [node[0] for node in ear.tracker.nodes()] == ["a", "d", "c"]
    assert ear.tracker.evicted == 1 and ear.tracker.summary("b" * 16) is None
    assert set(ear.tracker.changes()["nodes"]) == {"a" * 16, "d" * 16, "c" * 16}
    assert list(Tracker.from_dict(ear.tracker.to_dict(), limit=2).nodes()) == ["d" * 16, "c" * 16]


def test_a_tracker_needs_room() -> None:
    with pytest.raises(InputError):
        Tracker(limit=0)


def test_a_state_has_the_same_size_however_long_its_node_talks() -> None:
    ear = Listener()
    rng = random.Random(3)
    sizes = []
    for n in range(3000):
        ear.hear(rng.choice((reading(n), alarm(n), hello(n, 1))), 60 * n, session="s", fcnt=n)
        sizes.append(len(json.dumps(ear.tracker.to_dict())))
    assert max(sizes[2000:]) - min(sizes[2000:]) < 150  # digits
