#!/usr/bin/env python3
"""Kernels: instructions on rv32imc and Xtensa, against gcc, against bytecode; a whole reading; heap per block.

    python tests/bench/bench_kernels.py [--quick]

Exits with 1 when a budget of tests/device/kernel_table.py or the heap's is broken, or when something is missing in CI.
What is not installed is named as skipped.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "host"), str(ROOT / "firmware")]

from tests.device.budget import HEAP_BYTES_MAX, c_per_unit, per_unit  # noqa: E402
from tests.device.kernel_table import KERNELS, READING_RATE_HZ, READING_SAMPLES, RECORD_BLOCKS, Kernel  # noqa: E402
from tests.device.target import target  # noqa: E402

ROUNDS = 5
HEAP_BLOCKS = 10_000
QUICK = 500

# Assumptions of the estimate in ms: code and data in internal RAM, 1.4 cycles an instruction. A call of a viper
# function with four arguments took 900 instructions in an RV32 emulator.
CYCLES_PER_INSTRUCTION = 1.4
CALL_INSTRUCTIONS = 900
CALLS_PER_AXIS = 40
CALLS_PER_BLOCK = 12
RV32_MHZ, XTENSA_MHZ = 160, 240
# Where Xtensa can't be counted here.
XTENSA_USUAL = 1.2


class Report:
    """What was found. faults: broken budgets. skipped: what could not be measured, and why."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.skipped: list[str] = []

    def skip(self, reason: str) -> None:
        if reason not in self.skipped:
            self.skipped.append(reason)

    def limit(self, what: str, value: float, most: float | None) -> None:
        if most is not None and value > most:
            self.faults.append(f"{what}: {value:.2f}, at most {most:g}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"heap over {QUICK} blocks instead of {HEAP_BLOCKS}")
    blocks = QUICK if parser.parse_args().quick else HEAP_BLOCKS
    report = Report()
    with tempfile.TemporaryDirectory(prefix="judder-bench-") as name:
        folder = Path(name)
        counts = instructions(folder, report)
        whole_reading(counts)
        for bits in (64, 32):
            device, why = target(bits)
            if device is None:
                report.skip(f"{bits}-bit MicroPython: {why}")
                continue
            built = device.build(folder / str(bits))
            print(
                f"\n{bits}-bit MicroPython on this computer, {READING_SAMPLES} samples, in turns with bytecode (time):"
            )
            for line in device.output("ratio.py", built, READING_SAMPLES, ROUNDS).splitlines():
                *call, fast, slow = line.split()
                print(f"  {' '.join(call):<20} {int(slow) / int(fast):6.0f} x faster than its twin")
            done = device.run("heap.py", built, blocks, timeout_s=600)
            # One byte asked for while the heap is locked ends the program.
            before, after = done.stdout.split()[:2] if done.returncode == 0 else ("0", "none left")
            used = "0 B" if before == after else "more"
            print(f"  heap allocated per block: {used} (budget {HEAP_BYTES_MAX} B; {blocks} blocks, heap locked)")
            if before != after:
                said = (done.stdout + done.stderr).strip().splitlines()
                report.faults.append(f"heap allocated per block on {bits} bit: {said[-1] if said else 'no message'}")
    for reason in report.skipped:
        print(f"SKIPPED: {reason}")
    if os.environ.get("CI"):
        report.faults += [f"skipped in CI: {reason}" for reason in report.skipped]
    for fault in report.faults:
        print(f"BUDGET BROKEN: {fault}", file=sys.stderr)
    return 1 if report.faults else 0


def instructions(folder: Path, report: Report) -> list[tuple[Kernel, float, float | None]]:
    """Print the static counts, note budgets broken; (kernel, rv32, Xtensa or None) of each."""
    print("Instructions in the loops, static count of what mpy-cross emits (what a branch may skip is counted):")
    head = ("rv32imc", "must", "Xtensa", "/rv32", "gcc -O2", "/gcc")
    print(f"  {'kernel':<40} {'per':<10}{{:>12}} {{:>9}} {{:>12}} {{:>6}} {{:>12}} {{:>5}}".format(*head))
    found = []
    for kernel in KERNELS:
        rv32 = per_unit(kernel, folder)
        report.limit(f"{kernel.name}, rv32imc", rv32, kernel.must)
        must = "-" if kernel.must is None else f"{kernel.must:,.0f}"
        line = f"  {kernel.name:<40} {kernel.unit:<10}{rv32:12,.2f} {must:>9}"
        xtensa = None
        try:
            xtensa = per_unit(kernel, folder, "xtensawin")
            report.limit(f"{kernel.name}, Xtensa", xtensa, kernel.xtensa_must * rv32)
            line += f" {xtensa:12,.2f} {xtensa / rv32:6.2f}"
        except FileNotFoundError as error:
            report.skip(f"Xtensa counts: {error}")
            line += f" {'-':>12} {'-':>6}"
        if kernel.c:
            try:
                limit = c_per_unit(kernel, folder)
                report.limit(f"{kernel.name}, times gcc -O2", rv32 / limit, kernel.c_must)
                line += f" {limit:12,.2f} {rv32 / limit:5.1f}"
            except FileNotFoundError as error:
                report.skip(f"gcc -O2 for rv32imc: {error}")
        print(line)
        found.append((kernel, rv32, xtensa))
    print(
        "  gcc: the same in plain C (tests/bench/c) for rv32imc, FFT 1024 and 4096: radix 2. Xtensa may take 1.2\n"
        "  times what rv32imc takes, FFTs 1.4 times. In brackets: what the node does without, to know its price."
    )
    return found


def whole_reading(counts: list[tuple[Kernel, float, float | None]]) -> None:
    """Print what one reading takes."""
    print(f"\nA whole reading, 3 axes x {READING_SAMPLES} samples at {READING_RATE_HZ} Hz, all metrics:")
    # Of a block in a stream of blocks that are all worked on whole; of a reading that begins with nothing.
    blocks, whole = {}, {}
    for name in ("rv32imc", "Xtensa"):
        blocks[name] = 3.0 * CALLS_PER_AXIS * CALL_INSTRUCTIONS
        whole[name] = blocks[name] + 3 * (RECORD_BLOCKS - 1) * CALLS_PER_BLOCK * CALL_INSTRUCTIONS
    for kernel, rv32, xtensa in counts:
        units = kernel.block + kernel.record / RECORD_BLOCKS
        if not units:
            continue
        print(f"  {kernel.name:<40} {3 * units * rv32 / 1e6:7.3f} M instructions")
        for name, each in (("rv32imc", rv32), ("Xtensa", XTENSA_USUAL * rv32 if xtensa is None else xtensa)):
            blocks[name] += 3 * units * each
            whole[name] += 3 * each * (kernel.block * (RECORD_BLOCKS if kernel.stream else 1) + kernel.record)
    for name, mhz in (("rv32imc", RV32_MHZ), ("Xtensa", XTENSA_MHZ)):
        per_ms = mhz * 1000 / CYCLES_PER_INSTRUCTION
        print(
            f"  {name}: {blocks[name] / 1e6:.2f} M instructions, about {blocks[name] / per_ms:.0f} ms at {mhz} MHz. "
            f"A record from nothing, {RECORD_BLOCKS} blocks:\n"
            f"    {whole[name] / 1e6:.2f} M instructions, about {whole[name] / per_ms:.0f} ms"
        )
    print(
        f"  Estimated, not measured: {CYCLES_PER_INSTRUCTION} cycles an instruction (code and data in internal RAM), "
        f"{CALLS_PER_AXIS} calls an axis\n  of {CALL_INSTRUCTIONS} instructions, {CALLS_PER_BLOCK} more for each other "
        "block of a record. A block bears an eighth of its record's\n  spectrum and is worked on whole; of a record "
        "from nothing only the last one is. Waiting for the sensor, Wi-Fi and\n  garbage collection come on top; work "
        "done once a block is under 1 %, and of what a branch may skip all is counted."
    )


if __name__ == "__main__":
    sys.exit(main())
