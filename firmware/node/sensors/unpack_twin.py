"""unpack.py in plain Python: what the kernel has to equal, and what runs on CPython."""

FILLED = 0
ROOM = 1
SKIPPED = 2
USED = 3
STAMP = 4
SINCE = 5
STAMPS = 6
TICKS = 7
SAMPLES = 8
STATE_WORDS = 9

WORD_BYTES = 7

_ACCELEROMETER = 0x02
_TIME_STAMP = 0x04


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the accelerometer words among the first `words` of `burst` to x, y, z (array('h')), as `state` says."""
    room = state[ROOM]
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    shortest = min(len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room <= shortest:
        raise ValueError("%d samples in, room for %d, shortest buffer %d" % (state[FILLED], room, shortest))
    state[USED] = 0
    for i in range(words):
        if state[FILLED] == room:
            break
        word = burst[i * WORD_BYTES : (i + 1) * WORD_BYTES]
        if word[0] >> 3 == _ACCELEROMETER:
            at = state[FILLED]
            x[at] = _signed(word[1], word[2])
            y[at] = _signed(word[3], word[4])
            z[at] = _signed(word[5], word[6])
            state[FILLED] = at + 1
            state[SINCE] += 1
        elif word[0] >> 3 == _TIME_STAMP:
            _stamp(word[1] | word[2] << 8 | word[3] << 16 | (word[4] & 0x3F) << 24, state)
        else:
            state[SKIPPED] += 1
        state[USED] += 1


def _stamp(stamp, state):
    if state[STAMPS]:
        # Modulo 2^30, so that the counter may wrap.
        state[TICKS] += (stamp - state[STAMP]) % (1 << 30)
        state[SAMPLES] += state[SINCE]
    state[STAMP] = stamp
    state[STAMPS] += 1
    state[SINCE] = 0


def _signed(low, high):
    value = low | high << 8
    return value - 0x10000 if value & 0x8000 else value
