"""The functions of decimate.py in plain Python, written from the definitions: what the kernels have to equal, bit for
bit."""

HISTORY = 22
STATE_WORDS = 30

_SUMS = 3
_CARRY = 6
_PAST = 8
_LOWEST_DHZ = 29000

# Half-band filter in 1/8192, all 23 taps.
TAPS = (-15, 0, 56, 0, -146, 0, 330, 0, -740, 0, 2563, 4096, 2563, 0, -740, 0, 330, 0, -146, 0, 56, 0, -15)


def scale(factor: int) -> int:
    """Counts per unit of the output."""
    return 1 if factor == 1 else 2


def ratio(rate_dhz: int) -> int:
    """By how much to slow down a sensor of this rate (0.1 Hz)."""
    for factor in (8, 4, 2):
        if rate_dhz >= factor * _LOWEST_DHZ:
            return factor
    return 1


def prime(factor: int, first: int, state) -> None:
    """Make the state one of a signal that has always been `first` counts."""
    if len(state) < STATE_WORDS:
        raise ValueError("state holds %d words, %d needed" % (len(state), STATE_WORDS))
    for i in range(_SUMS):
        state[i] = first
    # What the sixth-order filter's input, all of it one value, has left in its three sums.
    gain = 16 * first if factor == 8 else first
    state[_SUMS] = (1 + 6 + 15 + 20 + 15) * gain
    state[_SUMS + 1] = (1 + 6 + 15) * gain
    state[_SUMS + 2] = gain
    state[_CARRY] = 32768
    for i in range(HISTORY):
        state[_PAST + i] = 4 * first


def decimate(factor: int, buf, first: int, n: int, state, scratch, out, at: int) -> None:
    """buf[first:first + n] -> out[at:at + n // factor]. scratch is checked as the kernel does, and left alone."""
    made = n // factor
    if factor not in (1, 2, 4, 8) or first & 7 or n & 7 or first < 0 or n < 0 or first + n > len(buf):
        raise ValueError("samples %d to %d of %d by %d" % (first, first + n, len(buf), factor))
    if at < 0 or at + made > len(out):
        raise ValueError("places %d to %d of %d" % (at, at + made, len(out)))
    if factor == 1:
        for i in range(n):
            out[at + i] = buf[first + i]
        return
    if len(scratch) < HISTORY + 2 * made or len(state) < STATE_WORDS:
        raise ValueError("scratch of %d words, %d needed" % (len(scratch), HISTORY + 2 * made))
    samples = [buf[first + i] for i in range(n)]
    if factor == 8:
        wide = [value >> 8 for value in _sixth(_fourth(samples, state), state)]
    elif factor == 4:
        wide = [value >> 4 for value in _sixth(samples, state)]
    else:
        wide = [4 * value for value in samples]
    line = [state[_PAST + i] for i in range(HISTORY)] + wide
    for i in range(made):
        total = state[_CARRY]
        for k in range(23):
            total += TAPS[k] * line[2 * i + k]
        out[at + i] = total >> 16
        state[_CARRY] = total & 0xFFFF
    for i in range(HISTORY):
        state[_PAST + i] = line[2 * made + i]


def _fourth(x, state):
    """1 4 6 4 1, every second output; state holds the last three inputs."""
    x = [state[0], state[1], state[2]] + x
    for i in range(3):
        state[i] = x[len(x) - 3 + i]
    return [x[i] + 4 * x[i + 1] + 6 * x[i + 2] + 4 * x[i + 3] + x[i + 4] for i in range(0, len(x) - 4, 2)]


def _sixth(x, state):
    """1 6 15 20 15 6 1, every second output; state holds what the inputs so far give to the next three outputs."""
    r, s, t = state[_SUMS], state[_SUMS + 1], state[_SUMS + 2]
    out = []
    for i in range(0, len(x), 2):
        out.append(r + 6 * x[i] + x[i + 1])
        r, s, t = s + 20 * x[i] + 15 * x[i + 1], t + 6 * x[i] + 15 * x[i + 1], x[i + 1]
    state[_SUMS], state[_SUMS + 1], state[_SUMS + 2] = r, s, t
    return out
