"""A gateway: channels, demodulators, half duplex, and the rules under which it takes a downlink."""

from __future__ import annotations

import pytest

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import gateway as gw
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.gateway import Downlink, Gateway, Uplink
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import DataRate

EU868 = regions.find("EU868")
SF7, SF12 = DataRate(7, 125_000), DataRate(12, 125_000)
SECOND_US = 1_000_000


class Scene:
    def __init__(self, region: str = "EU868") -> None:
        self.air = Air(100.0)
        self.clock = BoardClock("virtual")
        self.air.station("clock", self.clock)
        self.gateway = network_plan.make_gateway(self.air, bytes(8), regions.find(region))
        self.got: list[Uplink] = []
        self.gateway.forward = self.got.append
        self.senders = 0

    def uplink(self, start_us: int, mhz: float = 868.1, rate: DataRate = SF7, **options: bool) -> None:
        """From a sender of its own."""
        self.senders += 1
        tuning = Tuning(round(mhz * 1e6), rate.sf, rate.bandwidth_hz, **options)
        end_us = start_us + airtime_us(20, rate.sf, rate.bandwidth_hz)
        sender = self.air.station(f"s{self.senders}")
        self.air.transmit(Emission(sender, start_us, end_us, tuning, 14.0, bytes((self.senders,)) * 20))

    def downlink(self, time_us: int, mhz: float = 868.1, rate: DataRate = SF7, size: int = 20) -> str:
        return self.gateway.send(Downlink(bytes(size), time_us, round(mhz * 1e6), rate, 14.0))

    def until(self, now_us: int) -> None:
        self.clock.observe(now_us)
        assert not self.air.timeline.errors


def test_eight_channels_take_every_spreading_factor() -> None:
    scene = Scene()
    start_us = 0
    for frequency_hz in scene.gateway.frequencies_hz:
        for sf in range(7, 13):
            scene.uplink(start_us, frequency_hz / 1e6, DataRate(sf, 125_000))
            start_us += 2 * SECOND_US
    scene.until(start_us)
    assert [(one.channel, one.rate.sf) for one in scene.got] == [(n, sf) for n in range(8) for sf in range(7, 13)]
    first = scene.got[0]
    assert (first.time_us, first.frequency_hz) == (airtime_us(20, 7, 125_000), 868_100_000)
    assert first.rssi_dbm == pytest.approx(14 - 100 + 3)
    assert first.snr_db == pytest.approx(-83 + 117.03, abs=0.01)


def test_the_ninth_channel_takes_one_data_rate() -> None:
    scene = Scene("US915")
    scene.uplink(0, 904.6, DataRate(8, 500_000))
    scene.uplink(SECOND_US, 904.6, DataRate(9, 500_000))
    scene.uplink(2 * SECOND_US, 903.0, DataRate(8, 500_000))
    scene.until(3 * SECOND_US)
    assert [one.channel for one in scene.got] == [8]


def test_what_is_not_for_a_gateway_is_not_heard() -> None:
    scene = Scene()
    scene.uplink(0, inverted_iq=True)
    scene.uplink(SECOND_US, 869.525)
    scene.uplink(2 * SECOND_US, rate=DataRate(7, 500_000))
    scene.until(3 * SECOND_US)
    assert scene.got == []


def test_eight_demodulators() -> None:
    # SX1301: eight packets at a time. Nine long ones at once on as many channel and rate pairs.
    scene = Scene()
    for number, frequency_hz in enumerate(scene.gateway.frequencies_hz):
        scene.uplink(number, frequency_hz / 1e6, SF12)
    scene.uplink(300_000, 868.1, SF7)
    scene.uplink(3 * SECOND_US, 868.1, SF7)
    scene.until(5 * SECOND_US)
    assert len(scene.got) == 9
    assert [one.rate for one in scene.got].count(SF7) == 1
    assert scene.gateway.counts.no_demodulator == 1


def test_a_gateway_that_sends_is_deaf() -> None:
    scene = Scene()
    assert scene.downlink(SECOND_US) == gw.OK
    scene.uplink(SECOND_US + 10_000, 867.9)
    scene.uplink(2 * SECOND_US, 867.9)
    scene.until(3 * SECOND_US)
    assert [one.payload[0] for one in scene.got] == [2]
    assert scene.gateway.counts.deaf == 1


def test_collisions_are_forwarded_as_damaged() -> None:
    scene = Scene()
    scene.uplink(0)
    scene.uplink(30_000)
    scene.until(SECOND_US)
    assert [one.damaged for one in scene.got] == [True, True]
    assert scene.gateway.counts.damaged == 2


# --- downlinks: limits of Lora-net/packet_forwarder, jitqueue.c: TX_START_DELAY 1500, TX_MARGIN_DELAY 1000,
# TX_MAX_ADVANCE_DELAY 512 s


@pytest.mark.parametrize(
    ("ahead_us", "expected"),
    [(-1, gw.TOO_LATE), (2_500, gw.TOO_LATE), (2_501, gw.OK), (512_000_000, gw.OK), (512_000_001, gw.TOO_EARLY)],
)
def test_too_late_and_too_early(ahead_us: int, expected: str) -> None:
    scene = Scene()
    scene.until(10 * SECOND_US)
    assert scene.downlink(10 * SECOND_US + ahead_us) == expected
    assert scene.gateway.counts.refused == ({} if expected == gw.OK else {expected: 1})


def test_one_downlink_at_a_time() -> None:
    scene = Scene()
    took_us = airtime_us(20, 7, 125_000, crc=False)
    assert scene.downlink(SECOND_US) == gw.OK
    for time_us, expected in (
        (SECOND_US + took_us + 2_500, gw.COLLISION),
        (SECOND_US - took_us - 2_500, gw.COLLISION),
        (SECOND_US + took_us + 2_501, gw.OK),
        (SECOND_US - took_us - 2_501, gw.OK),
    ):
        assert scene.downlink(time_us, 867.9) == expected, "whatever the channel: there is one transmitter"


def test_frequency_and_power() -> None:
    scene = Scene()
    assert scene.downlink(SECOND_US, 902.3) == gw.TX_FREQ
    assert scene.gateway.power_for(14) == 14
    assert scene.gateway.power_for(30) == 27


def test_duty_cycle_is_counted_by_sub_band() -> None:
    scene = Scene()
    took_us = Downlink(bytes(51), 0, 868_100_000, SF12, 14.0).airtime_us
    for number in range(12):
        assert scene.downlink((10 + 10 * number) * SECOND_US, 868.1, SF12, 51) == gw.OK
    scene.until(200 * SECOND_US)
    assert scene.gateway.duty(868_300_000) == pytest.approx(12 * took_us / 3.6e9)
    assert scene.gateway.duty(869_525_000) == 0
    one_more = Downlink(bytes(51), 300 * SECOND_US, 868_500_000, SF12, 14.0)
    assert 13 * took_us < 36e6 <= 16 * took_us
    assert scene.gateway.within_duty(one_more)
    for number in range(3):
        assert scene.downlink((300 + 10 * number) * SECOND_US, 868.1, SF12, 51) == gw.OK
    assert not scene.gateway.within_duty(one_more)
    assert scene.gateway.within_duty(Downlink(bytes(51), 0, 869_525_000, SF12, 14.0))
    scene.until(4_000 * SECOND_US)
    assert scene.gateway.duty(868_300_000) == 0
    assert scene.gateway.counts.sent == 15
    assert scene.gateway.counts.sent_us == 15 * took_us


def test_two_gateways_hear_the_same_frame() -> None:
    air = Air(100.0)
    clock = BoardClock("virtual")
    node = air.station("node", clock)
    gateways = [Gateway(air, bytes([0] * 7 + [n]), EU868, [868_100_000]) for n in range(2)]
    got: list[Uplink] = []
    for gateway in gateways:
        gateway.forward = got.append
    air.transmit(Emission(node, 0, 50_000, Tuning(868_100_000, 7, 125_000), 14.0, b"x" * 12))
    clock.observe(60_000)
    assert [one.gateway for one in got] == gateways
