"""Drivers on both word sizes: a block allocates nothing, with the kernels and the arithmetic a board would run."""

from pathlib import Path

import pytest
from tests.device.target import Target

# Module, class, rate in Hz, bytes of a FIFO word.
DRIVERS = [
    ("iis3dwb", "IIS3DWB", 20000, 7),
    ("adxl345", "ADXL345", 3200, 6),
    ("adxl355", "ADXL355", 4000, 9),
    ("lis2dw12", "LIS2DW12", 1600, 6),
    ("lis3dh", "LIS3DH", 1344, 6),
    ("mpu6050", "MPU6050", 1000, 6),
]


@pytest.mark.parametrize(("module", "name", "rate_hz", "word"), DRIVERS, ids=[row[0] for row in DRIVERS])
def test_a_block_allocates_nothing(
    device: Target, built: Path, module: str, name: str, rate_hz: int, word: int
) -> None:
    blocks, lost, rate_dhz, before, after = device.output("fill.py", built, module, name, rate_hz, word).split()
    assert (blocks, lost) == ("3", "0")
    assert before == after
    # The device forgets up to a period at each look.
    assert 0.4 * rate_hz < int(rate_dhz) / 10 < 1.05 * rate_hz
