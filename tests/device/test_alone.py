"""Kernels the node does without give the numbers they are counted for."""

from pathlib import Path

import numpy as np
import pytest
from tests.device.target import Target


@pytest.mark.parametrize("device", [32], ids=["32-bit"], indirect=True)
def test_kernels_the_node_does_without(device: Target, tmp_path: Path) -> None:
    chance = np.random.default_rng(8)
    samples = chance.integers(-32767, 32768, 4096).astype("<i2")
    bins = np.zeros((500, 2), "<i4")
    bins[:, 0] = chance.integers(0, 1 << 30, 500)
    weights = chance.integers(8192, 16385, 500).astype("<i2")
    for name, data in (("samples", samples), ("bins", bins), ("weights", weights)):
        (tmp_path / name).write_bytes(data.tobytes())
    names = [tmp_path / name for name in ("samples", "bins", "weights")]
    squares, displacement = map(int, device.output("alone.py", *names).split())
    assert squares == int((samples.astype(np.int64) ** 2).sum())
    expected = float((bins[:, 0] * (weights / 16384.0) ** 2).sum()) / 2
    # Weights squared are rounded down to 14 bits, products to 15.
    assert displacement == pytest.approx(expected, rel=1e-3)
