"""What survives deep sleep, resets and the watchdog, but not power-off: 2048 bytes of RTC memory.

Layout: magic, version, CRC-32 of the rest, fixed fields, then items of length and bytes: what the alarms remember, what
the link remembers, and the queue. Anything that does not check out (power-on leaves garbage, another firmware another
layout) is a fresh start, never an error.
"""

import binascii
import struct

import machine

SIZE = 2048

_MAGIC = b"JR"
_VERSION = 3
_HEAD = "<2sBBI"
_HEAD_BYTES = 8
# Field name and struct letter.
FIELDS = (
    ("sequence", "I"),
    ("boots", "I"),
    ("uptime_ms", "Q"),
    ("slept_at_ms", "Q"),
    ("planned_ms", "I"),
    ("hello_at_ms", "Q"),
    ("dropped", "I"),
    ("link_failures", "I"),
    ("downlinks_refused", "I"),
    ("capture", "H"),
    ("crashes", "H"),
    ("link_streak", "B"),
    ("link_skip", "B"),
    ("trial_failures", "H"),
    ("moved", "B"),
)
_FORMAT = "<" + "".join([letter for _name, letter in FIELDS])
_FIXED_BYTES = struct.calcsize(_FORMAT)

_MASKS = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFFFFFF, "Q": 0xFFFFFFFFFFFFFFFF}


class State:
    """The fields as attributes, `alarm` and `session`: bytes of alarm.engine and of the link, at most 256 each, and
    `queue`: a list of bytes.

    `fresh`: nothing was found, this is a new start.
    """

    def __init__(self, memory=None):
        self._memory = machine.RTC() if memory is None else memory
        self.fresh = True
        self.alarm = self.session = b""
        self.queue = []
        for name, _letter in FIELDS:
            setattr(self, name, 0)

    def load(self) -> None:
        """Take over what the memory holds, or keep the zeros."""
        data = bytes(self._memory.memory())
        if len(data) <= _HEAD_BYTES + _FIXED_BYTES:
            return
        magic, version, spare, crc = struct.unpack_from(_HEAD, data, 0)
        body = data[_HEAD_BYTES:]
        if magic != _MAGIC or version != _VERSION or spare or binascii.crc32(body) & 0xFFFFFFFF != crc:
            return
        values = struct.unpack_from(_FORMAT, body, 0)
        for i in range(len(FIELDS)):
            setattr(self, FIELDS[i][0], values[i])
        at = _FIXED_BYTES
        items = []
        while at < len(body):
            # The two of fixed use may be a byte longer than a byte can say.
            head = 2 if len(items) < 2 else 1
            end = at + head + (body[at] if head == 1 else body[at] | body[at + 1] << 8)
            items.append(body[at + head : end])
            at = end
        self.alarm = items[0]
        self.session = items[1]
        self.queue = items[2:]
        self.fresh = False

    def save(self) -> int:
        """Write everything; items of the queue that do not fit are left out from the end. Returns how many were."""
        values = [getattr(self, name) & _MASKS[letter] for name, letter in FIELDS]
        body = struct.pack(_FORMAT, *values)
        for item in (self.alarm, self.session):
            body += struct.pack("<H", len(item)) + item
        left_out = 0
        for item in self.queue:
            if left_out or len(item) > 255 or len(body) + 1 + len(item) > SIZE - _HEAD_BYTES:
                left_out += 1
                continue
            body += bytes((len(item),)) + bytes(item)
        crc = binascii.crc32(body) & 0xFFFFFFFF
        self._memory.memory(struct.pack(_HEAD, _MAGIC, _VERSION, 0, crc) + body)
        return left_out
