"""Ten minutes of virtual time at full rate, every accelerometer: what its driver lost, and what it says of the rate.

The real drivers on the register models, on CPython with the kernels' twins; transfers take their time on the wire and
40 us a call. Then forty stalls of 20 ms to 1 s at random places: the loss counted against the loss there was.
"""

import os
import random
import sys
import time
from array import array
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "node"), str(ROOT / "host"), str(ROOT / "firmware")]

import pytest  # noqa: E402
from chips import Time  # noqa: E402
from parts_bench import PARTS, Numbered, use_clock  # noqa: E402

SECONDS = float(os.environ.get("JUDDER_SOAK_S", "600"))
STALLS = 40
N = 4096


def block_of(n):
    return tuple([array("h", bytes(2 * n)) for _ in range(3)])


def soak(part, patch):
    clock = Time()
    use_clock(patch, clock)
    source = Numbered(part.lsb_ug * part.step * 1e-6)
    chip = part.chip(source, rate_hz=part.chip.NOMINAL_HZ * 1.0123)
    sensor = part.driver(part.wire(chip, clock))
    sensor.configure(16)
    block = block_of(N)
    samples = lost = joined = wrong = 0
    following = None
    while samples < SECONDS * part.nominal_hz:
        lost += sensor.fill(block, N)
        joined += sensor.contiguous
        numbers = source.numbers(block, part.lsb_ug)
        steps = np.diff(numbers if following is None else np.concatenate(([following], numbers)))
        wrong += int((steps % source.base**3 != 1).sum())
        following = numbers[-1]
        samples += N
    assert joined == samples // N - 1
    return samples, lost, wrong, chip.samples_lost, sensor.rate_dhz / 10 / (part.odr_hz * 1.0123) - 1


def stalls(part, patch):
    """(losses counted exactly, samples lost in all, worst miscount)"""
    exact = total = worst = 0
    for seed in range(STALLS):
        chance = random.Random(seed)
        clock = Time(chance.randrange(Time.PERIOD))
        use_clock(patch, clock)
        source = Numbered(part.lsb_ug * part.step * 1e-6)
        chip = part.chip(source, rate_hz=part.chip.NOMINAL_HZ * (1 + chance.uniform(-0.03, 0.03)))
        wire = part.wire(chip, clock)
        sensor = part.driver(wire)
        sensor.configure(16)
        block = block_of(2048)
        for _ in range(2):
            sensor.fill(block, 2048)
        last = source.numbers(block, part.lsb_ug)[-1]
        began_us, stall_us = clock.now_us, chance.choice((20, 50, 100, 200, 500, 1000)) * 1000
        at_us = began_us + chance.uniform(0.05, 0.9) * 2048e6 / part.nominal_hz
        pending = [at_us]

        def before(pending=pending, clock=clock, stall_us=stall_us):
            if pending and clock.now_us > pending[0]:
                pending.clear()
                clock.now_us += stall_us

        wire.before = before
        lost = sensor.fill(block, 2048)
        numbers = np.concatenate(([last], source.numbers(block, part.lsb_ug)))
        truth = int(((np.diff(numbers) - 1) % source.base**3).sum())
        exact += lost == truth
        total += truth
        worst = max(worst, abs(lost - truth))
    return exact, total, worst


def main():
    print(f"{SECONDS:g} s at full rate, true rate 1.23 % above nominal; {STALLS} stalls of 20 ms to 1 s")
    print(f"{'part':14}{'samples':>10}{'lost':>6}{'wrong':>7}{'rate error':>12}   ", end="")
    print(f"{'stalls exact':14}{'lost':>8}{'off by':>8}{'took':>9}")
    bad = False
    with pytest.MonkeyPatch.context() as patch:
        for part in PARTS.values():
            began = time.monotonic()
            samples, lost, wrong, truth, error = soak(part, patch)
            exact, total, worst = stalls(part, patch)
            took = time.monotonic() - began
            print(
                f"{part.name:14}{samples:10}{lost:6}{wrong:7}{error * 1e6:8.1f} ppm   {exact:5} of {STALLS:<5}"
                f"{total:8}{worst:8}{took:7.1f} s",
                flush=True,
            )
            bad |= bool(lost or wrong or truth or abs(error) > 1e-3 or exact < STALLS)
    return bad


if __name__ == "__main__":
    sys.exit(main())
