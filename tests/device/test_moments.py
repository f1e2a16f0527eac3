"""Kurtosis and skewness on both word sizes: kernel equal to twin, and both as close to numpy's float64 as promised."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.device.cases import HIGH, LOW, Case, answers, counts
from tests.device.target import FIRMWARE, Target

# The result is in hundredths, so it can't be nearer than this.
ROUNDING = 0.005
# What may come on top: the issue allows 0.5 % in all.
NATURAL_RELATIVE = 0.001
SKEWNESS = 0.002


def reference(block: np.ndarray) -> tuple[float, float]:
    """Kurtosis (not excess) and skewness from their definitions, in float64."""
    d = block.astype(np.float64) - block.mean(dtype=np.float64)
    variance = (d**2).mean()
    return float((d**4).mean() / variance**2), float((d**3).mean() / variance**1.5)


def spiky(base: np.ndarray, share: float, kurtosis: float, chance: np.random.Generator) -> np.ndarray:
    """base with a share of its samples replaced by spikes of one height that give the kurtosis asked for."""
    where = chance.choice(len(base), max(1, int(share * len(base))), replace=False)
    signs = chance.choice([-1.0, 1.0], len(where), p=[0.2, 0.8])
    low, high = 1.0, 100.0
    made = base.copy()
    for _ in range(40):
        made[where] = signs * (low + high) / 2
        if reference(made)[0] < kurtosis:
            low = (low + high) / 2
        else:
            high = (low + high) / 2
    return (made - made.mean()) / made.std()


def signals(length: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Signals of RMS 1 and mean 0, kurtosis 1 to 30."""
    t = np.arange(length)
    gaussian = chance.standard_normal(length)
    found = {
        "sine": np.sqrt(2) * np.sin(0.1 * t),
        "triangle": np.sqrt(3) * (np.abs(t % 200 - 100) / 50 - 1),
        "square": np.where(t % 2, 1.0, -1.0),
        "slow square, one level more often": np.where(t % 10 < 3, 1.0, -1.0),
        "Gaussian": gaussian,
        "Laplace": chance.laplace(0, np.sqrt(0.5), length),
        "exponential": chance.exponential(1, length) - 1,
        "modulated": gaussian * (1 + 0.9 * np.sin(0.02 * t)),
    }
    for kurtosis in (4.0, 8.0, 15.0, 29.5):
        found[f"Gaussian with rare spikes, kurtosis {kurtosis}"] = spiky(gaussian, 0.001, kurtosis, chance)
        found[f"Gaussian with spikes, kurtosis {kurtosis}"] = spiky(gaussian, 0.01, kurtosis, chance)
    return {name: (signal - signal.mean()) / signal.std() for name, signal in found.items()}


def accuracy_cases() -> list[Case]:
    """Every signal at every amplitude that is not clipped, around means that are whole and that are not."""
    chance = np.random.default_rng(5)
    made = signals(4096, chance)
    # The limits at which the squares are cut by one bit more lie in between.
    amplitudes = (20, 23, 31, 47, 90, 127, 181, 400, 1000, 2500, 6000, 14000)
    cases = []
    for (name, signal), rms, mean in product(made.items(), amplitudes, (0, 0.5, 2047.7, -9000.3)):
        if rms * np.abs(signal).max() + abs(mean) < HIGH:
            cases.append(Case(f"{name}, {rms} counts RMS around {mean}", counts(rms * signal + mean)))
    return cases


def test_accuracy(device: Target, built: Path, tmp_path: Path) -> None:
    """From 20 counts RMS to full scale, kurtosis 1 to 30."""
    cases = accuracy_cases()
    assert len(cases) > 500
    for case, (valid, kurtosis_c, skewness_c) in zip(
        cases, answers(device, "moments.py", built, cases, tmp_path), strict=True
    ):
        kurtosis, skewness = reference(case.block)
        assert valid == 1, case.name
        assert abs(kurtosis_c / 100 - kurtosis) <= ROUNDING + NATURAL_RELATIVE * kurtosis, case.name
        assert abs(skewness_c / 100 - skewness) <= ROUNDING + SKEWNESS * max(1, abs(skewness)), case.name


def test_constant_amplitude_and_one_spike(device: Target, built: Path, tmp_path: Path) -> None:
    """The worst there is for squares that are cut: nearly all samples are cut by the same amount.

    Clipped ones are among them, with a spike against one stop.
    """
    chance = np.random.default_rng(6)
    square = np.where(np.arange(4096) % 2, 1.0, -1.0)
    cases = [
        Case(f"{rms} counts, kurtosis {kurtosis}, around {mean}", counts(rms * made + mean))
        for kurtosis in (1.5, 2, 3, 5, 10, 20, 30)
        for made in (spiky(square, 1 / 4096, kurtosis, chance),)
        for rms, mean in product((20, 50, 130, 181, 700, 1100, 3000, 5000), (0, -300.3))
    ]
    for case, (valid, kurtosis_c, _) in zip(cases, answers(device, "moments.py", built, cases, tmp_path), strict=True):
        kurtosis, _ = reference(case.block)
        assert valid == 1
        assert abs(kurtosis_c / 100 - kurtosis) <= ROUNDING + 0.002 * kurtosis, case.name


def edge_cases() -> list[Case]:
    """Lengths 0 to 40 and around powers of two, aligned and not, of blocks that break integer kernels."""
    chance = np.random.default_rng(7)
    cases = []
    for length, offset in product((*range(41), 255, 256, 257, 1001, 4095, 4096), (0, 1)):
        even = np.arange(length) % 2 == 0
        blocks = {
            "zeros": np.zeros(length),
            "direct current": np.full(length, 12345),
            "all lowest": np.full(length, LOW),
            "all highest": np.full(length, HIGH),
            "alternating extremes": np.where(even, LOW, HIGH),
            "zero and one": np.where(even, 0, 1),
            "random": chance.integers(LOW, HIGH + 1, length),
            "tiny": chance.integers(-1, 2, length),
            "around a large mean": chance.integers(-40, 41, length) - 32000,
            # The distance from the mean does not fit 16 bits.
            "lowest, highest now and then": np.where(np.arange(length) % 7 == 6, HIGH, LOW),
            "highest, lowest now and then": np.where(np.arange(length) % 7 == 6, LOW, HIGH),
        }
        cases += [Case(f"{name}, {length}, {offset}", counts(block), offset) for name, block in blocks.items()]
    cases.append(Case("alternating extremes, longest", counts(np.where(np.arange(32768) % 2, LOW, HIGH))))
    cases.append(Case("random, longest", chance.integers(LOW, HIGH + 1, 32768).astype(np.int16)))
    cases.append(Case("one step, longest", counts(np.arange(32768) == 20000)))
    return cases


def check_edges(device: Target, modules: Path, folder: Path) -> None:
    cases = edge_cases()
    for case, (valid, kurtosis_c, skewness_c) in zip(
        cases, answers(device, "moments.py", modules, cases, folder), strict=True
    ):
        if len(case.block) == 0 or case.block.min() == case.block.max():
            assert (valid, kurtosis_c, skewness_c) == (0, 0, 0), case.name
            continue
        kurtosis, skewness = reference(case.block)
        assert valid == 1, case.name
        # Blocks of a count or two are cruder in the last step (their spread is in 1/1024), never by more than this.
        assert abs(kurtosis_c / 100 - kurtosis) <= ROUNDING + 0.004 * kurtosis, case.name
        assert abs(skewness_c / 100 - skewness) <= ROUNDING + 0.004 * max(1, abs(skewness)), case.name


def test_edges(device: Target, built: Path, tmp_path: Path) -> None:
    """Zero variance has no value; everything else has the right one, whatever its length and alignment."""
    check_edges(device, built, tmp_path)


@pytest.mark.parametrize("device", [32], ids=["32-bit"], indirect=True)
def test_edges_when_compiled_on_the_device(device: Target, tmp_path: Path) -> None:
    """The sources themselves, as they would run if copied to a node: the emitter there has one more register."""
    check_edges(device, FIRMWARE, tmp_path)
