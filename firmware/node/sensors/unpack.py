"""FIFO bursts of the IIS3DWB taken apart into one buffer per axis, in viper. unpack_twin.py defines the answer.

A FIFO word is 7 bytes: a tag, then x, y, z as little-endian int16. The tag's upper five bits say which sensor the word
comes from (IIS3DWB datasheet, register FIFO_DATA_OUT_TAG); 0x02 is the accelerometer, others are temperature, time
stamps or an empty FIFO, and are counted and left out.

Bytes and 16-bit stores only: nothing here depends on the word size, so the source runs anywhere viper does. It needs
MicroPython; on CPython use the twin. No allocation.

Words of `state`, array('i', STATE_WORDS zeros):
  FILLED   samples in the buffers so far: the next is written there          read and written
  ROOM     samples the buffers may hold: unpacking stops when FILLED is ROOM  read
  SKIPPED  words of other sensors so far                                      read and written
  USED     words of this burst that were looked at                            written
"""

import micropython

FILLED = 0
ROOM = 1
SKIPPED = 2
USED = 3
STATE_WORDS = 4

WORD_BYTES = 7


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the accelerometer words among the first `words` of `burst` to x, y, z (array('h')), as `state` says.

    Raises ValueError when `words` is more than the burst holds, or ROOM more than a buffer does.
    """
    room = state[ROOM]
    # The kernel writes through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= words * WORD_BYTES <= len(burst):
        raise ValueError("burst of %d bytes, %d words asked" % (len(burst), words))
    shortest = min(len(x), len(y), len(z))
    if not 0 <= state[FILLED] <= room <= shortest:
        raise ValueError("%d samples in, room for %d, shortest buffer %d" % (state[FILLED], room, shortest))
    _unpack(burst, words, x, y, z, state)


@micropython.viper
def _unpack(p: ptr8, words: int, x: ptr16, y: ptr16, z: ptr16, state: ptr32):
    filled = state[0]
    x = ptr16(int(x) + (filled << 1))
    y = ptr16(int(y) + (filled << 1))
    z = ptr16(int(z) + (filled << 1))
    free = state[1] - filled
    skipped = 0
    left = words
    while left:
        if not free:
            break
        if p[0] >> 3 == 2:
            x[0] = p[1] | p[2] << 8
            y[0] = p[3] | p[4] << 8
            z[0] = p[5] | p[6] << 8
            x = ptr16(int(x) + 2)
            y = ptr16(int(y) + 2)
            z = ptr16(int(z) + 2)
            free -= 1
        else:
            skipped += 1
        p = ptr8(int(p) + 7)
        left -= 1
    state[0] = state[1] - free
    state[2] = state[2] + skipped
    state[3] = words - left
