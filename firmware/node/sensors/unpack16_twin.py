"""unpack16.py in plain Python: what the kernel has to equal, and what runs on CPython."""

FILLED = 0
ROOM = 1
BIG = 2
SHIFT = 3
STATE_WORDS = 4

WORD_BYTES = 6


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the first `words` samples of `burst` to x, y, z (array('h')), as `state` says."""
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    room = min(state[ROOM], len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room - words:
        raise ValueError("%d samples in, %d to come, room for %d" % (state[FILLED], words, room))
    for i in range(words):
        for axis, buffer in enumerate((x, y, z)):
            first, second = burst[i * 6 + 2 * axis], burst[i * 6 + 2 * axis + 1]
            value = first << 8 | second if state[BIG] else second << 8 | first
            value = value - 0x10000 if value & 0x8000 else value
            buffer[state[FILLED] + i] = value >> state[SHIFT]
    state[FILLED] += words
