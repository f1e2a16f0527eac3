"""docs/accuracy.md is what the kernels give today, loosely: the same words, and numbers that are about the same."""

import re
from pathlib import Path

from tests.bench import bench_accuracy
from tests.device.target import Target

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def test_page_is_what_the_kernels_give(device: Target, built: Path, tmp_path: Path) -> None:
    bench = bench_accuracy.Bench(device, built, tmp_path)
    made = bench_accuracy.build(bench)
    assert not bench.faults
    written = bench_accuracy.PAGE.read_text()
    advice = "tests/bench/bench_accuracy.py --write makes the page anew"
    assert _NUMBER.sub("#", made) == _NUMBER.sub("#", written), advice
    for now, then in zip(_NUMBER.findall(made), _NUMBER.findall(written), strict=True):
        # Another numpy rounds and draws differently; another kernel is off by more than this.
        assert abs(float(now) - float(then)) <= 0.2 + 0.02 * abs(float(then)), (now, then, advice)
    assert bench_accuracy.PICTURE.stat().st_size > 10_000
