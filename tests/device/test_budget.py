"""Instruction budgets of the kernels on rv32imc and Xtensa and against gcc, that no kernel is without a row, and that
the count would notice."""

import os
from pathlib import Path

import pytest
from tests.device.budget import c_per_unit, main_loop, native, per_unit, viper_modules
from tests.device.kernel_table import ALONE, KERNELS, ONCE_A_BLOCK, STATS, Kernel, Part
from tests.device.target import FIRMWARE
from tests.tools.mpy_native import rv32_loops

NAIVE = """
import micropython


@micropython.viper
def naive(p: ptr16, n: int, out: ptr32):
    s = 0
    h = 0
    low = 0
    m = 0
    for i in range(n):
        v = p[i]
        if v & 0x8000:
            v -= 0x10000
        s += v
        q = v * v
        if q > m:
            m = q
        low += q & 0xFFFF
        h += q >> 16
    out[0] = s
    out[1] = low
    out[2] = h
    out[3] = m
"""


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_budget(kernel: Kernel, tmp_path: Path) -> None:
    found = per_unit(kernel, tmp_path)
    assert found > 0
    if kernel.must is not None:
        assert found <= kernel.must


def missing(error: FileNotFoundError) -> None:
    """A tool that can't be had is a skip by name, and a failure in CI, which installs it (.ci/run)."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_budget_on_xtensa(kernel: Kernel, tmp_path: Path) -> None:
    try:
        found = per_unit(kernel, tmp_path, "xtensawin")
    except FileNotFoundError as error:
        missing(error)
    rv32 = per_unit(kernel, tmp_path)
    # Far less would be a loop that was not found.
    assert 0.9 * rv32 < found <= kernel.xtensa_must * rv32


@pytest.mark.parametrize("kernel", [kernel for kernel in KERNELS if kernel.c], ids=lambda kernel: kernel.name)
def test_budget_against_gcc(kernel: Kernel, tmp_path: Path) -> None:
    try:
        found = c_per_unit(kernel, tmp_path)
    except FileNotFoundError as error:
        missing(error)
    assert found > 0
    if kernel.c_must is not None:
        assert per_unit(kernel, tmp_path) <= kernel.c_must * found


def test_every_kernel_has_a_row(tmp_path: Path) -> None:
    """A viper function with a loop is in the table, as a kernel or as one that loops only a few times a block."""
    parts = [part for kernel in KERNELS for part in kernel.parts if part.module != ALONE]
    known = {(part.module, part.function) for part in parts} | ONCE_A_BLOCK
    looping = {
        (module, name)
        for module in viper_modules()
        for name, code in native(FIRMWARE / module, "rv32imc", tmp_path).items()
        if rv32_loops(code)
    }
    assert looping == known


def test_fused_splits_once_per_four(tmp_path: Path) -> None:
    loop = main_loop(FIRMWARE / STATS, "_fused", tmp_path)
    # Eight squares, and the 64-bit split once per four of them (its shift is the only unsigned one).
    assert sum(line.startswith("mul ") for line in loop.listing) == 8
    assert sum(line.startswith("srl ") for line in loop.listing) == 2


def test_count_tells_a_slow_kernel(tmp_path: Path) -> None:
    """The same numbers the obvious way are far over the budget; a count that missed that would gate nothing."""
    source = tmp_path / "naive.py"
    source.write_text(NAIVE)
    budget = next(kernel.must for kernel in KERNELS if kernel.parts[0].function == "_fused")
    assert main_loop(source, "naive", tmp_path).instructions > 1.5 * budget


COUNTDOWN = """
import micropython


@micropython.viper
def countdown(n: int):
    while n:
        n -= 1


@micropython.viper
def halving(n: int):
    while n:
        n = n // 2


@micropython.viper
def nested(n: int, m: int):
    k = 0
    while n:
        k = m
        while k:
            k -= 1
        n -= 1
"""


def test_count_of_loops_known_by_hand(tmp_path: Path) -> None:
    """`while n: n -= 1` takes 6 instructions an iteration, as counted when executed in an RV32 emulator."""
    source = tmp_path / "countdown.py"
    source.write_text(COUNTDOWN)
    assert main_loop(source, "countdown", tmp_path).instructions == 6
    # Division is a helper of the runtime: what the next test looks for.
    assert calls(source, "halving", tmp_path)
    inner, outer = rv32_loops(native(source, "rv32imc", tmp_path)["nested"])
    # An absolute path below firmware stays what it is.
    kernel = Kernel("nested", (Part(str(source), "nested", (10, 1)),))
    assert per_unit(kernel, tmp_path) == 10 * inner.instructions + (outer.instructions - inner.instructions)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_nothing_in_the_loops_leaves_the_code(kernel: Kernel, tmp_path: Path) -> None:
    """No call, hence no look-up of a global and no allocation, in the loops over samples."""
    for part in kernel.parts:
        assert calls(FIRMWARE / part.module, part.function, tmp_path) == []


def calls(source: Path, kernel: str, folder: Path) -> list[str]:
    """Calls in a kernel's main loop: jumps that keep a return address. mpy-cross's far jumps link zero."""
    found = []
    for line in main_loop(source, kernel, folder).listing:
        mnemonic, _, operands = line.partition(" ")
        if mnemonic == "c.jalr" or (mnemonic in ("jalr", "jal") and not operands.startswith("zero")):
            found.append(line)
    return found
