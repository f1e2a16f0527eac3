# machine.UART. Characters take their time on the wire; write() takes as many as its buffer has room for at once and
# waits for the rest, as on an ESP32.
import struct

import _bus
import _clock
import _wire

_CALL_US = 15


def _number(pin):
    number = getattr(pin, "id", pin)
    if not isinstance(number, int) or not 0 <= number <= 48:
        raise ValueError("invalid pin")
    return number


class UART:
    INV_TX = 1
    INV_RX = 2
    _DEFAULTS = {1: (17, 18), 2: (17, 16)}

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **settings):
        if id not in (0, 1, 2):
            raise ValueError("UART(%s) does not exist" % id)
        self._id = id
        self._tx, self._rx = self._DEFAULTS.get(id, (1, 3))
        self._rxbuf = self._txbuf = 256
        self._timeout_ms = 0
        self._baudrate = 0
        self.init(baudrate, bits, parity, stop, **settings)

    def init(
        self,
        baudrate=None,
        bits=8,
        parity=None,
        stop=1,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        txbuf=None,
        rxbuf=None,
        timeout=None,
        timeout_char=None,
        invert=0,
        flow=0,
    ):
        if bits != 8 or parity is not None or stop != 1:
            raise ValueError("8N1 alone is modelled")
        self._baudrate = self._baudrate if baudrate is None else baudrate
        self._tx = self._tx if tx is None else _number(tx)
        self._rx = self._rx if rx is None else _number(rx)
        self._rxbuf = self._rxbuf if rxbuf is None else rxbuf
        self._txbuf = self._txbuf if txbuf is None else txbuf
        self._timeout_ms = self._timeout_ms if timeout is None else timeout
        self._sent_us = 0
        head = struct.pack("<BIBBH", self._id, self._baudrate, self._tx, self._rx, self._rxbuf)
        _bus.post(_wire.UART_INIT, head)

    def deinit(self):
        _bus.post(_wire.UART_INIT, struct.pack("<BIBBH", self._id, self._baudrate, 255, 255, 0))

    def any(self):
        _clock.advance(_CALL_US)
        return struct.unpack("<H", _bus.call(_wire.UART_ANY, bytes((self._id,))))[0]

    def readinto(self, buf, nbytes=None):
        view = memoryview(buf)[: len(buf) if nbytes is None else min(nbytes, len(buf))]
        got = 0
        waited_ms = 0
        while got < len(view):
            _clock.advance(_CALL_US)
            part = _bus.call(_wire.UART_READ, struct.pack("<BH", self._id, len(view) - got))
            view[got : got + len(part)] = part
            got += len(part)
            if not part:
                if waited_ms >= self._timeout_ms:
                    break
                _clock.sleep_us(1000)
                waited_ms += 1
        return got or None

    def read(self, nbytes=None):
        buf = bytearray(self.any() if nbytes is None else nbytes)
        got = self.readinto(buf)
        return None if got is None else bytes(buf[:got])

    def write(self, buf):
        count = len(buf)
        character_us = 10000000 // self._baudrate
        full_us = max(self._sent_us, _clock.now_us()) + (count - self._txbuf) * character_us
        wait_us = full_us - _clock.now_us()
        if wait_us > 0:
            _clock.sleep_us(wait_us)
        self._sent_us = max(self._sent_us, _clock.now_us()) + count * character_us
        _bus.post(_wire.UART_WRITE, bytes((self._id,)) + bytes(buf))
        _clock.advance(_CALL_US)
        return count

    def txdone(self):
        return _clock.now_us() >= self._sent_us

    def flush(self):
        left_us = self._sent_us - _clock.now_us()
        if left_us > 0:
            _clock.sleep_us(left_us)

    def __repr__(self):
        return "UART(%d, baudrate=%d, tx=%d, rx=%d)" % (self._id, self._baudrate, self._tx, self._rx)
