"""The functions of fft.py in plain Python: what the kernels have to equal, bit for bit."""

import math

MAX_POINTS = 4096
TABLE_WORDS = 2050


def table(words) -> None:
    """Cosine and sine of k / 4096 of a turn, k = 0..1024, in 1/16384, rounded to the nearest."""
    if len(words) < TABLE_WORDS:
        raise ValueError("table of %d words, %d needed" % (len(words), TABLE_WORDS))
    for k in range(1025):
        angle = 2 * math.pi * k / 4096
        words[2 * k] = math.floor(16384 * math.cos(angle) + 0.5)
        words[2 * k + 1] = math.floor(16384 * math.sin(angle) + 0.5)


def transform(work, points: int, words) -> None:
    """Points in bit-reversed order -> their discrete Fourier transform over `points`, in natural order."""
    _check(work, points, words)
    first(work, points)
    finish(work, points, words)


def first(work, points: int) -> None:
    """The first two stages at once, rounded once: by a quarter up or a half, which comes to nothing on the whole."""
    if points & 3 or len(work) < 2 * points:
        raise ValueError("%d points" % points)
    for i in range(0, 2 * points, 8):
        ar, ai, br, bi, cr, ci, dr, di = [work[i + k] for k in range(8)]
        work[i] = (ar + br + cr + dr + 1) >> 2
        work[i + 1] = (ai + bi + ci + di + 1) >> 2
        work[i + 2] = (ar - br + ci - di + 1) >> 2
        work[i + 3] = (ai - bi - cr + dr + 1) >> 2
        work[i + 4] = (ar + br - cr - dr + 2) >> 2
        work[i + 5] = (ai + bi - ci - di + 2) >> 2
        work[i + 6] = (ar - br - ci + di + 2) >> 2
        work[i + 7] = (ai - bi + cr - dr + 2) >> 2


def finish(work, points: int, words) -> None:
    """The stages from the third on: one of radix 2 where their number is odd, then radix 4."""
    _check(work, points, words)
    apart = 4
    left = points // 4
    while left >= 4:
        left //= 4
    if left == 2:
        _twos(work, points, words)
        apart = 8
    tie = 2
    while apart < points:
        for k in range(apart):
            turns = [_turn(words, times * k * (1024 // apart)) for times in (2, 1, 3)]
            for a in range(k, points, 4 * apart):
                _four(work, a, apart, turns, tie)
        apart *= 4
        tie = 3 - tie


def _twos(work, points, words):
    """Products to the nearest, halves down in one result, which leads to the lowest bins, and up in the other."""
    for k in range(4):
        turn = _turn(words, 512 * k)
        for a in range(k, points, 8):
            b = a + 4
            re, im = _product(work, b, turn)
            re, im = (re + 16384) >> 15, (im + 16384) >> 15
            work[2 * b], work[2 * b + 1] = ((work[2 * a] + 1) >> 1) - re, ((work[2 * a + 1] + 1) >> 1) - im
            work[2 * a], work[2 * a + 1] = (work[2 * a] >> 1) + re, (work[2 * a + 1] >> 1) + im


def _four(work, a, apart, turns, tie):
    """Products to the nearest, quarters as well; halves among them go up where tie is 2, down where it is 1."""
    places = [a + i * apart for i in range(4)]
    re, im = work[2 * a] + tie, work[2 * a + 1] + tie
    b, c, d = [[(part + 8192) >> 14 for part in _product(work, place, turn)] for place, turn in zip(places[1:], turns)]
    results = (
        (re + b[0] + c[0] + d[0], im + b[1] + c[1] + d[1]),
        (re - b[0] + c[1] - d[1], im - b[1] - c[0] + d[0]),
        (re + b[0] - c[0] - d[0], im + b[1] - c[1] - d[1]),
        (re - b[0] - c[1] + d[1], im - b[1] + c[0] - d[0]),
    )
    for place, (re, im) in zip(places, results):
        work[2 * place], work[2 * place + 1] = re >> 2, im >> 2


def _product(work, place, turn):
    """A point times a twiddle, in 1/16384."""
    c, s = turn
    re, im = work[2 * place], work[2 * place + 1]
    return re * c + im * s, im * c - re * s


def real(work, points: int, words) -> None:
    """Transform of pairs of real samples -> bins of those samples."""
    _check(work, points, words)
    if 2 * points > MAX_POINTS:
        raise ValueError("%d points, at most %d" % (points, MAX_POINTS // 2))
    work[0], work[1] = work[0] + work[1], 0
    for k in range(1, points // 2 + 1):
        m = points - k
        c, s = _turn(words, k * (2048 // points))
        # Halves up here and down below: of the lower bins nothing is left of either.
        a = (work[2 * k + 1] + work[2 * m + 1] + 1) >> 1
        b = (work[2 * m] - work[2 * k] + 1) >> 1
        x = (a * c + b * s + 8192) >> 14
        y = (b * c - a * s + 8192) >> 14
        a = (work[2 * k] + work[2 * m]) >> 1
        b = (work[2 * k + 1] - work[2 * m + 1]) >> 1
        work[2 * m], work[2 * m + 1] = a - x, y - b
        work[2 * k], work[2 * k + 1] = a + x, b + y


def _turn(words, k):
    """Cosine and sine of k / 4096 of a turn, k below 3072."""
    c, s = words[2 * (k & 1023)], words[2 * (k & 1023) + 1]
    return ((c, s), (-s, c), (-c, -s))[k >> 10]


def _check(work, points, words) -> None:
    if not 16 <= points <= MAX_POINTS or points & (points - 1):
        raise ValueError("%d points" % points)
    if len(work) < 2 * points or len(words) < TABLE_WORDS:
        raise ValueError("work of %d words, table of %d" % (len(work), len(words)))
