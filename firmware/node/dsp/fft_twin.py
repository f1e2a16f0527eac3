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
    """The stages from the third on. Products to the nearest, the rest down and up in turns."""
    _check(work, points, words)
    half = 4
    r = 0
    while half < points:
        for j in range(half):
            c, s = _turn(words, j * (2048 // half))
            for a in range(j, points, 2 * half):
                b = a + half
                x = (work[2 * b] * c + work[2 * b + 1] * s + 16384) >> 15
                # Of the second half of the turn the kernel computes the opposite: halves then go down.
                if 2 * j < half:
                    y = (work[2 * b + 1] * c - work[2 * b] * s + 16384) >> 15
                else:
                    y = -((work[2 * b] * s - work[2 * b + 1] * c + 16384) >> 15)
                re = (work[2 * a] + r) >> 1
                im = (work[2 * a + 1] + r) >> 1
                work[2 * a], work[2 * a + 1] = re + x, im + y
                work[2 * b], work[2 * b + 1] = re - x, im - y
        half *= 2
        r = 1 - r


def real(work, points: int, words) -> None:
    """Transform of pairs of real samples -> bins of those samples."""
    _check(work, points, words)
    if 2 * points > MAX_POINTS:
        raise ValueError("%d points, at most %d" % (points, MAX_POINTS // 2))
    work[0], work[1] = work[0] + work[1], 0
    for k in range(1, points // 2 + 1):
        m = points - k
        c, s = _turn(words, k * (2048 // points))
        a = (work[2 * k + 1] + work[2 * m + 1]) >> 1
        b = (work[2 * m] - work[2 * k]) >> 1
        x = (a * c + b * s + 8192) >> 14
        y = (b * c - a * s + 8192) >> 14
        a = (work[2 * k] + work[2 * m]) >> 1
        b = (work[2 * k + 1] - work[2 * m + 1]) >> 1
        work[2 * m], work[2 * m + 1] = a - x, y - b
        work[2 * k], work[2 * k + 1] = a + x, b + y


def _turn(words, k):
    """Cosine and sine of k / 4096 of a turn, k below 2048."""
    if k < 1024:
        return words[2 * k], words[2 * k + 1]
    return -words[2 * k - 2047], words[2 * k - 2048]


def _check(work, points, words) -> None:
    if not 16 <= points <= MAX_POINTS or points & (points - 1):
        raise ValueError("%d points" % points)
    if len(work) < 2 * points or len(words) < TABLE_WORDS:
        raise ValueError("work of %d words, table of %d" % (len(work), len(words)))
