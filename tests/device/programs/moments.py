"""Run on MicroPython: kurtosis and skewness by kernel and twin over the cases of a file; fails where they differ.

arguments: folder with the built modules, or with the sources; file of int16 samples; file of cases, each a line of
`first length offset` in samples, as for kernels.py. Prints VALID, KURTOSIS_C and SKEWNESS_C of each.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import moments, moments_twin, stats


def main():
    words = array("i", [0x55555555] * stats.WORDS)
    ours = array("i", [0x55555555] * moments.WORDS)
    theirs = array("i", [0x2AAAAAAA] * moments_twin.WORDS)
    with open(sys.argv[2], "rb") as samples, open(sys.argv[3]) as f:
        for line in f:
            first, length, offset = [int(word) for word in line.split()]
            # A sample beyond each end that would show in every result if it were read.
            samples.seek(2 * first)
            buffer = array("h", [-32768] * offset) + array("h", samples.read(2 * length)) + array("h", [-32768])
            block = memoryview(buffer)[offset:]
            stats.summary(block, length, words)
            moments.summary(block, length, words, ours)
            moments_twin.summary(block, length, words, theirs)
            if ours[:3] != theirs[:3]:
                raise AssertionError("case %s: kernel %s, twin %s" % (line.strip(), list(ours[:3]), list(theirs[:3])))
            print(*ours[:3])


main()
