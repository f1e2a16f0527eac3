"""From the outbox to the link: one message at a time, forgotten only when it is acknowledged.

    delivery.pump()            a bit of work, for a node that measures on
    delivery.flush(5000)       until the outbox is empty, at most so long
    delivery.freeze()          what is left as items for RTC memory; thaw() takes them back

build: node.message.build. The link's contract is in node/link/__init__.py.
"""

import struct

from judder_core import schema
from judder_core.errors import JudderError

_MEASURED = "<q"
_MEASURED_BYTES = 8
_KEPT = (schema.ALARM, schema.READING, schema.ACK, schema.HELLO)


class Delivery:
    """clock: Clock with uptime_ms(). tick: called while waiting (watchdog). dropped: messages given up so far."""

    def __init__(self, outbox, link, build, clock, tick):
        self._outbox = outbox
        self._link = link
        self._build = build
        self._clock = clock
        self._tick = tick
        self._flying = None
        self._failed = None
        self.dropped = 0
        # Whether every message has to be acknowledged by the other side, whatever the link would ask for.
        self.insist = False

    def put(self, kind: int, values: list, measured_ms: int) -> None:
        """Queue a message measured at `measured_ms` of the clock."""
        self.dropped += self._outbox.put(self._build.pack(kind, values), kind, measured_ms)

    def waiting(self) -> int:
        """Messages not yet acknowledged."""
        return len(self._outbox)

    def pump(self, wait_ms: int = 0) -> bool:
        """Let the link work, see to the message under way, send the next. True when a message was settled or sent."""
        link = self._link
        link.step(wait_ms)
        if self._flying is not None:
            outcome = link.outcome()
            if outcome is None:
                return False
            self._settle(self._flying, outcome)
        if not link.ready():
            return False
        entry = self._outbox.peek()
        if entry is None:
            return False
        number, _kind, message, measured_ms = entry
        age_s = max(0, self._clock.uptime_ms() - measured_ms) // 1000
        try:
            data = self._build.finish(message, age_s, link.limit())
        except JudderError:
            # It cannot go over this link, whatever we do; keeping it would block what can.
            self._outbox.ack(number)
            self.dropped += 1
            return True
        outcome = link.send(data, self.insist, number == self._failed)
        if outcome is None:
            self._flying = number
        else:
            self._settle(number, outcome)
        return outcome is not False

    def flush(self, budget_ms: int, linger_ms: int = 0) -> bool:
        """Work until everything is acknowledged and then `linger_ms` more for downlinks. True when it all went.

        Ends early when the link cannot send before the time is over.
        """
        now_ms = self._clock.uptime_ms()
        end_ms = now_ms + budget_ms
        quiet_end_ms = None
        while now_ms < end_ms:
            self._tick()
            busy = self.pump(0 if not len(self._outbox) and not linger_ms else 20)
            now_ms = self._clock.uptime_ms()
            if len(self._outbox) and self._flying is None and self._link.pause_ms() > end_ms - now_ms:
                break
            if len(self._outbox) or busy or self._link.busy():
                quiet_end_ms = None
            elif quiet_end_ms is None:
                quiet_end_ms = now_ms + linger_ms
            if quiet_end_ms is not None and now_ms >= quiet_end_ms:
                break
        return not len(self._outbox)

    def catch_up(self, budget_ms: int) -> None:
        """Deliver without a pause between messages for at most `budget_ms`, as long as the link carries them."""
        end_ms = self._clock.uptime_ms() + budget_ms
        while len(self._outbox) and (self._flying is not None or self._link.ready()):
            self._tick()
            self.pump(5)
            if self._clock.uptime_ms() >= end_ms:
                break

    def freeze(self) -> list:
        """Empty the outbox into items, most important first: alarms, then the newest of the rest. Readings are cut to
        the essential; captures are given up and counted."""
        if self._flying is not None:
            self._settle(self._flying, False)
        alarms = []
        others = []
        while True:
            entry = self._outbox.peek()
            if entry is None:
                break
            number, kind, message, measured_ms = entry
            self._outbox.ack(number)
            if kind not in _KEPT:
                self.dropped += 1
                continue
            if kind == schema.READING:
                message = self._build.finish(message, 0, self._build.ESSENTIAL_BYTES)
            item = struct.pack(_MEASURED, measured_ms) + message
            if kind == schema.ALARM:
                alarms.append(item)
            else:
                others.insert(0, item)
        return alarms + others

    def thaw(self, items: list, shift_ms: int) -> None:
        """Take frozen items back, in the order they were measured. shift_ms: what this clock is behind theirs."""
        entries = []
        for item in items:
            message = bytes(item[_MEASURED_BYTES:])
            try:
                kind = self._build.kind_of(message)
            except JudderError:
                self.dropped += 1
                continue
            entries.append((struct.unpack(_MEASURED, item[:_MEASURED_BYTES])[0], kind, message))
        entries.sort()
        for measured_ms, kind, message in entries:
            self.dropped += self._outbox.put(message, kind, measured_ms - shift_ms)

    def _settle(self, number: int, acknowledged) -> None:
        self._flying = None
        if acknowledged:
            self._outbox.ack(number)
            self._failed = None
        else:
            self._failed = number
