"""Bursts of the ADXL355's FIFO taken apart into one buffer per axis, in viper. unpack20_twin.py defines the answer.

A sample is three values of three bytes, most significant first: 20 bits, then two unused ones, then a bit that says the
FIFO was empty and a bit that marks the x axis (ADXL355 data sheet, register FIFO_DATA). A value is shifted right by
SHIFT bits to fit 16: 4 keeps the upper 16 bits, 5 the upper 15; the rest is cut off, which moves the mean by half a
count and nothing else. At a sample whose marker is not where it has to be, or that was not there, unpacking stops.

Nothing here depends on the word size. It needs MicroPython; on CPython use the twin. No allocation.

Words of `state`, array('i', STATE_WORDS zeros):
  FILLED  samples in the buffers so far: the next is written there  read and written
  ROOM    samples the buffers may hold                              read
  USED    samples of this burst that were good                      written
  SHIFT   bits to shift right, 4..8                                 read
"""

import micropython

FILLED = 0
ROOM = 1
USED = 2
SHIFT = 3
STATE_WORDS = 4

WORD_BYTES = 9


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the first `words` samples of `burst` to x, y, z (array('h')), as `state` says.

    Raises ValueError when `words` is more than the burst holds or the buffers have room for.
    """
    # The kernel writes through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    room = min(state[ROOM], len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room - words or state[SHIFT] < 4:
        raise ValueError("%d samples in, %d to come, room for %d" % (state[FILLED], words, room))
    _unpack(burst, words, x, y, z, state)


@micropython.viper
def _unpack(p: ptr8, words: int, x: ptr16, y: ptr16, z: ptr16, state: ptr32):
    filled = state[0]
    x = ptr16(int(x) + (filled << 1))
    y = ptr16(int(y) + (filled << 1))
    z = ptr16(int(z) + (filled << 1))
    shift = state[3]
    left = words
    while left:
        # Marker at x alone, and no empty indicator at any of the three.
        if (p[2] & 3) ^ 1 | (p[5] | p[8]) & 3:
            break
        x[0] = ((p[0] << 12 | p[1] << 4 | p[2] >> 4) ^ 0x80000) - 0x80000 >> shift
        y[0] = ((p[3] << 12 | p[4] << 4 | p[5] >> 4) ^ 0x80000) - 0x80000 >> shift
        z[0] = ((p[6] << 12 | p[7] << 4 | p[8] >> 4) ^ 0x80000) - 0x80000 >> shift
        x = ptr16(int(x) + 2)
        y = ptr16(int(y) + 2)
        z = ptr16(int(z) + 2)
        p = ptr8(int(p) + 9)
        left -= 1
    state[2] = words - left
    state[0] = filled + words - left
