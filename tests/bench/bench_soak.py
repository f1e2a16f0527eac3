#!/usr/bin/env python3
"""Sample rate and lost samples: ten minutes of virtual time at full rate, every accelerometer, and nodes that stall.

    python tests/bench/bench_soak.py            prints the table
    python tests/bench/bench_soak.py --write    also writes docs/samples.md

The real drivers on the register models, on CPython with the kernels' twins; transfers take their time on the wire and
40 us a call. It takes some minutes of two cores. JUDDER_SOAK_S: seconds instead of 600; JUDDER_STALLS: stalls instead
of 100. Exits with 1 when a sample was lost, a rate is off by 0.1 %, or a loss was not counted exactly.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "node"), str(ROOT / "host"), str(ROOT / "firmware")]

import pytest  # noqa: E402
from parts_bench import PARTS, Busy, Setup, block_of  # noqa: E402

SECONDS = float(os.environ.get("JUDDER_SOAK_S", "600"))
STALLS = int(os.environ.get("JUDDER_STALLS", "100"))
N = 4096
PAGE = ROOT / "docs" / "samples.md"
COLUMNS = (
    "part",
    "samples",
    "lost",
    "wrong",
    "rate error",
    "stalls exact",
    "samples they cost",
    "busy, known",
    "wrong",
)
REPORT_S = 120


def soak(patch, part):
    """(samples, lost, samples out of order, lost by the chip's count, relative error of the rate)"""
    setup = Setup(patch, part)
    setup.chip.rate_hz = part.chip.NOMINAL_HZ * 1.0123
    setup.ready()
    block = block_of(N)
    samples = lost = joined = wrong = 0
    following = None
    shown = REPORT_S
    while samples < SECONDS * part.nominal_hz:
        lost += setup.driver.fill(block, N)
        joined += setup.driver.contiguous
        numbers = setup.numbers(block)
        steps = np.diff(numbers if following is None else np.concatenate(([following], numbers)))
        wrong += int((steps % setup.source.base**3 != 1).sum())
        following = numbers[-1]
        samples += N
        if samples >= shown * part.nominal_hz and shown < SECONDS:
            print(f"   {part.name}: {shown} of {SECONDS:g} s", file=sys.stderr, flush=True)
            shown += REPORT_S
    assert joined == samples // N - 1
    return samples, lost, wrong, setup.chip.samples_lost, setup.driver.rate_dhz / 10 / (part.odr_hz * 1.0123) - 1


def stalls(patch, part):
    """(losses counted exactly and vouched for, samples lost in all)"""
    exact = total = 0
    for seed in range(STALLS):
        chance = random.Random(seed)
        setup = Setup(patch, part, seed).ready()
        for _ in range(2):
            setup.fill(2048)
        pending = [setup.clock.now_us + chance.uniform(0.05, 0.9) * 2048e6 / part.nominal_hz]
        stall_us = chance.choice((20, 50, 100, 200, 500, 1000)) * 1000

        def before(pending=pending, clock=setup.clock, stall_us=stall_us):
            if pending and clock.now_us > pending[0]:
                pending.clear()
                clock.now_us += stall_us

        setup.wire.before = before
        lost, truth = setup.fill(2048)
        exact += lost == truth and setup.driver.lost_exact
        total += truth
    return exact, total


def busy(patch, part):
    """(losses known, numbers vouched for that were wrong)"""
    known = wrong = 0
    for seed in range(STALLS):
        chance = random.Random(1000 + seed)
        setup = Setup(patch, part, seed).ready()
        setup.wire.lag = lag = Busy(setup.clock, chance, mean_us=chance.choice((0, 15, 60)))
        n = chance.choice((256, 512, 1024, 2048))
        for _ in range(chance.randrange(4)):
            setup.fill(n)
        fifo_us = setup.driver._depth * 1e6 / part.nominal_hz
        lag.stalls = sorted(
            (
                setup.clock.now_us + chance.uniform(0, 1.05) * n * 1e6 / part.nominal_hz,
                fifo_us * chance.uniform(0.3, 20),
            )
            for _ in range(chance.randrange(1, 6))
        )
        lost, truth = setup.fill(n)
        known += setup.driver.lost_exact
        wrong += (lost != truth and setup.driver.lost_exact) or (truth > 0 and lost == 0)
    return known, wrong


def measure(name):
    """(a row of the table, whether anything in it is not as it has to be, seconds it took)"""
    began = time.monotonic()
    part = PARTS[name]
    with pytest.MonkeyPatch.context() as patch:
        samples, lost, wrong, truth, error = soak(patch, part)
        exact, total = stalls(patch, part)
        known, lies = busy(patch, part)
    row = (
        name,
        samples,
        lost,
        wrong,
        f"{error * 1e6:.1f} ppm",
        f"{exact} of {STALLS}",
        total,
        f"{known} of {STALLS}",
        lies,
    )
    failed = bool(lost or wrong or truth or abs(error) > 1e-3 or exact < STALLS or lies)
    return [str(value) for value in row], failed, time.monotonic() - began


def page(rows):
    """docs/samples.md."""
    lines = [" | ".join(row) for row in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    return HEAD + "\n".join(f"| {line} |" for line in lines) + "\n" + FOOT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/samples.md")
    write = parser.parse_args().write
    print(f"{SECONDS:g} s at full rate, true rate 1.23 % above nominal; {STALLS} stalls; {STALLS} times busy")
    widths = [max(len(column), 12) for column in COLUMNS]
    print("  ".join(f"{column:>{width}}" for column, width in zip(COLUMNS, widths, strict=True)), flush=True)
    bad = False
    rows = []
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for row, failed, took_s in pool.imap(measure, PARTS):
            print("  ".join(f"{value:>{width}}" for value, width in zip(row, widths, strict=True)), end="")
            print(f"  {took_s:6.0f} s", flush=True)
            rows.append(row)
            bad |= failed
    if write:
        PAGE.write_text(page(rows))
    return bad


HEAD = """# Sample rate and lost samples

Made by `tests/bench/bench_soak.py --write`; `make bench` prints the table again.

The drivers' own code runs against register-level models of the parts, in virtual time. Not on hardware.

- **samples, lost, wrong, rate error**: ten minutes without a pause at full rate, the true rate 1.23 % above the nominal
  one. Every sample of the source says which one it is: lost by the driver's word, wrong by what it delivered.
- **stalls exact**: after two good blocks the node stands still for 20 ms to 1 s at a random place. How often the driver
  counted the loss to the sample and vouched for the number.
- **busy, known**: transfers drawn out by 0 to 60 us a half on average, one to five stalls of 0.3 to 20 FIFOs anywhere,
  also in the first block, in the last burst and after it. How often the driver vouched for a number, and how often that
  was wrong.

"""

FOOT = """
## How a loss is counted

The IIS3DWB puts a stamp of its own clock before every 32nd sample: what it made between two stamps less what arrived is
what was lost. For the other parts every look at the FIFO's level is a bound on their clock: at some moment of the look
so many samples had come and the next had not. All looks before the gap leave a narrow bundle of straight lines, all
looks after it another, and between two lines lies a whole number of samples. When the bundles leave one number, that is
the loss.

## When it is not known

Then the reading carries the bit "samples lost", and `samples_lost` is null. That is so

- when the bundles leave more than one number: the gap is several times as long as what was seen of the clock before it
  (a stall in the first moments after power-up or deep sleep), or looks were drawn out by a good part of a period. A
  node that is always too slow to empty the FIFO sees no unbroken stretch and does not know, but for the IIS3DWB;
- when the overflow was about the last burst of the block and may have been behind it;
- when the clock was not steady, as far as the looks show it, and after a stall of more than four minutes.

No looks can do better there: chips with different losses would have looked the same. It rests on the chip's clock being
steady to 10 parts in a million over a gap, and on its FIFO counting as its data sheet says.

Samples that went by between two blocks are no loss: the next block starts afresh, and nothing that needs an unbroken
record is taken across the joint.

## FIFOs that are stuck

A sensor fault, with the reason in words: a level that stands still; more samples than the chip can have made; on the
IIS3DWB stamps that go back or end. And bursts that are copies of the one before while the level moves as ever: after
some of them in a row, bursts of one word are put in between. A machine in step with the bursts falls out of step then;
copies do not. Samples of one value are not taken for copies; a whole block of them is a fault of its own, except where
a part's digits are coarser than its noise. An ADXL345, read sample by sample, gives one value when it is frozen.

Not seen is a FIFO that goes round its old content without new samples; on the IIS3DWB it is, by the stamps.
"""


if __name__ == "__main__":
    sys.exit(main())
