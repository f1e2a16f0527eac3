"""Instruction budgets of the kernels on rv32imc, and that the count would notice a slower one."""

from pathlib import Path

from tests.device.budget import FUSED_INSTRUCTIONS_MAX, STATS, UNPACK, fused_per_sample, main_loop

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


def test_fused_keeps_its_budget(tmp_path: Path) -> None:
    assert fused_per_sample(STATS, "_fused", tmp_path) <= FUSED_INSTRUCTIONS_MAX
    loop = main_loop(STATS, "_fused", tmp_path)
    # Eight squares, and the 64-bit split once per four of them (its shift is the only unsigned one).
    assert sum(line.startswith("mul ") for line in loop.listing) == 8
    assert sum(line.startswith("srl ") for line in loop.listing) == 2


def test_count_tells_a_slow_kernel(tmp_path: Path) -> None:
    """The same numbers the obvious way are far over the budget; a count that missed that would gate nothing."""
    source = tmp_path / "naive.py"
    source.write_text(NAIVE)
    assert fused_per_sample(source, "naive", tmp_path) > 1.5 * FUSED_INSTRUCTIONS_MAX


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
"""


def test_count_of_a_loop_known_by_hand(tmp_path: Path) -> None:
    """`while n: n -= 1` takes 6 instructions an iteration, as counted when executed in an RV32 emulator."""
    source = tmp_path / "countdown.py"
    source.write_text(COUNTDOWN)
    assert main_loop(source, "countdown", tmp_path).instructions == 6
    # Division is a helper of the runtime: what the next test looks for.
    assert calls(source, "halving", tmp_path)


def test_nothing_in_the_loops_leaves_the_code(tmp_path: Path) -> None:
    """No call, hence no look-up of a global and no allocation, in the loops over samples."""
    for source, kernel in ((STATS, "_fused"), (STATS, "_peak_about"), (UNPACK, "_unpack")):
        assert calls(source, kernel, tmp_path) == [], kernel


def calls(source: Path, kernel: str, folder: Path) -> list[str]:
    """Calls in a kernel's main loop: jumps that keep a return address. mpy-cross's far jumps link zero."""
    found = []
    for line in main_loop(source, kernel, folder).listing:
        mnemonic, _, operands = line.partition(" ")
        if mnemonic == "c.jalr" or (mnemonic in ("jalr", "jal") and not operands.startswith("zero")):
            found.append(line)
    return found
