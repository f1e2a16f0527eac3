"""Run on MicroPython: heap used by many blocks with the heap locked, so one byte asked for ends the program.

arguments: folder with the built modules; number of blocks. Prints bytes in use before and after, records of velocity
that were completed, and a number made of the results.
"""

import gc
import sys
from array import array

import micropython

sys.path.insert(0, sys.argv[1])

from node.dsp import decimate, envelope, fft, moments, orientation, spectrum, stats
from node.dsp.features import Features
from node.sensors import unpack

SAMPLES = 256


def ramp(step):
    return array("h", [(i * step) % 65536 - 32768 for i in range(SAMPLES)])


def main():
    # Extremes take slow paths, and numbers of theirs come close to what is no small integer any more: the lowest value,
    # and a mean of 0 with 32767 to either side.
    square = array("h", [32767 if i & 8 else -32767 for i in range(SAMPLES)])
    axes = (ramp(7919), square, array("h", [-32768] * SAMPLES))
    out = array("i", [0] * stats.WORDS)
    features = Features((stats, moments, envelope, decimate, fft, spectrum), bands=((10, 100), (100, 900)))
    velocity = features.velocity
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
        # Over the third axis, which its first sample then puts back: whatever an axis holds, nothing is allocated.
        unpack.unpack(burst, SAMPLES, axes[2], axes[2], axes[2], state)
        axes[2][left & 255] = -32768
        # A gap now and then, long enough for records between.
        features.take(axes, SAMPLES, 266670 + (left & 7), 488, 32767, left % 1000 > 0)
        for axis in range(3):
            # Reading what the application reads must not allocate either.
            used = features.rms_mg[axis] + features.peak_mg[axis] + features.peak_to_peak_mg[axis]
            used += features.kurtosis_c[axis] + features.skewness_c[axis] + features.envelope_peak_mg[axis]
            used += velocity.velocity_c[axis] + velocity.lines[axis] + velocity.bands[axis]
            stats.fused(axes[axis], SAMPLES, out)
        orientation.up(features.mean_mg[0], features.mean_mg[1], features.mean_mg[2])
        left -= 1
    after = gc.mem_alloc()
    micropython.heap_unlock()
    print(before, after, velocity.count, used)


main()
