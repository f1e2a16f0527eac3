"""Run on MicroPython: kernels and twin over the cases of a file; prints what the kernels say, fails where they differ.

arguments: folder with the built modules, or with the sources; file of int16 samples; file of cases, each a line of
`first length offset` in samples. The block is copied so that it starts `offset` samples into a buffer, which decides
how it is aligned.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import stats, twin


def main():
    ours = array("i", [0x55555555] * stats.WORDS)
    theirs = array("i", [0x2AAAAAAA] * twin.WORDS)
    with open(sys.argv[2], "rb") as samples, open(sys.argv[3]) as f:
        for line in f:
            first, length, offset = [int(word) for word in line.split()]
            # A sample beyond each end that would show in every result if it were read.
            samples.seek(2 * first)
            buffer = array("h", [-32768] * offset) + array("h", samples.read(2 * length)) + array("h", [-32768])
            block = memoryview(buffer)[offset:]
            stats.summary(block, length, ours)
            twin.summary(block, length, theirs)
            if ours != theirs:
                raise AssertionError("case %s: kernel %s, twin %s" % (line.strip(), list(ours), list(theirs)))
            total, squares, peak = stats.fused_result(ours)
            abouts = []
            for centre in (ours[stats.MEAN], -32768, 32767, 0, 1):
                abouts.append(stats.peak_about(block, length, centre))
                if abouts[-1] != twin.peak_about(block, length, centre):
                    raise AssertionError("case %s: peak about %d" % (line.strip(), centre))
            spread = (ours[stats.SPREAD_HIGH] << 32) + (ours[stats.SPREAD_LOW] & 0xFFFFFFFF)
            print(total, squares, peak, ours[4], ours[5], ours[6], ours[7], ours[stats.PEAK_TO_PEAK], spread, *abouts)


main()
