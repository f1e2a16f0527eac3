# The node's end of the socket to the supervisor.
# Messages that need no answer are gathered and travel with the next one that does, or after FLUSH_MS.
# A KeyboardInterrupt may come after any system call has done its work and before Python hears of it. So the outgoing
# side may repeat messages (their sequence numbers tell), and after an exchange that did not end, the incoming side is
# read up to a mark the supervisor is asked for.
import struct

import _wire
import utime  # the builtin one: "time" is a stand-in

FLUSH_MS = 20

_file = None
_now = None  # function: board time in us; set by _clock
_out = bytearray(4096)
_out_view = memoryview(_out)
_pos = 0
_flushed_ms = 0
_sequence = 0
_broken = False  # an exchange began and did not end
_marks = 0
_head = bytearray(_wire.REPLY_BYTES)
_head_view = memoryview(_head)
_scratch = memoryview(bytearray(4096))


def open_fd(number):
    global _file
    _file = open(number, "r+b")


def set_now(function):
    global _now
    _now = function


def flush():
    global _pos, _flushed_ms
    _flushed_ms = utime.ticks_ms()
    while _pos:
        k = _file.write(_out_view[:_pos])
        _out[: _pos - k] = _out[k:_pos]
        _pos -= k


def tell_time():
    """Whoever looks at the board from outside sees everything up to now."""
    if not _pos:
        post(_wire.TIME, b"")
    flush()


def flush_if_due():
    if utime.ticks_diff(utime.ticks_ms(), _flushed_ms) >= FLUSH_MS:
        tell_time()


def post(operation, payload):
    """One-way message, sent with the next flush."""
    _queue(operation, 0, payload)


def _queue(operation, wants_reply, payload):
    """Put a message into the buffer, or send one that is too long for it; returns its number."""
    global _pos, _sequence
    n = len(payload)
    end = _pos + _wire.REQUEST_BYTES + n
    if end > len(_out):
        flush()
        end = _pos + _wire.REQUEST_BYTES + n
    _sequence = sequence = (_sequence + 1) & 0xFFFF
    if end > len(_out):
        view = memoryview(struct.pack(_wire.REQUEST, operation, wants_reply, sequence, n, _now()) + payload)
        while len(view):
            view = view[_file.write(view) :]
        return sequence
    struct.pack_into(_wire.REQUEST, _out, _pos, operation, wants_reply, sequence, n, _now())
    _out[end - n : end] = payload
    _pos = end
    return sequence


def call(operation, payload=b"", into=None):
    """Send and wait. Returns the answer's bytes, or fills `into` and returns None. OSError(status) if refused."""
    global _broken
    if _broken:
        _mend()
    _broken = True
    _queue(operation, 1, payload)
    flush()
    _fill(_head_view)
    status, _, _, length = struct.unpack(_wire.REPLY, _head)
    answer = bytearray(length) if into is None or status else None
    if answer is not None:
        _fill(memoryview(answer))
    else:
        wanted = min(length, len(into))
        _fill(memoryview(into)[:wanted])
        _skip(length - wanted)
    _broken = False
    if status:
        raise OSError(status)
    return answer


def _fill(view):
    while len(view):
        k = _file.readinto(view)
        if not k:
            raise SystemExit  # the supervisor closed the socket: the board is off
        view = view[k:]


def _skip(count):
    while count:
        part = min(count, len(_scratch))
        _fill(_scratch[:part])
        count -= part


def _mend():
    global _marks
    _marks += 1
    mark = b"\xa5mark" + struct.pack("<I", _marks) + b"\x5a"
    post(_wire.MARK, mark)
    flush()
    seen = b""
    byte = bytearray(1)
    while seen != mark:
        _fill(memoryview(byte))
        seen = (seen + byte)[-len(mark) :]
