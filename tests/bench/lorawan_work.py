# Runs under MicroPython: what frames cost, as AES blocks, bytes of heap, and multiples of a plain loop of 1000 turns.
import gc
import time

import lorawan_air as air

from node.link.lorawan import crypto, frames, regions, session
from node.link.lorawan.mac import Mac

NWK, APP, ADDRESS = b"n" * 16, b"a" * 16, b"\x26\x01\x1b\xda"
blocks = 0


class Counted:
    def __init__(self, key):
        self._aes = air.aes(key)

    def encrypt(self, block):
        global blocks
        blocks += 1
        return self._aes.encrypt(block)


def loop():
    n = 0
    for i in range(1000):
        n += i
    return n


def ratio(work):
    """Time of some work in loops: shortest of several runs of each, in turns."""
    best = [1 << 30, 1 << 30]
    for _ in range(15):
        for which in (0, 1):
            start = time.ticks_us()
            for _ in range(40):
                (loop, work)[which]()
            best[which] = min(best[which], time.ticks_diff(time.ticks_us(), start))
    return best[1] / best[0]


counted = crypto.Key(Counted, NWK)
nwk, app = crypto.Key(air.aes, NWK), crypto.Key(air.aes, APP)
counted_app = crypto.Key(Counted, APP)
into = bytearray(frames.PHY_BYTES)
payload = bytes(51)
heard = air.down(NWK, APP, ADDRESS, 1, b"\x03\x51\x07\x00\x01", 17, bytes(20))
accept = air.accept(NWK, 1, b"\0\0\x13", ADDRESS, 3, 5, bytes(16))
mac = Mac(regions.find("us915"), session.abp(ADDRESS, NWK, APP), air.aes, lambda n: bytes(n), 0)

WORK = (
    (
        "build an uplink of 51 bytes",
        lambda: frames.uplink(into, nwk, app, ADDRESS, 1, False, 0x80, b"", 2, payload),
        lambda: frames.uplink(into, counted, counted_app, ADDRESS, 1, False, 0x80, b"", 2, payload),
    ),
    (
        "check and read a downlink of 20 bytes",
        lambda: frames.downlink(heard, nwk, app, ADDRESS, 0, 250),
        lambda: frames.downlink(heard, counted, counted_app, ADDRESS, 0, 250),
    ),
    ("refuse a frame of another node", lambda: frames.downlink(heard, nwk, app, b"none", 0, 250), None),
    (
        "check and read a join accept with CFList",
        lambda: frames.join_accept(nwk, accept),
        lambda: frames.join_accept(counted, accept),
    ),
    ("state for RTC memory", lambda: mac.state(0), None),
)
for name, work, count in WORK:
    blocks = 0
    if count:
        count()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    work()
    heap = gc.mem_alloc() - before
    gc.enable()
    print(f"{name}|{blocks}|{heap}|{ratio(work):.2f}")
