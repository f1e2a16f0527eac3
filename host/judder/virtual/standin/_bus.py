# The node's end of the socket to the supervisor.
# Messages that need no answer are gathered and travel with the next one that does, or after FLUSH_MS.
# A KeyboardInterrupt may arrive between any two bytecodes: what is half read stays noted in _rx, and an answer that
# nobody waits for any more is recognised by its sequence number and dropped.
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
_head = bytearray(_wire.REPLY_BYTES)
_head_view = memoryview(_head)
_rx = [0, 0]  # header bytes got, body bytes still to come
_scratch = memoryview(bytearray(4096))


def open_fd(number):
    global _file
    _file = open(number, "r+b")


def set_now(function):
    global _now
    _now = function


def _write(view):
    while len(view):
        view = view[_file.write(view) :]


def flush():
    global _pos, _flushed_ms
    _flushed_ms = utime.ticks_ms()
    while _pos:
        # No jump, and so no KeyboardInterrupt, between the write and what notes it: sent once, neither lost nor twice.
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
    global _pos
    n = len(payload)
    if _pos + n + _wire.REQUEST_BYTES > len(_out):
        flush()
    if n + _wire.REQUEST_BYTES > len(_out):
        _write(memoryview(struct.pack(_wire.REQUEST, operation, 0, 0, n, _now()) + payload))
        return
    struct.pack_into(_wire.REQUEST, _out, _pos, operation, 0, 0, n, _now())
    start = _pos + _wire.REQUEST_BYTES
    _out[start : start + n] = payload
    _pos = start + n


def call(operation, payload=b"", into=None):
    """Send and wait. Returns the answer's bytes, or fills `into` and returns None. OSError(status) if refused."""
    global _pos, _sequence
    n = len(payload)
    if _pos + n + _wire.REQUEST_BYTES > len(_out):
        flush()
    _sequence = (_sequence + 1) & 0xFFFF
    sequence = _sequence
    if n + _wire.REQUEST_BYTES > len(_out):
        _write(memoryview(struct.pack(_wire.REQUEST, operation, 1, sequence, n, _now()) + payload))
    else:
        struct.pack_into(_wire.REQUEST, _out, _pos, operation, 1, sequence, n, _now())
        start = _pos + _wire.REQUEST_BYTES
        _out[start : start + n] = payload
        _pos = start + n
        flush()
    while True:
        _drain()
        _fill_head()
        status, _, got, length = struct.unpack(_wire.REPLY, _head)
        _rx[1] = length
        _rx[0] = 0
        if got == sequence:
            break
    if status:
        _drain()
        raise OSError(status)
    if into is None:
        into = bytearray(length)
        _body(memoryview(into), length)
        return into
    _body(memoryview(into), min(length, len(into)))
    _drain()
    return None


def _gone():
    # The supervisor closed the socket: the board is off.
    raise SystemExit


def _fill_head():
    while _rx[0] < _wire.REPLY_BYTES:
        k = _file.readinto(_head_view[_rx[0] :])
        if not k:
            _gone()
        _rx[0] += k


def _body(view, length):
    done = 0
    while done < length:
        k = _file.readinto(view[done:length])
        if not k:
            _gone()
        _rx[1] -= k
        done += k


def _drain():
    # What is left of an answer whose reader was interrupted.
    while _rx[1]:
        k = _file.readinto(_scratch[: min(_rx[1], 4096)])
        if not k:
            _gone()
        _rx[1] -= k
