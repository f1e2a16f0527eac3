"""Run on MicroPython: heap used by many blocks with the heap locked, so one byte asked for ends the program.

arguments: folder with the built modules; number of blocks. Prints bytes in use before and after,
and a number made of the results.
"""

import gc
import sys
from array import array

import micropython

sys.path.insert(0, sys.argv[1])

from node.dsp import envelope, moments, orientation, stats
from node.dsp.envelope_state import State
from node.sensors import unpack

SAMPLES = 256


def ramp(step):
    return array("h", [(i * step) % 65536 - 32768 for i in range(SAMPLES)])


def main():
    # The lowest value is among the samples, so the slow exact path is taken too.
    axes = (ramp(7919), ramp(257), array("h", [-32768] * SAMPLES))
    out = array("i", [0] * stats.WORDS)
    higher = array("i", [0] * moments.WORDS)
    outline = array("i", [0] * envelope.WORDS)
    outlines = [State(26667) for _ in axes]
    work = array("i", [0] * (SAMPLES + envelope.SPARE))
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
        for index in range(3):
            axis = axes[index]
            stats.fused(axis, SAMPLES, out)
            stats.summary(axis, SAMPLES, out)
            stats.peak_about(axis, SAMPLES - 1, out[stats.MEAN])
            # Reading what the application reads must not allocate either.
            used = out[stats.MEAN] + out[stats.RMS_X16] + out[stats.PEAK] + out[stats.PEAK_RAW]
            moments.summary(axis, SAMPLES, out, higher)
            used += higher[moments.VALID] + higher[moments.KURTOSIS_C] + higher[moments.SKEWNESS_C]
            # The second axis runs on, the others start over; an odd length leaves samples over.
            if index != 1:
                outlines[index].reset()
            outlines[index].retune(26700)
            envelope.summary(axis, SAMPLES - index, out[stats.MEAN], outlines[index], work, outline)
            used += outline[envelope.VALID] + outline[envelope.RMS_X16] + outline[envelope.PEAK_X16]
            orientation.up(out[stats.MEAN], used, 1000)
        left -= 1
    after = gc.mem_alloc()
    micropython.heap_unlock()
    print(before, after, used)


main()
