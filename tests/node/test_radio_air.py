"""Driver and chip model in the real air of virtual boards: path loss, sensitivity, half duplex."""

from __future__ import annotations

import pytest
from radio_bench import CHIPS, Bench

from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.medium import Air
from node.link.radio import HEARD, SILENT

DOWN = Tuning(868_100_000, 7, 125_000, True)


class InAir:
    """A bench whose chip is a station, and another station to send from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chip: str, loss_db: float) -> None:
        self.bench = Bench(monkeypatch, chip)
        self.air = Air(loss_db)
        self.bench.chip.medium = self.air
        self.bench.chip.station = self.air.station("node")
        self.gateway = self.air.station("gateway")
        self.bench.radio.start()

    def send(self) -> Emission:
        self.bench.radio.transmit(b"uplink", 868_100_000, 7, 125_000, 14)
        self.bench.wait()
        return self.bench.chip.emissions[-1]

    def answer(self, start_us: int, payload: bytes) -> None:
        end_us = start_us + airtime_us(len(payload), DOWN.sf, DOWN.bandwidth_hz, crc=False)
        self.air.transmit(Emission(self.gateway, start_us, end_us, DOWN, 27.0, payload, 8, False))


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("loss_db", [60.0, 110.0, 145.0])
def test_strength_follows_the_path(monkeypatch: pytest.MonkeyPatch, chip: str, loss_db: float) -> None:
    found = InAir(monkeypatch, chip, loss_db)
    uplink = found.send()
    assert uplink.power_dbm == 14
    found.answer(uplink.end_us + 1_000_000, b"hello")
    assert found.bench.window(990_000, DOWN, 40) == HEARD
    radio = found.bench.radio
    assert bytes(radio.frame) == b"hello"
    assert radio.rssi_dbm == pytest.approx(27 - loss_db, abs=1.1)
    # Noise of 125 kHz at 290 K and 6 dB: -117 dBm; both chips can say up to 31.75 dB.
    assert radio.snr_qdb / 4 == pytest.approx(min(27 - loss_db + 117, 31.75), abs=0.3)
    assert found.bench.chip.faults == []


@pytest.mark.parametrize("chip", CHIPS)
def test_too_far_is_silence(monkeypatch: pytest.MonkeyPatch, chip: str) -> None:
    found = InAir(monkeypatch, chip, 155.0)
    uplink = found.send()
    found.answer(uplink.end_us + 1_000_000, b"hello")
    assert found.bench.window(990_000, DOWN, 40) == SILENT


@pytest.mark.parametrize("chip", CHIPS)
def test_nothing_is_heard_while_sending(monkeypatch: pytest.MonkeyPatch, chip: str) -> None:
    found = InAir(monkeypatch, chip, 110.0)
    uplink = found.send()
    found.answer(uplink.end_us - 1000, b"too early")
    assert found.bench.window(2000, DOWN, 40) == SILENT
