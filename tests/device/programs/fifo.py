"""Run on MicroPython: FIFO bursts taken apart by the kernel and by its twin, side by side.

arguments: folder with the built modules; file of FIFO words; file of bursts, each a line of `first words filled room`;
file to write the kernel's buffers to. Prints the state after each burst.
"""

import sys
from array import array

sys.path.insert(0, sys.argv[1])

from node.sensors import unpack, unpack_twin


def main():
    with open(sys.argv[2], "rb") as f:
        data = memoryview(f.read())
    with open(sys.argv[3]) as f, open(sys.argv[4], "wb") as result:
        for line in f:
            first, words, filled, room = [int(word) for word in line.split()]
            burst = data[first * 7 : (first + words) * 7]
            ours = [array("h", [0x1234] * (room + 2)) for _ in range(3)]
            theirs = [array("h", [0x1234] * (room + 2)) for _ in range(3)]
            state = array("i", [filled, room, 5, -1])
            expected = array("i", state)
            unpack.unpack(burst, words, ours[0], ours[1], ours[2], state)
            unpack_twin.unpack(burst, words, theirs[0], theirs[1], theirs[2], expected)
            if ours != theirs or state != expected:
                raise AssertionError("burst %s: kernel %s, twin %s" % (line.strip(), list(state), list(expected)))
            for axis in ours:
                result.write(axis)
            print(*state)


main()
