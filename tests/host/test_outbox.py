"""The outbox against a model written from its promises: bounded, alarms first, every loss counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judder_core.schema import ALARM, HELLO, READING
from node.store.outbox import Outbox

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([HELLO, READING, READING, READING, ALARM])),
        st.tuples(st.just("send"), st.booleans()),
        st.tuples(st.just("ack again"), st.integers(0, 60)),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(capacity=st.integers(1, 6), steps=STEPS)
def test_promises(capacity: int, steps: list[tuple[str, int]]) -> None:
    """Nothing acknowledged comes back, nothing else disappears but what `dropped` counts, the order is as promised."""
    box = Outbox(capacity)
    waiting: list[tuple[bytes, int, int]] = []  # what must still be there, oldest first: (message, kind, put_ms)
    delivered: set[bytes] = set()
    ids: list[int] = []
    dropped = 0
    for number, (what, argument) in enumerate(steps):
        if what == "put":
            message = b"%d" % number
            lost = box.put(message, argument, now_ms=number)
            new = (message, argument, number)
            full = len(waiting) == capacity
            assert lost == full
            dropped += full
            waiting.append(new)
            if full:
                # The oldest that is no alarm, the newcomer included; failing that, the oldest of all.
                victim = next((entry for entry in waiting if entry[1] != ALARM), waiting[0])
                waiting.remove(victim)
        elif what == "send":
            entry = box.peek()
            if not waiting:
                assert entry is None
                continue
            first = next((entry for entry in waiting if entry[1] == ALARM), waiting[0])
            assert entry is not None
            assert (entry[2], entry[1], entry[3]) == first
            assert box.peek() == entry, "looking changes nothing"
            assert entry[2] not in delivered
            if argument:
                assert box.ack(entry[0]) is True
                waiting.remove(first)
                delivered.add(entry[2])
                ids.append(entry[0])
        elif ids:
            # A late or doubled acknowledgement.
            assert box.ack(ids[argument % len(ids)]) is False
        assert len(box) == len(waiting) <= capacity
        assert box.dropped == dropped
    drained = []
    while (entry := box.peek()) is not None:
        drained.append((entry[2], entry[1], entry[3]))
        box.ack(entry[0])
    alarms = [entry for entry in waiting if entry[1] == ALARM]
    assert drained == alarms + [entry for entry in waiting if entry[1] != ALARM]


def test_only_alarms_left() -> None:
    """A reading finds no room among alarms; a newer alarm takes the place of the oldest."""
    box = Outbox(2)
    assert [box.put(b"a", ALARM, 0), box.put(b"b", ALARM, 0)] == [0, 0]
    assert box.put(b"reading", READING, 0) == 1
    assert box.put(b"c", ALARM, 0) == 1
    assert box.dropped == 2
    found = []
    while (entry := box.peek()) is not None:
        found.append(entry[2])
        box.ack(entry[0])
    assert found == [b"b", b"c"]


def test_message_is_copied() -> None:
    """The sender may reuse its buffer."""
    box = Outbox(1)
    buffer = bytearray(b"abc")
    box.put(buffer, READING, 0)
    buffer[0] = 0
    entry = box.peek()
    assert entry is not None and entry[2] == b"abc"


def test_no_room_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        Outbox(0)
