"""Run on MicroPython: envelope of streams of blocks by kernel and twin, side by side; fails where they differ.

arguments: folder with the built modules, or with the sources; file of int16 samples; file of cases, each a line of
`rate first offset length length ...`: consecutive blocks of one stream, a negative length after a gap. Prints for each
block VALID, RMS_X16, PEAK_X16, POINTS, SHIFT, GROUP, SKIPPED; then, for a length of 0, the first points of the stream.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import envelope, envelope_twin, stats
from node.dsp.envelope_state import State


def main():
    words = array("i", [0] * stats.WORDS)
    ours = array("i", [0x55555555] * envelope.WORDS)
    theirs = array("i", [0x2AAAAAAA] * envelope_twin.WORDS)
    with open(sys.argv[2], "rb") as samples, open(sys.argv[3]) as f:
        for line in f:
            rate, first, offset, *lengths = [int(word) for word in line.split()]
            state, other = State(rate), State(rate)
            samples.seek(2 * first)
            for signed in lengths:
                length = abs(signed)
                # A sample beyond each end that would show in the result if it were read.
                buffer = array("h", [-32768] * offset) + array("h", samples.read(2 * length)) + array("h", [-32768])
                block = memoryview(buffer)[offset:]
                # A word beyond the work buffer's end that must stay as it is.
                work = array("i", [0x12345678] * (length + envelope.SPARE + 1))
                expected = array("i", work)
                if signed < 0:
                    state.reset()
                    other.reset()
                stats.summary(block, length, words)
                envelope.summary(block, length, words[stats.MEAN], state, memoryview(work)[:-1], ours)
                envelope_twin.summary(block, length, words[stats.MEAN], other, memoryview(expected)[:-1], theirs)
                points = ours[envelope.POINTS]
                if ours[:7] != theirs[:7] or work[:points] != expected[:points] or state.words != other.words:
                    raise AssertionError("%s: kernel %s, twin %s" % (line[:40], list(ours[:7]), list(theirs[:7])))
                if work[-1] != 0x12345678:
                    raise AssertionError("%s: wrote beyond the work buffer" % line[:40])
                print(*ours[:7], *work[:points])


main()
