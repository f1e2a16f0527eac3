"""docs/samples.md is what tests/bench/bench_soak.py writes, with a row for every part and nothing lost in any."""

from __future__ import annotations

from parts_bench import PARTS
from tests.bench import bench_soak


def test_page_is_the_benchs_and_says_what_has_to_be() -> None:
    written = bench_soak.PAGE.read_text()
    rows = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("| ")]
    assert bench_soak.page(rows[2:]) == written, "tests/bench/bench_soak.py --write makes the page anew"
    assert [row[0] for row in rows[2:]] == list(PARTS)
    for name, samples, lost, wrong, error, exact, cost, _known, lies in rows[2:]:
        part = PARTS[name]
        assert int(samples) >= 600 * part.nominal_hz
        assert (lost, wrong, lies) == ("0", "0", "0")
        assert abs(float(error.split()[0])) < 1000
        counted, of = map(int, exact.split(" of "))
        assert counted == of >= 100
        assert int(cost) > 0
