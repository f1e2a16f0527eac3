"""Run on MicroPython: time of each kernel and of its twin, taken in turns on the same block.

arguments: folder with the built modules; samples in a block; rounds. Prints a line per kernel: name, nanoseconds per
block of the kernel and of the twin, each the shortest of its rounds.
"""

import sys
import time
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import stats, twin
from node.sensors import unpack, unpack_twin

# Calls of the kernel in one round: enough for a clock of microseconds.
REPEAT = 50


def main():
    samples = int(sys.argv[2])
    seed = 1
    block = array("h", [0] * samples)
    for i in range(samples):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        block[i] = (seed >> 15) - 32767
    axes = [array("h", block) for _ in range(3)]
    out = array("i", [0] * stats.WORDS)
    burst = bytes([0x10, 1, 2, 3, 4, 5, 0xFF] * samples)
    pairs = (
        ("fused", lambda m: m.fused(block, samples, out), stats, twin),
        ("summary", lambda m: m.summary(block, samples, out), stats, twin),
        ("peak_about", lambda m: m.peak_about(block, samples, 5), stats, twin),
        (
            "unpack",
            lambda m: m.unpack(burst, samples, axes[0], axes[1], axes[2], array("i", [0, samples, 0, 0])),
            unpack,
            unpack_twin,
        ),
    )
    for name, call, kernel, plain in pairs:
        fast = slow = None
        for _ in range(int(sys.argv[3])):
            start = time.ticks_us()
            for _ in range(REPEAT):
                call(kernel)
            taken = time.ticks_diff(time.ticks_us(), start) * 1000 // REPEAT
            fast = taken if fast is None else min(fast, taken)
            start = time.ticks_us()
            call(plain)
            taken = time.ticks_diff(time.ticks_us(), start) * 1000
            slow = taken if slow is None else min(slow, taken)
        print(name, fast, slow)


main()
