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
from rx_windows import DOWNLINK_RATES, by_formula  # noqa: E402

from judder.virtual.lorawan.air import Tuning  # noqa: E402
from node.link.lorawan.airtime import symbol_us, window  # noqa: E402
from node.link.radio import SILENT  # noqa: E402
from node.link.radio.sx1262 import symbol_timeout  # noqa: E402

ERROR_MS = 20
WINDOWS = 10
COSTS_US = (FAST_US, USUAL_US, SLOW_US)


def main() -> None:
    with pytest.MonkeyPatch.context() as patch:
        costs = " / ".join(str(cost) for cost in COSTS_US)
        print(
            f"Receive windows without a downlink, clock error +-{ERROR_MS} ms, ms open, the longest of {WINDOWS}, with"
        )
        print(f"transfers of {costs} us; beside LoRaMac-node's formula, and what the SX1262 would make of it by itself")
        print("  {:>9} {:>8} {:>8} {:>26} {:>26} {:>9}".format("rate", "symbols", "formula", *CHIPS[::-1], "by itself"))
        benches = {(chip, cost): started(patch, chip, cost) for chip in CHIPS for cost in COSTS_US}
        rows = [row(patch, benches, sf, bandwidth_hz) for sf, bandwidth_hz in DOWNLINK_RATES]
        print(f"Usual transfers take {USUAL_US} us: no window is more than a transfer longer than the formula's then.")
        print()
        print("Opened beside the time asked for, us, the worst")
        for name, beside in rows:
            print(f"  {name:>9} {beside}")
        print()
        print("Board time to set up, ms, by cost of a transfer; the TCXO of the SX1262 takes 10 ms of it")
        for chip in CHIPS:
            for cost in COSTS_US:
                print(f"  {chip} {cost:>5} us   {setup(patch, benches[chip, cost])}")


def started(patch: pytest.MonkeyPatch, chip: str, cost_us: int) -> Bench:
    bench = Bench(patch, chip, cost_us)
    bench.radio.start()
    return bench


def row(
    patch: pytest.MonkeyPatch, benches: dict[tuple[str, int], Bench], sf: int, bandwidth_hz: int
) -> tuple[str, str]:
    """Prints how long receivers are open; returns the name of the rate and how exactly they open."""
    symbols, offset_us = window(sf, bandwidth_hz, ERROR_MS * 1000)
    wanted, formula_ms, _offset_ms = by_formula(sf, bandwidth_hz, ERROR_MS)
    assert symbols == wanted
    open_ms: dict[str, list[str]] = {chip: [] for chip in CHIPS}
    beside: dict[str, list[str]] = {chip: [] for chip in CHIPS}
    for (chip, cost), bench in benches.items():
        bench.take_time(patch)
        errors_us, open_us = [], []
        for _ in range(WINDOWS):
            uplink = bench.send(sf=9)
            assert bench.window(1_000_000 + offset_us, Tuning(868_100_000, sf, bandwidth_hz, True), symbols) == SILENT
            opened = bench.chip.windows[-1]
            open_us.append(opened.on_us)
            errors_us.append(opened.opened_us - uplink.end_us - 1_000_000 - offset_us)
        open_ms[chip].append(f"{max(open_us) / 1000:.2f}")
        beside[chip].append(f"{max(errors_us, key=abs):+d}")
        assert cost > USUAL_US or max(open_us) <= formula_ms * 1000 + cost
        assert bench.chip.faults == []
    name = f"SF{sf}/{bandwidth_hz // 1000}"
    counted_ms = symbol_timeout(symbols)[0] * symbol_us(sf, bandwidth_hz) / 1000
    shown = [" / ".join(open_ms[chip]) for chip in CHIPS[::-1]]
    print(f"  {name:>9} {symbols:>8} {formula_ms:>8.2f} {shown[0]:>26} {shown[1]:>26} {counted_ms:>9.2f}")
    return name, ",  ".join(f"{chip} {' / '.join(found)}" for chip, found in beside.items())


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
