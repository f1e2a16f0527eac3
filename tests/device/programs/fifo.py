"""Run on MicroPython: bursts taken apart by a kernel and by its twin, side by side.

arguments: folder with the built modules; kernel (unpack, unpack16, unpack20); file of FIFO bytes; file of bursts, each
a line of `first words` and the words of the state before; file to write the kernel's buffers to. Prints the state after
each burst.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])


def main():
    name = sys.argv[2]
    kernel = getattr(__import__("node.sensors." + name).sensors, name)
    twin = getattr(__import__("node.sensors." + name + "_twin").sensors, name + "_twin")
    size = kernel.WORD_BYTES
    with open(sys.argv[3], "rb") as f:
        data = memoryview(f.read())
    with open(sys.argv[4]) as f, open(sys.argv[5], "wb") as result:
        for line in f:
            first, words, *before = [int(word) for word in line.split()]
            burst = data[first * size : (first + words) * size]
            room = before[1]
            ours = [array("h", [0x1234] * (room + 2)) for _ in range(3)]
            theirs = [array("h", [0x1234] * (room + 2)) for _ in range(3)]
            state = array("i", before)
            expected = array("i", before)
            kernel.unpack(burst, words, ours[0], ours[1], ours[2], state)
            twin.unpack(burst, words, theirs[0], theirs[1], theirs[2], expected)
            if ours != theirs or state != expected:
                raise AssertionError("burst %s: kernel %s, twin %s" % (line.strip(), list(state), list(expected)))
            for axis in ours:
                result.write(axis)
            print(*state)


main()
