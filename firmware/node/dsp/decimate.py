"""Viper kernels: a block of samples at the sensor's rate -> the record of velocity and spectrum, 1, 2, 4 or 8 times
slower. decimate_twin.py defines them.

Why: bins fine enough for 10 Hz take a second of signal, and at 26.7 kHz a second fits neither the memory nor the
arithmetic of a node. Nothing above 1 kHz is wanted, so the rate may fall to about 3 kHz; but first whatever would fold
into 0-1 kHz has to go, or a bearing that rings at 5.7 kHz would read as a shaft that shakes at 1 kHz.

How: each halving keeps 0-1 kHz and has to remove only what lies within 1 kHz of half its rate.

1. From 8 to 4 times the rate that is left, a binomial filter (1 4 6 4 1) does it: a zero of fourth order right where
   things fold onto 0 Hz. Its droop is known exactly and taken back in the weights of the spectrum (spectrum.py).
2. From there on, half-band filters: two branches of all-passes, one for each sample of a pair, whose sum is the output
   (bireciprocal lattice wave digital filters; Gazsi, IEEE Trans. Circuits Syst. 32, 1985). A section is one
   multiplication for two samples. Two sections, then four; their pass band is flat to a millionth. Their phase is not
   linear, and nothing that is made of the record asks for that.

Velocity divides by frequency, so the lower a line would fold, the deeper it has to be. Coefficients were searched for
the smallest of alias times 1 kHz over the frequency it folds to: at the slowest rates `ratio` picks that is 0.00034
where it takes 8, 0.00023 where it takes 4 and 0.00015 where it takes 2. Or: 69 dB at 1 kHz, 96 dB below 100 Hz, 115 dB
below 10 Hz, at least.

No precision is lost on the way: 1/16 count is kept before the first all-pass, 1/32 before the last. The output is in
units of four counts, so that no signal whatever leaves int16: at most 2.42 times full scale comes out. What rounding
takes off is handed on to the next output, which moves the rounding noise up in frequency (first-order noise shaping),
away from where velocity is made: a record of int16 is still good for a vibration of 20 counts.

Per axis the state is array('i', STATE_WORDS); `prime` sets it as if the signal had stood at its first value for ever,
so that gravity does not step in. Nothing here allocates.
"""

import micropython
from micropython import const

from node.dsp import word

_WORD_BITS = const(32)

# Viper's ptr32 reads words without their sign where the machine word is longer.
_SIGN = const(_WORD_BITS - 32)

word.require(_WORD_BITS)

# Words of the state: the binomial filter's past, the all-passes of the last halving but one and of the last, the
# rounding's remainder.
_BINOMIAL = const(0)
_FIRST = const(3)
_SECOND = const(7)
_CARRY = const(13)
STATE_WORDS = 14

# All-passes. Of the last halving but one: that of the first sample of a pair, in 1/2048, and of the second, in 1/8192.
_B = const(1123)
_C = const(954)
# Of the last: two for the first sample, in 1/2048 and 1/512, two for the second, in 1/8192 and 1/1024.
_D = const(434)
_E = const(402)
_F = const(449)
_G = const(466)

# Flipping the top bit of a sample read without sign adds 0x8000 to it with sign. The filters pass that like any other
# constant, so it is taken off the output, where it has grown to this.
_OFFSET = const(1 << 21)

# Below this the last filter would let too much through at the edges of 1 kHz.
_LOWEST_DHZ = 29000


def scale(factor: int) -> int:
    """Counts per unit of the output: 4, and 1 where nothing is filtered."""
    return 1 if factor == 1 else 4


def ratio(rate_dhz: int) -> int:
    """By how much to slow down a sensor of this rate (0.1 Hz): 1, 2, 4 or 8. 2.9 kHz are left at least."""
    for factor in (8, 4, 2):
        if rate_dhz >= factor * _LOWEST_DHZ:
            return factor
    return 1


def prime(first: int, state) -> None:
    """Make the state one of a signal that has always been `first` counts. Raises ValueError for a short state."""
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    first += 0x8000
    state[_BINOMIAL] = first
    state[_BINOMIAL + 1] = state[_BINOMIAL + 2] = 5 * first
    for i in range(_FIRST, _SECOND):
        state[i] = 16 * first
    for i in range(_SECOND, _CARRY):
        state[i] = 32 * first
    state[_CARRY] = 128 - _OFFSET


def decimate(factor: int, buf, first: int, n: int, state, out, at: int) -> None:
    """buf[first:first + n] -> out[at:at + n // factor], the rest of the stream being in state (None for factor 1).

    buf, out: array('h'). first and n: multiples of 8. Raises ValueError where that is not so.
    """
    made = n // factor
    if factor not in (1, 2, 4, 8) or first & 7 or n & 7 or first < 0 or n < 0 or first + n > len(buf):
        raise ValueError("samples %d to %d of %d by %d" % (first, first + n, len(buf), factor))
    if at < 0 or at + made > len(out):
        raise ValueError("places %d to %d of %d" % (at, at + made, len(out)))
    if factor == 1:
        _copy(buf, out, n, first, at)
        return
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    # The kernels' first two arguments live in registers: the pointer, and a number that is soon another.
    if factor == 8:
        _eighth(buf, first, out, state, n, at)
    elif factor == 4:
        _quarter(buf, first, out, state, n, at)
    else:
        _half(buf, first, out, state, n, at)


# A section is y = a * (x - last y) + last x. Last inputs keep their place by turns of two names, or by a copy. On
# Xtensa a multiplication is an instruction less than a shift to the left.
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
def _half(p: ptr16, v: int, out: ptr16, st: ptr32, n: int, at: int):
    """The last halving alone."""
    p = ptr16(int(p) + (v << 1))
    end = int(p) + (n << 1)
    out = ptr16(int(out) + (at << 1))
    st = ptr32(int(st) + (_SECOND << 2))
    xd = st[0] << _SIGN >> _SIGN
    d = st[1] << _SIGN >> _SIGN
    e = st[2] << _SIGN >> _SIGN
    xf = st[3] << _SIGN >> _SIGN
    f = st[4] << _SIGN >> _SIGN
    g = st[5] << _SIGN >> _SIGN
    carry = st[6] << _SIGN >> _SIGN
    while int(p) < end:
        t = d
        v = (p[0] ^ 0x8000) * 32
        e = (((d := ((v - d) * _D >> 11) + xd) - e) * _E >> 9) + t
        xd = v
        t = f
        v = (p[1] ^ 0x8000) * 32
        g = (((f := ((v - f) * _F >> 13) + xf) - g) * _G >> 10) + t
        xf = v
        v = e + g + carry
        out[0] = v >> 8
        carry = (v & 255) - _OFFSET
        out = ptr16(int(out) + 2)
        p = ptr16(int(p) + 4)
    st[0] = xd
    st[1] = d
    st[2] = e
    st[3] = xf
    st[4] = f
    st[5] = g
    st[6] = carry


@micropython.viper
def _quarter(p: ptr16, v: int, out: ptr16, st: ptr32, n: int, at: int):
    """The last two halvings."""
    p = ptr16(int(p) + (v << 1))
    end = int(p) + (n << 1)
    out = ptr16(int(out) + (at << 1))
    st = ptr32(int(st) + (_FIRST << 2))
    xb = st[0] << _SIGN >> _SIGN
    b = st[1] << _SIGN >> _SIGN
    xc = st[2] << _SIGN >> _SIGN
    c = st[3] << _SIGN >> _SIGN
    xd = st[4] << _SIGN >> _SIGN
    d = st[5] << _SIGN >> _SIGN
    e = st[6] << _SIGN >> _SIGN
    xf = st[7] << _SIGN >> _SIGN
    f = st[8] << _SIGN >> _SIGN
    g = st[9] << _SIGN >> _SIGN
    carry = st[10] << _SIGN >> _SIGN
    while int(p) < end:
        v = (p[0] ^ 0x8000) * 16
        b = ((v - b) * _B >> 11) + xb
        xb = v
        v = (p[1] ^ 0x8000) * 16
        t = d
        e = (((d := (((w := (c := ((v - c) * _C >> 13) + xc) + b) - d) * _D >> 11) + xd) - e) * _E >> 9) + t
        xc = v
        xd = w
        v = (p[2] ^ 0x8000) * 16
        b = ((v - b) * _B >> 11) + xb
        xb = v
        v = (p[3] ^ 0x8000) * 16
        t = f
        g = (((f := (((w := (c := ((v - c) * _C >> 13) + xc) + b) - f) * _F >> 13) + xf) - g) * _G >> 10) + t
        xc = v
        xf = w
        v = e + g + carry
        out[0] = v >> 8
        carry = (v & 255) - _OFFSET
        out = ptr16(int(out) + 2)
        p = ptr16(int(p) + 8)
    st[0] = xb
    st[1] = b
    st[2] = xc
    st[3] = c
    st[4] = xd
    st[5] = d
    st[6] = e
    st[7] = xf
    st[8] = f
    st[9] = g
    st[10] = carry


@micropython.viper
def _eighth(p: ptr16, v: int, out: ptr16, st: ptr32, n: int, at: int):
    """All three halvings. x: even sample, s and t: four times the odd one and the even one before it, of two pairs."""
    p = ptr16(int(p) + (v << 1))
    end = int(p) + (n << 1)
    out = ptr16(int(out) + (at << 1))
    x = st[0]
    s = st[1] << _SIGN >> _SIGN
    t = st[2] << _SIGN >> _SIGN
    xb = st[3] << _SIGN >> _SIGN
    b = st[4] << _SIGN >> _SIGN
    xc = st[5] << _SIGN >> _SIGN
    c = st[6] << _SIGN >> _SIGN
    xd = st[7] << _SIGN >> _SIGN
    d = st[8] << _SIGN >> _SIGN
    e = st[9] << _SIGN >> _SIGN
    xf = st[10] << _SIGN >> _SIGN
    f = st[11] << _SIGN >> _SIGN
    g = st[12] << _SIGN >> _SIGN
    carry = st[13] << _SIGN >> _SIGN
    while int(p) < end:
        v = p[0] ^ 0x8000
        b = (((yb := x * 5 + t + s + v) - b) * _B >> 11) + xb
        s = (p[1] ^ 0x8000) * 4 + v
        x = v
        v = p[2] ^ 0x8000
        u = d
        e = (((d := (((w := (c := (((yc := x * 5 + t + s + v) - c) * _C >> 13) + xc) + b)
            - d) * _D >> 11) + xd) - e) * _E >> 9) + u
        xd = w
        t = (p[3] ^ 0x8000) * 4 + v
        x = v
        v = p[4] ^ 0x8000
        b = (((xb := x * 5 + t + s + v) - b) * _B >> 11) + yb
        s = (p[5] ^ 0x8000) * 4 + v
        x = v
        v = p[6] ^ 0x8000
        u = f
        g = (((f := (((w := (c := (((xc := x * 5 + t + s + v) - c) * _C >> 13) + yc) + b)
            - f) * _F >> 13) + xf) - g) * _G >> 10) + u
        xf = w
        t = (p[7] ^ 0x8000) * 4 + v
        x = v
        v = e + g + carry
        out[0] = v >> 8
        carry = (v & 255) - _OFFSET
        out = ptr16(int(out) + 2)
        p = ptr16(int(p) + 16)
    st[0] = x
    st[1] = s
    st[2] = t
    st[3] = xb
    st[4] = b
    st[5] = xc
    st[6] = c
    st[7] = xd
    st[8] = d
    st[9] = e
    st[10] = xf
    st[11] = f
    st[12] = g
    st[13] = carry
# fmt: on
