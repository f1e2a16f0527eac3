# Runs under MicroPython: a node's life of many uplinks, with what the heap holds after each tenth of them. The number
# is a multiple of 2100, so that after each tenth the same commands and answers have just gone to and fro.
import gc
import sys

import lorawan_air as air

from node.link.lorawan import RECEIVE, SAVE, TRANSMIT, WAIT, regions, session
from node.link.lorawan.mac import Mac

region, uplinks = sys.argv[1], int(sys.argv[2])
leak = [] if len(sys.argv) > 3 else None
NWK, APP, ADDRESS = b"n" * 16, b"a" * 16, b"\x26\x01\x1b\xda"
# Answers, a mask, a channel, a repeated request; acknowledged or not; data for the application now and then. Each time
# round they ask for the same again, so that the network changes something once.
COMMANDS = (b"\x06", b"\x08\x01", b"\x03\x5f\x0f\x00\x01", b"\x07\x03\x18\x4f\x84\x50", b"", b"\x04\x00\x0b")
state = 12345


def random(n):
    global state
    out = bytearray(n)
    for i in range(n):
        state = (state * 1103515245 + 12345) & 0x3FFFFFFF
        out[i] = state >> 16 & 0xFF
    return out


# Uptime is past 31 bits from the start, or its numbers would move to the heap half way.
now = 1 << 31
mac = Mac(regions.find(region), session.abp(ADDRESS, NWK, APP), air.aes, random, now)
counter = saves = 0
used = [0] * 10
for number in range(uplinks):
    mac.send(now, 2, b"0123456789", number % 3 == 0)
    heard = False
    while True:
        action = mac.next(now)
        kind = action[0]
        if kind == SAVE:
            saves += 1
            mac.saved(now)
        elif kind == TRANSMIT:
            mac.state(now)
            now += 60
            mac.sent(now)
        elif kind == RECEIVE:
            now += 900
            if number % 5 == 0 and not heard:
                heard = True
                frame = air.down(NWK, APP, ADDRESS, counter, COMMANDS[counter % 6], 3, b"x", ack=True)
                counter += 1
                mac.heard(now, frame, -90, 20)
            elif number % 7 == 0:
                mac.heard(now, b"\x60 not for us at all", -90, 20)
            else:
                mac.silent(now)
        elif kind == WAIT:
            now = action[1]
        else:
            break
    mac.downlinks.clear()
    if leak is not None:
        leak.append(number)
    if number % (uplinks // 10) == uplinks // 10 - 1:
        action = frame = None
        gc.collect()
        used[number * 10 // uplinks] = gc.mem_alloc()
print("uplinks", mac.session.uplinks, "downlinks", mac.session.downs, "saves", saves)
# The first tenth fills what is kept anyway: stack, interned strings, buffers at their size.
print("heap growth", used[9] - used[1])
