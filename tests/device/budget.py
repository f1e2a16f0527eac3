"""Instructions a kernel takes per sample, from what mpy-cross emits: the cheap stand-in for an emulator.

For a kernel that hardly branches, the static count was within 2 % of what an RV32 emulator executed; instructions that
a branch may skip are counted, so a kernel that branches takes less than this says.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.device.kernel_table import Kernel
from tests.device.target import FIRMWARE, ROOT
from tests.tools.mpy_native import Loop, functions, own_instructions, rv32_loops, xtensa_loops

from judder.device.build import compile_file

# DESIGN section 7: heap allocated per block in capture and DSP.
HEAP_BYTES_MAX = 0

C_TWINS = ROOT / "tests" / "bench" / "c" / "kernels.c"
RISCV_GCC = "riscv64-unknown-elf-gcc"
_RISCV_OBJCOPY = "riscv64-unknown-elf-objcopy"

# mpy-cross's name of an architecture -> how its loops are found.
LOOPS: dict[str, Callable[[bytes], list[Loop]]] = {"rv32imc": rv32_loops, "xtensawin": xtensa_loops}


def native(source: Path, arch: str, folder: Path) -> dict[str, bytes]:
    """Machine code of a module's kernels by name, built as for a board."""
    mpy = folder / f"{source.stem}-{arch}.mpy"
    compile_file(source, mpy, arch)
    return functions(source.read_text(), mpy.read_bytes())


def viper_modules() -> list[str]:
    """Paths below firmware of all modules with viper functions."""
    paths = sorted((FIRMWARE / "node").rglob("*.py"))
    return [
        str(path.relative_to(FIRMWARE)) for path in paths if re.search(r"(?m)^@micropython\.viper", path.read_text())
    ]


def per_unit(kernel: Kernel, folder: Path, arch: str = "rv32imc") -> float:
    """Instructions for one unit of a kernel. ValueError when its loops are not those the table names."""
    total = 0.0
    for part in kernel.parts:
        loops = LOOPS[arch](native(FIRMWARE / part.module, arch, folder)[part.function])
        if len(loops) != len(part.turns):
            raise ValueError(f"{part.module} {part.function}: {len(loops)} loops, the table has {len(part.turns)}")
        total += sum(own * turns for own, turns in zip(own_instructions(loops), part.turns, strict=True))
    return total


def main_loop(source: Path, kernel: str, folder: Path) -> Loop:
    """The longest loop of a kernel on rv32imc. ValueError when it has none."""
    loops = rv32_loops(native(source, "rv32imc", folder)[kernel])
    if not loops:
        raise ValueError(f"no loop found in {kernel}")
    return max(loops, key=lambda loop: loop.instructions)


def c_per_unit(kernel: Kernel, folder: Path) -> float:
    """Instructions for one unit of the same in C, by gcc -O2 for rv32imc.

    Of its functions' loops those that do most themselves. FileNotFoundError when the compiler is not installed.
    """
    for tool in (RISCV_GCC, _RISCV_OBJCOPY):
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool} is not installed (Debian: gcc-riscv64-unknown-elf)")
    built = folder / "kernels.o"
    if not built.exists():
        # Without relaxation branches within a function are resolved by the assembler.
        flags = ["-march=rv32imc", "-mabi=ilp32", "-O2", "-mno-relax", "-ffreestanding", "-ffunction-sections"]
        subprocess.run([RISCV_GCC, *flags, "-c", str(C_TWINS), "-o", str(built)], check=True)
    total = 0.0
    for function, turns in kernel.c:
        code = folder / f"{function}.bin"
        subprocess.run([_RISCV_OBJCOPY, "-O", "binary", "-j", f".text.{function}", str(built), str(code)], check=True)
        total += max(own_instructions(rv32_loops(code.read_bytes()))) * turns
    return total
