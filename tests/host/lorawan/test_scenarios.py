"""Every MAC command from the network to the device and back, the hostile kind too, and ADR over a long silence."""

from __future__ import annotations

import pytest
from device_double import DeviceDouble, eui
from network import Network
from scenarios import SCENARIOS, SENSELESS

from judder.virtual.lorawan import adr, frames, regions
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan.device import Heard


def joined(region: str = "EU868", dr: int | None = None, **options: object) -> tuple[Network, DeviceDouble]:
    dr = (3 if region == "US915" else 5) if dr is None else dr
    network = Network(region, dr=dr, **options)  # type: ignore[arg-type]
    assert network.device.join()
    network.device.sleep(60)
    return network, network.device


def say(device: DeviceDouble, count: int = 1, **fields: object) -> None:
    for _ in range(count):
        device.send(b"x", **fields)  # type: ignore[arg-type]
        device.sleep(60)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_command_is_obeyed_answered_and_believed(name: str) -> None:
    region, commands, expected = SCENARIOS[name]
    network, device = joined(region, adr=False)
    network.server.policy.channels = None  # this network asks for no mask of its own
    network.server.request(eui(1), *commands)
    say(device, 4)
    network.server.enqueue(eui(1), 9, b"still there")
    say(device, 2, confirmed=True)
    network.settle()
    network.assert_clean()
    session = network.server.devices[eui(1)].session
    assert session is not None
    assert device.downlinks == [(9, b"still there")], "windows, rates and channels of both sides agree"
    for field, value in expected.items():
        assert getattr(device.settings, field) == value, field
        assert getattr(session.settings, field) == value, field
    assert session.unanswered == session.to_send == []


def test_a_lost_command_is_sent_again() -> None:
    network, device = joined(adr=False)
    network.server.request(eui(1), mac.rx_timing_setup(4))
    device.sins.add("deaf")
    say(device, 3)
    device.sins.clear()
    say(device, 3)
    network.assert_clean()
    assert device.settings.rx1_delay_s == 4
    assert network.server.devices[eui(1)].session.settings.rx1_delay_s == 4  # type: ignore[union-attr]


# --- hostile


@pytest.mark.parametrize("raw", SENSELESS, ids=lambda raw: raw.hex()[:20])
def test_senseless_mac_commands(raw: bytes) -> None:
    network, device = joined(adr=False)
    network.server.send_raw(eui(1), raw)
    say(device, 3)
    network.server.enqueue(eui(1), 9, b"still there")
    say(device, 2)
    network.assert_clean()
    assert device.downlinks == [(9, b"still there")]


@pytest.mark.parametrize(
    "what",
    ["mic", "address", "replay", "old counter", "far counter", "other direction", "join-accept", "short", "both"],
)
def test_frames_that_are_not_for_it(what: str) -> None:
    network, device = joined(adr=False)
    server = network.server
    server.enqueue(eui(1), 9, b"good", confirmed=True)
    say(device, 2)
    good = server.devices[eui(1)].sent[-1]
    phy = {
        "mic": server.build(eui(1), port=9, payload=b"bad")[:-1] + b"\0",
        "address": b"\x60\x00\x00\x00\x00" + server.build(eui(1), port=9, payload=b"bad")[5:],
        "replay": good,
        "old counter": server.build(eui(1), fcnt=0, port=9, payload=b"bad"),
        "far counter": server.build(eui(1), fcnt=0x10000, port=9, payload=b"bad")[:-1] + b"\1",
        "other direction": server.build(eui(1), kind=frames.UP, port=9, payload=b"bad"),
        "join-accept": b"\x20" + bytes(16),
        "short": b"\x60\x00",
        "both": b"\x60",
    }[what]
    for window in (1, 2):
        server.inject(eui(1), phy, window)
    before = device.fcnt_down
    say(device, 2)
    assert device.fcnt_down == before
    assert device.downlinks == [(9, b"good")]
    server.enqueue(eui(1), 9, b"good too")
    say(device, 2)
    assert device.downlinks == [(9, b"good"), (9, b"good too")]
    network.assert_clean()


# --- ADR


def test_backing_off_over_a_long_silence() -> None:
    network, device = joined(adr=False, path_loss=100.0)
    network.server.request(eui(1), mac.link_adr(5, 3, 0x07))
    say(device, 2)
    network.gateways[0].send = lambda _downlink: "COLLISION_PACKET"  # type: ignore[method-assign]
    for _ in range(64 + 32 * 8):
        device.sleep(400)
        device.send(b"x")
    # 96: full power; 128, 160, ...: DR4 to DR0; 288: all default channels. The audit demands no less.
    network.assert_clean()
    assert (device.dr, device.settings.power) == (0, 0)


@pytest.mark.parametrize(("sin", "rule"), [("no ADRACKReq", "ADRACKReq"), ("no back-off", "data rate")])
def test_back_off_that_does_not_happen_is_found(sin: str, rule: str) -> None:
    network, device = joined(adr=False)
    device.sins |= {sin, "deaf"}
    for _ in range(200):
        device.sleep(100)
        device.send(b"x")
    assert network.rules() == [rule]


def test_an_adr_ack_request_is_answered() -> None:
    network, device = joined(adr=False)
    for _ in range(64):
        device.sleep(100)
        device.send(b"x")
    assert device.silent == 64
    device.sleep(100)
    assert device.send(b"x")
    assert device.silent == 0
    network.assert_clean()


def history(snr_db: float, count: int = 20, lost: int = 0) -> list[Heard]:
    """The last `lost` counters before the newest are missing."""
    return [Heard(number, snr_db) for number in range(count - 1)] + [Heard(count - 1 + lost, snr_db)]


# Semtech 2016: steps = (max SNR - required SNR - 10) / 3, rounded towards zero; SF12 needs -20 dB, SF7 -7.5 dB.
@pytest.mark.parametrize(
    ("dr", "power", "snr_db", "expected"),
    [
        (0, 0, -7.1, (0, 0)),  # 2.9 dB to spare
        (0, 0, -7.0, (1, 0)),
        (0, 0, 5.0, (5, 0)),  # 15 dB: five steps
        (0, 0, 11.0, (5, 2)),  # 21 dB: five rates, two steps of power
        (5, 0, 30.0, (5, 7)),  # no further than the lowest power
        (5, 4, -4.0, (5, 2)),  # -6.5 dB: two steps up
        (5, 1, -30.0, (5, 0)),
        (3, 0, -30.0, (3, 0)),  # never slower
    ],
)
def test_the_algorithm(dr: int, power: int, snr_db: float, expected: tuple[int, int]) -> None:
    plan = regions.find("EU868")
    assert adr.advise(plan, dr, power, 1, history(snr_db), 10.0) == (*expected, 1)
    assert adr.advise(plan, dr, power, 1, history(snr_db, 19), 10.0) == (dr, power, 1), "not before twenty uplinks"


@pytest.mark.parametrize(
    ("lost", "now", "expected"), [(0, 3, 2), (1, 1, 1), (2, 1, 1), (3, 2, 3), (10, 1, 3), (0, 1, 1)]
)
def test_repetitions_follow_the_loss(lost: int, now: int, expected: int) -> None:
    assert adr.transmissions(history(0.0, lost=lost), now) == expected


def test_a_wide_rate_is_left_alone() -> None:
    plan = regions.find("US915")
    assert adr.advise(plan, 4, 0, 1, history(30.0), 10.0) == (4, 0, 1)
    assert adr.highest_dr(plan) == 3
