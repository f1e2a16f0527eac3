"""Run on any runtime: the node's pure parts over one random history; every runtime has to print the same.

argument: folder with the built modules, or with the sources.
"""

import sys

sys.path.insert(0, sys.argv[1])

from node.alarm.threshold import Threshold
from node.store.outbox import Outbox
from node.store.records import Records

_seed = 1


def chance(limit):
    # The generator of C's rand in its simplest form: the same on every runtime, unlike `random`.
    global _seed
    _seed = (_seed * 1103515245 + 12345) & 0x7FFFFFFF
    return (_seed >> 8) % limit


class Memory:
    """Two flash sectors."""

    def __init__(self):
        self.image = bytearray(b"\xff" * 8192)

    def read(self, offset, length):
        return self.image[offset : offset + length]

    def erase(self, sector):
        self.image[sector * 4096 : sector * 4096 + 4096] = b"\xff" * 4096

    def program(self, offset, data):
        for index, byte in enumerate(data):
            self.image[offset + index] &= byte


def main():
    threshold = Threshold(10, 0, 2, 3, 4)
    threshold.set_limits(2000, 4000)
    for moment in range(200):
        threshold.update(chance(5000), moment)
        print(threshold.level, threshold.limit, end=" ")
    print()
    box = Outbox(5)
    for moment in range(300):
        if chance(3):
            print(box.put(b"m%d" % moment, chance(3), moment), end=" ")
        else:
            entry = box.peek()
            print(entry, entry and box.ack(entry[0]), len(box), box.dropped, end=" ")
    print()
    flash = Memory()
    records = Records(flash)
    print(records.load(), records.generation)
    for moment in range(5):
        records.save(b"record %d" % moment)
        again = Records(flash)
        print(bytes(again.load()), again.generation, flash.image[:40].hex(), flash.image[4096:4136].hex())
    records.wipe()
    print(Records(flash).load())


main()
