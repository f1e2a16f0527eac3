"""Run on MicroPython: the velocity path of the firmware over signals of a file.

arguments: folder with the built modules; file of int16 samples; file of jobs, a line each: first sample, blocks,
samples in a block, rate in 0.1 Hz, scale in ug, slow (0 or 1), ends of four bands in Hz. A block is x, then y, then z.
Prints a line for every block that completed a record: number of the job, velocity x, y, z in 1/256 of 0.01 mm/s,
lower end of the band in 0.1 Hz, upper in Hz, covered, resolution in mHz, then 3 x 8 lines (0.1 Hz, 0.01 mm/s), 3 x 4
bands.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import decimate, fft, spectrum
from node.dsp.velocity import Velocity


def main():
    with open(sys.argv[2], "rb") as samples, open(sys.argv[3]) as jobs:
        for number, line in enumerate(jobs):
            first, blocks, n, rate_dhz, scale_ug, slow, *ends = [int(word) for word in line.split()]
            v = Velocity(decimate, fft, spectrum, slow > 0, [ends[i : i + 2] for i in range(0, len(ends), 2)])
            buffers = [array("h", bytes(2 * n)) for _ in range(3)]
            samples.seek(2 * first)
            for block in range(blocks):
                for buffer in buffers:
                    if samples.readinto(buffer) != 2 * n:
                        raise ValueError("job %d: samples end early" % number)
                if v.feed(buffers, n, rate_dhz, scale_ug, block > 0):
                    found = [number] + list(v.fine)
                    found += [v.band_low_dhz, v.band_high_hz, int(v.covered), v.resolution_mhz]
                    print(" ".join([str(value) for value in found + list(v.lines) + list(v.bands)]))


main()
