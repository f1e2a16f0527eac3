"""Run on MicroPython: decimator and its twin over signals of a file, side by side; fails where they differ.

arguments: folder with the built modules, or with the sources; file of int16 samples; file of cases, each a line of
`factor first count`; file to write the records to, one behind the other. Each case starts from its own first sample.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import decimate, decimate_twin


def main():
    with open(sys.argv[2], "rb") as samples, open(sys.argv[3]) as cases, open(sys.argv[4], "wb") as records:
        for line in cases:
            factor, first, count = [int(word) for word in line.split()]
            samples.seek(2 * first)
            block = array("h", samples.read(2 * count))
            found = []
            for module in (decimate, decimate_twin):
                state = array("i", [0] * decimate.STATE_WORDS)
                record = array("h", [0] * (count // factor))
                module.prime(block[0], state)
                module.decimate(factor, block, 0, count, state, record, 0)
                found.append((record, state))
            if found[0] != found[1]:
                raise AssertionError("case %s: kernel and twin differ" % line.strip())
            records.write(found[0][0])


main()
