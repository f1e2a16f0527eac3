"""Bursts of plain 16-bit samples (six bytes: x, y, z) taken apart into one buffer per axis, in viper.

unpack16_twin.py defines the answer. Each value is shifted right by SHIFT bits, sign kept: some chips align their few
bits to the left, and a shift makes the weight of a count a whole number of micro-g.

Nothing here depends on the word size. It needs MicroPython; on CPython use the twin. No allocation.

Words of `state`, array('i', STATE_WORDS zeros):
  FILLED  samples in the buffers so far: the next is written there  read and written
  ROOM    samples the buffers may hold                              read
  BIG     1 when the high byte comes first                          read
  SHIFT   bits to shift right                                       read
"""

import micropython

FILLED = 0
ROOM = 1
BIG = 2
SHIFT = 3
STATE_WORDS = 4

WORD_BYTES = 6


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the first `words` samples of `burst` to x, y, z (array('h')), as `state` says.

    Raises ValueError when `words` is more than the burst holds or the buffers have room for.
    """
    # The kernel writes through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    room = min(state[ROOM], len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room - words:
        raise ValueError("%d samples in, %d to come, room for %d" % (state[FILLED], words, room))
    _unpack(burst, words, x, y, z, state)


@micropython.viper
def _unpack(p: ptr8, left: int, x: ptr16, y: ptr16, z: ptr16, state: ptr32):
    filled = state[0]
    state[0] = filled + left
    x = ptr16(int(x) + (filled << 1))
    y = ptr16(int(y) + (filled << 1))
    z = ptr16(int(z) + (filled << 1))
    high = 1 - state[2]
    low = state[2]
    shift = state[3]
    while left:
        x[0] = ((p[low] | p[high] << 8) ^ 0x8000) - 0x8000 >> shift
        p = ptr8(int(p) + 2)
        y[0] = ((p[low] | p[high] << 8) ^ 0x8000) - 0x8000 >> shift
        p = ptr8(int(p) + 2)
        z[0] = ((p[low] | p[high] << 8) ^ 0x8000) - 0x8000 >> shift
        p = ptr8(int(p) + 2)
        x = ptr16(int(x) + 2)
        y = ptr16(int(y) + 2)
        z = ptr16(int(z) + 2)
        left -= 1
