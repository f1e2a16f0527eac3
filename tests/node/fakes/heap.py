# Runs under MicroPython on the compiled firmware: capture and features with the heap locked, so that any allocation is
# a MemoryError; and what a block leaves on the heap, which has to be nothing.
import gc
import sys

import micropython

from judder_core import settings
from node.alarm.engine import Engine
from node.cycle import Cycle
from node.dsp import decimate, envelope, fft, moments, spectrum, stats
from node.dsp.features import Features
from node.sensors import fifo, pace
from node.sensors.iis3dwb import IIS3DWB


class Time:
    """Goes on with what the chip makes: by the clock on the wall a busy machine would seem to lose samples."""

    def __init__(self):
        self.us = 0

    def ticks_us(self):
        self.us = (self.us + 1) & 0x3FFFFFFF
        return self.us

    def ticks_ms(self):
        return self.us // 1000

    def ticks_diff(self, end, start):
        return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def ticks_add(self, us, more):
        return (us + more) & 0x3FFFFFFF

    def sleep_us(self, us):
        self.us = (self.us + us) & 0x3FFFFFFF

    def sleep_ms(self, ms):
        self.sleep_us(1000 * ms)


fifo.time = pace.time = clock = Time()


class Device:
    """An IIS3DWB that soon has another burst ready. Allocates nothing itself."""

    name = "fake"

    def __init__(self):
        self._k = 0
        self._emptied = False

    def read(self, register):
        return 0x7B if register == 0x0F else 0

    def write(self, register, value):
        pass

    def burst(self, register, buffer):
        if register == 0x3A:
            # Nothing right after a burst, or it would be a FIFO that is stuck.
            buffer[0] = 0 if self._emptied else 200
            clock.sleep_us(0 if self._emptied else 7500)
            buffer[1] = 0
            self._emptied = False
            return
        self._emptied = True
        k = self._k
        at = 0
        end = len(buffer)
        while at < end:
            value = (k * 37) & 0x3FFF
            buffer[at] = 0x10
            buffer[at + 1] = buffer[at + 3] = buffer[at + 5] = value & 0xFF
            buffer[at + 2] = buffer[at + 4] = buffer[at + 6] = value >> 8
            at += 7
            k += 1
        self._k = k & 0xFFFF


class Steady(IIS3DWB):
    """A rate that wandered would have the filters of the envelope made anew."""

    rate_dhz = 266670


class Thermometer:
    def identify(self):
        pass

    def start(self):
        pass

    def read(self):
        return 250


n = int(sys.argv[1])
sensor = Steady(Device())
values = settings.defaults()
values["acceleration_rms_warning_mg"] = 60000
values["temperature_warning_dc"] = 600
values["running_floor_mg"] = 10
values["baseline_readings"] = 1000
features = Features((stats, moments, envelope, decimate, fft, spectrum))
cycle = Cycle(features, sensor, Thermometer(), 16, n, Engine(values))
lost, changes = 0, cycle.measure(0, True)

micropython.heap_lock()
try:
    lost = sensor.fill(cycle.buffers, n)
    changes = cycle.measure(1000, True)  # capture, features and decision of one block
finally:
    micropython.heap_unlock()
assert lost == 0 and not changes and cycle.rms_mg is not None and cycle.rms_mg[0] > 0


def left_on_heap(blocks):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    while blocks:
        cycle.measure(2000, True)
        blocks -= 1
    return gc.mem_alloc() - before


print("bytes per 20 blocks", left_on_heap(20))
# Long enough for records to fill: the whole of the signal processing, locked.
micropython.heap_lock()
try:
    for _ in range(20 * 4096 // n):
        cycle.measure(3000, True)
finally:
    micropython.heap_unlock()
assert features.velocity.count > 1, features.velocity.count
