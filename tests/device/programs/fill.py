"""Run on MicroPython: every FIFO driver takes blocks with the heap locked, so one byte asked for ends the program.

arguments: folder with the built modules; driver's module, class; samples per second; bytes of a FIFO word.
The device makes words at that rate and answers every register a driver looks at while it fills; it allocates nothing.
Time is a number that looks, transfers and sleeps move, so that a busy computer changes nothing.
Prints blocks taken, samples lost, rate in 0.1 Hz and heap in use before and after.
"""

import gc
import sys
from array import array

import micropython

sys.path.insert(0, sys.argv[1])

SAMPLES = 512
# Shorter than an ESP32's 2^30: there the sums are made in C, here they must stay small integers.
PERIOD = 1 << 28


class Clock:
    """In place of the module time."""

    # Soon to wrap, which must not allocate either.
    now = PERIOD - 400000

    def ticks_us(self):
        self.now = self.now + 7 & PERIOD - 1
        return self.now

    def ticks_ms(self):
        return self.now // 1000

    def ticks_add(self, ticks, delta):
        return ticks + delta & PERIOD - 1

    def ticks_diff(self, a, b):
        return (a - b + PERIOD // 2 & PERIOD - 1) - PERIOD // 2

    def sleep_us(self, us):
        self.now = self.now + us & PERIOD - 1

    def sleep_ms(self, ms):
        self.sleep_us(1000 * ms)


time = sys.modules["time"] = Clock()

from node.sensors import pace  # noqa: E402 - the stand-in clock has to be there first


class Device:
    """Level registers say what was made and not yet taken; setting registers keep what is written."""

    name = "stub"

    def __init__(self, part, rate_hz, word):
        self.part = part
        self.word = word
        self.period_us = 1000000 // rate_hz
        self.registers = bytearray(256)
        self.last_us = time.ticks_us()
        self.made = self.taken = 0
        self.level = 0

    def look(self):
        time.sleep_us(50)
        self.made += time.ticks_diff(time.ticks_us(), self.last_us) // self.period_us
        # A fraction of a period is forgotten each time, which only makes the device a little slow.
        self.last_us = time.ticks_us()
        self.level = self.made - self.taken
        # The numbers stay small.
        self.made -= self.taken
        self.taken = 0

    def burst(self, _register, buffer):
        size = len(buffer)
        if size >= self.word:
            self.taken += size // self.word
            time.sleep_us(100)
            i = 0
            while i < size:
                buffer[i] = self.byte(i % self.word)
                i += 1
            return
        self.look()
        if self.part == "adxl355":
            buffer[0] = 0
            buffer[1] = 3 * self.level
        elif self.part == "mpu6050":
            buffer[0] = 6 * self.level >> 8
            buffer[1] = 6 * self.level & 255
        else:
            buffer[0] = self.level
            buffer[1] = 0

    def byte(self, place):
        if self.word == 7 and place == 0:
            return 0x10
        return 0x01 if self.word == 9 and place == 2 else 0x20 if place % 3 != 2 else 0x30

    def read(self, register):
        if register in (0x2F, 0x39):
            self.look()
            return self.level or (0x20 if self.part == "lis3dh" else 0)
        if register in (0x3A, 0x12, 0x21):
            return 0
        return self.registers[register]

    def write(self, register, value):
        self.registers[register] = value


def main():
    module, name, rate_hz, word = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    # Half a second instead of half a minute: forgetting must not allocate either.
    pace._MEMORY_US = 1 << 19
    driver = getattr(getattr(__import__("node.sensors." + module).sensors, module), name)
    sensor = driver(Device(module, rate_hz, word))
    sensor.configure(8)
    buffers = tuple([array("h", bytes(2 * SAMPLES)) for _ in range(3)])
    sensor.fill(buffers, SAMPLES)
    gc.collect()
    gc.disable()
    blocks = lost = rate = 0
    micropython.heap_lock()
    before = gc.mem_alloc()
    while blocks < 3:
        lost += sensor.fill(buffers, SAMPLES)
        rate = sensor.rate_dhz
        blocks += 1
    after = gc.mem_alloc()
    micropython.heap_unlock()
    print(blocks, lost, rate, before, after)


main()
