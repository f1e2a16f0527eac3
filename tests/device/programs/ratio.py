"""Run on MicroPython: time of calls of kernels and of their twins, taken in turns on the same block.

arguments: folder with the built modules; samples in a block; rounds. Prints a line per call: name, nanoseconds of the
kernel and of the twin, each the shortest of its rounds. A new kernel gets a line in CALLS.
"""

import sys
import time
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import (
    decimate,
    decimate_twin,
    envelope,
    envelope_twin,
    fft,
    fft_twin,
    moments,
    moments_twin,
    spectrum,
    spectrum_twin,
    stats,
    twin,
)
from node.dsp.envelope_state import State
from node.sensors import unpack, unpack_twin

# One measurement of a kernel is of so many calls that it takes this long: enough for a clock of microseconds.
LONG_US = 5000

SAMPLES = int(sys.argv[2])


def noise():
    seed = 1
    block = array("h", [0] * SAMPLES)
    for i in range(SAMPLES):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        block[i] = (seed >> 15) - 32767
    return block


BLOCK = noise()
AXES = [array("h", BLOCK) for _ in range(3)]
BURST = bytes([0x10, 1, 2, 3, 4, 5, 0xFF] * SAMPLES)
OUT = array("i", [0] * 16)
WORDS = array("i", [0] * stats.WORDS)
WORK = array("i", [0] * (SAMPLES + envelope.SPARE))
AXIS = State(26667)
RECORD = array("h", [0] * SAMPLES)
STATE = array("i", [0] * decimate.STATE_WORDS)
TABLE = array("i", [0] * fft.TABLE_WORDS)
POINTS = 1024
SPECTRUM = array("i", [0] * (2 * POINTS))
stats.summary(BLOCK, SAMPLES, WORDS)
decimate.prime(0, STATE)
fft.table(TABLE)


def room():
    state = array("i", [0] * unpack.STATE_WORDS)
    state[unpack.ROOM] = SAMPLES
    return state


# Name, the call of a module, the module with the kernel, the one with its twin.
CALLS = (
    ("stats.fused", lambda m: m.fused(BLOCK, SAMPLES, OUT), stats, twin),
    ("stats.summary", lambda m: m.summary(BLOCK, SAMPLES, OUT), stats, twin),
    ("stats.peak_about", lambda m: m.peak_about(BLOCK, SAMPLES, 5), stats, twin),
    ("moments.summary", lambda m: m.summary(BLOCK, SAMPLES, WORDS, OUT), moments, moments_twin),
    ("envelope.summary", lambda m: m.summary(BLOCK, SAMPLES, 0, AXIS, WORK, OUT), envelope, envelope_twin),
    ("decimate.decimate", lambda m: m.decimate(8, BLOCK, 0, SAMPLES, STATE, RECORD, 0), decimate, decimate_twin),
    ("fft.transform 1024", lambda m: m.transform(SPECTRUM, POINTS, TABLE), fft, fft_twin),
    ("spectrum.load 2048", lambda m: m.load(BLOCK, 2 * POINTS, 0, 1, SPECTRUM, TABLE), spectrum, spectrum_twin),
    ("unpack.unpack", lambda m: m.unpack(BURST, SAMPLES, *AXES, room()), unpack, unpack_twin),
)


def taken_ns(call, module, repeat):
    start = time.ticks_us()
    for _ in range(repeat):
        call(module)
    return time.ticks_diff(time.ticks_us(), start) * 1000 // repeat


def main():
    for name, call, kernel, plain in CALLS:
        fast = slow = None
        repeat = max(1, LONG_US * 1000 // max(1000, taken_ns(call, kernel, 1)))
        for _ in range(int(sys.argv[3])):
            taken = taken_ns(call, kernel, repeat)
            fast = taken if fast is None else min(fast, taken)
            taken = taken_ns(call, plain, 1)
            slow = taken if slow is None else min(slow, taken)
        print(name, fast, slow)


main()
