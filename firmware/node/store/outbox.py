"""Messages that wait for an acknowledgement, in memory and bounded. Alarms go first, and are the last to be dropped.

    box = Outbox(64)
    dropped = box.put(message, ALARM, now_ms)
    entry = box.peek()                 (id, kind, message, put_ms) or None
    box.ack(entry[0])                  only now is it forgotten

put, peek and ack are the interface a store on flash keeps too. Times are opaque here: what was put comes back.
"""

# Kinds of message as the contract numbers them; kept as a plain number because stages carry bytes, not tables.
_ALARM = 2


class Outbox:
    """At most `capacity` messages. Raises ValueError for a capacity below 1.

    dropped: messages dropped since the start because there was no room.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("an outbox of %d messages holds nothing" % capacity)
        self._capacity = capacity
        self._next_id = 0
        # Entries are (id, kind, message, put_ms), oldest first.
        self._alarms = []
        self._others = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._alarms) + len(self._others)

    def put(self, message: bytes, kind: int, now_ms: int) -> int:
        """Queue a message; how many were dropped for it, 0 or 1.

        When full, the oldest message that is no alarm goes; when there are only alarms, the oldest alarm goes for a
        new alarm, and a new message of another kind is itself what is dropped.
        """
        lost = 0
        if len(self) >= self._capacity:
            self.dropped += 1
            lost = 1
            if self._others:
                self._others.pop(0)
            elif kind == _ALARM:
                self._alarms.pop(0)
            else:
                return lost
        entry = (self._next_id, kind, bytes(message), now_ms)
        self._next_id += 1
        (self._alarms if kind == _ALARM else self._others).append(entry)
        return lost

    def peek(self) -> "tuple[int, int, bytes, int] | None":
        """(id, kind, message, put_ms) to send next: the oldest alarm, else the oldest message. None when empty."""
        if self._alarms:
            return self._alarms[0]
        if self._others:
            return self._others[0]
        return None

    def ack(self, entry_id: int) -> bool:
        """Forget a message that arrived. False when it is not here any more: acknowledged before, or dropped."""
        for entries in (self._alarms, self._others):
            for index, entry in enumerate(entries):
                if entry[0] == entry_id:
                    entries.pop(index)
                    return True
        return False
