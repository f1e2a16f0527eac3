"""The functions of decimate.py in plain Python, written from the definitions: what the kernels have to equal, bit for
bit."""

STATE_WORDS = 14

# Of the state: three words of the binomial filter, then two for a branch of one section, three for one of two.
_FIRST = 3
_SECOND = 7
_CARRY = 13
_LOWEST_DHZ = 29000

# Samples go with 32768 added; that comes out 64 times as large.
_OFFSET = 64 * 32768

# All-pass sections (a, bits): a / 2**bits. For each halving those of a pair's first sample, and of its second.
FIRST = (((1123, 11),), ((954, 13),))
SECOND = (((434, 11), (402, 9)), ((449, 13), (466, 10)))


def scale(factor: int) -> int:
    """Counts per unit of the output."""
    return 1 if factor == 1 else 4


def ratio(rate_dhz: int) -> int:
    """By how much to slow down a sensor of this rate (0.1 Hz)."""
    for factor in (8, 4, 2):
        if rate_dhz >= factor * _LOWEST_DHZ:
            return factor
    return 1


def prime(first: int, state) -> None:
    """Make the state one of a signal that has always been `first` counts."""
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    first += 32768
    state[0] = first
    state[1] = state[2] = 5 * first
    for i in range(_FIRST, _SECOND):
        state[i] = 16 * first
    for i in range(_SECOND, _CARRY):
        state[i] = 32 * first
    state[_CARRY] = 128 - _OFFSET


def decimate(factor: int, buf, first: int, n: int, state, out, at: int) -> None:
    """buf[first:first + n] -> out[at:at + n // factor]."""
    made = n // factor
    if factor not in (1, 2, 4, 8) or first & 7 or n & 7 or first < 0 or n < 0 or first + n > len(buf):
        raise ValueError("samples %d to %d of %d by %d" % (first, first + n, len(buf), factor))
    if at < 0 or at + made > len(out):
        raise ValueError("places %d to %d of %d" % (at, at + made, len(out)))
    x = [buf[first + i] for i in range(n)]
    if factor == 1:
        for i in range(n):
            out[at + i] = x[i]
        return
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    # Whatever the ratio, the last halving but one is given 1/16 counts, the last one 1/32, and 1/64 come out.
    x = [value + 32768 for value in x]
    if factor == 8:
        x = _binomial(x, state)
    else:
        x = [64 // factor * value for value in x]
    if factor > 2:
        x = _halved(x, FIRST, state, _FIRST)
    x = _halved(x, SECOND, state, _SECOND)
    for i in range(made):
        total = x[i] + state[_CARRY]
        if not -(2**23) <= total < 2**23:
            raise ValueError("more than the output holds")
        out[at + i] = total >> 8
        state[_CARRY] = total % 256 - _OFFSET


def _binomial(x, state):
    """1 4 6 4 1 about every even sample. state: the last even sample, then two sums 4 odd + even, the older first."""
    found = []
    for i in range(0, len(x), 2):
        even = x[i]
        found.append(even + 5 * state[0] + state[1] + state[2])
        state[0] = even
        state[1], state[2] = state[2], 4 * x[i + 1] + even
    return found


def _halved(x, branches, state, at):
    """Of each pair: its first sample through one branch of all-passes, its second through another, added up.

    state[at:]: for each branch its last input, and the last output of each section, which is the next one's input.
    """
    found = [0] * (len(x) // 2)
    for turn, sections in enumerate(branches):
        line = [x[i] for i in range(turn, len(x), 2)]
        for a, bits in sections:
            last, y = state[at], state[at + 1]
            for i in range(len(line)):
                product = (line[i] - y) * a
                if not -(2**31) <= product < 2**31:
                    raise ValueError("more than the kernel's words hold")
                y = (product >> bits) + last
                last, line[i] = line[i], y
            state[at] = last
            at += 1
        state[at] = y
        at += 1
        found = [a + b for a, b in zip(found, line)]
    return found
