"""Both radio drivers on their chips' models, by the contract of node.link.radio: frames out, windows, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from radio_bench import CHIPS, Bench

from judder.virtual.lorawan.air import Tuning
from node.link.lorawan.airtime import time_on_air_us
from node.link.radio import DAMAGED, HEARD, SENT, SILENT, RadioError

# Uplink and downlink rates of EU868, US915, AU915, AS923 and IN865 (lorawan regional parameters RP002-1.0.4).
RATES = [(sf, 125_000) for sf in range(7, 13)] + [(7, 250_000)] + [(sf, 500_000) for sf in range(7, 13)]
FREQUENCIES = (865_062_500, 865_402_500, 868_100_000, 869_525_000, 902_300_000, 914_900_000, 923_300_000, 927_500_000)


@pytest.fixture(params=CHIPS)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Started. Whatever the test does, in the end the chip was never used wrongly."""
    found = Bench(monkeypatch, request.param)
    found.radio.start()
    yield found
    assert found.chip.faults == []


def down(tuning: Tuning) -> Tuning:
    return Tuning(tuning.frequency_hz, tuning.sf, tuning.bandwidth_hz, True, tuning.sync_word)


@pytest.mark.parametrize(("sf", "bandwidth_hz"), RATES)
def test_a_frame_leaves_as_lorawan_wants_it(bench: Bench, sf: int, bandwidth_hz: int) -> None:
    payload = bytes(range(51))
    sent = bench.send(payload, 868_100_000, sf, bandwidth_hz=bandwidth_hz)
    tuning = sent.tuning
    assert (sent.payload, sent.crc, sent.preamble_symbols, sent.power_dbm) == (payload, True, 8, 14)
    assert (tuning.sf, tuning.bandwidth_hz, tuning.inverted_iq, tuning.sync_word) == (sf, bandwidth_hz, False, 0x34)
    assert sent.end_us - sent.start_us == time_on_air_us(sf, bandwidth_hz, 51)


@pytest.mark.parametrize("frequency_hz", FREQUENCIES)
def test_frequencies_are_right_to_the_chips_step(bench: Bench, frequency_hz: int) -> None:
    step_hz = 32e6 / 2**25 if bench.name == "sx1262" else 32e6 / 2**19
    sent = bench.send(frequency_hz=frequency_hz)
    assert abs(sent.tuning.frequency_hz - frequency_hz) <= step_hz / 2 + 0.5


@pytest.mark.parametrize("size", [1, 255])
def test_shortest_and_longest_frame(bench: Bench, size: int) -> None:
    payload = bytes(place & 0xFF for place in range(size))
    assert bench.send(payload).payload == payload


@pytest.mark.parametrize("wanted", [-20, -9, 0, 2, 10, 14, 17, 18, 20, 22, 30])
def test_power_is_what_was_asked_or_the_nearest_there_is(bench: Bench, wanted: int) -> None:
    low, high = bench.radio.POWER_DBM
    assert (low, high) == ((-9, 22) if bench.name == "sx1262" else (2, 20))
    assert bench.send(dbm=wanted).power_dbm == min(max(wanted, low), high)


@pytest.mark.parametrize("chip", CHIPS)
def test_an_amplifier_behind_the_chip_is_counted(monkeypatch: pytest.MonkeyPatch, chip: str) -> None:
    bench = Bench(monkeypatch, chip, pa_gain_db=11)
    bench.radio.start()
    plain = Bench(monkeypatch, chip).radio.POWER_DBM
    assert (plain[0] + 11, plain[1] + 11) == bench.radio.POWER_DBM
    for wanted in (14, 22, 28):
        assert bench.send(dbm=wanted).power_dbm == max(wanted - 11, plain[0])


@pytest.mark.parametrize(("sf", "bandwidth_hz"), RATES)
@pytest.mark.parametrize("size", [12, 33, 255])
def test_a_downlink_is_heard(bench: Bench, sf: int, bandwidth_hz: int, size: int) -> None:
    uplink = bench.send()
    tuning = Tuning(uplink.tuning.frequency_hz, sf, bandwidth_hz, True)
    payload = bytes(255 - place for place in range(size))
    bench.air.says(uplink.end_us + 1_000_000, tuning, payload)
    assert bench.window(990_000, tuning, 80) == HEARD
    assert bytes(bench.radio.frame) == payload
    assert (bench.radio.rssi_dbm, bench.radio.snr_qdb) == (-80, 36)
    # And after it the chip sends and hears as before.
    assert bench.send(b"next").payload == b"next"


@pytest.mark.parametrize(("rssi_dbm", "snr_db"), [(-40.0, 12.0), (-100.0, 0.0), (-118.0, -3.25), (-126.0, -15.5)])
def test_strength_of_the_signal(bench: Bench, rssi_dbm: float, snr_db: float) -> None:
    uplink = bench.send(sf=12)
    bench.air.rssi_dbm, bench.air.snr_db = rssi_dbm, snr_db
    tuning = down(uplink.tuning)
    bench.air.says(uplink.end_us + 1_000_000, tuning, b"hello")
    assert bench.window(1_000_000, tuning) == HEARD
    assert bench.radio.rssi_dbm == pytest.approx(rssi_dbm, abs=1.1)
    assert bench.radio.snr_qdb == snr_db * 4


def test_windows_one_after_the_other(bench: Bench) -> None:
    uplink = bench.send(sf=9)
    first, second = down(uplink.tuning), Tuning(869_525_000, 12, 125_000, True)
    assert bench.window(1_000_000, first) == SILENT
    # Both chips round: to theirs, what the network sends on is near enough.
    bench.air.says(uplink.end_us + 2_000_000, second, b"late")
    assert bench.window(2_000_000, second) == HEARD
    assert bytes(bench.radio.frame) == b"late"
    assert [window.why for window in bench.chip.windows] == ["timeout", "heard"]


def test_another_nodes_uplink_is_not_a_downlink(bench: Bench) -> None:
    uplink = bench.send()
    bench.air.says(uplink.end_us + 1_000_000, uplink.tuning, b"not for us", crc=True)
    assert bench.window(1_000_000, down(uplink.tuning), 20) == SILENT


def test_a_broken_frame_is_damaged_not_silence(bench: Bench) -> None:
    uplink = bench.send()
    bench.air.damaged = True
    bench.air.says(uplink.end_us + 1_000_000, down(uplink.tuning), b"hello", crc=True)
    assert bench.window(1_000_000, down(uplink.tuning)) == DAMAGED
    bench.air.damaged = False
    bench.air.says(uplink.end_us + 3_000_000, down(uplink.tuning), b"hello")
    assert bench.window(3_000_000, down(uplink.tuning)) == HEARD


def test_the_last_word_before_a_window_opens_it(bench: Bench) -> None:
    uplink = bench.send()
    tuning = down(uplink.tuning)
    bench.radio.stage(tuning.frequency_hz, tuning.sf, tuning.bandwidth_hz, 8)
    staged = len(bench.port.writes)
    bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 1_000_000))
    said = bench.port.writes[staged:]
    assert len(said) == 1
    assert said[0][:1] == b"\x82" if bench.name == "sx1262" else said[0] == b"\x81\x86"


def test_nothing_over_spi_while_the_pin_is_quiet(bench: Bench) -> None:
    bench.radio.transmit(bytes(20), 868_100_000, 12, 125_000, 14)
    said = len(bench.port.writes)
    for _ in range(100):
        assert bench.radio.poll() is None
        bench.clock.now_us += 1000
    assert len(bench.port.writes) == said
    assert bench.wait() == SENT


@pytest.mark.parametrize("step_us", [100, 1000, 50_000])
def test_the_end_of_a_frame_does_not_depend_on_when_one_looks(bench: Bench, step_us: int) -> None:
    sent = bench.send(sf=10, step_us=step_us)
    assert abs(bench.radio.ended_us - sent.end_us) < 500


def test_ticks_wrap_in_the_middle(bench: Bench) -> None:
    bench.clock.now_us = bench.clock.PERIOD - 500_000
    uplink = bench.send(sf=7)
    tuning = down(uplink.tuning)
    bench.air.says(uplink.end_us + 1_000_000, tuning, b"hello")
    assert bench.window(990_000, tuning, 40) == HEARD
    assert uplink.end_us < bench.clock.PERIOD < bench.clock.now_us
    assert abs(bench.chip.windows[0].opened_us - uplink.end_us - 990_000) < 1000


def test_a_window_asked_for_too_late_opens_at_once_and_says_so(bench: Bench) -> None:
    uplink = bench.send()
    bench.clock.now_us += 1_005_000
    assert bench.window(1_000_000, down(uplink.tuning)) == SILENT
    late_us = bench.radio.late_us
    opened_us = bench.chip.windows[0].opened_us
    assert late_us > 5000
    assert opened_us - uplink.end_us - 1_000_000 == pytest.approx(late_us, abs=1000)
    bench.send()
    assert bench.window(1_000_000, down(uplink.tuning)) == SILENT
    assert bench.radio.late_us == 0


def test_sleep_and_what_follows(bench: Bench) -> None:
    asleep = bench.chip.mode
    assert asleep in ("sleep", 0)
    bench.send(b"one")
    bench.window(1_000_000, Tuning(868_100_000, 7, 125_000, True))
    assert bench.chip.mode != asleep
    bench.radio.sleep()
    bench.radio.sleep()
    assert bench.chip.mode == asleep
    bench.clock.now_us += 600_000_000
    assert bench.send(b"two").payload == b"two"
    assert bench.radio.poll() is None


# --- errors


def test_frames_that_cannot_be_sent(bench: Bench) -> None:
    for size in (0, 256):
        with pytest.raises(RadioError, match=f"a frame of {size} bytes cannot be sent"):
            bench.radio.transmit(bytes(size), 868_100_000, 7, 125_000, 14)
    bench.radio.transmit(bytes(20), 868_100_000, 7, 125_000, 14)
    for action in (
        lambda: bench.radio.transmit(bytes(20), 868_100_000, 7, 125_000, 14),
        lambda: bench.radio.stage(868_100_000, 7, 125_000, 6),
        lambda: bench.radio.sleep(),
    ):
        with pytest.raises(RadioError, match="is busy with another frame"):
            action()
    assert bench.wait() == SENT


@pytest.mark.parametrize(
    ("chip", "said"),
    [
        ("sx1262", "no SX1262 on SPI 1, chip select 18: BUSY stays high"),
        ("sx1276", "no SX1276 on SPI 1, chip select 18: its version reads 0xff instead of 0x12"),
    ],
)
def test_a_chip_that_is_not_there(monkeypatch: pytest.MonkeyPatch, chip: str, said: str) -> None:
    bench = Bench(monkeypatch, chip)
    bench.chip.absent = True
    with pytest.raises(RadioError) as caught:
        bench.radio.start()
    assert str(caught.value) == said
    bench.chip.absent = False
    bench.chip.power_on()
    bench.radio.start()
    assert bench.send(b"there").payload == b"there"


@pytest.mark.parametrize("doing", ["transmission", "window"])
def test_an_interrupt_that_never_comes(bench: Bench, doing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.send()
    for pin in ("dio0", "dio1"):
        monkeypatch.setattr(bench.port, pin, lambda: 0)
    with pytest.raises(RadioError, match=f"the end of a {doing} never came; is its interrupt pin wired"):
        if doing == "window":
            bench.window(1_000_000, Tuning(868_100_000, 7, 125_000, True))
        else:
            bench.send()
    monkeypatch.undo()
    bench = Bench(monkeypatch, bench.name)
    bench.radio.start()
    bench.send()


def test_after_an_error_start_brings_it_back(bench: Bench) -> None:
    bench.radio.transmit(bytes(200), 868_100_000, 12, 125_000, 14)
    bench.radio.start()
    assert "cut short" in bench.chip.faults.pop()
    assert bench.send(b"again").payload == b"again"


def test_hundreds_of_frames_leave_no_trace(bench: Bench) -> None:
    for number in range(300):
        payload = number.to_bytes(2, "big") + bytes(number % 40)
        uplink = bench.send(payload, FREQUENCIES[number % len(FREQUENCIES)], 7 + number % 3)
        assert uplink.payload == payload
        tuning = down(uplink.tuning)
        if number % 3 == 0:
            bench.air.says(uplink.end_us + 1_000_000, tuning, payload)
        found = bench.window(1_000_000, tuning, 8)
        assert found == (HEARD if number % 3 == 0 else SILENT)
        if number % 5 == 0:
            bench.radio.sleep()
