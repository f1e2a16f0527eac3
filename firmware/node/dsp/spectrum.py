"""Viper kernels: a record of decimated samples -> Hann-windowed spectrum -> velocity power per bin, sums of it, its
peaks. spectrum_twin.py defines them; velocity.py puts them together and knows units.

    survey(record, n, out)                       centre, and the shift that fills the FFT's words
    load(record, n, centre, shift, work, table)  window and pack into work, first pass of the FFT included
    fft.finish(...), fft.real(...)               bins X[k] of the windowed record
    ceiling(work, first, last)                   how large bins are, for the exponent
    power(work, weights, first, last, shift)     bins -> P[k], velocity power, in the place of the real parts
    total(work, first, last, out)                sum of P
    peaks(work, first, last, found)              the PEAKS largest local maxima
    magnitude(work, k), root(...), muldiv(...)   what it takes to make numbers of them without the heap

Spectral integration: velocity is acceleration over 2 pi f, so each bin's power is weighted with 1/f**2, nothing
drifts, and what is out of the band is simply left out. `weights` makes the table: 1/k as a number of 14 bits per octave
(the shift of each octave is the caller's), with the droop of the decimator's filters taken back.
The Hann window spreads a line over three bins, where 1/k**2 curves: the sum of 1/(k**2 + 1) is what a line between
bins needs, to 0.2 % from the fifth bin on; hence k + 1/(2 k) instead of k in the weights.

work: array('i', n) holding n // 2 complex points. record: array('h', n). Nothing here allocates.
"""

import micropython
from micropython import const

from node.dsp import word

_WORD_BITS = const(32)

word.require(_WORD_BITS)

# Words of survey's out.
CENTRE = 0
SHIFT = 1
SURVEY_WORDS = 2

# Words of total's out: sums of the lower and of the upper 16 bits.
SUM_LOW = 0
SUM_HIGH = 1

PEAKS = 24
PEAK_WORDS = 2 * PEAKS

WEIGHTS = 1624

# Droop of the decimator's binomial filter, taken back: 1 + a y + b y**2 + c y**3 in 2**-14, y = (k / 4096)**2.
_DROOP = (5053, 909, 130)


def survey(record, n: int, out) -> None:
    """CENTRE of record[:n], n a multiple of 8, and SHIFT: how far the largest distance from it may be shifted up and
    stay below 2**16; -1 when all samples are one.

    The centre is the mean of every eighth sample, rounded, halves up. It only has to leave room: what remains of a
    constant is nowhere but in bins 0 and 1 of a Hann window. Raises ValueError where a buffer is too short.
    """
    if n < 8 or n & 7 or n > len(record) or len(out) < SURVEY_WORDS:
        raise ValueError("%d samples of %d" % (n, len(record)))
    _survey(record, n, out)


def load(record, n: int, centre: int, shift: int, work, words) -> None:
    """(record - centre) << shift, times the Hann window, as complex points, through the first two stages of the FFT.

    n: 32..4096, a power of 2; |record - centre| << shift below 2**16. Raises ValueError where a buffer is too short.
    """
    if not 32 <= n <= 4096 or n & (n - 1) or n > len(record) or n > len(work) or len(words) < 2050:
        raise ValueError("%d samples of %d, work of %d words" % (n, len(record), len(work)))
    _load(record, 0, work, words, n >> 1, centre + 32768, shift)


def weights(factor: int, table) -> None:
    """Fill array('h', WEIGHTS) for records that came slowed down by `factor`, with n = 4096 if it is not 1."""
    if len(table) < WEIGHTS:
        raise ValueError("weights hold %d, %d needed" % (len(table), WEIGHTS))
    a, b, c = _DROOP if factor == 8 else (0, 0, 0)
    _weights(table, 0, a, b, c)


def ceiling(work, first: int, last: int) -> int:
    """Bits in the largest real or imaginary part of bins first..last - 1."""
    _bins(work, first, last)
    return _ceiling(work, first, last)


def power(work, table, first: int, last: int, shift: int) -> None:
    """work[2 * k] = P[k], the squared magnitude of X[k] * table[k] >> shift, for bins first..last - 1.

    The caller's exponent keeps X[k] * table[k] >> shift below 2**15 in magnitude. Imaginary parts are lost.
    """
    _bins(work, first, last)
    if last > len(table):
        raise ValueError("weights end at %d" % len(table))
    _power(work, first, table, last, shift)


def total(work, first: int, last: int, out) -> None:
    """SUM_LOW and SUM_HIGH of P[first..last - 1]."""
    _bins(work, first, last)
    _total(work, first, last, out)


def peaks(work, first: int, last: int, found) -> None:
    """The largest bins of first..last - 1 that are above their left and not below their right neighbour.

    found: array('i', PEAK_WORDS), P and k in turns, largest first, zeros where there are fewer. P[first - 1] and
    P[last] have to be there.
    """
    _bins(work, first - 1, last + 1)
    if len(found) < PEAK_WORDS:
        raise ValueError("found holds %d words, %d needed" % (len(found), PEAK_WORDS))
    _peaks(work, first, found, last)


def magnitude(work, k: int) -> int:
    """64 times the root of P[k], rounded down."""
    _bins(work, k, k + 1)
    return _magnitude(work, k)


def _bins(work, first: int, last: int) -> None:
    if not 0 <= first <= last or 2 * last > len(work):
        raise ValueError("bins %d to %d of %d" % (first, last, len(work) >> 1))


# fmt: off
@micropython.viper
def _survey(p: ptr32, v: int, out: ptr32):
    start = int(p)
    end = start + (v << 1)
    n = v >> 3
    s = 0
    while int(p) < end:
        if _WORD_BITS & 32:
            s = (p[3] >> 16) + s
        else:
            s = (ptr16(p)[7] ^ 0x8000) - 0x8000 + s
        p = ptr32(int(p) + 16)
    mean = (s + (n >> 1)) // n
    out[0] = mean
    # Flipping the top bit of a sample read without sign adds 0x8000 to it with sign.
    high = mean + 0x8000
    p = ptr32(start)
    # The top bit of squares or-ed together is that of the largest.
    o = 0
    while int(p) < end:
        if _WORD_BITS & 32:
            o = (v := (p[0] >> 16) - mean) * v | (v := (ptr16(p)[0] ^ 0x8000) - high) * v | o
            o = (v := (p[1] >> 16) - mean) * v | (v := (ptr16(p)[2] ^ 0x8000) - high) * v | o
        else:
            o = (v := (ptr16(p)[0] ^ 0x8000) - high) * v | (v := (ptr16(p)[1] ^ 0x8000) - high) * v | o
            o = (v := (ptr16(p)[2] ^ 0x8000) - high) * v | (v := (ptr16(p)[3] ^ 0x8000) - high) * v | o
        p = ptr32(int(p) + 8)
    v = 34 if o else 0
    while o:
        o = int(uint(o) >> 1)
        v -= 1
    out[1] = (v >> 1) - 1


@micropython.viper
def _load(p: ptr16, v: int, q: ptr32, words: ptr32, points: int, mean: int, shift: int):
    """Four points a quarter of the record apart have windows of one cosine and sine, and meet in the first two stages.

    t: of the table. at: where point r goes, r with its bits mirrored, counted up from the top bit.
    """
    start = int(q)
    stride = 8
    n = points
    while n < 2048:
        stride = stride << 1
        n = n << 1
    t = int(words)
    n = points >> 2
    at = 0
    while n:
        # Real parts: the even sample of each of the four points.
        c = 16384 - ptr32(t)[0]
        s = 16384 + ptr32(t)[1]
        a = (((p[0] ^ 0x8000) - mean) << shift) * c >> 15
        p = ptr16(int(p) + points)
        e = (((p[0] ^ 0x8000) - mean) << shift) * s >> 15
        p = ptr16(int(p) + points)
        v = (((p[0] ^ 0x8000) - mean) << shift) * (32768 - c) >> 15
        b = a - v
        a = v + a
        p = ptr16(int(p) + points)
        v = (((p[0] ^ 0x8000) - mean) << shift) * (32768 - s) >> 15
        d = e - v
        e = v + e
        q[0] = (a + e + 1) >> 2
        q[4] = (a - e + 2) >> 2
        # Imaginary parts: the odd ones, behind the even ones; last quarter first.
        t += stride
        c = 16384 - ptr32(t)[0]
        s = 16384 + ptr32(t)[1]
        t += stride
        a = (((p[1] ^ 0x8000) - mean) << shift) * (32768 - s) >> 15
        p = ptr16(int(p) - points)
        e = (((p[1] ^ 0x8000) - mean) << shift) * (32768 - c) >> 15
        p = ptr16(int(p) - points)
        v = (((p[1] ^ 0x8000) - mean) << shift) * s >> 15
        # a: fourth point; v: second.
        f = v - a
        a = v + a
        p = ptr16(int(p) - points)
        v = (((p[1] ^ 0x8000) - mean) << shift) * c >> 15
        p = ptr16(int(p) + 4)
        g = v - e
        e = v + e
        q[1] = (e + a + 1) >> 2
        q[5] = (e - a + 2) >> 2
        q[2] = (b + f + 1) >> 2
        q[6] = (b - f + 2) >> 2
        q[3] = (g - d + 1) >> 2
        q[7] = (g + d + 2) >> 2
        # Next place: add one at the top bit, carries run down.
        v = points << 2
        while at & v:
            at = at ^ v
            v = v >> 1
        at = at | v
        q = ptr32(start + at)
        n -= 1


@micropython.viper
def _weights(p: ptr16, k: int, a: int, b: int, c: int):
    p[0] = 0
    p[1] = 0
    k = 1
    top = 1 << 14
    while k < 1623:
        k += 1
        p = ptr16(int(p) + 2)
        if not k & (k - 1):
            # A new octave: 2**14 times its first bin.
            top = k << 14
        # 1 / (k + 1 / (2 k)) = 2 k / (2 k**2 + 1) = (1 - 1 / (2 k**2 + 1)) / k
        v = (top + (k >> 1)) // k
        v = v - v // (2 * k * k + 1)
        y = (k * k) >> 8
        y = ((((((c * y) >> 16) + b) * y) >> 16) + a) * y >> 16
        p[1] = (v * (16384 + y) + 8192) >> 14


@micropython.viper
def _ceiling(p: ptr32, v: int, last: int) -> int:
    end = int(p) + (last << 3)
    p = ptr32(int(p) + (v << 3))
    o = 0
    while int(p) < end:
        v = p[0]
        if _WORD_BITS & 64:
            v = (v << 32) >> 32
        o = (v >> 31 ^ v) | o
        v = p[1]
        if _WORD_BITS & 64:
            v = (v << 32) >> 32
        o = (v >> 31 ^ v) | o
        p = ptr32(int(p) + 8)
    v = 0
    while o:
        o = o >> 1
        v += 1
    return v


@micropython.viper
def _power(p: ptr32, v: int, w: ptr16, last: int, shift: int):
    end = int(p) + (last << 3)
    p = ptr32(int(p) + (v << 3))
    w = ptr16(int(w) + (v << 1))
    while int(p) < end:
        u = w[0]
        if _WORD_BITS & 32:
            v = p[0] * u >> shift
            u = p[1] * u >> shift
        else:
            v = ((p[0] << 32) >> 32) * u >> shift
            u = ((p[1] << 32) >> 32) * u >> shift
        v = v * v
        p[0] = u * u + v
        w = ptr16(int(w) + 2)
        p = ptr32(int(p) + 8)


@micropython.viper
def _total(p: ptr32, v: int, last: int, out: ptr32):
    end = int(p) + (last << 3)
    p = ptr32(int(p) + (v << 3))
    low = 0
    high = 0
    while int(p) < end:
        v = p[0]
        low = (v & 0xFFFF) + low
        high = (v >> 16) + high
        p = ptr32(int(p) + 8)
    out[0] = low
    out[1] = high


@micropython.viper
def _peaks(p: ptr32, v: int, found: ptr32, last: int):
    q = found
    end = int(found) + 192
    while int(q) < end:
        q[0] = 0
        q[1] = 0
        q = ptr32(int(q) + 8)
    bottom = end - 8
    k = v
    # p[0], p[2], p[4]: P of k - 1, k, k + 1
    p = ptr32(int(p) + (v << 3) - 8)
    least = 0
    while k < last:
        v = p[2]
        if v > least:
            if v > p[0]:
                if v >= p[4]:
                    q = ptr32(bottom)
                    while int(q) > int(found):
                        r = ptr32(int(q) - 8)
                        if r[0] >= v:
                            break
                        q[0] = r[0]
                        q[1] = r[1]
                        q = r
                    q[0] = v
                    q[1] = k
                    least = ptr32(bottom)[0]
        p = ptr32(int(p) + 8)
        k += 1


@micropython.viper
def _magnitude(p: ptr32, k: int) -> int:
    p = ptr32(int(p) + (k << 3))
    v = p[0]
    return int(root(v >> 20, (v >> 4) & 0xFFFF, (v & 15) << 12))


@micropython.viper
def root(high: int, middle: int, low: int) -> int:
    """Square root, rounded down, of a number in three 16-bit digits, below 2**48."""
    root = 0
    rest = 0
    digit = high
    left = 3
    while left:
        shift = 14
        while shift >= 0:
            rest = (rest << 2) | ((digit >> shift) & 3)
            trial = (root << 2) | 1
            root = root << 1
            if rest >= trial:
                rest = rest - trial
                root = root | 1
            shift -= 2
        digit = middle
        middle = low
        left -= 1
    return root


@micropython.viper
def muldiv(a: int, b: int, c: int) -> int:
    """a * b // c for a, b of 0..2**31 - 1 and c of 1..2**29, where the result is below 2**31."""
    whole = a // c
    part = a - whole * c
    quotient = 0
    rest = 0
    bit = 1 << 15
    bit = bit << 15
    while bit > b:
        bit = bit >> 1
    while bit:
        quotient = quotient << 1
        rest = rest << 1
        if b & bit:
            quotient = quotient + whole
            rest = rest + part
        while rest >= c:
            rest = rest - c
            quotient += 1
        bit = bit >> 1
    return quotient
# fmt: on
