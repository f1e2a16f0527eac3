"""The functions of moments.py in plain Python, at whole-number precision: what the kernels have to equal, bit for bit.

The steps are named in moments.py. Words of `out` behind SKEWNESS_C are the kernels' own and are left alone here.
"""

from node.dsp import twin as stats

VALID = 0
KURTOSIS_C = 1
SKEWNESS_C = 2
WORDS = 11


def summary(buf, n: int, words, out) -> None:
    """VALID, KURTOSIS_C and SKEWNESS_C of buf[:n]. words: what stats.summary said of the same samples."""
    if not 0 <= n <= stats.MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), stats.MAX_SAMPLES))
    if len(words) < stats.WORDS or len(out) < WORDS:
        raise ValueError("words and out hold %d and %d, %d and %d needed" % (len(words), len(out), stats.WORDS, WORDS))
    out[VALID] = out[KURTOSIS_C] = out[SKEWNESS_C] = 0
    if n == 0 or words[stats.PEAK_TO_PEAK] == 0:
        return
    mean, peak = words[stats.MEAN], words[stats.PEAK]
    half = 1 if peak > 32767 else 0
    k = cut((peak + 1) // 2 if half else peak)
    cubes = fourths = 0
    for i in range(n):
        v = (buf[i] - mean) >> half
        e = (v * v + ((2 * (i % 4) + 1) << k >> 3)) >> k
        cubes += e * v
        fourths += e * e
    spread = (words[stats.SPREAD_HIGH] << 32) + (words[stats.SPREAD_LOW] & 0xFFFFFFFF)
    _finish(n, words[stats.SUM] - n * mean, k, half, (cubes, fourths, spread), out)
    out[VALID] = 1


def cut(peak: int) -> int:
    """Bits by which squares are shifted down so that sums of eight products fit a word. peak: 0..32768."""
    bits = 0
    limit = 2**14 if peak < 2**14 else 2**13
    while (peak * peak + 7 * 2**bits // 8) >> bits >= limit:
        bits += 1
    return bits


def _finish(n, rest, k, half, sums, out):
    cubes, fourths, spread = sums
    count, scale = n, 0
    while count < 16384:
        count, scale = 2 * count, scale + 1
    square_cut = k + 2 * half

    # Variance q * 2**x and its root sigma * 2**y.
    mantissa, exponent = _normal(spread)
    q, x = mantissa // count, exponent - 10 + scale
    while q >= 32768:
        q, x = q // 2, x + 1
    sigma = stats.root(q << 15 if x % 2 else q << 14)
    y = (x - 15) // 2 if x % 2 else (x - 14) // 2

    mantissa, exponent = _normal(fourths)
    a4 = _shifted(_ratio(mantissa // count, q * q // 2**14), exponent + scale + 2 * square_cut - 16 - 2 * x)
    mantissa, exponent = _normal(abs(cubes))
    a3 = _shifted(_ratio(mantissa // count, q * sigma // 2**14), exponent + scale + k + 3 * half - 16 - x - y)
    if cubes < 0:
        a3 = -a3

    z, up = abs(rest), 0
    if z:
        while z < 16384:
            z, up = 2 * z, up + 1
        z = _shifted(2**14 * (2**15 * z // sigma) // count, scale - up - 15 - y)
    if rest < 0:
        z = -z

    square = z * z // 2**14
    cube = square * z // 2**14
    a4 -= 4 * ((a3 // 64 * z // 256) + (a3 % 64 * z // 2**14))
    a4 += (6 * square + 3 * (square * square // 2**14)) // 4
    a3 -= (3 * z + cube) // 4
    out[KURTOSIS_C] = _hundredths(a4)
    out[SKEWNESS_C] = _hundredths(a3)


def _ratio(above, below):
    return (2**14 * above + below // 2) // below


def _hundredths(value):
    return value // 4096 * 100 + (value % 4096 * 100 + 2048) // 4096


def _shifted(value, by):
    """value times 2**by, rounded to the nearest."""
    if by >= 0:
        return value << by
    if by < -30:
        return 0
    return ((value >> (-1 - by)) + 1) >> 1


def _normal(value):
    """(mantissa in 2**29..2**30, exponent) of a whole number, (0, 0) of 0."""
    if value == 0:
        return 0, 0
    exponent = 0
    while value >= 2**30:
        value, exponent = value // 2, exponent + 1
    while value < 2**29:
        value, exponent = value * 2, exponent - 1
    return value, exponent
