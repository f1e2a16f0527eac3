"""Radio drivers on their chips' models: how long receivers are open, how exactly they open, what setting up takes.

Nothing here is measured on a chip: times are the data sheets', plus what a transfer may cost in Python, which varies by
half of it from one to the next.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "firmware"), str(ROOT / "tests" / "node")]

from radio_bench import CHIPS, FAST_US, SLOW_US, USUAL_US, Bench  # noqa: E402
from rx_windows import DOWNLINK_RATES  # noqa: E402

from judder.virtual.lorawan.air import Tuning  # noqa: E402
from node.link.lorawan.airtime import symbol_us, window  # noqa: E402
from node.link.radio import SILENT  # noqa: E402

ERROR_MS = 20
WINDOWS = 10
COSTS_US = (FAST_US, USUAL_US, SLOW_US)


def main() -> None:
    with pytest.MonkeyPatch.context() as patch:
        print(f"Receive windows without a downlink, clock error +-{ERROR_MS} ms: symbols and ms open, one window")
        print(
            f"  {'rate':>8} {'asked':>12} {'SX1276':>12} {'SX1262':>12}   opened, us beside nominal, transfer costing"
        )
        print(f"  {'':>8} {'':>12} {'':>12} {'':>12}   " + " ".join(f"{cost:>6} us" for cost in COSTS_US))
        benches = {(chip, cost): started(patch, chip, cost) for chip in CHIPS for cost in COSTS_US}
        for sf, bandwidth_hz in DOWNLINK_RATES:
            row(patch, benches, sf, bandwidth_hz)
        print("  The SX1262 counts symbols in pairs, above 62 in eights: rounded up.")
        print()
        print("Board time to set up, ms, by cost of a transfer; the TCXO of the SX1262 takes 10 ms of it")
        for chip in CHIPS:
            for cost in COSTS_US:
                print(f"  {chip} {cost:>5} us   {setup(patch, benches[chip, cost])}")


def started(patch: pytest.MonkeyPatch, chip: str, cost_us: int) -> Bench:
    bench = Bench(patch, chip, cost_us)
    bench.radio.start()
    return bench


def row(patch: pytest.MonkeyPatch, benches: dict[tuple[str, int], Bench], sf: int, bandwidth_hz: int) -> None:
    symbols, offset_us = window(sf, bandwidth_hz, ERROR_MS * 1000)
    symbol = symbol_us(sf, bandwidth_hz) / 1000
    open_ms: dict[str, float] = {}
    beside: dict[tuple[str, int], int] = {}
    for (chip, cost), bench in benches.items():
        bench.take_time(patch)
        errors_us = []
        for _ in range(WINDOWS):
            uplink = bench.send(sf=9)
            assert bench.window(1_000_000 + offset_us, Tuning(868_100_000, sf, bandwidth_hz, True), symbols) == SILENT
            opened = bench.chip.windows[-1]
            open_ms[chip] = opened.on_us / 1000
            errors_us.append(opened.opened_us - uplink.end_us - 1_000_000 - offset_us)
        beside[chip, cost] = max(errors_us, key=abs)
        assert bench.chip.faults == []
    shown = [f"{symbols:>4} {symbols * symbol:>7.1f}"]
    shown += [f"{round(open_ms[chip] / symbol):>4} {open_ms[chip]:>7.1f}" for chip in ("sx1276", "sx1262")]
    errors = [f"{beside['sx1262', cost]:+d} / {beside['sx1276', cost]:+d}".rjust(20) for cost in COSTS_US]
    print(f"  SF{sf}/{bandwidth_hz // 1000:<4} " + " ".join(shown) + "   " + " ".join(errors))


def setup(patch: pytest.MonkeyPatch, bench: Bench) -> str:
    bench.take_time(patch)
    parts = []
    for name, action in (
        ("start", bench.radio.start),
        ("transmit", lambda: bench.radio.transmit(bytes(51), 868_100_000, 7, 125_000, 14)),
        ("stage", lambda: bench.radio.stage(868_100_000, 7, 125_000, 44)),
    ):
        before_us, transfers = bench.clock.now_us, len(bench.port.writes)
        action()
        took_ms, count = (bench.clock.now_us - before_us) / 1000, len(bench.port.writes) - transfers
        parts.append(f"{name} {took_ms:.1f} ({count} transfers)")
        if name == "transmit":
            bench.wait()
    return ", ".join(parts)


if __name__ == "__main__":
    main()
