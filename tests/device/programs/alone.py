"""Run on a 32-bit MicroPython: kernels the node does not have, to know what they would cost; kernel_table.py counts
them.

squares: the sum of squares by itself, without sum and peak. displacement: what a sum of displacement power over the
bins of a spectrum would take beside that of velocity power.

arguments: file of int16 samples, a multiple of eight; file of spectrum words (P and an unused one in turns, int32) and
file of as many weights (int16). Prints the sum of squares, then the sum of P * weight**2 / 2**29.
"""

import sys
from array import array

import micropython


# fmt: off
@micropython.viper
def squares(p: ptr32, v: int, out: ptr32):
    end = int(p) + (v << 1)
    a = 0
    h = 0
    while int(p) < end:
        t = ((v := p[0] >> 16) * v + (v := (ptr16(p)[0] ^ 0x8000) - 0x8000) * v
            + (v := p[1] >> 16) * v + (v := (ptr16(p)[2] ^ 0x8000) - 0x8000) * v)
        a = t + a
        h = int(uint(t) >> 16) + h
        t = ((v := p[2] >> 16) * v + (v := (ptr16(p)[4] ^ 0x8000) - 0x8000) * v
            + (v := p[3] >> 16) * v + (v := (ptr16(p)[6] ^ 0x8000) - 0x8000) * v)
        a = t + a
        h = int(uint(t) >> 16) + h
        p = ptr32(int(p) + 16)
    out[0] = a
    out[1] = h


@micropython.viper
def displacement(p: ptr32, v: int, w: ptr16, last: int, out: ptr32):
    """Bins v to last - 1 of one octave: weights are 1/k in 1/16384 of the octave's first bin."""
    end = int(p) + (last << 3)
    p = ptr32(int(p) + (v << 3))
    w = ptr16(int(w) + (v << 1))
    low = 0
    high = 0
    while int(p) < end:
        v = w[0]
        v = v * v >> 14
        t = (p[0] >> 15) * v + ((p[0] & 0x7FFF) * v >> 15)
        low = (t & 0xFFFF) + low
        high = (t >> 16) + high
        w = ptr16(int(w) + 2)
        p = ptr32(int(p) + 8)
    out[0] = low
    out[1] = high
# fmt: on


def numbers(code, name):
    with open(name, "rb") as f:
        return array(code, f.read())


def main():
    samples = numbers("h", sys.argv[1])
    spectrum = numbers("i", sys.argv[2])
    weights = numbers("h", sys.argv[3])
    out = array("i", [0, 0])
    squares(samples, len(samples), out)
    low, high = out[0] & 0xFFFFFFFF, out[1] << 16
    print(high + ((low - high) & 0xFFFFFFFF))
    displacement(spectrum, 0, weights, len(weights), out)
    print((out[1] << 16) + out[0])


if __name__ == "__main__":
    main()
