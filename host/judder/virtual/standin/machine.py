# machine, as far as the node uses it: pins, buses, converter, watchdog, sleep, reset. Durations are what the transfer
# takes on the wire plus what a call costs; they pass only on a virtual clock.
import struct

import _bus
import _clock
import _wire
from _uart import UART  # noqa: F401  the module's

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
PIN_WAKE = 2
EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6
SLEEP = 2
DEEPSLEEP = 4

_CALL_US = 15

_config = {}
_cpu_hz = 160000000


def setup(config):
    global _config
    _config = config


def unique_id():
    return bytes.fromhex(_config["mac"])


def reset_cause():
    return _config["reset_cause"]


def wake_reason():
    return _config["wake_reason"]


def freq(hz=None):
    global _cpu_hz
    if hz is None:
        return _cpu_hz
    if hz not in (80000000, 160000000, 240000000):
        raise ValueError("frequency must be 80MHz, 160MHz or 240MHz")
    _cpu_hz = hz
    return None


def reset():
    _bus.call(_wire.RESET)


def soft_reset():
    raise SystemExit


def deepsleep(time_ms=0):
    if not isinstance(time_ms, int):
        raise TypeError("can't convert to int")
    _bus.call(_wire.DEEPSLEEP, struct.pack("<Q", max(time_ms, 0)))


def lightsleep(time_ms=0):
    if time_ms > 0:
        _clock.sleep_us(time_ms * 1000)
    else:
        # Nothing but a pin could wake it, and no pin here does.
        while True:
            _clock.sleep_us(1000000)


def idle():
    _clock.advance(_CALL_US)


def disable_irq():
    return 0


def enable_irq(state=0):
    pass


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        self.id = _number(id)
        self._mode = 0
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if mode != -1:
            self._mode = mode
        if value is not None:
            self.value(value)

    def value(self, level=None):
        _clock.advance(2)
        if level is None:
            return _bus.call(_wire.PIN_GET, bytes((self.id,)))[0]
        _bus.post(_wire.PIN_SET, bytes((self.id, 1 if level else 0)))
        if self.id not in _config["cs_pins"]:
            _bus.flush()
        return None

    def __call__(self, level=None):
        return self.value(level)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def __repr__(self):
        return "Pin(%d)" % self.id


def _number(pin):
    number = pin.id if isinstance(pin, Pin) else pin
    if not isinstance(number, int) or not 0 <= number <= 48:
        raise ValueError("invalid pin")
    return number


class SPI:
    MSB = 0
    LSB = 1
    _DEFAULTS = {1: (12, 11, 13), 2: (36, 35, 37)}

    def __init__(
        self, id, baudrate=1000000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None
    ):
        if id not in (1, 2):
            raise ValueError("SPI(%s) doesn't exist" % id)
        self._id = id
        self._pins = self._DEFAULTS[id]
        self._baudrate = baudrate
        self._polarity = polarity
        self._phase = phase
        self.init(baudrate, polarity=polarity, phase=phase, bits=bits, firstbit=firstbit, sck=sck, mosi=mosi, miso=miso)

    def init(self, baudrate=None, *, polarity=None, phase=None, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if bits != 8:
            raise ValueError("bits must be 8")
        given = (sck, mosi, miso)
        self._pins = tuple([self._pins[i] if given[i] is None else _number(given[i]) for i in range(3)])
        self._baudrate = self._baudrate if baudrate is None else baudrate
        self._polarity = self._polarity if polarity is None else polarity
        self._phase = self._phase if phase is None else phase
        _bus.post(
            _wire.SPI_INIT,
            struct.pack("<BIBBBBB", self._id, self._baudrate, self._polarity, self._phase, *self._pins),
        )

    def deinit(self):
        pass

    def _took(self, count):
        _clock.advance(_CALL_US + count * 8000000 // self._baudrate)

    def write(self, buf):
        _bus.post(_wire.SPI_WRITE, bytes((self._id,)) + bytes(buf))
        self._took(len(buf))

    def readinto(self, buf, write=0):
        _bus.call(_wire.SPI_READ, struct.pack("<BBI", self._id, write, len(buf)), buf)
        self._took(len(buf))

    def read(self, nbytes, write=0):
        buf = bytearray(nbytes)
        self.readinto(buf, write)
        return bytes(buf)

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        _bus.call(_wire.SPI_DUPLEX, bytes((self._id,)) + bytes(write_buf), read_buf)
        self._took(len(write_buf))

    def __repr__(self):
        return "SPI(id=%d, baudrate=%d)" % (self._id, self._baudrate)


class SoftSPI(SPI):
    # Found by its pins, as bit-banging is.
    def __init__(self, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        self._id = 0
        self._pins = (_number(sck), _number(mosi), _number(miso))
        self._baudrate = baudrate
        self._polarity = polarity
        self._phase = phase
        self.init()


class I2C:
    _DEFAULTS = {0: (9, 8), 1: (18, 19)}

    def __init__(self, id=-1, *, scl=None, sda=None, freq=400000, timeout=50000):
        if id not in (0, 1):
            raise ValueError("I2C(%s) doesn't exist" % id)
        self._id = id
        self._pins = (
            self._DEFAULTS[id][0] if scl is None else _number(scl),
            self._DEFAULTS[id][1] if sda is None else _number(sda),
        )
        self._freq = freq
        self._init()

    def _init(self):
        _bus.post(_wire.I2C_INIT, struct.pack("<BIBB", self._id, self._freq, self._pins[0], self._pins[1]))

    def _transfer(self, address, out, count, stop=True, into=None):
        _clock.advance(_CALL_US + (len(out) + count + 2) * 9000000 // self._freq)
        head = struct.pack("<BBBH", self._id, address, 1 if stop else 0, count)
        return _bus.call(_wire.I2C_TRANSFER, head + bytes(out), into)

    def scan(self):
        found = []
        for address in range(0x08, 0x78):
            try:
                self._transfer(address, b"", 0)
                found.append(address)
            except OSError:
                pass
        return found

    def readfrom(self, addr, nbytes, stop=True):
        return bytes(self._transfer(addr, b"", nbytes, stop))

    def readfrom_into(self, addr, buf, stop=True):
        self._transfer(addr, b"", len(buf), stop, buf)

    def writeto(self, addr, buf, stop=True):
        self._transfer(addr, buf, 0, stop)
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(v) for v in vector]), stop)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        return bytes(self._transfer(addr, self._memory(memaddr, addrsize), nbytes))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self._transfer(addr, self._memory(memaddr, addrsize), len(buf), True, buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self._transfer(addr, self._memory(memaddr, addrsize) + bytes(buf), 0)

    def _memory(self, memaddr, addrsize):
        return memaddr.to_bytes(addrsize // 8, "big")

    def __repr__(self):
        return "I2C(%d, scl=%d, sda=%d, freq=%d)" % (self._id, self._pins[0], self._pins[1], self._freq)


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self._id = 255
        self._pins = (_number(scl), _number(sda))
        self._freq = freq
        self._init()


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_12BIT = 12
    # Full scale in microvolts, ESP32-S3 data sheet, table "ADC characteristics": effective ranges.
    _FULL_UV = (950000, 1250000, 1750000, 3100000)

    def __init__(self, pin, *, atten=0, sample_ns=0):
        self._pin = _number(pin)
        self._atten = atten

    def init(self, *, atten=None, sample_ns=0):
        if atten is not None:
            self._atten = atten

    def atten(self, atten):
        self._atten = atten

    def width(self, bits):
        pass

    def read_uv(self):
        _clock.advance(60)
        uv = struct.unpack("<I", _bus.call(_wire.ADC_READ, bytes((self._pin,))))[0]
        return min(uv, self._FULL_UV[self._atten])

    def read(self):
        return self.read_uv() * 4095 // self._FULL_UV[self._atten]

    def read_u16(self):
        return self.read() * 65535 // 4095


class RTC:
    _memory = None

    def memory(self, data=None):
        if RTC._memory is None:
            RTC._memory = bytes.fromhex(_config["rtc_memory"])
        if data is None:
            return RTC._memory
        data = bytes(data)
        if len(data) > 2048:
            raise ValueError("buffer too long")
        RTC._memory = data
        _bus.post(_wire.RTC_MEMORY, data)
        _bus.flush()
        return None

    def datetime(self, when=None):
        import time

        if when is None:
            t = time.gmtime()
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0)
        seconds = time.mktime((when[0], when[1], when[2], when[4], when[5], when[6], 0, 0))
        offset = seconds - _clock.now_us() // 1000000
        _clock.set_rtc_offset(offset)
        _bus.post(_wire.RTC_TIME, struct.pack("<q", offset))
        return None

    def init(self, when):
        self.datetime(when)


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0 or timeout <= 0:
            raise ValueError
        # The supervisor first: a bite between the two would find it unprepared.
        _bus.call(_wire.WDT_ARM, struct.pack("<I", timeout))
        _clock.dog_arm(timeout)

    def feed(self):
        _clock.dog_feed()
        _bus.post(_wire.WDT_FEED, b"")
        _bus.flush_if_due()


class Timer:
    # Fires while the node sleeps or looks at the clock; on an ESP32 it fires between any two bytecodes.
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id, **settings):
        self.id = id
        self.due_us = self.period_us = 0
        self.callback = None
        if settings:
            self.init(**settings)

    def init(self, *, mode=PERIODIC, freq=-1, period=-1, callback=None):
        us = int(1000000 / freq) if freq != -1 else period * 1000
        if us <= 0:
            raise ValueError("invalid period")
        self.period_us = us if mode == self.PERIODIC else 0
        self.due_us = _clock.now_us() + us
        self.callback = callback
        if callback is not None:
            _clock.timer_add(self)

    def deinit(self):
        _clock.timer_remove(self)
