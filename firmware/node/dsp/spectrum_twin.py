"""The functions of spectrum.py in plain Python, written from the definitions: what the kernels have to equal, bit for
bit."""

from node.dsp import fft_twin

CENTRE = 0
SHIFT = 1
SURVEY_WORDS = 2
SUM_LOW = 0
SUM_HIGH = 1
PEAKS = 24
PEAK_WORDS = 2 * PEAKS
WEIGHTS = 1624

_DROOP = (5053, 909, 130)


def survey(record, n: int, out) -> None:
    """Mean of every eighth sample, and the shift that takes the largest distance from it just below 2**16."""
    if n < 8 or n & 7 or n > len(record) or len(out) < SURVEY_WORDS:
        raise ValueError("%d samples of %d" % (n, len(record)))
    centre = (sum([record[i] for i in range(7, n, 8)]) + n // 16) // (n // 8)
    span = max([abs(record[i] - centre) for i in range(n)])
    shift = -1
    while span and span << (shift + 1) < 65536:
        shift += 1
    out[CENTRE], out[SHIFT] = centre, shift


def load(record, n: int, centre: int, shift: int, work, words) -> None:
    """Window (1 - cos) / 2, pairs as complex points in bit-reversed order, first two stages."""
    if not 32 <= n <= 4096 or n & (n - 1) or n > len(record) or n > len(work) or len(words) < 2050:
        raise ValueError("%d samples of %d, work of %d words" % (n, len(record), len(work)))
    points = n // 2
    step = 4096 // n
    for point in range(points):
        mirrored = 0
        bit = 1
        while bit < points:
            mirrored = 2 * mirrored + (1 if point & bit else 0)
            bit *= 2
        for part in range(2):
            i = 2 * point + part
            work[2 * mirrored + part] = ((record[i] - centre) << shift) * (16384 - _cosine(words, i * step)) >> 15
    fft_twin.first(work, points)


def _cosine(words, k):
    """Of k / 4096 of a turn, k below 4096."""
    quarter, k = k // 1024, k % 1024
    if quarter == 0:
        return words[2 * k]
    if quarter == 1:
        return -words[2 * k + 1]
    return -words[2 * k] if quarter == 2 else words[2 * k + 1]


def weights(factor: int, table) -> None:
    """2**14 times 2**m / (k + 1 / (2 k)) over the decimator's gain at bin k, m the octave of k. Bins 0 and 1: none."""
    if len(table) < WEIGHTS:
        raise ValueError("weights hold %d, %d needed" % (len(table), WEIGHTS))
    a, b, c = _DROOP if factor == 8 else (0, 0, 0)
    table[0] = table[1] = 0
    for k in range(2, WEIGHTS):
        octave = 1
        while 2 * octave <= k:
            octave *= 2
        v = ((octave << 14) + k // 2) // k
        v -= v // (2 * k * k + 1)
        y = k * k // 256
        y = ((((c * y) // 65536 + b) * y) // 65536 + a) * y // 65536
        table[k] = (v * (16384 + y) + 8192) // 16384


def ceiling(work, first: int, last: int) -> int:
    """Bits in the largest real or imaginary part of bins first..last - 1."""
    _bins(work, first, last)
    bits = 0
    for i in range(2 * first, 2 * last):
        value = work[i] if work[i] >= 0 else -1 - work[i]
        while value >> bits:
            bits += 1
    return bits


def power(work, table, first: int, last: int, shift: int) -> None:
    """work[2 * k] = |X[k] * table[k] >> shift|**2 for bins first..last - 1."""
    _bins(work, first, last)
    if last > len(table):
        raise ValueError("weights end at %d" % len(table))
    for k in range(first, last):
        re = work[2 * k] * table[k] >> shift
        im = work[2 * k + 1] * table[k] >> shift
        work[2 * k] = re * re + im * im


def total(work, first: int, last: int, out) -> None:
    """Sums of the lower and of the upper 16 bits of P[first..last - 1]."""
    _bins(work, first, last)
    out[SUM_LOW] = sum([work[2 * k] & 0xFFFF for k in range(first, last)])
    out[SUM_HIGH] = sum([work[2 * k] >> 16 for k in range(first, last)])


def peaks(work, first: int, last: int, found) -> None:
    """The largest local maxima, equal ones in order of frequency."""
    _bins(work, first - 1, last + 1)
    if len(found) < PEAK_WORDS:
        raise ValueError("found holds %d words, %d needed" % (len(found), PEAK_WORDS))
    tops = []
    for k in range(first, last):
        value = work[2 * k]
        if value > work[2 * k - 2] and value >= work[2 * k + 2] and value > 0:
            tops.append((-value, k))
    tops.sort()
    for i in range(PEAKS):
        found[2 * i], found[2 * i + 1] = (-tops[i][0], tops[i][1]) if i < len(tops) else (0, 0)


def magnitude(work, k: int) -> int:
    """64 times the root of P[k], rounded down."""
    _bins(work, k, k + 1)
    return _root(work[2 * k] << 12)


def root(high: int, middle: int, low: int) -> int:
    """Square root, rounded down, of a number in three 16-bit digits."""
    return _root((high << 32) + (middle << 16) + low)


def muldiv(a: int, b: int, c: int) -> int:
    """a * b // c."""
    return a * b // c


def _root(value):
    guess = 1 << 24
    while value:
        better = (guess + value // guess) // 2
        if better >= guess:
            return guess
        guess = better
    return 0


def _bins(work, first: int, last: int) -> None:
    if not 0 <= first <= last or 2 * last > len(work):
        raise ValueError("bins %d to %d of %d" % (first, last, len(work) >> 1))
