"""The decimator's filters as its kernels are: what folds, what passes, and that nothing leaves its words."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter
from tests.device.target import Target

from node.dsp import decimate_twin as twin

Array = npt.NDArray[np.float64]

# The slowest rate that is left, where the filters have least room, and what decimate.py says of it: alias times 1 kHz
# over the frequency it folds to, at most.
LEFT_HZ = 2900.0
ALIASES = {2: 0.00015, 4: 0.00023, 8: 0.00034}
AMPLITUDE = 32000.0


def slowed(device: Target, built: Path, folder: Path, factor: int, signals: list[Array]) -> list[Array]:
    """Records of signals, in counts."""
    data = [np.clip(np.round(signal), -32768, 32767).astype("<i2") for signal in signals]
    (folder / "samples").write_bytes(b"".join(one.tobytes() for one in data))
    starts = np.cumsum([0, *map(len, data)])
    cases = [f"{factor} {start} {len(one)}\n" for start, one in zip(starts, data, strict=False)]
    (folder / "cases").write_text("".join(cases))
    device.output("decimate.py", built, folder / "samples", folder / "cases", folder / "records")
    records = np.fromfile(folder / "records", "<i2").astype(float) * twin.scale(factor)
    return np.split(records, np.cumsum([len(one) // factor for one in data])[:-1])


def tone(factor: int, hz: float, left: int = 512) -> Array:
    return AMPLITUDE * np.sin(2 * np.pi * hz / (factor * LEFT_HZ) * np.arange(left * factor) + 0.4)


def amplitude(record: Array, hz: float) -> float:
    """Of a sine in a record's second half, by least squares beside a constant."""
    half = record[len(record) // 2 :]
    angle = 2 * np.pi * hz / LEFT_HZ * np.arange(len(half))
    (cosine, sine, _constant), *_ = np.linalg.lstsq(
        np.stack([np.cos(angle), np.sin(angle), np.ones(len(half))], 1), half, rcond=None
    )
    return math.hypot(cosine, sine)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_what_folds(device: Target, built: Path, tmp_path: Path, factor: int) -> None:
    folds = [
        (hz, multiple * LEFT_HZ + side * hz)
        for multiple in range(1, factor // 2 + 1)
        for side in (-1, 1)
        for hz in (100.0, 450.0, 720.0, 1000.0)
        if multiple * LEFT_HZ + side * hz < factor * LEFT_HZ / 2
    ]
    records = slowed(device, built, tmp_path, factor, [tone(factor, true) for _hz, true in folds])
    worst = 0.0
    for (hz, true), record in zip(folds, records, strict=True):
        alias = amplitude(record, hz) / AMPLITUDE * 1000 / hz
        # A tenth of the rounding's four counts may be in there too.
        assert alias <= ALIASES[factor] + 0.4 / AMPLITUDE * 1000 / hz, (hz, true, alias)
        worst = max(worst, alias)
    # The signals do find the filters' limits.
    assert worst > ALIASES[factor] / 2


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_what_passes(device: Target, built: Path, tmp_path: Path, factor: int) -> None:
    hertz = [60.0, 200.0, 500.0, 800.0, 1000.0]
    records = slowed(device, built, tmp_path, factor, [tone(factor, hz) for hz in hertz])
    for hz, record in zip(hertz, records, strict=True):
        droop = math.cos(math.pi * hz / (factor * LEFT_HZ)) ** 4 if factor == 8 else 1
        assert amplitude(record, hz) / AMPLITUDE == pytest.approx(droop, rel=2e-4)


def all_passes(x: Array, branches: tuple, nodes: list[tuple[Array, int]]) -> Array:
    """Of rows of samples, in float64; to nodes what each section multiplies out, and the bits of its coefficient."""
    total = np.zeros((len(x), x.shape[1] // 2))
    for turn, sections in enumerate(branches):
        line = x[:, turn::2]
        for a, bits in sections:
            share = a / 2**bits
            passed = lfilter([share, 1], [1, share], line)
            nodes.append((passed - np.pad(line, ((0, 0), (1, 0)))[:, :-1], bits))
            line = passed
        total += line
    return total


def responses(factor: int, length: int) -> tuple[list[tuple[Array, int]], Array]:
    """To an impulse of one count at each place (rows): every product, and the output in 1/64 count."""
    x = np.eye(length)
    if factor == 8:
        x = lfilter([1, 4, 6, 4, 1], 1, x)[:, ::2]
    else:
        x = x * (64 // factor)
    nodes: list[tuple[Array, int]] = []
    if factor > 2:
        x = all_passes(x, twin.FIRST, nodes)
    return nodes, all_passes(x, twin.SECOND, nodes)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_worst_of_signals_fits(device: Target, built: Path, tmp_path: Path, factor: int) -> None:
    """Full scale with the signs of each impulse response: no other signal gives more. The twin checks every word."""
    length = 128 * factor
    nodes, output = responses(factor, length)
    worst = []
    for response, bits in [*nodes, (output, 8)]:
        # The last of each phase; of what a word can be, a sixteenth is left for rounding and the constant.
        for last in (-1, -2):
            reach = 32768 * np.abs(response[:, last]).sum()
            assert reach * 2**bits < 0.95 * 2**31
            worst.append(np.where(response[:, last] < 0, -32768.0, 32767.0))
    records = slowed(device, built, tmp_path, factor, worst)
    # The output's own worst comes out as computed, and stays within int16.
    expected = 32767.5 * np.abs(output[:, -1]).sum() / 64
    assert records[-2][-1] == pytest.approx(expected, rel=0.002)
    assert 2.2 * 32768 < expected < 2.45 * 32768
