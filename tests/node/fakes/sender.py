# Runs under MicroPython: sends numbered messages over the node's Wi-Fi link until each is acknowledged, and prints what
# happens. argv: JSON file of settings that differ from the defaults, number of messages, pause between them in ms.
import json
import os
import sys
import time

from judder_core import settings
from node.link.wifi import Wifi

values = settings.defaults()
with open(sys.argv[1]) as f:  # noqa: PTH123  MicroPython
    given = json.load(f)
given["mqtt_ca"] = bytes.fromhex(given.get("mqtt_ca", ""))
values.update(given)
count = int(sys.argv[2])
pause_ms = int(sys.argv[3])

link = Wifi(values, bytes.fromhex("0011223344556677"), os.urandom, say=lambda text: print("say", text))
# The tests have no time for the real delays; the doubling and the jitter are tested elsewhere.
link._backoff._first_ms = link._backoff._next_ms = 50
link._backoff._limit_ms = 200

number = 0
flying = False
failed = False
worst_ms = 0
deadline = time.ticks_add(time.ticks_ms(), 40000)
while number < count and time.ticks_diff(deadline, time.ticks_ms()) > 0:
    before = time.ticks_ms()
    link.step(10)
    worst_ms = max(worst_ms, time.ticks_diff(time.ticks_ms(), before))
    for payload in link.poll():
        print("down", payload.hex())
    if flying:
        outcome = link.outcome()
        if outcome is None:
            continue
        flying = False
        failed = not outcome
        print("acked" if outcome else "failed", number)
        if outcome:
            number += 1
            time.sleep_ms(pause_ms)
    elif link.ready():
        outcome = link.send(b"message %d" % number, True, failed)
        flying = outcome is None
        print("sent", number, "again" if failed else "")
link.step(200)
for payload in link.poll():
    print("down", payload.hex())
link.close()
print("worst step", worst_ms)
print("failures", link.failures)
print("refused", link.refused)
print("done" if number == count else "timeout")
