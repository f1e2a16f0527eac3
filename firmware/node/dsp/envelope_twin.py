"""The functions of envelope.py in plain Python, at whole-number precision: what the kernels have to equal, bit for bit.

The steps are named in envelope.py. Words of `out` behind SKIPPED are the kernels' own and are left alone here.
"""

from node.dsp import envelope_state
from node.dsp import twin as stats
from node.dsp.envelope_state import ALPHA, GROUP_BITS, LAST, LEFT, LEFT_OVER, POLES, SETTLE

VALID = 0
RMS_X16 = 1
PEAK_X16 = 2
POINTS = 3
SHIFT = 4
GROUP = 5
SKIPPED = 6
WORDS = 12

SPARE = 7

_MEMORY = 9


def summary(buf, n: int, mean: int, state, work, out) -> None:
    """VALID to SKIPPED of out for buf[:n], the block that follows the last one (or the first after state.reset())."""
    if not 0 <= n <= stats.MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), stats.MAX_SAMPLES))
    if len(work) < n + SPARE or len(out) < WORDS:
        raise ValueError("work and out hold %d and %d, %d and %d needed" % (len(work), len(out), n + SPARE, WORDS))
    words = state.words
    if len(words) != envelope_state.WORDS:
        raise ValueError("not a State of envelope_state")
    for word in range(WORDS):
        out[word] = 0
    if n == 0 or not state.usable:
        return
    state.begin(mean)
    group = 1 << words[GROUP_BITS]
    waiting = [words[LEFT_OVER + i] for i in range(words[LEFT])] + _band(buf, n, words)
    points = len(waiting) // group
    left = waiting[points * group :]
    words[LEFT] = len(left)
    for i in range(len(left)):
        words[LEFT_OVER + i] = left[i]

    shift = _scale(waiting, words)
    squares = [sum([(w >> shift) ** 2 for w in waiting[i * group : (i + 1) * group]]) for i in range(points)]
    skipped = min(points, words[SETTLE])
    words[SETTLE] -= skipped
    smooth = _smooth(squares, words)
    for i in range(points):
        work[i] = smooth[i]
    out[POINTS], out[SHIFT], out[GROUP], out[SKIPPED] = points, shift, group, skipped
    if points > skipped:
        total = sum(squares[skipped:])
        out[RMS_X16] = _counts(2048 * total // ((points - skipped) * group), shift)
        out[PEAK_X16] = _counts(2048 * max(smooth[skipped:]) // group, shift)
        out[VALID] = 1


def _band(buf, n, words):
    """The three biquads: outputs in 1/16 count."""
    g1, c1, d1, g2, c2, d2, g3, c3, d3 = words[:_MEMORY]
    xa, xb, wa, wb, ya, yb, za, zb, e1, e2 = words[_MEMORY:POLES]
    found = []
    for i in range(n):
        x = buf[i]
        exact = g1 * (x - 2 * xa + xb) + c1 * wa + d1 * wb + e1
        w, e1 = exact // 16384, exact % 16384
        exact = g2 * (w - wb) + c2 * ya + d2 * yb + e2
        y, e2 = exact // 16384, exact % 16384
        exact = g3 * (y + 2 * ya + yb) + c3 * za + d3 * zb
        z = (exact + 8192) // 16384
        if not -(2**31) <= exact < 2**31:
            raise ValueError("more than the kernel's words hold")
        found.append(exact // 1024)
        xa, xb, wa, wb, ya, yb, za, zb = x, xa, w, wa, y, ya, z, za
    for at, value in enumerate((xa, xb, wa, wb, ya, yb, za, zb, e1, e2)):
        words[_MEMORY + at] = value
    return found


def _scale(waiting, words):
    """Bits by which outputs are shifted down before squaring."""
    bits = 15 - (words[GROUP_BITS] + 1) // 2
    most = 0
    for w in waiting:
        # Of the negatives -1 less: what is one less than a power of two needs no more bits than that.
        most = max(most, w if w >= 0 else -1 - w)
    shift = 0
    while most >= 2 ** (bits + shift):
        shift += 1
    now = words[envelope_state.SHIFT]
    poles = list(words[POLES : LAST + 1])
    while now < shift:
        poles = [pole >> 2 for pole in poles]
        now += 1
    while now > shift and max(poles) < 2**28:
        poles = [pole << 2 for pole in poles]
        now -= 1
    for i in range(4):
        words[POLES + i] = poles[i]
    words[envelope_state.SHIFT] = now
    return now


def _smooth(squares, words):
    """Means of every two, then three one-pole filters, one behind the other."""
    alpha = words[ALPHA]
    last = words[LAST]
    found = []
    for square in squares:
        found.append(square // 2 + last)
        last = square // 2
    words[LAST] = last
    squares = found
    for at in range(POLES, POLES + 3):
        pole = words[at]
        found = []
        for square in squares:
            pole -= (pole - square) // 32 * alpha
            found.append(pole)
        words[at] = pole
        squares = found
    return squares


def _counts(square, shift):
    """The root of 1024 times a squared envelope, as a number of 1/16 counts."""
    return ((stats.root(square) << shift) + 16) >> 5
