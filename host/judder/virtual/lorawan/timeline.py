"""One time for many boards, each of which computes at its own speed.

Conservative synchronisation (Chandy and Misra, "Distributed Simulation", IEEE Trans. Softw. Eng. SE-5, 1979): nobody
is told what happened up to a moment before everybody else has come to that moment, so nothing can turn up in the past.
The one whose clock is furthest behind never waits, hence somebody always gets on.

    time of the whole (`now_us`) = the least of all clocks that can move by themselves

Who cannot move by itself (power off, at the prompt) is not waited for. Who should move and does not for `patience_s` of
real time while others wait is set aside, and its name is put on `set_aside`. With real=True the time is the computer's
and nobody waits for anybody.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_LOOK_S = 1.0  # how often a waiting thread checks whether patience has run out
_log = logging.getLogger(__name__)


class Member:
    """One clock. now_us: how far it has come; it does nothing earlier any more."""

    def __init__(self, name: str, now_us: int) -> None:
        self.name = name
        self.now_us = now_us
        self.goes = True
        self.waits = 0
        self.turn = 0  # counts stops, each of which ends the waits that are under way


class Timeline:
    """Members, and events that happen when the time of the whole has come to them.

    Events run one at a time, in order of time and then of their making, in whichever thread moved the time, holding
    `lock`; what they raise is put on `errors`. patience_s: real seconds.
    """

    def __init__(self, *, real: bool = False, patience_s: float = 60.0) -> None:
        self.real = real
        self.set_aside: list[str] = []
        self.errors: list[Exception] = []
        self.lock = threading.RLock()
        self._moved = threading.Condition(self.lock)
        self._patience_s = patience_s
        self._members: list[Member] = []
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._now_us = 0
        self._origin_s = time.monotonic()
        self._moved_s = time.monotonic()
        self._pumping = False
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def now_us(self) -> int:
        """What has happened is known up to here. During an event: its own time."""
        if self.real and not self._pumping:
            return max(self._now_us, int((time.monotonic() - self._origin_s) * 1e6))
        return self._now_us

    # --- members

    def join(self, name: str) -> Member:
        """A new clock, at the time of the whole; it is waited for until stop()."""
        with self.lock:
            member = Member(name, self.now_us)
            self._members.append(member)
            return member

    def leave(self, member: Member) -> None:
        """It is not part of this any more."""
        with self.lock:
            self.stop(member)
            self._members.remove(member)

    def advance(self, member: Member, now_us: int) -> None:
        """It has come to now_us and will do nothing before."""
        with self.lock:
            if now_us > member.now_us:
                held = (member.goes or member.waits) and member.now_us <= self._now_us
                member.now_us = now_us
                if held:
                    self._pump()

    def stop(self, member: Member) -> None:
        """It stands still from now on: nobody waits for it, and its own waits end."""
        with self.lock:
            member.goes = False
            member.turn += 1
            self._pump()
            self._moved.notify_all()

    def go(self, member: Member, now_us: int) -> None:
        """It moves (again), from now_us on or the time of the whole if that is later."""
        with self.lock:
            member.now_us = max(now_us, self.now_us)
            member.goes = True

    def wait(self, member: Member, now_us: int) -> bool:
        """Block until everything up to now_us has happened. False: `member` was stopped meanwhile."""
        with self.lock:
            turn = member.turn
            member.now_us = max(member.now_us, now_us)
            member.waits += 1
            try:
                self._pump()
                while not self.real and self._now_us < now_us:
                    if member.turn != turn:
                        return False
                    self._moved.wait(_LOOK_S)
                    self._lose_patience()
            finally:
                member.waits -= 1
            return True

    def _lose_patience(self) -> None:
        if time.monotonic() - self._moved_s < self._patience_s:
            return
        for member in self._members:
            if member.goes and not member.waits and member.now_us <= self._now_us:
                _log.warning("%s has not moved for %g s: going on without it", member.name, self._patience_s)
                self.set_aside.append(member.name)
                member.goes = False
        self._pump()

    # --- events

    def at(self, when_us: int, event: Callable[[], None]) -> None:
        """Run it when everything up to when_us has happened; at once if it has."""
        with self.lock:
            heapq.heappush(self._events, (when_us, next(self._numbers), event))
            if self.real:
                self._moved.notify_all()  # the thread may have to wake earlier
            else:
                self._pump()

    def finish(self, until_us: int) -> None:
        """Run the events up to a time although no clock gets there; only once nobody moves any more."""
        with self.lock:
            if any(member.goes for member in self._members):
                raise RuntimeError("there are still clocks that go")
            self._run_until(until_us)

    def _pump(self) -> None:
        if self._pumping:
            return  # an event moved a clock or made an event: the loop that runs it sees that
        if self.real:
            self._run_until(self.now_us)
            return
        while True:
            clocks = [member.now_us for member in self._members if member.goes or member.waits]
            if not clocks or not self._run_until(min(clocks)):
                return

    def _run_until(self, target_us: int) -> bool:
        """Events and time up to target_us; False when there was nothing to do."""
        due = bool(self._events) and self._events[0][0] <= target_us
        self._pumping = True
        try:
            while self._events and self._events[0][0] <= target_us:
                when_us, _number, event = heapq.heappop(self._events)
                self._now_us = max(self._now_us, when_us)
                self._happen(event)
        finally:
            self._pumping = False
        moved = target_us > self._now_us
        if moved:
            self._now_us = target_us
        if moved or due:
            self._moved_s = time.monotonic()
            if not self.real:
                self._moved.notify_all()
        return moved or due

    def _happen(self, event: Callable[[], None]) -> None:
        try:
            event()
        except Exception as error:  # whoever moved the time is not to blame, and has to go on
            _log.exception("an event in the air failed")
            self.errors.append(error)

    # --- real time

    def start(self) -> None:
        """real=True: a thread that runs the events when their time has come."""
        if self.real and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="judder air", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Nobody waits any more; ends the thread."""
        with self.lock:
            self._closed = True
            for member in self._members:
                self.stop(member)
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        with self.lock:
            while not self._closed:
                self._pump()
                due_us = self._events[0][0] if self._events else None
                wait_s = None if due_us is None else max(0.0, (due_us - self.now_us) / 1e6)
                self._moved.wait(wait_s)
