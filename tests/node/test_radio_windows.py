"""When receivers open, and for how long: every rate of five regions, with what Python costs from nothing to a lot."""

from __future__ import annotations

import pytest
from radio_bench import CHIPS, FAST_US, SLOW_US, USUAL_US, Bench
from rx_windows import DOWNLINK_RATES, PUBLISHED

from judder.virtual.lorawan.air import Tuning
from node.link.lorawan.airtime import symbol_us, window
from node.link.radio import HEARD, SILENT
from node.link.radio.sx1262 import symbol_timeout

ERROR_US = 20_000


def opened(bench: Bench, sf: int, bandwidth_hz: int, delay_us: int) -> int:
    """us between when a window should open and when it did; nobody sends."""
    uplink = bench.send(sf=9)
    symbols, offset_us = window(sf, bandwidth_hz, ERROR_US)
    tuning = Tuning(868_100_000, sf, bandwidth_hz, True)
    assert bench.window(delay_us + offset_us, tuning, symbols) == SILENT
    return bench.chip.windows[-1].opened_us - uplink.end_us - delay_us - offset_us


@pytest.mark.parametrize("cost_us", [FAST_US, USUAL_US, SLOW_US])
@pytest.mark.parametrize("chip", CHIPS)
def test_receivers_open_within_3_ms(monkeypatch: pytest.MonkeyPatch, chip: str, cost_us: int) -> None:
    bench = Bench(monkeypatch, chip, cost_us)
    bench.radio.start()
    for sf, bandwidth_hz in DOWNLINK_RATES:
        for delay_us in (1_000_000, 5_000_000):
            assert abs(opened(bench, sf, bandwidth_hz, delay_us)) <= 3000, (sf, bandwidth_hz)
    assert bench.chip.faults == []
    assert bench.radio.late_us == 0


@pytest.mark.parametrize("chip", CHIPS)
def test_a_slow_oscillator_changes_nothing(monkeypatch: pytest.MonkeyPatch, chip: str) -> None:
    options = {"tcxo_start_us": 9000} if chip == "sx1262" else {"tcxo": True}
    bench = Bench(monkeypatch, chip, **options)
    bench.radio.start()
    assert abs(opened(bench, 7, 500_000, 1_000_000)) <= 3000
    assert bench.chip.faults == []


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("error_ms", [3, 10, 20])
def test_on_time_without_a_downlink(monkeypatch: pytest.MonkeyPatch, chip: str, error_ms: int) -> None:
    """The SX1276 counts what it is told. The SX1262 counts in pairs, then in eights: the same, rounded up to that."""
    bench = Bench(monkeypatch, chip)
    bench.radio.start()
    for sf, bandwidth_hz in DOWNLINK_RATES:
        bench.send(sf=9)
        symbols, offset_us = window(sf, bandwidth_hz, error_ms * 1000)
        before_us = bench.chip.rx_us
        assert bench.window(1_000_000 + offset_us, Tuning(868_100_000, sf, bandwidth_hz, True), symbols) == SILENT
        counted = symbol_timeout(symbols)[0] if chip == "sx1262" else symbols
        assert 0 <= counted - symbols < (2 if symbols <= 62 else 8)
        assert bench.chip.rx_us - before_us == counted * symbol_us(sf, bandwidth_hz)
        if (sf, bandwidth_hz) in PUBLISHED:
            wanted, ms = PUBLISHED[sf, bandwidth_hz][error_ms]
            assert symbols == wanted
            if counted == symbols:
                assert bench.chip.rx_us - before_us <= ms * 1000 + 510


@pytest.mark.parametrize("symbols", range(1, 249))
def test_symbols_the_sx1262_counts_are_never_too_few(symbols: int) -> None:
    counted, code = symbol_timeout(symbols)
    assert symbols <= counted <= symbols + 7
    assert counted == (code >> 3) << (2 * (code & 7) + 1)
    assert code < 256


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("wrong_ms", [-20, -10, 0, 10, 20])
def test_clocks_wrong_by_what_was_allowed_for_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, chip: str, wrong_ms: int
) -> None:
    bench = Bench(monkeypatch, chip)
    bench.radio.start()
    for sf, bandwidth_hz in DOWNLINK_RATES:
        uplink = bench.send(sf=9)
        symbols, offset_us = window(sf, bandwidth_hz, ERROR_US)
        tuning = Tuning(uplink.tuning.frequency_hz, sf, bandwidth_hz, True)
        bench.air.says(uplink.end_us + 1_000_000 + wrong_ms * 1000, tuning, bytes(33))
        assert bench.window(1_000_000 + offset_us, tuning, symbols) == HEARD, (sf, bandwidth_hz)
    assert bench.chip.faults == []
