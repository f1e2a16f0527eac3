"""Instructions a kernel's main loop takes per sample, from what mpy-cross emits. The cheap stand-in for an emulator.

For a kernel that hardly branches, the static count was within 2 % of what an RV32 emulator executed.
"""

from pathlib import Path

from tests.device.target import FIRMWARE
from tests.tools.mpy_native import Loop, functions, rv32_loops

from judder.device.build import compile_file

STATS = FIRMWARE / "node" / "dsp" / "stats.py"
UNPACK = FIRMWARE / "node" / "sensors" / "unpack.py"

# DESIGN section 7: fused sum + exact sum of squares + peak, rv32imc .mpy.
FUSED_INSTRUCTIONS_MAX = 31.0
# DESIGN section 7: heap allocated per block in capture and DSP.
HEAP_BYTES_MAX = 0


def native(source: Path, arch: str, folder: Path) -> dict[str, bytes]:
    """Machine code of a module's kernels by name, built as for a board."""
    mpy = folder / f"{source.stem}-{arch}.mpy"
    compile_file(source, mpy, arch)
    return functions(source.read_text(), mpy.read_bytes())


def main_loop(source: Path, kernel: str, folder: Path) -> Loop:
    """The longest loop of a kernel on rv32imc. ValueError when it has none."""
    loops = rv32_loops(native(source, "rv32imc", folder)[kernel])
    if not loops:
        raise ValueError(f"no loop found in {kernel}")
    return max(loops, key=lambda loop: loop.instructions)


def fused_per_sample(source: Path, kernel: str, folder: Path) -> float:
    """Instructions per sample of a kernel that squares each sample once: its multiplications count its samples."""
    loop = main_loop(source, kernel, folder)
    samples = sum(line.startswith("mul ") for line in loop.listing)
    if not samples:
        raise ValueError(f"the longest loop of {kernel} squares nothing")
    return loop.instructions / samples
