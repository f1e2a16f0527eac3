"""FIFO bursts of the IIS3DWB taken apart into one buffer per axis, in viper. unpack_twin.py defines the answer.

A FIFO word is 7 bytes: a tag, then x, y, z as little-endian int16. The tag's upper five bits say which sensor the word
comes from (IIS3DWB datasheet, register FIFO_DATA_OUT_TAG): 0x02 is the accelerometer; 0x04 a time stamp, 32 bits
little-endian in place of x and y; others are temperature or an empty FIFO, and are counted and left out.

Stamps say what was lost: the chip writes one for every so many samples it makes, so two of them tell how many it made
between, and TICKS against SAMPLES tell whether all of those arrived. Of a stamp the lower 30 bits are used, so that
nothing here depends on the word size and the source runs anywhere viper does. It needs MicroPython; on CPython use the
twin. No allocation.

Words of `state`, array('i', STATE_WORDS zeros):
  FILLED   samples in the buffers so far: the next is written there           read and written
  ROOM     samples the buffers may hold: unpacking stops when FILLED is ROOM  read
  SKIPPED  words of other sensors so far                                      read and written
  USED     words of this burst that were looked at                            written
  STAMP    the last time stamp                                                read and written
  SINCE    samples since that stamp                                           read and written
  STAMPS   stamps so far; the first one has nothing before it to count from   read and written
  TICKS    time between stamps, summed                                        read and written
  SAMPLES  samples between stamps, summed                                     read and written
"""

import micropython

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


def unpack(burst, words: int, x, y, z, state) -> None:
    """Append the accelerometer words among the first `words` of `burst` to x, y, z (array('h')), as `state` says.

    Raises ValueError when `words` is more than the burst holds, or ROOM more than a buffer does.
    """
    room = state[ROOM]
    # The kernel writes through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= words * WORD_BYTES <= len(burst) or len(state) < STATE_WORDS:
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
    before = free + state[5]
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
        elif p[0] >> 3 == 4:
            stamp = p[1] | p[2] << 8 | p[3] << 16 | (p[4] & 63) << 24
            if state[6]:
                state[7] = state[7] + (stamp - state[4] & 0x3FFFFFFF)
                state[8] = state[8] + before - free
            state[4] = stamp
            state[6] = state[6] + 1
            before = free
        else:
            skipped += 1
        p = ptr8(int(p) + 7)
        left -= 1
    state[0] = state[1] - free
    state[2] = state[2] + skipped
    state[3] = words - left
    state[5] = before - free
