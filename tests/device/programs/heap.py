"""Run on MicroPython: heap used by many blocks with the heap locked, so one byte asked for ends the program.

arguments: folder with the built modules; number of blocks. Prints bytes in use before and after,
and a number made of the results.
"""

import gc
import sys
from array import array

import micropython

sys.path.insert(0, sys.argv[1])

from node.dsp import stats
from node.sensors import unpack

SAMPLES = 256


def ramp(step):
    return array("h", [(i * step) % 65536 - 32768 for i in range(SAMPLES)])


def main():
    # The lowest value is among the samples, so the slow exact path is taken too.
    axes = (ramp(7919), ramp(257), array("h", [-32768] * SAMPLES))
    out = array("i", [0] * stats.WORDS)
    state = array("i", [0] * unpack.STATE_WORDS)
    burst = bytes([0x10, 1, 2, 3, 4, 5, 0xFF] * SAMPLES)
    left = int(sys.argv[2])
    used = 0
    gc.collect()
    gc.disable()
    micropython.heap_lock()
    before = gc.mem_alloc()
    while left:
        state[unpack.FILLED] = 0
        state[unpack.ROOM] = SAMPLES
        unpack.unpack(burst, SAMPLES, axes[0], axes[1], axes[0], state)
        for axis in axes:
            stats.fused(axis, SAMPLES, out)
            stats.summary(axis, SAMPLES, out)
            stats.peak_about(axis, SAMPLES - 1, out[stats.MEAN])
            # Reading what the application reads must not allocate either.
            used = out[stats.MEAN] + out[stats.RMS_X16] + out[stats.PEAK] + out[stats.PEAK_RAW]
        left -= 1
    after = gc.mem_alloc()
    micropython.heap_unlock()
    print(before, after, used)


main()
