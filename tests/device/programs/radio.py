# A window of each radio driver with the heap locked, on a port that answers as the chip would; then what many windows
# leave on the heap, which has to be nothing. Prints one line per chip and outcome.
import gc
import sys
import time

sys.path.insert(0, sys.argv[1])

import micropython

from node.link import radio
from node.link.lorawan.airtime import time_on_air_us
from node.link.radio import sx1262, sx1276


class Pin:
    # Allocates nothing, as a machine.Pin.
    def __init__(self, level):
        self.level = level

    def __call__(self):
        return self.level


class Port:
    """outcome: what ends the window."""

    name = "fake"

    def __init__(self):
        self.busy = Pin(0)
        self.dio0 = Pin(0)
        self.dio1 = Pin(0)
        self.outcome = radio.SILENT
        self.writes = 0

    def power(self):
        pass

    def reset(self, level):
        pass

    def antenna(self, way):
        pass

    def nudge(self):
        pass

    def write_from(self, _head, _data):
        pass

    def write(self, _data):
        self.writes += 1


class Port1262(Port):
    def exchange(self, command, into):
        opcode = command[0]
        if opcode == 0x1D:
            into[0] = 0x14 if command[2] == 0x40 else 0x24
        elif opcode == 0x12:
            heard = self.outcome == radio.HEARD or self.outcome == radio.DAMAGED
            into[0] = 0 if heard else 2
            into[1] = (0x42 if self.outcome == radio.DAMAGED else 0x02) if heard else 0
        elif opcode == 0x13:
            into[0] = 33
            into[1] = 0
        elif opcode == 0x14:
            into[1] = 0xE3
            into[2] = 0xA1
        elif opcode == 0x1E:
            into[0] = 0x60
        else:
            into[0] = into[1] = 0


class Port1276(Port):
    def exchange(self, command, into):
        register = command[0]
        if register == 0x42:
            into[0] = 0x12
        elif register == 0x01:
            into[0] = 0x80
        elif register == 0x12:
            if self.outcome == radio.SILENT:
                into[0] = 0x80
            else:
                into[0] = 0x60 if self.outcome == radio.DAMAGED else 0x40
        elif register == 0x13:
            into[0] = 33
        elif register == 0x19:
            into[0] = 0xE3
        elif register == 0x1A:
            into[0] = 0x40
        else:
            into[0] = 0x60 if register == 0 else 0


def window(driver, port, outcome):
    """The part between a staged radio and what came of the window."""
    port.outcome = outcome
    driver.listen(time.ticks_add(time.ticks_us(), 20000))
    port.dio0.level = port.dio1.level = 0
    if driver.poll() is not None:
        return -1
    port.dio0.level = 1 if outcome != radio.SILENT else 0
    port.dio1.level = 1
    found = driver.poll()
    port.dio0.level = port.dio1.level = 0
    return found


def by_hand(driver):
    """A window of 7 symbols, which an SX1262 cannot count, and nothing in it."""
    driver.listen(time.ticks_add(time.ticks_us(), 20000))
    found = None
    while found is None:
        found = driver.poll()
    return found


def left_on_heap(driver, port, count):
    gc.collect()
    before = gc.mem_alloc()
    while count:
        driver.stage(865062500, 12, 125000, 168)
        window(driver, port, radio.HEARD)
        count -= 1
    gc.collect()
    return gc.mem_alloc() - before


for driver, port in (
    (sx1262.SX1262(Port1262(), 1800, True), None),
    (sx1276.SX1276(Port1276()), None),
):
    port = driver._port
    driver.start()
    for outcome in (radio.SILENT, radio.HEARD, radio.DAMAGED):
        driver.stage(865062500, 12, 125000, 168)
        micropython.heap_lock()
        try:
            found = window(driver, port, outcome)
        finally:
            micropython.heap_unlock()
        heard = bytes(driver.frame) if found == radio.HEARD else b""
        print(driver.name, outcome, found, len(heard), driver.rssi_dbm, driver.snr_qdb)
    left_on_heap(driver, port, 5)
    print(driver.name, "left", left_on_heap(driver, port, 50))

driver = sx1262.SX1262(Port1262(), 1800, True)
driver.start()
driver.stage(865062500, 10, 500000, 7)
micropython.heap_lock()
try:
    found = by_hand(driver)
finally:
    micropython.heap_unlock()
print("ended by hand", found)

# The lock notices what it should.
driver.stage(865062500, 12, 125000, 168)
micropython.heap_lock()
try:
    print("the lock did not notice", driver.frame)
except MemoryError:
    print("MemoryError")
finally:
    micropython.heap_unlock()

# No number of the drivers needs more than a small integer of 32 bits.
print([sx1262.frequency_code(hz) for hz in (865062500, 868100000, 1020000000)])
print([sx1276.frequency_code(hz) for hz in (865062500, 868100000, 1020000000)])
print([time_on_air_us(sf, hz, size) for size, sf, hz in ((255, 12, 125000), (33, 7, 125000), (13, 7, 500000))])
