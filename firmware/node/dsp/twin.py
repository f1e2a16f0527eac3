"""The functions of stats.py in plain Python, written from the definitions: what the kernels have to equal, bit for bit.

Runs on CPython and MicroPython, at whole-number precision, about a hundred times slower and with allocation.
"""

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

MAX_SAMPLES = 32768


def fused(buf, n: int, out) -> None:
    """Sum, exact sum of squares and largest square of buf[:n] into the first four words of out."""
    _check(buf, n, out)
    total = squares = peak = 0
    for i in range(n):
        x = buf[i]
        total += x
        squares += x * x
        if x * x > peak:
            peak = x * x
    out[SUM] = total
    out[SQUARES_LOW] = low_word(squares)
    out[SQUARES_HIGH] = squares >> 32
    out[PEAK_SQUARED] = peak


def fused_result(out) -> tuple:
    """(sum, sum of squares, largest absolute value) of the last fused(), as exact ints."""
    squares = (out[SQUARES_HIGH] << 32) + (out[SQUARES_LOW] & 0xFFFFFFFF)
    return out[SUM], squares, root(out[PEAK_SQUARED])


def summary(buf, n: int, out) -> None:
    """Every word of out for buf[:n]; all zero for n = 0."""
    fused(buf, n, out)
    total, squares, peak = fused_result(out)
    if n == 0:
        for word in range(MEAN, WORDS):
            out[word] = 0
        return
    out[MEAN] = (total + n // 2) // n
    # round(16 * rms) = floor((floor(32 * rms) + 1) / 2)
    out[RMS_X16] = (root(1024 * (n * squares - total * total) // (n * n)) + 1) // 2
    out[PEAK_RAW] = peak
    out[PEAK] = peak_about(buf, n, out[MEAN])
    out[PEAK_TO_PEAK] = max(buf[:n]) - min(buf[:n])
    spread = 1024 * (n * squares - total * total) // n
    out[SPREAD_LOW] = low_word(spread)
    out[SPREAD_HIGH] = spread >> 32


def peak_about(buf, n: int, centre: int) -> int:
    """Largest |x - centre| of buf[:n], 0 when n is 0."""
    if not -32768 <= centre <= 32767:
        raise ValueError("centre outside int16")
    _check(buf, n, None)
    peak = 0
    for i in range(n):
        peak = max(peak, abs(buf[i] - centre))
    return peak


def low_word(value: int) -> int:
    """The lower 32 bits of a number as an array('i') holds them."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def root(value: int) -> int:
    """Square root of a whole number, rounded down (Newton's method from above)."""
    if value == 0:
        return 0
    guess = 1 << ((_bits(value) + 1) // 2)
    while True:
        better = (guess + value // guess) // 2
        if better >= guess:
            return guess
        guess = better


def _bits(value):
    count = 0
    while value:
        value >>= 1
        count += 1
    return count


def _check(buf, n, out) -> None:
    if not 0 <= n <= MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), MAX_SAMPLES))
    if out is not None and len(out) < WORDS:
        raise ValueError("out holds %d words, %d needed" % (len(out), WORDS))
