"""Viper kernels: complex FFT, and the one of a real signal through a complex one of half its length. fft_twin.py
defines them.

Data: array('i'), real and imaginary part of a point in turns, so 8 bytes a point. Twiddles: array('i', TABLE_WORDS)
from `table`, cosine and sine in 1/16384 for each 1/4096 of a turn up to a quarter; `table` is called once, at first.
Nothing here allocates.

    load points in bit-reversed order (index with its bits mirrored), |re + j im| < 2**17
    fft.transform(work, points, table)       forward, scaled by 1/points, in natural order; or first() and finish()
    fft.real(work, points, table)            work held x[0] + j x[1], x[2] + j x[3], ...: now bins 0 .. points - 1 of x

Decimation in time, radix 4: the first two stages of radix 2 are one pass without multiplications; then for each
twiddle all the butterflies of four that use it. Where that leaves an odd stage, it is one of radix 2, right behind the
first pass. A quarter of what a butterfly adds up keeps every magnitude below 2**17, so that a product with a twiddle
of 2**14 fits 32 bits.

Rounding decides how small a slow vibration may be beside a large fast one, since velocity divides by frequency. What
is always rounded down piles up in the lowest bins. So products are rounded to the nearest; a quarter's tie goes up in
one pass and down in the next (r); and halves up in one of two numbers and down in the other, so that nothing is left
of it in the lower bins. The error is then white and below one unit of 2**-17 of full scale, in the lowest bins of a
pure tone a quarter of that. The caller loads a small signal shifted up.

Two pointers in the two registers a viper function has, everything else on the stack. int32 data, because packed int16
took half as much again.
"""

from array import array

import micropython
from micropython import const

from node.dsp import word

_WORD_BITS = const(32)

word.require(_WORD_BITS)

MAX_POINTS = 4096
_QUARTER = const(1024)
TABLE_WORDS = 2050
# 1/n! in 2**-28, of cosine and sine in turns, last term first.
_SERIES = array("i", (6658, 740, 372827, 53261, 11184811, 2236962, 134217728, 44739243, 268435456, 268435456))


def table(words) -> None:
    """Fill array('i', TABLE_WORDS) with cosine and sine. Raises ValueError when it is shorter."""
    if len(words) < TABLE_WORDS:
        raise ValueError("table of %d words, %d needed" % (len(words), TABLE_WORDS))
    _table(words, _SERIES)


def transform(work, points: int, words) -> None:
    """See the module. points: a power of 2 of 16..MAX_POINTS. Raises ValueError where a buffer is too short."""
    _check(work, points, words)
    _first(work, points)
    _finish(work, points, words)


def finish(work, points: int, words) -> None:
    """transform of points that went through the first two stages already."""
    _check(work, points, words)
    _finish(work, points, words)


def first(work, points: int) -> None:
    """The first two stages of transform, without their twiddles' table. points: a multiple of 4."""
    if points & 3 or len(work) < 2 * points:
        raise ValueError("%d points" % points)
    _first(work, points)


def real(work, points: int, words) -> None:
    """After transform of packed real samples: bins 0..points - 1 of the real signal of 2 * points samples.

    Bin k is then work[2 * k] and work[2 * k + 1]: 1/points times the sum of x[n] * exp(-j 2 pi k n / (2 * points)).
    The last bin, points, is left out. Raises ValueError as transform does; points at most 2048.
    """
    _check(work, points, words)
    if 2 * points > MAX_POINTS:
        raise ValueError("%d points, at most %d" % (points, MAX_POINTS // 2))
    _split(work, work, words, points)


def _finish(work, points, words) -> None:
    # 0x5555: the powers of 4.
    if points & 0x5555:
        _fours(work, work, words, points, 32, 2048)
    else:
        _twos(work, work, words, points)
        _fours(work, work, words, points, 64, 1024)


def _check(work, points, words) -> None:
    if not 16 <= points <= MAX_POINTS or points & (points - 1):
        raise ValueError("%d points" % points)
    if len(work) < 2 * points or len(words) < TABLE_WORDS:
        raise ValueError("work of %d words, table of %d" % (len(work), len(words)))


# On 64 bit ptr32 loads without a sign: there every shift to the right goes by way of the upper half of the word.
# fmt: off
@micropython.viper
def _first(p: ptr32, points: int):
    """The first two stages: four neighbours make four."""
    end = int(p) + (points << 3)
    while int(p) < end:
        a = p[0] + p[2]
        b = p[0] - p[2]
        c = p[4] + p[6]
        d = p[4] - p[6]
        e = p[1] - p[3]
        f = p[5] - p[7]
        if _WORD_BITS & 32:
            p[0] = (a + c + 1) >> 2
            p[4] = (a - c + 2) >> 2
            a = p[1] + p[3]
            c = p[5] + p[7]
            p[1] = (a + c + 1) >> 2
            p[5] = (a - c + 2) >> 2
            p[2] = (b + f + 1) >> 2
            p[3] = (e - d + 1) >> 2
            p[6] = (b - f + 2) >> 2
            p[7] = (e + d + 2) >> 2
        else:
            p[0] = ((a + c + 1) << 32) >> 34
            p[4] = ((a - c + 2) << 32) >> 34
            a = p[1] + p[3]
            c = p[5] + p[7]
            p[1] = ((a + c + 1) << 32) >> 34
            p[5] = ((a - c + 2) << 32) >> 34
            p[2] = ((b + f + 1) << 32) >> 34
            p[3] = ((e - d + 1) << 32) >> 34
            p[6] = ((b - f + 2) << 32) >> 34
            p[7] = ((e + d + 2) << 32) >> 34
        p = ptr32(int(p) + 32)


@micropython.viper
def _twos(q: ptr32, p: ptr32, words: ptr32, points: int):
    """The third stage, radix 2, where the number of those left is odd. Twiddles: eighths of a turn."""
    start = int(p)
    end = start + (points << 3)
    k = 0
    while k < 4:
        # Half a quarter of the table is an eighth of a turn.
        w = ptr32(int(words) + ((k & 1) << 12))
        c = w[0]
        s = w[1]
        if k >> 1:
            # A quarter turn on: cosine -s, sine c.
            c = 0 - w[1]
            s = w[0]
        p = ptr32(start + (k << 3))
        q = ptr32(int(p) + 32)
        while int(q) < end:
            if _WORD_BITS & 32:
                x = (q[0] * c + q[1] * s + 16384) >> 15
                y = (q[1] * c - q[0] * s + 16384) >> 15
                q[0] = ((p[0] + 1) >> 1) - x
                p[0] = (p[0] >> 1) + x
                q[1] = ((p[1] + 1) >> 1) - y
                p[1] = (p[1] >> 1) + y
            else:
                x = ((q[0] * c + q[1] * s + 16384) << 32) >> 47
                y = ((q[1] * c - q[0] * s + 16384) << 32) >> 47
                q[0] = (((p[0] + 1) << 32) >> 33) - x
                p[0] = ((p[0] << 32) >> 33) + x
                q[1] = (((p[1] + 1) << 32) >> 33) - y
                p[1] = ((p[1] << 32) >> 33) + y
            p = ptr32(int(p) + 64)
            q = ptr32(int(q) + 64)
        k += 1


@micropython.viper
def _fours(q: ptr32, p: ptr32, words: ptr32, points: int, apart: int, stride: int):
    """The others, radix 4. apart: bytes between neighbours of a butterfly's four points; stride: between twiddles.

    With w the k-th twiddle, the points' factors are 1, w**2, w, w**3: two stages of radix 2 left them in that order.
    """
    start = int(p)
    end = start + (points << 3)
    table = int(words)
    r = 2
    while apart < end - start:
        step = apart << 2
        turn = 0
        at = start
        until = start + apart
        while at < until:
            # Until the butterflies p and q are but two registers.
            q = ptr32(turn + table)
            c1 = q[0]
            s1 = q[1]
            # A quarter turn on: cosine -s, sine c; two: -c, -s.
            p = ptr32(turn + turn)
            q = ptr32((int(p) & 8191) + table)
            c2 = q[0]
            s2 = q[1]
            if int(p) >> 13:
                s2 = c2
                c2 = 0 - q[1]
            p = ptr32(int(p) + turn)
            q = ptr32((int(p) & 8191) + table)
            c3 = q[0]
            s3 = q[1]
            p = ptr32(int(p) >> 13)
            if int(p):
                s3 = c3
                c3 = 0 - q[1]
                if int(p) >> 1:
                    c3 = 0 - q[0]
                    s3 = 0 - q[1]
            p = ptr32(at)
            q = ptr32(at + apart)
            while int(q) < end:
                # b, e: second point; c, f: third; m, n: fourth less third, u, v: their sum; k, h: first less second.
                if _WORD_BITS & 32:
                    b = q[0] * c2 + q[1] * s2 + 8192 >> 14
                    e = q[1] * c2 - q[0] * s2 + 8192 >> 14
                    q = ptr32(int(q) + apart)
                    c = q[0] * c1 + q[1] * s1 + 8192 >> 14
                    f = q[1] * c1 - q[0] * s1 + 8192 >> 14
                    q = ptr32(int(q) + apart)
                    u = (m := (q[0] * c3 + q[1] * s3 + 8192 >> 14) - c) + c + c
                    v = (n := (q[1] * c3 - q[0] * s3 + 8192 >> 14) - f) + f + f
                    q[0] = (k := p[0] + r - b) + n >> 2
                    q[1] = (h := p[1] + r - e) - m >> 2
                    q = ptr32(int(q) - apart)
                    q[0] = (t := k + b + b) - u >> 2
                    p[0] = t + u >> 2
                    q[1] = (t := h + e + e) - v >> 2
                    p[1] = t + v >> 2
                    q = ptr32(int(q) - apart)
                    q[0] = k - n >> 2
                    q[1] = h + m >> 2
                else:
                    b = q[0] * c2 + q[1] * s2 + 8192 << 32 >> 46
                    e = q[1] * c2 - q[0] * s2 + 8192 << 32 >> 46
                    q = ptr32(int(q) + apart)
                    c = q[0] * c1 + q[1] * s1 + 8192 << 32 >> 46
                    f = q[1] * c1 - q[0] * s1 + 8192 << 32 >> 46
                    q = ptr32(int(q) + apart)
                    u = (m := (q[0] * c3 + q[1] * s3 + 8192 << 32 >> 46) - c) + c + c
                    v = (n := (q[1] * c3 - q[0] * s3 + 8192 << 32 >> 46) - f) + f + f
                    q[0] = (k := p[0] + r - b) + n << 32 >> 34
                    q[1] = (h := p[1] + r - e) - m << 32 >> 34
                    q = ptr32(int(q) - apart)
                    q[0] = (t := k + b + b) - u << 32 >> 34
                    p[0] = t + u << 32 >> 34
                    q[1] = (t := h + e + e) - v << 32 >> 34
                    p[1] = t + v << 32 >> 34
                    q = ptr32(int(q) - apart)
                    q[0] = k - n << 32 >> 34
                    q[1] = h + m << 32 >> 34
                p = ptr32(int(p) + step)
                q = ptr32(int(q) + step)
            turn += stride
            at += 8
        apart = step
        stride = stride >> 2
        r = 3 - r


@micropython.viper
def _split(p: ptr32, q: ptr32, words: ptr32, points: int):
    """Spectrum of even samples plus turned spectrum of odd ones, bins k and points - k together."""
    stride = 8 << 12
    n = points
    while n:
        stride = stride >> 1
        n = n >> 1
    w = int(words)
    q = ptr32(int(p) + (points << 3))
    # Bin 0: both spectra are real there.
    p[0] = p[0] + p[1]
    p[1] = 0
    n = points >> 1
    while n:
        n -= 1
        w += stride
        p = ptr32(int(p) + 8)
        q = ptr32(int(q) - 8)
        c = ptr32(w)[0]
        s = ptr32(w)[1]
        if _WORD_BITS & 32:
            a = (p[1] + q[1] + 1) >> 1
            b = (q[0] - p[0] + 1) >> 1
            x = (a * c + b * s + 8192) >> 14
            y = (b * c - a * s + 8192) >> 14
            a = (p[0] + q[0]) >> 1
            b = (p[1] - q[1]) >> 1
        else:
            a = ((p[1] + q[1] + 1) << 32) >> 33
            b = ((q[0] - p[0] + 1) << 32) >> 33
            x = (a * c + b * s + 8192) >> 14
            y = (b * c - a * s + 8192) >> 14
            a = ((p[0] + q[0]) << 32) >> 33
            b = ((p[1] - q[1]) << 32) >> 33
        # In the middle both are the same bin, and the first of the two is right.
        q[0] = a - x
        q[1] = y - b
        p[0] = a + x
        p[1] = b + y


@micropython.viper
def _table(p: ptr32, series: ptr32):
    """Cosine and sine of up to an eighth of a turn by their Taylor series, from there mirrored.

    Everything in 2**-28. A product of two such numbers goes by halves of 14 bits, its lowest part left out, so it is
    up to two units too small; that is 1/4000 of a unit of the table.
    """
    last = ptr32(int(p) + (_QUARTER << 3))
    k = 0
    while k <= _QUARTER >> 1:
        # k * 2 pi / 4096: 411774 and 13629 / 2**14 are 2 pi * 2**16.
        x = k * 411774 + ((k * 13629) >> 14)
        h = x >> 14
        m = x & 0x3FFF
        # The square.
        zh = h * h + ((h * m) >> 13)
        zl = zh & 0x3FFF
        zh = zh >> 14
        t = ptr32(int(series))
        c = t[0]
        s = t[1]
        n = 4
        while n:
            n -= 1
            t = ptr32(int(t) + 8)
            c = t[0] - (c >> 14) * zh - (((c >> 14) * zl + (c & 0x3FFF) * zh) >> 14)
            s = t[1] - (s >> 14) * zh - (((s >> 14) * zl + (s & 0x3FFF) * zh) >> 14)
        s = (s >> 14) * h + (((s >> 14) * m + (s & 0x3FFF) * h) >> 14)
        c = (c + 8192) >> 14
        s = (s + 8192) >> 14
        p[0] = c
        p[1] = s
        last[0] = s
        last[1] = c
        p = ptr32(int(p) + 8)
        last = ptr32(int(last) - 8)
        k += 1
# fmt: on
