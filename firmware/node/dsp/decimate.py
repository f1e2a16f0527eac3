"""Viper kernels: a block of samples at the sensor's rate -> the record of velocity and spectrum, 1, 2, 4 or 8 times
slower. decimate_twin.py defines them.

Why: bins fine enough for 10 Hz take a second of signal, and at 26.7 kHz a second fits neither the memory nor the
arithmetic of a node. Nothing above 1 kHz is wanted, so the rate may fall to about 3 kHz; but first whatever would fold
into 0-1 kHz has to go, or a bearing that rings at 5.7 kHz would read as a shaft that shakes at 1 kHz.

How: each halving keeps 0-1 kHz and has to remove only what lies within 1 kHz of multiples of the new rate.

1. Far above the band a binomial filter does that, with multiplications by 4, 6, 15 and 20 only: it is a zero of fourth
   order (1 4 6 4 1) or sixth order (1 6 15 20 15 6 1) right where things fold onto 0 Hz. That suits velocity, which
   divides by frequency: the lower a line would fold, the deeper it is. At ratio 8 both run in one pass, at ratio 4 the
   sixth order alone, at ratio 2 none.
2. The last halving is a half-band filter of 23 taps (equiripple, every other tap zero).

Aliases within 0-1 kHz are down by 64 dB or more for every rate `ratio` picks, below 100 Hz by 110 dB. The droop of the
binomial filters is known exactly and taken back in the weights of the spectrum (spectrum.py), so passband flatness
costs nothing here.

No precision is lost on the way: sums stay exact up to the half-band filter, whose input carries two fractional bits.
Its output is in units of two counts, so that the overshoot of a full-scale square wave still fits int16. What rounding
takes off is handed on to the next output, which moves the rounding noise up in frequency (first-order noise shaping),
away from where velocity is made: a record of int16 is still good for a vibration of 20 counts.

Per axis the state is array('i', STATE_WORDS); `prime` sets it as if the signal had stood at its first value for ever,
so that gravity does not step in. Nothing here allocates.
"""

import micropython
from micropython import const

from node.dsp import word

_WORD_BITS = const(32)

word.require(_WORD_BITS)

# Words of the state: three samples, three partial sums, the rounding's remainder, the half-band filter's past.
_SUMS = const(3)
_CARRY = const(6)
_PAST = const(8)
HISTORY = 22
STATE_WORDS = 30

# Below this the last filter would let too much through at the edges of 1 kHz.
_LOWEST_DHZ = 29000


def scale(factor: int) -> int:
    """Counts per unit of the output: 2, and 1 where nothing is filtered."""
    return 1 if factor == 1 else 2


def ratio(rate_dhz: int) -> int:
    """By how much to slow down a sensor of this rate (0.1 Hz): 1, 2, 4 or 8. 2.9 kHz are left at least."""
    for factor in (8, 4, 2):
        if rate_dhz >= factor * _LOWEST_DHZ:
            return factor
    return 1


def prime(factor: int, first: int, state) -> None:
    """Make the state one of a signal that has always been `first` counts. Raises ValueError for a short state."""
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    for i in range(_SUMS):
        state[i] = first
    gain = 16 * first if factor == 8 else first
    state[_SUMS] = 57 * gain
    state[_SUMS + 1] = 22 * gain
    state[_SUMS + 2] = gain
    state[_CARRY] = 1 << 15
    for i in range(HISTORY):
        state[_PAST + i] = 4 * first


def decimate(factor: int, buf, first: int, n: int, state, scratch, out, at: int) -> None:
    """buf[first:first + n] -> out[at:at + n // factor], the rest of the stream being in state.

    buf, out: array('h'). scratch: array('i') of at least HISTORY + n // factor * 2 words, contents lost (none for
    factor 1). first and n: multiples of 8. Raises ValueError where that is not so.
    """
    made = n // factor
    if factor not in (1, 2, 4, 8) or first & 7 or n & 7 or first < 0 or n < 0 or first + n > len(buf):
        raise ValueError("samples %d to %d of %d by %d" % (first, first + n, len(buf), factor))
    if at < 0 or at + made > len(out):
        raise ValueError("places %d to %d of %d" % (at, at + made, len(out)))
    if factor == 1:
        _copy(buf, out, n, first, at)
        return
    if len(scratch) < HISTORY + 2 * made or len(state) < STATE_WORDS:
        raise ValueError("scratch of %d words, %d needed" % (len(scratch), HISTORY + 2 * made))
    _recall(scratch, state)
    if factor == 8:
        _quarter(buf, first, scratch, state, n)
    elif factor == 4:
        _pair(buf, first, scratch, state, n)
    else:
        _widen(buf, first, scratch, n)
    _half(scratch, at, out, state, made)
    _keep(scratch, state, made)


# fmt: off
@micropython.viper
def _copy(p: ptr16, q: ptr16, n: int, first: int, at: int):
    p = ptr16(int(p) + (first << 1))
    q = ptr16(int(q) + (at << 1))
    end = int(p) + (n << 1)
    while int(p) < end:
        q[0] = p[0]
        q[1] = p[1]
        q[2] = p[2]
        q[3] = p[3]
        p = ptr16(int(p) + 8)
        q = ptr16(int(q) + 8)


@micropython.viper
def _recall(p: ptr32, q: ptr32):
    """The past to the front of scratch."""
    q = ptr32(int(q) + (_PAST << 2))
    end = int(p) + 88
    while int(p) < end:
        p[0] = q[0]
        p = ptr32(int(p) + 4)
        q = ptr32(int(q) + 4)


@micropython.viper
def _keep(p: ptr32, q: ptr32, made: int):
    """The end of scratch is the next past."""
    p = ptr32(int(p) + (made << 3))
    q = ptr32(int(q) + (_PAST << 2))
    end = int(p) + 88
    while int(p) < end:
        q[0] = p[0]
        p = ptr32(int(p) + 4)
        q = ptr32(int(q) + 4)


@micropython.viper
def _widen(p: ptr16, v: int, q: ptr32, n: int):
    """Times four, into scratch behind the past."""
    p = ptr16(int(p) + (v << 1))
    q = ptr32(int(q) + 88)
    end = int(p) + (n << 1)
    while int(p) < end:
        q[0] = ((p[0] ^ 0x8000) - 0x8000) << 2
        q[1] = ((p[1] ^ 0x8000) - 0x8000) << 2
        p = ptr16(int(p) + 4)
        q = ptr32(int(q) + 8)


@micropython.viper
def _pair(p: ptr32, v: int, q: ptr32, st: ptr32, n: int):
    """Sixth-order binomial filter, every second output, times four. 64 is its gain."""
    p = ptr32(int(p) + (v << 1))
    q = ptr32(int(q) + 88)
    end = int(p) + (n << 1)
    r = st[_SUMS]
    s = st[_SUMS + 1]
    t = st[_SUMS + 2]
    if _WORD_BITS & 64:
        # ptr32 loads without a sign there.
        r = (r << 32) >> 32
        s = (s << 32) >> 32
        t = (t << 32) >> 32
    while int(p) < end:
        if _WORD_BITS & 32:
            y = (p[0] << 16) >> 16
            v = p[0] >> 16
        else:
            y = (ptr16(p)[0] ^ 0x8000) - 0x8000
            v = (ptr16(p)[1] ^ 0x8000) - 0x8000
        e = y * 6
        q[0] = (e + v + r) >> 4
        e = v * 15 + e
        r = y * 14 + e + s
        s = e + t
        t = v
        p = ptr32(int(p) + 4)
        q = ptr32(int(q) + 4)
    st[_SUMS] = r
    st[_SUMS + 1] = s
    st[_SUMS + 2] = t


@micropython.viper
def _quarter(p: ptr32, v: int, q: ptr32, st: ptr32, n: int):
    """Fourth-order binomial filter, every second output; of those the sixth-order one, every second output, times four.

    16 times 64 is their gain. Eight samples a turn.
    """
    p = ptr32(int(p) + (v << 1))
    q = ptr32(int(q) + 88)
    end = int(p) + (n << 1)
    a = st[0]
    b = st[1]
    c = st[2]
    r = st[_SUMS]
    s = st[_SUMS + 1]
    t = st[_SUMS + 2]
    if _WORD_BITS & 64:
        # ptr32 loads without a sign there.
        r = (r << 32) >> 32
        s = (s << 32) >> 32
        t = (t << 32) >> 32
        a = (a << 32) >> 32
        b = (b << 32) >> 32
        c = (c << 32) >> 32
    while int(p) < end:
        # y and v: two samples at half the rate, of four.
        if _WORD_BITS & 32:
            e = (p[0] << 16) >> 16
            v = p[0] >> 16
        else:
            e = (ptr16(p)[0] ^ 0x8000) - 0x8000
            v = (ptr16(p)[1] ^ 0x8000) - 0x8000
        y = ((e + b + c) << 2) + c + c + a + v
        a = v
        if _WORD_BITS & 32:
            b = (p[1] << 16) >> 16
        else:
            b = (ptr16(p)[2] ^ 0x8000) - 0x8000
        v = ((e + b + v) << 2) + v + v + c
        if _WORD_BITS & 32:
            c = p[1] >> 16
        else:
            c = (ptr16(p)[3] ^ 0x8000) - 0x8000
        v = v + c
        e = y * 6
        q[0] = (e + v + r) >> 8
        e = v * 15 + e
        r = y * 14 + e + s
        s = e + t
        t = v
        if _WORD_BITS & 32:
            e = (p[2] << 16) >> 16
            v = p[2] >> 16
        else:
            e = (ptr16(p)[4] ^ 0x8000) - 0x8000
            v = (ptr16(p)[5] ^ 0x8000) - 0x8000
        y = ((e + b + c) << 2) + c + c + a + v
        a = v
        if _WORD_BITS & 32:
            b = (p[3] << 16) >> 16
        else:
            b = (ptr16(p)[6] ^ 0x8000) - 0x8000
        v = ((e + b + v) << 2) + v + v + c
        if _WORD_BITS & 32:
            c = p[3] >> 16
        else:
            c = (ptr16(p)[7] ^ 0x8000) - 0x8000
        v = v + c
        e = y * 6
        q[1] = (e + v + r) >> 8
        e = v * 15 + e
        r = y * 14 + e + s
        s = e + t
        t = v
        p = ptr32(int(p) + 16)
        q = ptr32(int(q) + 8)
    st[0] = a
    st[1] = b
    st[2] = c
    st[_SUMS] = r
    st[_SUMS + 1] = s
    st[_SUMS + 2] = t


@micropython.viper
def _half(p: ptr32, v: int, out: ptr16, st: ptr32, n: int):
    """Half-band filter, every second output, in units of two counts: 65536 is its gain, the input's fractional bits
    included."""
    out = ptr16(int(out) + (v << 1))
    end = int(p) + (n << 3)
    carry = st[_CARRY]
    while int(p) < end:
        v = (p[0] + p[22]) * -15 + carry
        v = (p[2] + p[20]) * 56 + v
        v = (p[4] + p[18]) * -146 + v
        v = (p[6] + p[16]) * 330 + v
        v = (p[8] + p[14]) * -740 + v
        v = (p[10] + p[12]) * 2563 + v
        v = (p[11] << 12) + v
        if _WORD_BITS & 32:
            out[0] = v >> 16
        else:
            out[0] = (v << 32) >> 48
        carry = v & 0xFFFF
        out = ptr16(int(out) + 2)
        p = ptr32(int(p) + 8)
    st[_CARRY] = carry
# fmt: on
