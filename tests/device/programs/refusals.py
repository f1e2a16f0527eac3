"""Run on MicroPython: what the kernels must refuse, because they write through bare pointers. Prints how many did."""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import envelope, moments, stats
from node.dsp.envelope_state import State
from node.sensors import unpack, unpack16, unpack20

buffer = array("h", [0] * 16)
out = array("i", [0] * stats.WORDS)
short = array("i", [0] * (stats.WORDS - 1))
higher = array("i", [0] * moments.WORDS)
outline = array("i", [0] * envelope.WORDS)
work = array("i", [0] * (16 + envelope.SPARE))
axis = State(26667)
burst = bytes(7 * 16)


def state(filled, room):
    return array("i", [filled, room, 0, 4, 0, 0, 0, 0, 0])


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
    lambda: moments.summary(buffer, 17, out, higher),
    lambda: moments.summary(buffer, -1, out, higher),
    lambda: moments.summary(buffer, 16, short, higher),
    lambda: moments.summary(buffer, 16, out, higher[1:]),
    lambda: envelope.summary(buffer, 17, 0, axis, work, outline),
    lambda: envelope.summary(buffer, -1, 0, axis, work, outline),
    lambda: envelope.summary(buffer, 16, 0, axis, work[1:], outline),
    lambda: envelope.summary(buffer, 16, 0, axis, work, outline[1:]),
    lambda: unpack.unpack(burst, 17, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack.unpack(burst, -1, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, array("h", [0] * 15), state(0, 16)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(0, 17)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(9, 8)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(-1, 8)),
    lambda: unpack.unpack(burst, 16, buffer, buffer, buffer, state(0, 16)[1:]),
    lambda: unpack16.unpack(burst, 19, buffer, buffer, buffer, state(0, 19)),
    lambda: unpack16.unpack(burst, -1, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack16.unpack(burst, 9, buffer, buffer, buffer, state(8, 16)),
    lambda: unpack16.unpack(burst, 9, buffer, buffer, array("h", [0] * 8), state(0, 16)),
    lambda: unpack16.unpack(burst, 9, buffer, buffer, buffer, state(0, 16)[:3]),
    lambda: unpack20.unpack(burst, 13, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack20.unpack(burst, -1, buffer, buffer, buffer, state(0, 16)),
    lambda: unpack20.unpack(burst, 9, buffer, buffer, buffer, state(8, 16)),
    lambda: unpack20.unpack(burst, 9, buffer, buffer, buffer, array("i", [0, 16, 0, 3])),
    lambda: unpack20.unpack(burst, 9, buffer, buffer, buffer, state(0, 16)[:3]),
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
