"""Viper kernels: sum, exact sum of squares and peak of a block, and what follows from them. twin.py defines them.

Buffers: buf is array('h') of samples, out is array('i', WORDS zeros), both allocated once by the caller. Nothing here
allocates. A block holds 0..MAX_SAMPLES samples; a buffer that starts on an odd 16-bit word works, only slower.

Words of `out`:
  SUM                      sum of the samples
  SQUARES_LOW, _HIGH       sum of their squares, 64 bits in two words
  PEAK_SQUARED             largest square
  MEAN                     mean, rounded to the nearest count, halves up          (from here on: summary only)
  RMS_X16                  RMS with the exact mean removed, in 1/16 count, rounded to the nearest
  PEAK                     largest distance from MEAN
  PEAK_RAW                 largest absolute value, 32768 included
  PEAK_TO_PEAK             highest less lowest sample
  SPREAD_LOW, _HIGH        1024 times the sum of squared distances from the exact mean, rounded down, 64 bits

Why the code looks as it does: only the first two variables of a viper function live in registers, arguments first,
hence the order of arguments and the reuse of `v`; odd samples are the upper half of a word and have their sign for
free, even ones are best read as 16 bits on Xtensa and no worse on RISC-V; four squares are summed before the 64-bit
split. `a` holds the sum of squares modulo 2**32 and `h` the sum of the upper halves of its parts: what `a` lacks is
then h << 16 plus lower halves that stay below 2**31 for MAX_SAMPLES parts.

Four samples of -32768 make a sum of four squares of exactly 2**32, which wraps to 0. So a block whose peak squared is
2**30 is summed again one sample at a time; such a block is clipped anyway, and the rest pay nothing.

The line below is rewritten to 64 by the build when it compiles for a PC (see the package's docstring).
"""

from array import array

import micropython
from micropython import const

from node.dsp import word

_WORD_BITS = const(32)

word.require(_WORD_BITS)

SUM = 0
SQUARES_LOW = 1
SQUARES_HIGH = 2
PEAK_SQUARED = 3
MEAN = 4
RMS_X16 = 5
PEAK = 6
PEAK_RAW = 7
PEAK_TO_PEAK = 8
SPREAD_LOW = 9
SPREAD_HIGH = 10
WORDS = 11

# Sums stay within 2**30 and every intermediate below within a signed 32-bit word.
MAX_SAMPLES = 32768

# Where peak_about leaves what it is not asked for.
_unused = array("i", [0] * WORDS)


def fused(buf, n: int, out) -> None:
    """Sum, exact sum of squares and largest square of buf[:n] into the first four words of out.

    Raises ValueError when n is negative, more than MAX_SAMPLES or more than buf holds, or out is short.
    """
    _check(buf, n, out)
    _fused(buf, n, out)


def fused_result(out) -> tuple:
    """(sum, sum of squares, largest absolute value) of the last fused(), exact ints. Allocates: not for the cycle."""
    low = out[SQUARES_LOW] & 0xFFFFFFFF
    return out[SUM], (out[SQUARES_HIGH] << 32) + low, root(0, out[PEAK_SQUARED] >> 16, out[PEAK_SQUARED] & 0xFFFF)


def summary(buf, n: int, out) -> None:
    """Every word of out for buf[:n]; all zero for n = 0. Raises ValueError as fused does."""
    _check(buf, n, out)
    _fused(buf, n, out)
    _moments(n, out[SUM], out)
    out[PEAK] = _peak_about(buf, 0, n, out[MEAN], out)


def peak_about(buf, n: int, centre: int) -> int:
    """Largest |x - centre| of buf[:n], 0 when n is 0. centre within int16. Raises ValueError as fused does."""
    if not -32768 <= centre <= 32767:
        raise ValueError("centre outside int16")
    _check(buf, n, None)
    return _peak_about(buf, 0, n, centre, _unused)


def _check(buf, n, out) -> None:
    # The kernels write and read through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= n <= MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), MAX_SAMPLES))
    if out is not None and len(out) < WORDS:
        raise ValueError("out holds %d words, %d needed" % (len(out), WORDS))


# fmt: off
@micropython.viper
def _fused(p: ptr32, v: int, out: ptr32):
    s = 0
    a = 0
    h = 0
    m = 0
    t = 0
    start = int(p)
    end = start + (v << 1)

    if _WORD_BITS & 32:
        # Whole groups of eight; a 32-bit load needs a 32-bit boundary.
        stop = start if start & 3 else start + ((v >> 3) << 4)
        while int(p) < stop:
            s = (v := p[0] >> 16) + s
            if (v := v * v) > m:
                m = v
            t = v
            s = (v := (ptr16(p)[0] ^ 0x8000) - 0x8000) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            s = (v := p[1] >> 16) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            s = (v := (ptr16(p)[2] ^ 0x8000) - 0x8000) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            a = t + a
            h = int(uint(t) >> 16) + h
            s = (v := p[2] >> 16) + s
            if (v := v * v) > m:
                m = v
            t = v
            s = (v := (ptr16(p)[4] ^ 0x8000) - 0x8000) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            s = (v := p[3] >> 16) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            s = (v := (ptr16(p)[6] ^ 0x8000) - 0x8000) + s
            if (v := v * v) > m:
                m = v
            t = v + t
            a = t + a
            h = int(uint(t) >> 16) + h
            p = ptr32(int(p) + 16)
        if m >> 30:
            p = ptr32(start)
            s = 0
            a = 0
            h = 0

    # One at a time: the tail, the slow exact path, and everything on a 64-bit word.
    while int(p) < end:
        s = (v := (ptr16(p)[0] ^ 0x8000) - 0x8000) + s
        if (v := v * v) > m:
            m = v
        a = v + a
        h = (v >> 16) + h
        p = ptr32(int(p) + 2)

    out[0] = s
    out[1] = a
    t = a - (h << 16)
    out[2] = (h >> 16) + (((h & 0xFFFF) + (t >> 16)) >> 16)
    out[3] = m


@micropython.viper
def _peak_about(p: ptr32, far: int, n: int, centre: int, out: ptr32) -> int:
    """far: the highest so far, then the lowest, in the upper half of a word, whatever is in the lower one."""
    out[8] = 0
    if n == 0:
        return 0
    start = int(p)
    end = start + (n << 1)
    stop = start
    if _WORD_BITS & 32:
        if not start & 3:
            stop = start + ((n >> 3) << 4)
    v = 0

    far = -32768
    far = far << 16
    if _WORD_BITS & 32:
        while int(p) < stop:
            if p[0] > far:
                far = p[0]
            if (v := p[0] << 16) > far:
                far = v
            if p[1] > far:
                far = p[1]
            if (v := p[1] << 16) > far:
                far = v
            if p[2] > far:
                far = p[2]
            if (v := p[2] << 16) > far:
                far = v
            if p[3] > far:
                far = p[3]
            if (v := p[3] << 16) > far:
                far = v
            p = ptr32(int(p) + 16)
    while int(p) < end:
        if (v := (ptr16(p)[0] ^ 0x8000) - 0x8000 << 16) > far:
            far = v
        p = ptr32(int(p) + 2)
    high = far >> 16

    p = ptr32(start)
    far = 32767
    far = far << 16
    if _WORD_BITS & 32:
        while int(p) < stop:
            if p[0] < far:
                far = p[0]
            if (v := p[0] << 16) < far:
                far = v
            if p[1] < far:
                far = p[1]
            if (v := p[1] << 16) < far:
                far = v
            if p[2] < far:
                far = p[2]
            if (v := p[2] << 16) < far:
                far = v
            if p[3] < far:
                far = p[3]
            if (v := p[3] << 16) < far:
                far = v
            p = ptr32(int(p) + 16)
    while int(p) < end:
        if (v := (ptr16(p)[0] ^ 0x8000) - 0x8000 << 16) < far:
            far = v
        p = ptr32(int(p) + 2)
    low = far >> 16

    out[8] = high - low
    high = high - centre
    low = centre - low
    return high if high > low else low
# fmt: on


@micropython.viper
def _moments(n: int, total: int, out: ptr32):
    """MEAN, RMS_X16, PEAK_RAW and SPREAD from the sums.

    The variance is (n * squares - total**2) / n**2, exactly: the sums are moved to the rounded mean c, where they are
    small, and the remainder r = total - n * c is taken off as r**2 / n**2. Numbers too long for a word go as 16-bit
    digits, lowest first, so nothing depends on the word size.
    """
    if n == 0:
        out[4] = 0
        out[5] = 0
        out[7] = 0
        out[9] = 0
        out[10] = 0
        return
    c = (total + (n >> 1)) // n
    r = total - n * c

    # d = squares - n * c**2 - 2 * c * r, the sum of squares about c.
    square = c * c
    low = n * (square & 0xFFFF)
    high = n * (square >> 16)
    cross = 2 * c * r
    t = (out[1] & 0xFFFF) - (low & 0xFFFF) - (cross & 0xFFFF)
    d0 = t & 0xFFFF
    t = ((out[1] >> 16) & 0xFFFF) - (low >> 16) - (high & 0xFFFF) - (cross >> 16) + (t >> 16)
    d1 = t & 0xFFFF
    d2 = out[2] - (high >> 16) + (t >> 16)

    # 1024 * d less 1024 * r**2 / n rounded up: divided by n that is 1024 times the variance, rounded down.
    square = r * r
    t = square // n
    less = (t << 10) + (((square - t * n) << 10) + n - 1) // n
    t = (d0 << 10) - less
    d0 = t & 0xFFFF
    t = (d1 << 10) + (t >> 16)
    d1 = t & 0xFFFF
    t = (d2 << 10) + (t >> 16)
    d2 = t & 0xFFFF
    d3 = t >> 16
    out[9] = d0 | (d1 << 16)
    out[10] = d2 | (d3 << 16)

    # Long division, digit by digit; the quotient stays under 2**40.
    t = ((d3 % n) << 16) + d2
    d2 = t // n
    t = ((t % n) << 16) + d1
    d1 = t // n
    d0 = (((t % n) << 16) + d0) // n

    # The root is 32 times the RMS, rounded down.
    rms = int(root(d2, d1, d0))
    square = out[3]
    out[4] = c
    out[5] = (rms + 1) >> 1
    out[7] = int(root(0, square >> 16, square & 0xFFFF))


@micropython.viper
def root(high: int, middle: int, low: int) -> int:
    """Square root, rounded down, of a number in three 16-bit digits, below 2**46."""
    found = 0
    rest = 0
    digit = high
    left = 3
    while left:
        shift = 14
        while shift >= 0:
            rest = (rest << 2) | ((digit >> shift) & 3)
            trial = (found << 2) | 1
            found = found << 1
            if rest >= trial:
                rest = rest - trial
                found = found | 1
            shift -= 2
        digit = middle
        middle = low
        left -= 1
    return found
