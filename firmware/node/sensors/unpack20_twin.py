"""unpack20.py in plain Python: what the kernel has to equal, and what runs on CPython."""

FILLED = 0
ROOM = 1
USED = 2
SHIFT = 3
STATE_WORDS = 4

WORD_BYTES = 9


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the first `words` samples of `burst` to x, y, z (array('h')), as `state` says."""
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    room = min(state[ROOM], len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room - words or state[SHIFT] < 4:
        raise ValueError("%d samples in, %d to come, room for %d" % (state[FILLED], words, room))
    state[USED] = 0
    for i in range(words):
        sample = burst[i * 9 : i * 9 + 9]
        if [sample[k] & 3 for k in (2, 5, 8)] != [1, 0, 0]:
            break
        for axis, buffer in enumerate((x, y, z)):
            value = sample[3 * axis] << 12 | sample[3 * axis + 1] << 4 | sample[3 * axis + 2] >> 4
            value = value - 0x100000 if value & 0x80000 else value
            buffer[state[FILLED]] = value >> state[SHIFT]
        state[FILLED] += 1
        state[USED] += 1
