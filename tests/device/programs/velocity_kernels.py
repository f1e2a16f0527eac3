"""Run on MicroPython: kernels of the velocity path against their twins, over the blocks of a file.

arguments: folder with the built modules, or with the sources; file of int16 samples, 4096 a block. Every word either
writes is compared. Prints the last results of each block, for numpy: factor, record; work after the FFT.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.dsp import decimate, decimate_twin, fft, fft_twin, spectrum, spectrum_twin

BLOCK = 4096


def words(count):
    return array("i", [0x5A5A5A5A] * count)


def same(name, ours, theirs):
    if ours != theirs:
        for i in range(len(ours)):
            if ours[i] != theirs[i]:
                raise AssertionError("%s: word %d of %d: kernel %d, twin %d" % (name, i, len(ours), ours[i], theirs[i]))


def decimated(name, block):
    """Every factor, in pieces of odd sizes, the second time with the state of the first."""
    for factor in (1, 2, 4, 8):
        states = words(decimate.STATE_WORDS), words(decimate.STATE_WORDS)
        outs = array("h", [0x55] * (BLOCK + 8)), array("h", [0x55] * (BLOCK + 8))
        for module, state, out in zip((decimate, decimate_twin), states, outs):
            module.prime(block[0], state)
            at = first = 0
            for n in (8, 0, 1000, 16, 2048, 1024):
                module.decimate(factor, block, first, n, state, out, at)
                at += n // factor
                first += n
        same("%s, state by %d" % (name, factor), *states)
        same("%s, out by %d" % (name, factor), outs[0], outs[1])


def bins(name, block, n, table, weights):
    """Survey to peaks of a record of n samples."""
    found = []
    for module, f in ((spectrum, fft), (spectrum_twin, fft_twin)):
        out = words(spectrum.SURVEY_WORDS)
        module.survey(block, n, out)
        shift = max(0, out[spectrum.SHIFT])
        work = words(n + 2)
        module.load(block, n, out[spectrum.CENTRE], shift, work, table)
        found.append(array("i", work))
        f.finish(work, n // 2, table)
        found.append(array("i", work))
        f.real(work, n // 2, table)
        found.append(array("i", work))
        high = n * 39 // 100
        exponent = 14
        octave = 0
        while 1 << octave < high:
            low = max(2, 1 << octave)
            top = min(high, 2 << octave)
            bits = module.ceiling(work, low, top) if low < top else 0
            out.append(bits)
            exponent = min(exponent, 14 + octave - bits)
            octave += 1
        octave = 0
        while 1 << octave < high:
            low = max(2, 1 << octave)
            top = min(high, 2 << octave)
            if low < top:
                module.power(work, weights, low, top, 14 + octave - exponent)
            octave += 1
        found.append(array("i", work))
        module.total(work, 2, high, out)
        tops = words(spectrum.PEAK_WORDS)
        module.peaks(work, 3, high - 1, tops)
        for k in range(2, high, 37):
            out.append(module.magnitude(work, k))
        found += [out, tops]
    half = len(found) // 2
    for i in range(half):
        same("%s, %d samples, step %d" % (name, n, i), found[i], found[half + i])
    return found[2]


def transforms(name, block, table):
    """The complex FFT by itself, from the shortest to the longest."""
    points = 16
    while points <= fft.MAX_POINTS:
        data = array("i", [block[i % BLOCK] * 2 for i in range(2 * points)])
        other = array("i", data)
        fft.transform(data, points, table)
        fft_twin.transform(other, points, table)
        same("%s, FFT of %d" % (name, points), data, other)
        points *= 2


def helpers():
    seed = 1
    for _ in range(500):
        numbers = []
        for bits in (31, 31, 29, 48):
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFFFFFFFFFF
            numbers.append((seed >> 14) % (1 << (1 + (seed >> 8) % bits)))
        a, b, c, square = numbers
        c += 1
        if a * b // c < 1 << 31:
            if spectrum.muldiv(a, b, c) != a * b // c:
                raise AssertionError("muldiv %d %d %d" % (a, b, c))
        digits = square >> 32, (square >> 16) & 0xFFFF, square & 0xFFFF
        if spectrum.root(*digits) != spectrum_twin.root(*digits):
            raise AssertionError("root %d" % square)


def main():
    tables = words(fft.TABLE_WORDS), words(fft.TABLE_WORDS)
    fft.table(tables[0])
    fft_twin.table(tables[1])
    same("table", tables[0], tables[1])
    weights = []
    for factor in (1, 2, 4, 8):
        ours, theirs = array("h", [0] * spectrum.WEIGHTS), array("h", [0] * spectrum.WEIGHTS)
        spectrum.weights(factor, ours)
        spectrum_twin.weights(factor, theirs)
        same("weights for %d" % factor, ours, theirs)
        weights.append(ours)
    helpers()
    block = array("h", [0] * BLOCK)
    number = 0
    with open(sys.argv[2], "rb") as samples:
        while samples.readinto(block) == 2 * BLOCK:
            name = "block %d" % number
            decimated(name, block)
            for n in (4096, 1024, 32) if number else (4096, 2048, 1024, 512, 32):
                work = bins(name, block, n, tables[0], weights[number % 4])
                if n == 4096:
                    print(" ".join([str(value) for value in work[:n]]))
            if number < 3:
                transforms(name, block, tables[0])
            number += 1


main()
