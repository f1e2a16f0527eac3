"""Viper kernels: kurtosis and skewness of a block about its exact mean. moments_twin.py defines them, bit for bit.

    stats.summary(buf, n, words); moments.summary(buf, n, words, out); out[VALID], out[KURTOSIS_C], out[SKEWNESS_C]

Kurtosis is mean((x-m)**4) / var**2 (Gaussian 3, sine 1.5, square wave 1), skewness mean((x-m)**3) / var**1.5. Buffers
are those of stats.py: buf array('h'), words array('i') as stats.summary left it for this very block, out array('i',
WORDS zeros). Nothing here allocates.

Words of `out`:
  VALID         1, or 0 when the block has no variance (nothing to divide by): the other two are 0 then and mean nothing
  KURTOSIS_C    kurtosis in 1/100, rounded; at most 100 * n
  SKEWNESS_C    skewness in 1/100, rounded, signed
  the rest      sums between the passes

One pass sums e * v and e * e, where v is the distance from the rounded mean and e its square cut to 14 bits: shifted
down by as much as the block's peak asks for, so nothing is cut below a peak of 128 counts and a small signal keeps all
it has. Sums of eight then fit a word and are split into 64 bits once per eight samples, as in stats.py. What is cut
off e is rounded at 1/8, 3/8, 5/8 and 7/8 in turns, or a constant amplitude would be off the same way every time. The
mean is not whole, so the sums are moved to it at the end (z below), which matters for small signals. The second moment
is exact: stats has it.

From a peak of 16384 e keeps 13 bits, and one of 32768 or more (a block hard against one stop that swings to the other)
takes the slow path on halves, one sample at a time.

Error against float64, beyond the rounding to 1/100: under 0.1 % from 20 counts RMS to full scale and kurtosis 1 to 30
on sines, squares, Gaussian and impulsive noise; 0.2 % on the worst there is, a constant amplitude with one spike in it.
"""

import micropython
from micropython import const

from node.dsp import stats, word
from node.dsp.stats import root

_WORD_BITS = const(32)

word.require(_WORD_BITS)

VALID = 0
KURTOSIS_C = 1
SKEWNESS_C = 2
WORDS = 11

# Bits e is cut by, v is halved by. Words 5 and 6, 7 and 8, 9 and 10 are the sums of e * v, of e * e, and spread.
_CUT = 3
_HALF = 4


def summary(buf, n: int, words, out) -> None:
    """VALID, KURTOSIS_C and SKEWNESS_C of buf[:n]. words: what stats.summary said of the same samples.

    Raises ValueError when n is negative, more than stats.MAX_SAMPLES or more than buf holds, or words or out are short.
    """
    # The kernels write and read through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= n <= stats.MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), stats.MAX_SAMPLES))
    if len(words) < stats.WORDS or len(out) < WORDS:
        raise ValueError("words and out hold %d and %d, %d and %d needed" % (len(words), len(out), stats.WORDS, WORDS))
    out[VALID] = out[KURTOSIS_C] = out[SKEWNESS_C] = 0
    if n == 0 or words[stats.PEAK_TO_PEAK] == 0:
        return
    peak = words[stats.PEAK]
    out[_HALF] = half = 1 if peak > 32767 else 0
    out[_CUT] = cut((peak + 1) >> 1 if half else peak)
    mean = words[stats.MEAN]
    _sums(buf, n, out, mean)
    _spread(words, out)
    # From here and not from _finish: between viper functions a pointer goes as a number, and where memory lies beyond
    # 2**30 (ESP32-C6) that takes heap.
    cubes = _normal(out, 5)
    fourths = _normal(out, 7)
    _normal(out, 9)
    _finish(n, words[stats.SUM] - n * mean, out, cubes, fourths)
    out[VALID] = 1


def cut(peak: int) -> int:
    """Bits by which squares are shifted down so that sums of eight products fit a word. peak: 0..32768."""
    # What follows would give the same, but beyond 2**30 it would take heap.
    if peak > 32766:
        return 18
    bits = 0
    limit = 1 << 14 if peak < 1 << 14 else 1 << 13
    # What is added before the shift may round the largest up.
    while (peak * peak + ((7 << bits) >> 3)) >> bits >= limit:
        bits += 1
    return bits


# fmt: off
@micropython.viper
def _sums(p: ptr16, v: int, out: ptr32, mean: int):
    k = out[3]
    half = out[4]
    e = 0
    s = 0
    t = 0
    a3 = 0
    h3 = 0
    a4 = 0
    h4 = 0
    one = (1 << k) >> 3
    three = (3 << k) >> 3
    five = (5 << k) >> 3
    seven = (7 << k) >> 3
    start = int(p)
    end = start + (v << 1)
    # Flipping the top bit of a sample read without sign adds 0x8000 to it with sign.
    mean = mean + 0x8000

    if _WORD_BITS & 32:
        stop = start if half else start + ((v >> 3) << 4)
        while int(p) < stop:
            s = ((e := (v := (p[0] ^ 0x8000) - mean) * v + one >> k) * v
                + (f := (v := (p[1] ^ 0x8000) - mean) * v + three >> k) * v)
            t = (v := e) * v + (v := f) * v
            s = ((e := (v := (p[2] ^ 0x8000) - mean) * v + five >> k) * v
                + (f := (v := (p[3] ^ 0x8000) - mean) * v + seven >> k) * v + s)
            t = (v := e) * v + (v := f) * v + t
            s = ((e := (v := (p[4] ^ 0x8000) - mean) * v + one >> k) * v
                + (f := (v := (p[5] ^ 0x8000) - mean) * v + three >> k) * v + s)
            t = (v := e) * v + (v := f) * v + t
            s = ((e := (v := (p[6] ^ 0x8000) - mean) * v + five >> k) * v
                + (f := (v := (p[7] ^ 0x8000) - mean) * v + seven >> k) * v + s)
            t = (v := e) * v + (v := f) * v + t
            a3 = s + a3
            h3 = (s >> 16) + h3
            a4 = t + a4
            h4 = int(uint(t) >> 16) + h4
            p = ptr16(int(p) + 16)

    # One at a time: the tail, the slow path, and everything on a 64-bit word.
    one = 1
    while int(p) < end:
        v = (p[0] ^ 0x8000) - mean >> half
        e = v * v + ((one << k) >> 3) >> k
        one = (one + 2) & 7
        s = e * v
        t = e * e
        a3 = s + a3
        h3 = (s >> 16) + h3
        a4 = t + a4
        h4 = (t >> 16) + h4
        p = ptr16(int(p) + 2)

    out[5] = a3
    t = a3 - (h3 << 16)
    out[6] = (h3 >> 16) + (((h3 & 0xFFFF) + (t >> 16)) >> 16)
    out[7] = a4
    t = a4 - (h4 << 16)
    out[8] = (h4 >> 16) + (((h4 & 0xFFFF) + (t >> 16)) >> 16)
# fmt: on


@micropython.viper
def _spread(words: ptr32, out: ptr32):
    out[9] = words[9]
    out[10] = words[10]


@micropython.viper
def _finish(n: int, rest: int, out: ptr32, cubes: int, fourths: int):
    """Kurtosis and skewness from the sums. rest: sum of the samples less n times the mean they were summed about.

    cubes, fourths: signs of theirs. Every number here is a mantissa of 15 bits or so and an exponent. With q for the
    spread per sample (1024 times the variance), `sigma` its root, z = rest / n / sigma, and a3, a4 the moments about
    the rounded mean over powers of sigma, moving to the exact mean gives  skewness = a3 - 3 z - z**3,
    kurtosis = a4 - 4 z a3 + 6 z**2 + 3 z**4.
    """
    k = out[3]

    scale = 0
    while n < 16384:
        n = n << 1
        scale += 1

    # Variance: q * 2**x, q in 2**14..2**15.
    q = out[9] // n
    x = out[10] - 64 - 10 + scale
    while q >> 15:
        q = q >> 1
        x += 1
    if x & 1:
        sigma = q << 15
        y = (x - 15) >> 1
    else:
        sigma = q << 14
        y = (x - 14) >> 1
    sigma = int(root(0, sigma >> 16, sigma & 0xFFFF))

    # Fourth moment over variance squared, in 1/4096.
    t = (q * q) >> 14
    a4 = (((out[7] // n) << 14) + (t >> 1)) // t
    a4 = int(_shifted(a4, out[8] - 64 + scale + 2 * (k + out[4] + out[4]) - 28 - 2 * x + 12))
    if fourths == 0:
        a4 = 0

    # Third moment over sigma cubed, in 1/4096.
    t = (q * sigma) >> 14
    a3 = (((out[5] // n) << 14) + (t >> 1)) // t
    a3 = int(_shifted(a3, out[6] - 64 + scale + k + 3 * out[4] - 28 - x - y + 12))
    if cubes == 0:
        a3 = 0
    if cubes < 0:
        a3 = 0 - a3

    # z, in 1/16384.
    z = rest
    if rest < 0:
        z = 0 - rest
    if z:
        t = 0
        while z < 16384:
            z = z << 1
            t += 1
        z = (((z << 15) // sigma) << 14) // n
        z = int(_shifted(z, scale - t - 15 - y))
    if rest < 0:
        z = 0 - z

    square = z * z >> 14
    cube = square * z >> 14
    a4 = a4 - 4 * ((((a3 >> 6) * z) >> 8) + (((a3 & 63) * z) >> 14))
    a4 = a4 + ((6 * square + 3 * (square * square >> 14)) >> 2)
    a3 = a3 - ((3 * z + cube) >> 2)
    out[1] = (a4 >> 12) * 100 + (((a4 & 4095) * 100 + 2048) >> 12)
    out[2] = (a3 >> 12) * 100 + (((a3 & 4095) * 100 + 2048) >> 12)


@micropython.viper
def _shifted(value: int, by: int) -> int:
    """value times 2**by, rounded to the nearest. value below 2**30, as the result has to be."""
    if by >= 0:
        return value << by
    if by < -30:
        return 0
    return ((value >> (-1 - by)) + 1) >> 1


@micropython.viper
def _normal(words: ptr32, at: int) -> int:
    """Two words of a signed 64-bit number at `at` become a mantissa in 2**29..2**30 and an exponent plus 64.

    Returns the sign: -1, 0 (then the words are 0 and 64) or 1. Magnitude below 2**61.
    """
    words = ptr32(int(words) + (at << 2))
    low = words[0] & 0xFFFF
    second = (words[0] >> 16) & 0xFFFF
    third = words[1] & 0xFFFF
    high = (words[1] >> 16) & 0xFFFF
    sign = 1
    if high >> 15:
        sign = -1
        low = (low ^ 0xFFFF) + 1
        second = (second ^ 0xFFFF) + (low >> 16)
        third = (third ^ 0xFFFF) + (second >> 16)
        high = ((high ^ 0xFFFF) + (third >> 16)) & 0xFFFF
        low = low & 0xFFFF
        second = second & 0xFFFF
        third = third & 0xFFFF
    if low | second | third | high:
        high = (high << 16) | third
        exponent = 32
        while high < 0x20000000:
            high = (high << 1) | (second >> 15)
            second = ((second << 1) & 0xFFFF) | (low >> 15)
            low = (low << 1) & 0xFFFF
            exponent -= 1
        words[0] = high
        words[1] = exponent + 64
        return sign
    words[0] = 0
    words[1] = 64
    return 0
