"""Outbox to link, and what survives sleep: node.delivery, node.hal.rtc."""

from __future__ import annotations

import random
import struct
import sys
import types
from collections.abc import Iterator

import pytest

from judder_core import codec, schema
from node.alarm.engine import STATE_BYTES
from node.delivery import Delivery
from node.link import Link as Quiet
from node.link.backoff import Backoff
from node.link.serial import Serial
from node.message import build
from node.store.outbox import Outbox

ACKED, FAILED, WAITING = True, False, None


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def uptime_ms(self) -> int:
        return self.ms


class Link(Quiet):
    """answers: what becomes of each message sent, in order: an outcome, or how many steps it waits for one."""

    def __init__(self, answers: list[object], limit: int = 4096) -> None:
        self.answers = answers
        self.sent: list[tuple[bytes, bool]] = []
        self.up = True
        self.steps = 0
        self._limit = limit
        self._left = 0
        self._result: bool | None = None

    def step(self, _wait_ms: int = 0) -> None:
        self.steps += 1
        if self._left:
            self._left -= 1
            if not self._left:
                self._result = ACKED

    def ready(self) -> bool:
        return self.up and not self._left

    def send(self, message: bytes, confirmed: bool, repeat: bool = False) -> bool | None:
        assert not confirmed, "nothing is on trial"
        self.sent.append((message, repeat))
        answer = self.answers.pop(0) if self.answers else ACKED
        if isinstance(answer, bool):
            return answer
        self._left, self._result = answer, WAITING
        return WAITING

    def outcome(self) -> bool | None:
        return self._result

    def limit(self) -> int:
        return self._limit


def deliver(link: Link, capacity: int = 8) -> tuple[Delivery, Outbox, Clock]:
    clock, outbox = Clock(), Outbox(capacity)

    def tick() -> None:
        clock.ms += 10

    return Delivery(outbox, link, build, clock, tick), outbox, clock


def reading(sequence: int) -> list:
    return build.reading(0, 250, sequence, [1, 2, 3], [4, 5, 6], 3700, 266_670, 0)


def sequences(link: Link) -> list[int]:
    return [codec.decode(message)[1][3] for message, _repeat in link.sent]


def test_messages_go_out_once_in_order_and_are_forgotten_when_acknowledged() -> None:
    link = Link([])
    delivery, outbox, clock = deliver(link)
    for number in range(3):
        delivery.put(schema.READING, reading(number), clock.ms)
    assert delivery.flush(1000)
    assert sequences(link) == [0, 1, 2]
    assert len(outbox) == 0


def test_nothing_is_forgotten_before_its_acknowledgement() -> None:
    link = Link([FAILED, FAILED, 3])
    delivery, outbox, clock = deliver(link)
    delivery.put(schema.READING, reading(0), clock.ms)
    for waiting in (1, 1, 1, 1, 1):
        delivery.pump()
        assert len(outbox) == waiting
    delivery.pump()
    assert len(outbox) == 0
    assert [repeat for _message, repeat in link.sent] == [False, True, True], "the second time it says so"


def test_a_different_message_is_never_called_a_repeat() -> None:
    link = Link([FAILED])
    delivery, _outbox, clock = deliver(link)
    delivery.put(schema.READING, reading(0), clock.ms)
    delivery.pump()
    delivery.put(schema.ALARM, build.alarm(8, 2, 1035, 1000, 0), clock.ms)
    delivery.pump()
    delivery.pump()
    kinds = [(codec.decode(message)[0], repeat) for message, repeat in link.sent]
    assert kinds == [(schema.READING, False), (schema.ALARM, False), (schema.READING, False)]


def test_age_counts_from_the_measurement_to_the_sending() -> None:
    link = Link([FAILED])
    delivery, _outbox, clock = deliver(link)
    delivery.put(schema.READING, reading(0), clock.ms - 1500)
    delivery.pump()
    clock.ms += 3_600_000
    delivery.pump()
    assert [codec.decode(message)[1][4] for message, _repeat in link.sent] == [1, 3601]


def test_flush_ends_when_its_time_is_over() -> None:
    link = Link([])
    link.up = False
    delivery, outbox, clock = deliver(link)
    delivery.put(schema.READING, reading(0), clock.ms)
    began = clock.ms
    assert not delivery.flush(500)
    assert 500 <= clock.ms - began <= 520
    assert len(outbox) == 1


def test_flush_lingers_for_downlinks_after_the_last_message() -> None:
    link = Link([5])
    delivery, _outbox, clock = deliver(link)
    delivery.put(schema.READING, reading(0), clock.ms)
    began = clock.ms
    assert delivery.flush(5000, linger_ms=300)
    assert 300 <= clock.ms - began <= 400


def test_catching_up_stops_when_the_link_does() -> None:
    link = Link([1] * 5)
    delivery, outbox, clock = deliver(link, capacity=64)
    for number in range(40):
        delivery.put(schema.READING, reading(number), clock.ms)
    delivery.catch_up(200)
    assert 15 <= 40 - len(outbox) <= 20, "a message for each 10 ms tick, and no longer than it was given"
    link.up = False
    began = clock.ms
    delivery.catch_up(200)
    assert clock.ms == began


def test_what_no_link_takes_does_not_block_the_rest() -> None:
    link = Link([], limit=100)
    delivery, _outbox, clock = deliver(link)
    part = [0, 0, 1, 0, 1, 0, 266_670, 488, 500, 0, bytes(1000)]
    delivery.put(schema.CAPTURE, part, clock.ms)
    delivery.put(schema.READING, reading(5), clock.ms)
    assert delivery.flush(1000)
    assert sequences(link) == [5]
    assert delivery.dropped == 1


def test_random_losses_lose_nothing() -> None:
    draw = random.Random(7)
    answers: list[object] = [draw.choice([ACKED, FAILED, 1, 2, 5]) for _ in range(2000)]
    link = Link(answers)
    delivery, outbox, clock = deliver(link, capacity=64)
    wanted = []
    for number in range(200):
        delivery.put(schema.READING, reading(number), clock.ms)
        wanted.append(number)
        for _ in range(draw.randrange(8)):
            delivery.pump()
    while len(outbox):
        delivery.pump()
    seen = sequences(link)
    assert sorted(set(seen)) == wanted
    assert delivery.dropped == 0


# --- freeze and thaw


def test_freezing_keeps_alarms_first_then_the_newest() -> None:
    delivery, outbox, clock = deliver(Link([]), capacity=32)
    for number in range(5):
        delivery.put(schema.READING, reading(number), clock.ms + number)
    delivery.put(schema.ALARM, build.alarm(8, 2, 1035, 1000, 4), clock.ms + 4)
    delivery.put(schema.CAPTURE, [0, 0, 1, 0, 1, 0, 266_670, 488, 2, 0, bytes(4)], clock.ms)
    items = delivery.freeze()
    assert len(outbox) == 0
    assert delivery.dropped == 1, "the capture"
    decoded = [(struct.unpack("<q", item[:8])[0] - clock.ms, codec.decode(bytes(item[8:]))) for item in items]
    assert [(at, kind) for at, (kind, _values, _extra) in decoded] == [(4, 2), (4, 1), (3, 1), (2, 1), (1, 1), (0, 1)]
    assert all(len(item) <= 8 + 51 for item in items)


def test_thawed_messages_go_out_in_the_order_measured_with_the_right_age() -> None:
    before, _outbox, clock = deliver(Link([]))
    for number in range(3):
        before.put(schema.READING, reading(number), clock.ms + number * 60_000)
    items = before.freeze()
    link = Link([])
    after, _outbox, clock = deliver(link)
    clock.ms += 600_000
    after.thaw(items, 0)
    after.flush(1000)
    assert sequences(link) == [0, 1, 2]
    assert [codec.decode(message)[1][4] for message, _repeat in link.sent] == [600, 540, 480]


def test_thaw_over_a_reset_counts_from_the_new_start() -> None:
    before, _outbox, clock = deliver(Link([]))
    before.put(schema.READING, reading(0), clock.ms - 30_000)
    items = before.freeze()
    saved_uptime_ms = clock.ms
    link = Link([])
    after, _outbox, clock = deliver(link)
    clock.ms = 2_000
    after.thaw(items, saved_uptime_ms)
    after.pump()
    assert codec.decode(link.sent[0][0])[1][4] == 32


def test_damaged_frozen_items_are_dropped_and_counted() -> None:
    delivery, outbox, _clock = deliver(Link([]))
    delivery.thaw([b"", b"short", bytes(8) + b"\xff\xff", bytes(30)], 0)
    assert len(outbox) == 0
    assert delivery.dropped == 4


# --- RTC memory


@pytest.fixture
def rtc(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    class RTC:
        data = b""

        def memory(self, data: bytes | None = None) -> bytes | None:
            if data is None:
                return self.data
            assert len(data) <= 2048, "buffer too long"
            RTC.data = bytes(data)
            return None

    machine = types.ModuleType("machine")
    machine.RTC = RTC  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.delitem(sys.modules, "node.hal.rtc", raising=False)
    import node.hal.rtc as module

    yield module
    monkeypatch.delitem(sys.modules, "node.hal.rtc", raising=False)


def test_state_comes_back_as_it_was(rtc: types.ModuleType) -> None:
    state = rtc.State()
    state.load()
    assert state.fresh
    state.sequence, state.uptime_ms, state.alarm = 12_345, 1 << 40, b"\x02" * 112
    state.queue = [b"alarm", b"", b"x" * 59]
    assert state.save() == 0
    again = rtc.State()
    again.load()
    assert not again.fresh
    assert (again.sequence, again.uptime_ms, again.alarm) == (12_345, 1 << 40, b"\x02" * 112)
    assert again.queue == [b"alarm", b"", b"x" * 59]


def test_every_flipped_bit_and_every_cut_is_a_fresh_start(rtc: types.ModuleType) -> None:
    state = rtc.State()
    state.sequence = 7
    state.queue = [b"one"]
    state.save()
    good = rtc.State()._memory.data
    memory = type(state._memory)
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            memory.data = bytes(bad)
            damaged = rtc.State()
            damaged.load()
            assert damaged.fresh
        memory.data = good[:at]
        cut = rtc.State()
        cut.load()
        assert cut.fresh
    memory.data = random.Random(1).randbytes(2048)
    noise = rtc.State()
    noise.load()
    assert noise.fresh


def test_what_does_not_fit_is_left_out_from_the_end_and_counted(rtc: types.ModuleType) -> None:
    state = rtc.State()
    state.alarm = bytes(STATE_BYTES)
    state.queue = [bytes((i,)) * 59 for i in range(60)]
    left_out = state.save()
    kept = (2048 - 8 - struct.calcsize(rtc._FORMAT) - 1 - STATE_BYTES) // 60
    assert left_out == 60 - kept
    again = rtc.State()
    again.load()
    assert again.queue == state.queue[:kept]
    assert kept >= 30, "half an hour of readings at one a minute"


# --- small things


def test_backoff_doubles_with_jitter_up_to_its_limit() -> None:
    low, high = Backoff(1000, 60_000, lambda n: b"\x00" * n), Backoff(1000, 60_000, lambda n: b"\xff" * n)
    spans = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    assert [low.delay_ms() for _ in spans] == [span // 2 for span in spans]
    assert [high.delay_ms() for _ in spans] == spans
    low.reset()
    assert low.delay_ms() == 500
    draws = random.Random(3)
    delays = {Backoff(1000, 60_000, draws.randbytes).delay_ms() for _ in range(200)}
    assert len(delays) > 100


def test_serial_lines_stand_alone() -> None:
    from judder_core import line

    written: list[str] = []
    link = Serial(bytes(range(8)), line.encode, written.append)
    assert link.send(b"\x81\x01", True) is ACKED
    text = written[0]
    assert text.startswith("\r\n")
    assert text.endswith("\r\n")
    assert line.decode(text.strip()) == (bytes(range(8)), b"\x81\x01")
    assert link.poll() == []


# Every line stays short enough for a console that takes a whole line at a time.
def test_serial_limit_keeps_lines_short() -> None:
    from judder_core import line

    assert len(line.encode(bytes(8), bytes(Serial(b"", line.encode).limit()))) < 1300
