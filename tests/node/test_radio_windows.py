"""When receivers open, and for how long: every rate of five regions, with what Python costs from nothing to a lot."""

from __future__ import annotations

import os

import pytest
from radio_bench import CHIPS, FAST_US, SLOW_US, USUAL_US, Bench
from rx_windows import DOWNLINK_RATES, PUBLISHED

from judder.virtual.lorawan.air import Tuning
from node.link.lorawan.airtime import symbol_us, window
from node.link.radio import HEARD, SILENT
from node.link.radio.sx1262 import symbol_timeout

ERROR_US = 20_000
FULL = bool(os.environ.get("JUDDER_FULL"))


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
@pytest.mark.parametrize("cost_us", [FAST_US, USUAL_US, SLOW_US])
@pytest.mark.parametrize("error_ms", [3, 10, 20])
def test_on_time_without_a_downlink(monkeypatch: pytest.MonkeyPatch, chip: str, cost_us: int, error_ms: int) -> None:
    """As published; where the SX1262 cannot count the symbols, a transfer more or less of what was asked for."""
    bench = Bench(monkeypatch, chip, cost_us)
    bench.radio.start()
    for sf, bandwidth_hz in DOWNLINK_RATES:
        symbols, offset_us = window(sf, bandwidth_hz, error_ms * 1000)
        tuning = Tuning(868_100_000, sf, bandwidth_hz, True)
        for _ in range(5):
            bench.send(sf=9)
            assert bench.window(1_000_000 + offset_us, tuning, symbols) == SILENT
            counts = chip == "sx1276" or symbol_timeout(symbols)[0] == symbols
            on_us = bench.chip.windows[-1].on_us
            asked_us = symbols * symbol_us(sf, bandwidth_hz)
            assert abs(on_us - asked_us) <= (0 if counts else cost_us), (sf, bandwidth_hz)
            if (sf, bandwidth_hz) in PUBLISHED:
                wanted, ms = PUBLISHED[sf, bandwidth_hz][error_ms]
                assert symbols == wanted
                # Published to the millisecond; clocks are taken to be wrong by 20 ms where nobody says otherwise.
                if counts or cost_us == FAST_US or (cost_us == USUAL_US and error_ms == 20):
                    assert on_us <= ms * 1000 + 500, (sf, bandwidth_hz)
    assert bench.chip.faults == []
    assert bench.radio.late_us == 0


def test_a_window_looked_at_rarely_closes_late_never_early(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    for step_us in (2000, 3900, 7000, 30_000):
        bench.send(sf=9)
        bench.radio.stage(868_100_000, 11, 125_000, 7)
        bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 1_000_000))
        assert bench.wait(step_us) == SILENT
        over_us = bench.chip.windows[-1].on_us - 7 * 16_384
        assert -USUAL_US <= over_us <= (USUAL_US if step_us < 4000 else 16_384)


@pytest.mark.parametrize("symbols", range(1, 249))
def test_symbols_the_sx1262_counts_are_never_too_few(symbols: int) -> None:
    counted, code = symbol_timeout(symbols)
    assert symbols <= counted <= symbols + 7
    assert counted == (code >> 3) << (2 * (code & 7) + 1)
    assert code < 256


def heard_with_an_error_of(bench: Bench, wrong_ms: int) -> list[tuple[int, int]]:
    """Rates at which a downlink is heard whose sender's clock and ours differ by so much."""
    found = []
    for sf, bandwidth_hz in DOWNLINK_RATES:
        uplink = bench.send(sf=9)
        symbols, offset_us = window(sf, bandwidth_hz, ERROR_US)
        tuning = Tuning(uplink.tuning.frequency_hz, sf, bandwidth_hz, True)
        bench.air.others.clear()
        bench.air.says(uplink.end_us + 1_000_000 + wrong_ms * 1000, tuning, bytes(33))
        if bench.window(1_000_000 + offset_us, tuning, symbols) == HEARD:
            found.append((sf, bandwidth_hz))
    assert bench.chip.faults == []
    return found


@pytest.mark.parametrize(("late_symbols", "most_ms"), [(0.0, 20), (1.0, 19)])
@pytest.mark.parametrize("chip", CHIPS)
def test_clocks_wrong_by_what_was_allowed_for_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, chip: str, late_symbols: float, most_ms: int
) -> None:
    """JUDDER_FULL=1: each millisecond. An SX1262 that flags a preamble after six symbols and not five has nothing left
    for what transfers take more or less."""
    bench = Bench(monkeypatch, chip)
    bench.chip.irq_late_symbols = late_symbols
    bench.radio.start()
    for wrong_ms in (*range(-most_ms, most_ms, 1 if FULL else 5), most_ms):
        assert heard_with_an_error_of(bench, wrong_ms) == DOWNLINK_RATES, wrong_ms


def test_a_preamble_told_of_too_late_is_missed_where_windows_are_ended_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control, and the limit: a chip that takes nine symbols loses what comes late by all of the error."""
    bench = Bench(monkeypatch, "sx1262")
    bench.chip.irq_late_symbols = 4.0
    bench.radio.start()
    asked = {rate: window(*rate, ERROR_US)[0] for rate in DOWNLINK_RATES}
    by_hand = {rate for rate, symbols in asked.items() if symbol_timeout(symbols)[0] != symbols}
    assert len(by_hand) == 6
    assert set(DOWNLINK_RATES) - set(heard_with_an_error_of(bench, 20)) == by_hand
