"""Mistakes published LoRa drivers for MicroPython have made (micropython-lib `lora`, August 2026), one test each.

Where a mistake costs frames, it is also made here on purpose, between driver and chip, and the frames are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from radio_bench import CHIPS, Bench

from judder.virtual.lorawan.air import Tuning
from node.link.radio import DAMAGED, HEARD, SILENT, sx1262, sx1276

JOIN_ACCEPT = bytes(range(33))  # with a channel list


@pytest.fixture
def sx1262_bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(monkeypatch, "sx1262")
    bench.radio.start()
    return bench


@pytest.fixture
def sx1276_bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(monkeypatch, "sx1276")
    bench.radio.start()
    return bench


@pytest.fixture(params=CHIPS)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(monkeypatch, request.param)
    found.radio.start()
    return found


def meddle(bench: Bench, change: Callable[[bytes], bytes]) -> None:
    """Everything the driver writes goes through `change` on its way to the chip."""
    port, write = bench.port, bench.port.write
    port.write = lambda data: write(change(bytes(data)))  # type: ignore[method-assign]


def downlink(bench: Bench, payload: bytes = JOIN_ACCEPT) -> Any:
    """What the window after an uplink brings when the network answers with `payload`."""
    uplink = bench.send()
    tuning = Tuning(uplink.tuning.frequency_hz, 7, 125_000, True)
    bench.air.says(uplink.end_us + 1_000_000, tuning, payload)
    found = bench.window(995_000, tuning, 20)
    return (found, bytes(bench.radio.frame)) if found == HEARD else (found, b"")


def test_1_iq_polarity_is_not_the_wrong_way_round(sx1262_bench: Bench) -> None:
    """Section 15.4: bit 2 of 0x0736 is 0 for inverted IQ. The other way round longer downlinks break."""
    bench = sx1262_bench
    assert downlink(bench) == (HEARD, JOIN_ACCEPT)
    polarity = [data[3] & 4 for data in bench.port.writes if data[:3] == b"\x0d\x07\x36"]
    assert polarity == [4, 0], "normal to send, inverted to listen"
    meddle(bench, lambda data: data[:3] + bytes((data[3] ^ 4,)) if data[:3] == b"\x0d\x07\x36" else data)
    assert downlink(bench, b"short") == (HEARD, b"short")
    assert downlink(bench) != (HEARD, JOIN_ACCEPT)


def test_1_uplinks_are_not_inverted(bench: Bench) -> None:
    assert not bench.send().tuning.inverted_iq


def test_2_the_receiver_is_boosted(bench: Bench) -> None:
    """RegLna 0x23 on the SX1276; on the SX1262 0x96 in RxGain, which a warm sleep takes back."""
    bench.radio.sleep()
    assert downlink(bench)[0] == HEARD
    wanted = b"\x0d\x08\xac\x96" if bench.name == "sx1262" else b"\x8c\x23"
    assert wanted in bench.port.writes


@pytest.mark.parametrize("dbm", range(2, 21))
def test_3_power_fits_its_field(sx1276_bench: Bench, dbm: int) -> None:
    config, dac, ocp = sx1276.power_registers(dbm)
    assert config & 0xF0 == 0xF0 and (config & 15) + (5 if dac == 0x87 else 2) == dbm
    assert sx1276_bench.send(dbm=dbm).power_dbm == dbm
    assert sx1276_bench.chip.faults == []
    assert ocp in (0x2B, 0x31)


# Section 5.5.5 of the SX1276's data sheet, worked by hand: offset by port, 16/15 above the noise, SNR below it.
@pytest.mark.parametrize(
    ("packet_rssi", "snr_qdb", "frequency_hz", "dbm"),
    [
        (60, 20, 868_100_000, -93),
        (60, 20, 433_175_000, -100),
        (60, 0, 868_100_000, -93),
        (40, -40, 868_100_000, -127),
        (40, -40, 433_175_000, -134),
        (0, 0, 915_000_000, -157),
    ],
)
def test_4_strength_by_port_and_below_the_noise(packet_rssi: int, snr_qdb: int, frequency_hz: int, dbm: int) -> None:
    assert sx1276.signal_dbm(packet_rssi, snr_qdb, frequency_hz) == dbm


def test_5_a_time_out_is_silence_and_not_a_broken_frame(bench: Bench) -> None:
    uplink = bench.send()
    tuning = Tuning(uplink.tuning.frequency_hz, 7, 125_000, True)
    assert bench.window(1_000_000, tuning) == SILENT
    assert bench.chip.rx_us < 7_000, "six symbols of 1.024 ms, and not until somebody stops it"
    bench.air.damaged = True
    bench.air.says(uplink.end_us + 2_000_000, tuning, JOIN_ACCEPT, crc=True)
    assert bench.window(1_995_000, tuning, 20) == DAMAGED


def test_5_the_regulator_is_the_efficient_one(sx1262_bench: Bench) -> None:
    assert b"\x96\x01" in sx1262_bench.port.writes


def test_5_a_reception_does_not_end_the_next_one(sx1262_bench: Bench) -> None:
    """Section 15.3, and that the cure is what helps."""
    bench = sx1262_bench
    long_window = Tuning(868_100_000, 12, 125_000, True)
    for cured in (True, False):
        if not cured:
            meddle(bench, lambda data: b"\xc0\x00" if data[:3] in (b"\x0d\x09\x02", b"\x0d\x09\x44") else data)
        assert downlink(bench) == (HEARD, JOIN_ACCEPT)
        heard_us = bench.clock.now_us
        uplink_end_us = bench.air.sent[-1].end_us
        bench.air.says(heard_us + 20_000, long_window, b"second")
        delay_us = heard_us + 15_000 - uplink_end_us
        assert bench.window(delay_us, long_window, 8) == (HEARD if cured else SILENT)


# 32 MHz / 2^25 and / 2^19: the nearest step, in exact arithmetic, beside numbers of 24 bits a float on an ESP32 has.
@pytest.mark.parametrize(
    "frequency_hz", [865_062_500, 865_402_500, 868_100_000, 923_300_000, 902_299_999, 1_020_000_000]
)
def test_6_frequencies_to_the_step(frequency_hz: int) -> None:
    for code, power in ((sx1262.frequency_code(frequency_hz), 25), (sx1276.frequency_code(frequency_hz), 19)):
        assert abs(code * 32_000_000 - frequency_hz * 2**power) * 2 <= 32_000_000
    assert max(frequency_hz, frequency_hz // 15625 * 16384 + 16384) < 2**30, "small integers on 32 bits"


def test_6_a_window_is_placed_in_microseconds(bench: Bench) -> None:
    for delay_us in (1_000_000, 1_000_300, 1_000_700):
        uplink = bench.send()
        bench.window(delay_us, Tuning(868_100_000, 7, 125_000, True))
        assert abs(bench.chip.windows[-1].opened_us - uplink.end_us - delay_us) < 400


def test_7_transfers_of_a_window(bench: Bench) -> None:
    """test_radio_heap.py shows that a window allocates nothing; here, that setting one up stays a matter of few."""
    bench.send()
    before = len(bench.port.writes)
    bench.radio.stage(868_100_000, 7, 125_000, 44)
    assert len(bench.port.writes) - before <= 20
    before = len(bench.port.writes)
    bench.radio.listen(bench.clock.ticks_add(bench.radio.ended_us, 1_000_000))
    assert len(bench.port.writes) - before == 1
    assert bench.wait() == SILENT
