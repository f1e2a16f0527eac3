"""The SX1276's driver: FIFO, modes, errata, a board without DIO1, and start-up errors."""

from __future__ import annotations

import pytest
from radio_bench import Bench

from judder.virtual.lorawan.air import Tuning
from node.link.radio import HEARD, SILENT, RadioError
from node.link.radio.sx1276 import SX1276


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(monkeypatch, "sx1276")
    found.radio.start()
    return found


def test_frames_are_written_awake_because_sleep_wipes_the_fifo(bench: Bench) -> None:
    for number in range(3):
        bench.radio.sleep()
        bench.clock.now_us += 1_000_000
        payload = bytes((number,)) * 40
        assert bench.send(payload).payload == payload
    assert bench.chip.faults == []


def test_a_board_without_dio1_asks_once_the_window_should_be_over(bench: Bench) -> None:
    bench.port.dio1 = None
    uplink = bench.send()
    tuning = Tuning(uplink.tuning.frequency_hz, 12, 125_000, True)
    bench.radio.stage(868_100_000, 12, 125_000, 6)
    bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 1_000_000))
    said = len(bench.port.writes)
    for _ in range(100):
        assert bench.radio.poll() is None
        bench.clock.now_us += 1000
    assert len(bench.port.writes) == said
    assert bench.wait() == SILENT
    bench.air.says(uplink.end_us + 3_000_000, tuning, b"hello")
    assert bench.window(2_990_000, tuning) == HEARD
    assert bench.chip.faults == []


@pytest.mark.parametrize("tcxo", [False, True])
def test_a_tcxo_bit_that_does_not_fit_makes_it_deaf_so_it_follows_the_board(
    monkeypatch: pytest.MonkeyPatch, tcxo: bool
) -> None:
    bench = Bench(monkeypatch, "sx1276", tcxo=tcxo)
    bench.radio.start()
    assert bench.send().power_dbm == 14
    other = SX1276(bench.port, not tcxo)
    other.start()
    other.transmit(bytes(20), 868_100_000, 7, 125_000, 14)
    assert "deaf" in bench.chip.faults[0]


def test_the_antenna_switch_on_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1276", switch="pins")
    bench.radio.start()
    assert bench.send().power_dbm == 14
    assert bench.window(1_000_000, Tuning(868_100_000, 7, 125_000, True)) == SILENT
    assert bench.port.antennas == [1, -1, 0, -1]
    assert bench.chip.faults == []


@pytest.mark.parametrize(("asked", "counted"), [(1, 4), (4, 4), (6, 6), (161, 161), (300, 300), (2000, 1023)])
def test_symbols_from_4_to_1023(bench: Bench, asked: int, counted: int) -> None:
    bench.send()
    tuning = Tuning(868_100_000, 7, 500_000, True)
    assert bench.window(1_000_000, tuning, asked) == SILENT
    assert bench.chip.windows[-1].on_us == counted * 256


@pytest.mark.parametrize("bandwidth_hz", [125_000, 250_000, 500_000, 125_000])
def test_errata_follow_the_bandwidth(bench: Bench, bandwidth_hz: int) -> None:
    for other in (500_000, bandwidth_hz):
        bench.send()
        assert bench.window(1_000_000, Tuning(868_100_000, 8, other, True)) == SILENT
    assert bench.chip.faults == []


def test_a_chip_of_another_kind(bench: Bench) -> None:
    bench.chip._registers[0x42] = 0x22  # SX1272
    bench.chip._start = lambda _now_us: None
    with pytest.raises(RadioError, match="its version reads 0x22 instead of 0x12"):
        bench.radio.start()


def test_a_chip_that_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1276")
    write = bench.chip._write
    bench.chip._write = lambda address, value, now_us: None if value == 0x80 else write(address, value, now_us)
    with pytest.raises(RadioError, match="does not keep its mode"):
        bench.radio.start()


def test_image_calibration_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1276")
    read = bench.chip._read
    bench.chip._read = lambda address: 0x20 if address == 0x3B else read(address)
    with pytest.raises(RadioError, match="image calibration does not end"):
        bench.radio.start()
