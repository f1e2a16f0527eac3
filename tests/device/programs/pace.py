"""Run on MicroPython: node.sensors.pace told what a driver would tell it.

arguments: folder with the built modules; file of events, one a line: L or G, begin, end and level of a look or of the
first one after a gap; T and samples read; S to settle. Prints for each S: samples lost, 1 if no other number was
possible, rate in 0.1 Hz.
"""

import sys

sys.path.insert(0, sys.argv[1])

PERIOD = 1 << 30


class Clock:
    """In place of the module time: ticks as on an ESP32, whatever the word of this computer."""

    def ticks_ms(self):
        return 0

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % PERIOD

    def ticks_diff(self, a, b):
        return (a - b + PERIOD // 2) % PERIOD - PERIOD // 2


sys.modules["time"] = Clock()

from node.sensors.pace import Pace  # noqa: E402 - the stand-in clock has to be there first

pace = Pace(3200)
with open(sys.argv[2]) as events:
    for line in events:
        kind = line[0]
        numbers = [int(word) for word in line[1:].split()]
        if kind == "L":
            pace.look(*numbers)
        elif kind == "G":
            pace.gap(*numbers)
        elif kind == "T":
            pace.taken += numbers[0]
        else:
            print(pace.settle(), int(pace.exact), pace.rate_dhz)
