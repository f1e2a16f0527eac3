"""The SX1262's driver: oscillator, antenna switch, start-up errors, and registers that a warm sleep takes."""

from __future__ import annotations

import pytest
from radio_bench import Bench

from judder.virtual.chips import sx1262_codes as codes
from judder.virtual.lorawan.air import Tuning
from node.link.radio import DAMAGED, HEARD, SILENT, RadioError
from node.link.radio.sx1262 import SX1262


@pytest.mark.parametrize("tcxo_mv", [None, 1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300])
def test_with_a_crystal_and_with_every_tcxo(monkeypatch: pytest.MonkeyPatch, tcxo_mv: int | None) -> None:
    bench = Bench(monkeypatch, "sx1262", tcxo_mv=tcxo_mv)
    bench.radio.start()
    bench.send()
    assert bench.window(1_000_000, Tuning(868_100_000, 7, 125_000, True)) == SILENT
    assert bench.chip.faults == []


def test_a_tcxo_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262", tcxo_start_us=9500)
    bench.radio.start()
    bench.send()
    assert bench.chip.faults == []


# What board.toml says, and what is on the board.
@pytest.mark.parametrize(("said", "wired"), [(None, 1800), (3300, 1800), (1800, None)])
def test_a_board_file_that_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, said: int | None, wired: int | None
) -> None:
    bench = Bench(monkeypatch, "sx1262", tcxo_mv=wired)
    radio = SX1262(bench.port, said, True)
    with pytest.raises(RadioError, match="its oscillator does not start; does tcxo_mv fit the board"):
        radio.start()


def test_a_tcxo_that_never_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262", tcxo_start_us=50_000)
    with pytest.raises(RadioError, match="oscillator does not start"):
        bench.radio.start()


def test_another_failed_calibration_is_given_as_the_chip_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    calibrate = bench.chip._calibrate

    def broken(blocks: int) -> None:
        calibrate(blocks)
        bench.chip._errors |= codes.PLL_ERROR

    bench.chip._calibrate = broken
    with pytest.raises(RadioError, match="calibration failed, errors 0x0004"):
        bench.radio.start()


def test_busy_that_stays_high_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    bench.send()
    bench.chip.stuck_busy = True
    begin_us = bench.clock.now_us
    with pytest.raises(RadioError, match="no SX1262 on SPI 1, chip select 18: BUSY stays high"):
        bench.radio.stage(868_100_000, 7, 125_000, 6)
    assert bench.clock.now_us - begin_us < 100_000
    bench.chip.stuck_busy = False
    bench.radio.start()
    bench.send()
    assert bench.chip.faults == []


def test_something_else_on_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    monkeypatch.setattr(bench.chip, "exchange", lambda data, _now_us: bytes(len(data)))
    with pytest.raises(RadioError, match="it reads 0000 where 1424 stands after a reset"):
        bench.radio.start()


@pytest.mark.parametrize("switch", ["dio2", "pins", None])
def test_the_antenna_switch(monkeypatch: pytest.MonkeyPatch, switch: str | None) -> None:
    bench = Bench(monkeypatch, "sx1262", switch=switch)
    bench.radio.start()
    uplink = bench.send()
    assert uplink.power_dbm == 14
    tuning = Tuning(868_100_000, 7, 125_000, True)
    bench.air.says(uplink.end_us + 1_000_000, tuning, b"hello")
    assert bench.window(995_000, tuning, 20) == HEARD
    assert bench.port.antennas == [1, -1, 0, -1]
    assert bench.chip.faults == []


def test_image_calibration_follows_the_band(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    for frequency_hz in (868_100_000, 869_525_000, 923_200_000, 915_000_000, 865_062_500, 867_100_000):
        bench.send(frequency_hz=frequency_hz)
        assert bench.window(1_000_000, Tuning(frequency_hz, 7, 125_000, True)) == SILENT
    done = [data for data in bench.port.writes if data[0] == codes.CALIBRATE_IMAGE]
    assert done == [b"\x98\xd7\xdb", b"\x98\xe1\xe9", b"\x98\xd7\xdb"]
    assert bench.chip.faults == []


def test_a_broken_header_ends_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    bench.send()
    bench.radio.stage(868_100_000, 7, 125_000, 100)
    bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 1_000_000))
    bench.chip._raise(codes.HEADER_ERROR)
    assert bench.wait() == DAMAGED
    assert bench.chip.windows[-1].why == "closed"


def test_sleep_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    assert bench.port.writes[-1] == b"\x84\x04"
    begin_us = bench.clock.now_us
    bench.radio.transmit(bytes(20), 915_000_000, 7, 125_000, 14)
    assert bench.clock.now_us - begin_us < 25_000, "of which 10 ms for the TCXO"


def test_a_false_preamble_does_not_hold_the_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locked on something that never becomes a frame: the timer behind the symbol time-out ends it."""
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    uplink = bench.send()
    tuning = Tuning(868_100_000, 7, 125_000, True)
    ghost = bench.air.says(uplink.end_us + 1_000_000, tuning, bytes(255))
    bench.air.others[:] = [type(ghost)("noise", ghost.start_us, ghost.end_us, tuning, 0.0, b"", 10_000, False)]
    assert bench.window(1_000_000, tuning) == SILENT
    assert bench.chip.windows[-1].on_us == pytest.approx((6 + 32) * 1024, abs=200)


def test_an_end_that_comes_between_question_and_answer_is_not_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preamble is read, the frame ends before the interrupt is cleared: only what was read is cleared."""
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    uplink = bench.send()
    tuning = Tuning(868_100_000, 7, 500_000, True)
    downlink = bench.air.says(uplink.end_us + 1_000_000, tuning, bytes(12))
    bench.radio.stage(tuning.frequency_hz, 7, 500_000, 161)
    bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 990_000))
    # Asked for the first time when the end is so near that it comes within the two transfers.
    bench.clock.now_us = downlink.end_us - 300
    found = bench.radio.poll()
    assert bench.clock.now_us > downlink.end_us
    assert (found or bench.wait()) == HEARD
    assert bytes(bench.radio.frame) == bytes(12)
    assert bench.chip.faults == []
