"""The audit finds each breach of a rule, and nothing where there is none. The breaches are the test double's."""

from __future__ import annotations

import pytest
from device_double import DeviceDouble, eui
from network import Network

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.frames import UP, DataFrame
from judder.virtual.lorawan.regions import Channel


def joined(region: str = "EU868", **options: object) -> tuple[Network, DeviceDouble]:
    options.setdefault("dr", 3 if region == "US915" else 5)
    network = Network(region, **options)  # type: ignore[arg-type]
    assert network.device.join()
    network.device.sleep(60)
    return network, network.device


def say(device: DeviceDouble, count: int = 1, payload: bytes = b"x", **fields: object) -> None:
    for _ in range(count):
        device.send(payload, **fields)  # type: ignore[arg-type]
        device.sleep(60)


# --- channels and radio


def test_a_channel_outside_the_plan() -> None:
    network, device = joined()
    device.settings.channels[9] = Channel(868_000_000, 0, 5)
    device.settings.mask = {9}
    say(device)
    assert network.rules() == ["channel"]


def test_a_channel_that_is_off() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.link_adr(5, 0, 0x01))
    say(device)
    device.settings.mask = {1}
    say(device)
    assert network.rules() == ["mask"]
    assert "channel 1 is off" in network.server.violations[0].detail


def test_no_frame_has_to_be_heard_to_be_judged() -> None:
    network, device = joined(path_loss=120.0)
    network.air.path_loss = lambda _a, _b: 300.0
    device.settings.channels[9] = Channel(868_000_000, 0, 5)
    device.settings.mask = {9}
    say(device)
    assert network.data() == []
    assert network.rules() == ["channel"]


def test_windows_of_a_frame_in_which_power_went() -> None:
    """Their owner knows nothing of them; of those of a frame that was over it does."""
    network, device = joined()
    say(device)
    session = network.server.devices[eui(1)].session
    assert session is not None

    def begin(fcnt: int) -> None:
        frame = DataFrame(UP, session.dev_addr, fcnt, adr=True, port=1, payload=b"x")
        phy = frame.build(session.nwk_s_key, session.app_s_key)
        start_us = device.clock.now_us
        end_us = start_us + airtime_us(len(phy), 7, 125_000)
        device.air.transmit(Emission(device.station, start_us, end_us, Tuning(868_100_000, 7, 125_000), 10.0, phy))

    for fcnt, off in ((10, True), (20, False)):
        begin(fcnt)
        if off:
            device.clock.become("off")
            device.clock.power_on()
            device.clock.become("going")
        device.sleep(0.5)
        begin(fcnt + 1)
        device.sleep(60)
        assert ("windows" in network.rules()) is not off, network.rules()


def test_power_over_the_limit() -> None:
    network, device = joined()
    device.station.gain_dbi = 5.0
    device.max_power_dbm = 14.0
    say(device)
    assert network.rules() == ["power"]
    assert "19.0 dBm e.i.r.p., 16 allowed" in network.server.violations[0].detail


def test_power_the_network_has_lowered() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.link_adr(5, 4, 0xFF))
    say(device, 2)
    assert network.rules() == []
    device.sins.add("power")
    say(device)
    assert network.rules() == ["power"]


def test_dwell_time() -> None:
    network, device = joined("US915", dr=0)
    say(device, payload=bytes(12))
    assert network.rules() == ["dwell time", "size"] or set(network.rules()) == {"dwell time", "size"}


def test_duty_cycle_of_a_sub_band_in_any_hour() -> None:
    network, device = joined(dr=0, adr=False)
    device.settings.mask = {0, 1, 2}
    took_s = airtime_us(13 + 40, 12, 125_000) / 1e6
    allowed = int(36 / took_s)
    # The join-request counts too, in the same sub-band.
    for _ in range(allowed - 1):
        device.send(bytes(40))
        device.sleep(5)
    assert network.rules() == []
    device.send(bytes(40))
    assert network.rules() == ["duty cycle"]


def test_duty_cycle_of_all_bands_together() -> None:
    network, device = joined(adr=False)
    network.server.request(eui(1), mac.duty_cycle(12))  # 1/4096: 0.88 s in an hour
    say(device, 10, payload=bytes(20))
    assert network.rules() == []
    say(device, 5, payload=bytes(20))
    assert network.rules() == ["aggregated duty cycle"]


def test_sending_while_a_window_is_to_come() -> None:
    network, device = joined()
    device.sins.add("deaf")
    device.sleep = lambda _s: None  # type: ignore[method-assign]
    device.send(b"x", tries=2)
    assert network.rules() == ["NbTrans", "windows"]


def test_preamble_modulation_and_nonsense() -> None:
    network, device = joined()
    tuning = Tuning(868_100_000, 7, 125_000, sync_word=0x12)
    start_us = device.now_us
    device.air.transmit(Emission(device.station, start_us, start_us + 30_000, tuning, 14.0, b"\xe0"))
    network.settle()
    assert network.rules() == ["frame"]
    device.clock.observe(device.now_us + 10_000_000)
    phy = bytes.fromhex("40" + "00" * 11)
    end_us = device.now_us + airtime_us(len(phy), 7, 125_000)
    device.air.transmit(Emission(device.station, device.now_us, end_us, tuning, 14.0, phy, 6))
    network.settle()
    assert network.rules() == ["frame", "mic"]


# --- counters and repetitions


def test_a_counter_used_twice() -> None:
    network, device = joined()
    say(device, payload=b"one")
    device.fcnt_up -= 1
    say(device, payload=b"two")
    assert network.rules() == ["FCntUp"]
    device.fcnt_up = 0
    say(device, 2)
    assert [v.detail for v in network.server.violations[1:]] == ["0 with another payload"] or network.server.violations


def test_a_counter_that_goes_back() -> None:
    network, device = joined()
    device.fcnt_up = 100
    say(device)
    device.fcnt_up = 64
    say(device)
    assert [violation.detail for violation in network.server.violations] == ["64 after 100"]


def test_more_repetitions_than_asked_for() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.link_adr(15, 15, 0xFF, 0, 3))
    say(device)
    say(device, tries=3)
    assert network.rules() == []
    say(device, tries=4)
    assert network.rules() == ["NbTrans"]


# --- MAC commands


@pytest.mark.parametrize("sin", ["no answer", "wrong answer"])
def test_answers_that_are_missing_or_wrong(sin: str) -> None:
    network, device = joined()
    device.sins.add(sin)
    network.server.request(eui(1), mac.link_adr(5, 1, 0xFF))
    say(device, 2)
    assert network.rules() == ["MAC answer"]


def test_sticky_answers_come_until_a_downlink_does() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.rx_timing_setup(2))
    say(device)
    gateway = network.gateways[0]
    gateway.send = lambda _downlink: "COLLISION_PACKET"  # type: ignore[method-assign]
    say(device, 3)
    assert network.rules() == []
    device.sticky = []
    say(device)
    assert network.rules() == ["MAC answer"]
    assert "RXTimingSetupAns again expected, got none" in network.server.violations[0].detail


def test_an_answer_nobody_asked_for() -> None:
    network, device = joined()
    say(device, fopts=b"\x06\xff\x00")
    assert network.rules() == ["MAC answer"]


def test_what_the_radio_did_not_deliver_needs_no_answer() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.link_adr(3, 1, 0xFF))
    device.sins.add("deaf")
    say(device, 3)
    network.assert_clean()


def test_acknowledgements() -> None:
    network, device = joined()
    network.server.enqueue(eui(1), 20, b"a", confirmed=True)
    device.sins.add("no ack")
    say(device, 2)
    assert [violation.detail for violation in network.server.violations] == ["missing"]
    device.ack = True
    say(device)
    assert network.server.violations[-1].detail == "nothing to acknowledge"


def test_options_and_port_0_together() -> None:
    network, device = joined()
    say(device, payload=b"\x02", port=0, fopts=b"\x02")
    assert "frame" in network.rules()


def test_more_than_fits() -> None:
    network, device = joined(dr=0)
    say(device, payload=bytes(52))
    assert network.rules() == ["size"]


# --- rates


def test_a_rate_the_network_did_not_say() -> None:
    network, device = joined()
    network.server.request(eui(1), mac.link_adr(3, 0, 0xFF))
    say(device, 2)
    assert (device.dr, network.rules()) == (3, [])
    device.dr = 5
    say(device)
    assert network.rules() == ["data rate"]


def test_a_rate_is_free_without_adr() -> None:
    network, device = joined()
    device.adr = False
    for dr in (5, 0, 3, 5):
        device.dr = dr
        say(device)
        device.sleep(200)
    network.assert_clean()


# --- joining


def test_join_back_off() -> None:
    network = Network(dr=0)
    network.air.path_loss = lambda _a, _b: 300.0
    device = network.device
    took_s = airtime_us(23, 12, 125_000) / 1e6
    for _ in range(int(36 / took_s)):
        device.join_once()
        device.clock.observe(device.now_us + 10_000)
    assert device.now_us < 3600e6
    assert network.rules() == []
    device.join_once()
    assert network.rules() == ["join back-off", "duty cycle"]


def test_join_back_off_after_eleven_hours() -> None:
    network = Network("US915")
    network.air.path_loss = lambda _a, _b: 300.0
    device = network.device
    device.join_once()
    device.sleep(12 * 3600)
    took_s = airtime_us(23, 10, 125_000) / 1e6
    for _ in range(int(8.7 / took_s)):
        device.join_once(number=8, dr=0)
        device.sleep(60)
    assert network.rules() == []
    device.join_once(number=8, dr=0)
    assert network.rules() == ["join back-off"]
    assert "24 hours" in network.server.violations[0].detail


@pytest.mark.parametrize(("dr", "number", "rule"), [(2, 8, "join data rate"), (0, 64, "join channel")])
def test_join_channels_and_rates(dr: int, number: int, rule: str) -> None:
    network = Network("US915")
    network.device.join_once(number=number, dr=dr)
    assert network.rules() == [rule]


def test_the_old_session_after_a_new_one() -> None:
    network, device = joined()
    say(device)
    old = device.address, device.nwk_s_key, device.app_s_key, device.fcnt_up, device.settings.copy()
    assert device.join()
    device.sleep(60)
    device.address, device.nwk_s_key, device.app_s_key, device.fcnt_up, device.settings = old
    say(device)
    assert network.rules() == ["old session"]


def test_an_attacker_is_not_a_device() -> None:
    # Stations without a board are not judged, and change nothing for those with one.
    network, device = joined()
    attacker = network.air.station("attacker")
    phy = b"\x40" + device.address.to_bytes(4, "little") + bytes(12)  # type: ignore[union-attr]
    start_us = device.now_us + 1_000_000
    end_us = start_us + airtime_us(len(phy), 7, 125_000)
    network.air.transmit(Emission(attacker, start_us, end_us, Tuning(868_100_000, 7, 125_000), 14.0, phy))
    network.settle()
    assert network.server.refused == {"mic": 1}
    network.assert_clean()
