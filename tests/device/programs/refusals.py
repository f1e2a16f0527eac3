"""Run on MicroPython: what the kernels must refuse, because they write through bare pointers. Prints how many did."""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import stats
from node.sensors import unpack

buffer = array("h", [0] * 16)
out = array("i", [0] * stats.WORDS)
short = array("i", [0] * (stats.WORDS - 1))
burst = bytes(7 * 16)


def state(filled, room):
    return array("i", [filled, room, 0, 0])


CALLS = (
    lambda: stats.fused(buffer, 17, out),
    lambda: stats.fused(buffer, -1, out),
    lambda: stats.fused(buffer, 16, short),
    lambda: stats.summary(buffer, 17, out),
    lambda: stats.summary(buffer, 16, short),
    lambda: stats.summary(array("h", [0] * (stats.MAX_SAMPLES + 1)), stats.MAX_SAMPLES + 1, out),
    lambda: stats.peak_about(buffer, 17, 0),
    lambda: stats.peak_about(buffer, 16, 32768),
    lambda: stats.peak_about(buffer, 16, -32769),
    lambda: unpack.unpack(burst, 17, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack.unpack(burst, -1, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, array("h", [0] * 15), state(0, 16)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(0, 17)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(9, 8)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(-1, 8)),
)

refused = 0
for index, call in enumerate(CALLS):
    try:
        call()
    except ValueError:
        refused += 1
    else:
        raise AssertionError("call %d was not refused" % index)
print(refused)
