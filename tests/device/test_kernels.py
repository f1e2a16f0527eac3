"""The statistics kernels, bit for bit, on both word sizes. The expected numbers are numpy's, in int64 and float64."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.device.target import FIRMWARE, PROGRAMS, Target

LENGTHS = (*range(41), 63, 255, 256, 257, 1000, 1001, 4095, 4096)
LOW, HIGH = -32768, 32767


def blocks(length: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Blocks of one length that have broken integer kernels before, by name."""
    even = np.arange(length) % 2 == 0
    found = {
        "random": chance.integers(LOW, HIGH + 1, length),
        "all lowest": np.full(length, LOW),
        "all highest": np.full(length, HIGH),
        "alternating extremes": np.where(even, LOW, HIGH),
        "alternating extremes, other way": np.where(even, HIGH, LOW),
        "small around a large mean": chance.integers(-3, 4, length) + 31000,
        "small around a large negative mean": chance.integers(-3, 4, length) - 32000,
        "minus one": np.full(length, -1),
        "zero": np.zeros(length),
        "sign changes in the low half only": np.where(even, chance.integers(-2, 3, length), 0),
        "sign changes in the high half only": np.where(even, 0, chance.integers(-2, 3, length)),
        "high, never the lowest": chance.integers(LOW + 1, LOW + 20, length),
    }
    if length:
        one = chance.integers(-100, 100, length)
        one[chance.integers(length)] = LOW
        found["one lowest"] = one
        peak = chance.integers(-100, 100, length)
        peak[-1] = HIGH
        found["peak at the end"] = peak
    return {name: block.astype(np.int16) for name, block in found.items()}


def cases() -> list[tuple[str, np.ndarray, int]]:
    """(name, block, offset in the buffer): every block aligned and not."""
    chance = np.random.default_rng(20)
    found = [
        (f"{name}, {length} samples, offset {offset}", block, offset)
        for length in LENGTHS
        for name, block in blocks(length, chance).items()
        for offset in (0, 1)
    ]
    longest = 32768
    found += [
        ("all lowest, longest", np.full(longest, LOW, np.int16), 0),
        ("all highest, longest", np.full(longest, HIGH, np.int16), 0),
        ("random, longest", chance.integers(LOW, HIGH + 1, longest).astype(np.int16), 0),
        ("near full scale, longest", np.full(longest, LOW + 1, np.int16), 0),
    ]
    return found


def check(name: str, block: np.ndarray, line: str) -> None:
    """One line of the program against numpy."""
    total, squares, peak, mean, rms_x16, about, raw, span, spread, *abouts = (int(word) for word in line.split())
    wide = block.astype(np.int64)
    assert total == wide.sum(), name
    assert squares == (wide * wide).sum(), name
    assert peak == raw == np.abs(wide).max(initial=0), name
    if not len(block):
        assert (mean, rms_x16, about, span, spread) == (0, 0, 0, 0, 0) and not any(abouts), name
        return
    assert span == wide.max() - wide.min(), name
    # In whole numbers, where float64 would round: 1024 times n times the variance.
    n, squared = len(block), int(wide.sum()) ** 2
    assert spread == 1024 * (n * int((wide * wide).sum()) - squared) // n, name
    # Halves go up, as floor(x + 1/2) has it.
    assert mean == np.floor(wide.mean() + 0.5), name
    # 0.5: rounded to the nearest 1/16 count. 1e-6: what float64 may be off for the longest block at full scale.
    assert abs(rms_x16 - 16 * np.std(wide.astype(np.float64))) <= 0.5 + 1e-6, name
    assert about == np.abs(wide - mean).max(), name
    assert abouts == [np.abs(wide - centre).max() for centre in (mean, LOW, HIGH, 0, 1)], name


def run_cases(device: Target, modules: Path, folder: Path) -> None:
    todo = cases()
    first = 0
    lines = []
    for _, block, offset in todo:
        lines.append(f"{first} {len(block)} {offset}\n")
        first += len(block)
    (folder / "samples").write_bytes(np.concatenate([block for _, block, _ in todo]).astype("<i2").tobytes())
    (folder / "cases").write_text("".join(lines))
    answers = device.output("kernels.py", modules, folder / "samples", folder / "cases").splitlines()
    assert len(answers) == len(todo)
    for (name, block, _), answer in zip(todo, answers, strict=True):
        check(name, block, answer)


def test_bit_exact(device: Target, built: Path, tmp_path: Path) -> None:
    """Kernels equal twin (checked by the program) and numpy (checked here), as a board's .mpy has them."""
    run_cases(device, built, tmp_path)


@pytest.mark.parametrize("device", [32], ids=["32-bit"], indirect=True)
def test_bit_exact_when_compiled_on_the_device(device: Target, tmp_path: Path) -> None:
    """The sources themselves, as they would run if copied to a node: the emitter there has one more register."""
    run_cases(device, FIRMWARE, tmp_path)


def test_wrong_word_size_is_refused(device: Target, tmp_path: Path) -> None:
    """Kernels built for the other word end in an ImportError that says so, not in wrong numbers."""
    if device.bits == 64:
        wrong = FIRMWARE
    else:
        wrong = tmp_path / "wrong"
        shutil.copytree(FIRMWARE / "node" / "dsp", wrong / "node" / "dsp")
        (wrong / "node" / "__init__.py").touch()
        stats = wrong / "node" / "dsp" / "stats.py"
        stats.write_text(stats.read_text().replace("_WORD_BITS = const(32)", "_WORD_BITS = const(64)"))
    done = device.run("kernels.py", wrong, "none", "none")
    assert done.returncode != 0
    assert "ImportError: kernels built for" in done.stderr + done.stdout


def test_refusals(device: Target, built: Path) -> None:
    """Lengths that would read or write outside a buffer are refused before a pointer is touched."""
    assert device.output("refusals.py", built).split() == ["34"]


def test_no_heap(device: Target, built: Path) -> None:
    """10,000 blocks of three axes in a row, every feature of them, with the heap locked and not a byte used."""
    before, after, records, _ = device.output("heap.py", built, 10_000).split()
    assert before == after and int(records) > 100


def test_pure_parts_agree_with_cpython(device: Target, built: Path) -> None:
    """Threshold, outbox and records give one random history the same end on every runtime."""
    here = subprocess.run(
        [sys.executable, str(PROGRAMS / "pure.py"), str(FIRMWARE)], capture_output=True, text=True, check=True
    )
    assert len(here.stdout) > 5000
    assert device.output("pure.py", built) == here.stdout
