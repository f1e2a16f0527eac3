"""Losses counted on both word sizes: the numbers after a gap are longer than a word, and have to come out the same."""

import random
from pathlib import Path

import pytest
from tests.device.target import Target

PERIOD = 1 << 30


def told(chance: random.Random, rate_hz: float, stalls_ms: tuple[int, ...]) -> tuple[list[str], list[int]]:
    """Events of a driver that reads a FIFO of 32 and stalls, and what each stall cost: one line of arithmetic."""
    begin_us = PERIOD - 1_500_000  # soon to wrap
    now_us, gone, lines, truth = begin_us, 0, [], []
    start_us = now_us + chance.uniform(0, 900)

    def look() -> int:
        nonlocal now_us, gone
        began_us, now_us = now_us, now_us + chance.randrange(55, 70)
        made = max(0, int((now_us - 20 - start_us) * rate_hz / 1e6))
        over = max(0, made - gone - 32)
        gone += over
        truth[-1:] = [truth[-1] + over]
        lines.append(f"{'G' if over else 'L'} {began_us % PERIOD} {now_us % PERIOD} {made - gone}")
        return made - gone

    for stall_ms in stalls_ms:
        truth.append(0)
        for stalled in (0, stall_ms):
            now_us += 1000 * stalled
            until_us = now_us + 1_200_000
            while now_us < until_us:
                if look() < 16:
                    now_us += chance.randrange(600, 1300)
                    continue
                gone += 16
                now_us += 220
                lines.append("T 16")
        lines.append("S")
    return lines, truth


@pytest.mark.parametrize("seed", range(3))
def test_gaps_are_counted_exactly_on_either_word(device: Target, built: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rate_hz = 3200 * chance.uniform(0.97, 1.03)
    lines, truth = told(chance, rate_hz, (30, 1000, 250, 0))
    (tmp_path / "events").write_text("".join(line + "\n" for line in lines))
    found = [line.split() for line in device.output("pace.py", built, tmp_path / "events").splitlines()]
    assert [int(lost) for lost, _exact, _rate in found] == truth
    assert truth[-1] == 0 < truth[0] < truth[1]
    assert [exact for _lost, exact, _rate in found] == ["1"] * 4
    assert int(found[-1][2]) / 10 == pytest.approx(rate_hz, rel=1e-4)
