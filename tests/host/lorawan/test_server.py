"""The network server with the test double of a device: joins, counters, acknowledgements, queues, events."""

from __future__ import annotations

import base64
import json

import pytest
from device_double import APP_KEY, JOIN_EUI, DeviceDouble, eui, run_all
from network import Network

from judder.errors import InputError
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import frames, propagation, regions


@pytest.mark.parametrize("region", regions.PLANS)
def test_join_and_talk_in_every_region(region: str) -> None:
    network = Network(region, gateways=2)
    device = network.device
    assert device.join()
    network.server.enqueue(eui(1), 17, b"down", confirmed=True)
    for number in range(40):
        device.sleep(300)
        acked = device.send(bytes((number,)) * 8, confirmed=number % 4 == 0)
        assert acked or number % 4
    network.settle()
    network.assert_clean()
    assert network.data() == [bytes((number,)) * 8 for number in range(40)]
    assert device.downlinks == [(17, b"down")]
    # ADR has done its work: 120 dB of path loss leave room, so the fastest narrow data rate.
    assert device.dr == (3 if region == "US915" else 5)
    assert not network.server.refused


# --- joining


def test_a_nonce_is_never_taken_twice_nor_a_lower_one() -> None:
    network = Network()
    device = network.device
    assert device.join_once(nonce=5)
    for nonce, ok in ((5, False), (4, False), (0, False), (6, True), (7, True), (65535, True)):
        device.sleep(100)
        assert device.join_once(nonce=nonce) == ok
    assert network.server.refused["nonce"] == 3
    assert network.rules() == ["DevNonce"]
    assert len({body["devAddr"] for body in network.events("join")}) == 4


def test_joins_with_a_wrong_key_or_identity_are_refused() -> None:
    network = Network()
    network.device.sins.add("join mic")
    assert not network.device.join(attempts=1)
    stranger = DeviceDouble(network.air, network.plan, 99)
    network.device.clock.become("off")
    assert not stranger.join(attempts=1)
    assert network.server.refused == {"mic": 1, "identity": 1}
    assert network.rules() == ["mic", "identity"]


def test_the_old_session_lives_until_the_new_one_is_used() -> None:
    network = Network()
    device = network.device
    assert device.join()
    device.sleep(10)
    device.send(b"one")
    keys = device.address, device.nwk_s_key, device.app_s_key
    fcnt = device.fcnt_up
    device.sleep(10)
    # A join whose accept never arrives: the gateway is busy in both windows.
    network.gateways[0].send = lambda _downlink: "COLLISION_PACKET"  # type: ignore[method-assign]
    assert not device.join_once()
    del network.gateways[0].send  # type: ignore[method-assign]
    device.address, device.nwk_s_key, device.app_s_key = keys
    device.fcnt_up = fcnt
    device.sleep(10)
    device.send(b"two")
    network.settle()
    assert network.data() == [b"one", b"two"]
    assert network.events("log")[0]["code"] == "DOWNLINK_GATEWAY"


def test_join_accept_says_what_the_network_wants() -> None:
    network = Network(rx1_delay_s=5, rx1_offset=2, rx2_dr=3)
    device = network.device
    assert device.join()
    settings = device.settings
    assert (settings.rx1_delay_s, settings.rx1_offset, settings.rx2_dr) == (5, 2, 3)
    assert sorted(channel.frequency_hz for channel in settings.channels.values())[:2] == [867_100_000, 867_300_000]
    device.sleep(60)
    assert device.send(b"x", confirmed=True)
    network.settle()
    network.assert_clean()


def test_without_a_cf_list_the_channels_come_by_command() -> None:
    network = Network("US915", cf_list=False)
    device = network.device
    # Joins on any of 72 channels until it meets the gateway's.
    assert device.join(attempts=60, pause_s=100)
    assert len(device.settings.mask) == 72
    for _ in range(60):
        device.sleep(60)
        device.send(b"x")
    network.settle()
    network.assert_clean()
    assert device.settings.mask == {*range(8, 16), 65}


def test_window_2_takes_over_when_window_1_is_busy() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    device.sleep(60)
    sent = network.gateways[0].send
    windows: list[int] = []

    def busy_in_window_1(downlink: object) -> str:
        windows.append(downlink.frequency_hz)  # type: ignore[attr-defined]
        return "COLLISION_PACKET" if len(windows) == 1 else sent(downlink)  # type: ignore[arg-type]

    network.gateways[0].send = busy_in_window_1  # type: ignore[method-assign]
    assert device.send(b"x", confirmed=True)
    assert windows[1] == 869_525_000
    network.assert_clean()


# --- counters


def test_counters_go_past_16_bits() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    for fcnt in (0, 65_535, 65_536, 65_600, 131_072):
        device.fcnt_up = fcnt
        device.sleep(60)
        device.send(b"x")
    network.settle()
    assert [body.get("fCnt", 0) for body in network.events("up")] == [0, 65_535, 65_536, 65_600, 131_072]
    network.assert_clean()


def test_a_repetition_is_one_uplink_and_is_acknowledged_again() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    device.sleep(60)
    network.server.request(eui(1), mac.link_adr(15, 15, 0xFF, 0, 3))
    for payload in (b"brings it", b"answers it"):
        device.send(payload)
        device.sleep(60)
    before = network.server.devices[eui(1)].downlinks
    device.sins.add("deaf")
    device.send(b"x", confirmed=True)
    network.settle()
    assert network.data() == [b"brings it", b"answers it", b"x"]
    assert network.server.devices[eui(1)].downlinks == before + 3
    network.assert_clean()


def test_a_replayed_frame_is_not_taken() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    for fcnt in (10, 3):
        device.fcnt_up = fcnt
        device.sleep(60)
        device.send(b"x")
    network.settle()
    assert len(network.data()) == 1
    assert network.server.refused == {"replay": 1}
    assert network.rules() == ["FCntUp"]


def test_frames_that_nobody_signed() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    device.sleep(60)
    device.sins.add("mic")
    device.send(b"x")
    device.sins.clear()
    device.sleep(60)
    device.send(b"x", dev_addr=0x12345678)
    network.settle()
    assert network.data() == []
    assert network.server.refused == {"mic": 1, "address": 1}


def test_two_devices_with_one_address() -> None:
    network = Network(dr=5)
    keys = [bytes([n] * 16) for n in range(4)]
    devices = [DeviceDouble(network.air, network.plan, number, dr=5) for number in (11, 12)]
    network.device.clock.become("off")
    for place, device in enumerate(devices):
        network.server.add_abp(f"abp {place}", eui(11 + place), 0x01020304, *keys[2 * place : 2 * place + 2])
        device.address = 0x01020304
        device.nwk_s_key, device.app_s_key = keys[2 * place : 2 * place + 2]

    def script(device: DeviceDouble) -> None:
        device.sleep(device.number)
        for number in range(10):
            device.send(bytes((device.number, number)))
            device.sleep(60)

    run_all([(device, script) for device in devices])
    network.air.finish()
    network.assert_clean()
    assert sorted(network.data()) == [bytes((d, n)) for d in (11, 12) for n in range(10)]
    names = {body["data"]: body["deviceInfo"]["deviceName"] for body in network.events("up")}
    assert names[base64.b64encode(b"\x0b\x00").decode()] == "abp 0"
    assert names[base64.b64encode(b"\x0c\x00").decode()] == "abp 1"


# --- downlinks


def test_queue_pending_and_order() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    for number in range(3):
        network.server.enqueue(eui(1), 20 + number, bytes((number,)))
    for _ in range(4):
        device.sleep(60)
        device.send(b"x")
    assert device.downlinks == [(20, b"\0"), (21, b"\1"), (22, b"\2")]
    pending = [frames.DataFrame.parse(phy).pending for phy in network.server.devices[eui(1)].sent]
    assert pending == [True, True, False]
    network.assert_clean()


def test_confirmed_downlinks_are_acknowledged_failed_or_tried_again() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    first = network.server.enqueue(eui(1), 20, b"a", confirmed=True)
    device.sleep(60)
    device.send(b"x")  # brings it
    device.sleep(60)
    device.send(b"x")  # acknowledges it
    second = network.server.enqueue(eui(1), 20, b"b", confirmed=True)
    third = network.server.enqueue(eui(1), 20, b"c", confirmed=True, attempts=2)
    device.sins.add("no ack")
    for _ in range(2):
        device.sleep(60)
        device.send(b"x")
    device.sins.clear()
    for _ in range(2):
        device.sleep(60)
        device.send(b"x")
    network.settle()
    acks = [(body["queueItemId"], body.get("acknowledged", False)) for body in network.events("ack")]
    assert acks == [(first, True), (second, False), (third, True)]
    assert [payload for _port, payload in device.downlinks] == [b"a", b"b", b"c", b"c"]
    assert network.rules() == ["ACK"]


def test_what_does_not_fit_is_said_and_dropped() -> None:
    network = Network(dr=0)
    device = network.device
    assert device.join()
    network.server.enqueue(eui(1), 20, bytes(52))
    network.server.enqueue(eui(1), 21, bytes(51))
    for _ in range(2):
        device.sleep(300)
        device.send(b"x")
    assert device.downlinks == [(21, bytes(51))]
    assert network.events("log")[0]["code"] == "DOWNLINK_PAYLOAD_SIZE"


def test_bad_requests_of_an_application() -> None:
    server = Network().server
    with pytest.raises(InputError, match="port 0: from 1 to 223"):
        server.enqueue(eui(1), 0, b"")
    with pytest.raises(InputError, match="there is no device"):
        server.enqueue(eui(9), 1, b"")
    with pytest.raises(InputError, match="has not joined yet"):
        server.request(eui(1), mac.dev_status())
    with pytest.raises(InputError, match="is there already"):
        server.add("again", eui(1), JOIN_EUI, APP_KEY)
    with pytest.raises(InputError, match="AppKey 16"):
        server.add("short", eui(2), JOIN_EUI, APP_KEY[1:])
    with pytest.raises(InputError, match="session keys 16"):
        server.add_abp("short", eui(2), 1, b"", b"")
    for body in ({}, {"devEui": "xx"}, {"devEui": eui(1).hex(), "fPort": 2, "data": "?"}):
        with pytest.raises(InputError, match="needs devEui, fPort and data"):
            server.command(body)
    assert server.command({"devEui": eui(1).hex(), "fPort": 2, "data": "AQI=", "confirmed": True})
    item = server.devices[eui(1)].queue[0]
    assert (item.port, item.payload, item.confirmed) == (2, b"\1\2", True)


def test_questions_of_the_device_are_answered() -> None:
    network = Network(gateways=2, dr=5)
    device = network.device
    assert device.join()
    device.sleep(60)
    device.questions = [mac.LINK_CHECK, mac.DEVICE_TIME]
    end_us = device.now_us
    device.send(b"")
    check, moment = device.network_answers
    # 14 - 120 + 3 + 117.03 dB of SNR, 7.5 more than SF7 needs.
    assert check == (mac.LINK_CHECK, bytes((round(14.03 + 7.5), 2)))
    # 2026-01-01 is 16,797 days after the GPS epoch; 18 leap seconds.
    started_s = 16_797 * 86_400 + 18
    seconds = int.from_bytes(moment[1][:4], "little") + moment[1][4] / 256
    assert started_s + end_us / 1e6 < seconds < started_s + end_us / 1e6 + 0.1
    network.assert_clean()


# --- events


def test_events_are_shaped_as_chirpstack_shapes_them() -> None:
    network = Network(dr=5)
    device = network.device
    assert device.join()
    network.server.enqueue(eui(1), 20, b"\xaa", confirmed=True)
    device.sleep(60)
    device.send(b"hello", port=2, confirmed=True)
    device.sleep(60)
    network.server.request(eui(1), mac.dev_status())
    device.battery = 254
    device.send(b"", port=3)
    device.sleep(60)
    device.send(b"", port=3)
    network.settle()
    json.dumps([event.body for event in network.server.events])
    kinds = [event.kind for event in network.server.events]
    assert kinds == ["join", "up", "txack", "ack", "up", "txack", "status", "up"]
    assert network.server.events[0].topic.endswith("/device/0102030405060001/event/join")
    up = network.events("up")[0]
    assert up["deviceInfo"]["devEui"] == "0102030405060001"
    assert up["deviceInfo"]["deviceName"] == "node 1"
    assert base64.b64decode(up["data"]) == b"hello"
    assert (up["fPort"], up["dr"], up["adr"], up["confirmed"]) == (2, 5, True, True)
    assert "fCnt" not in up, "zero values are left out"
    assert len(up["devAddr"]) == 8
    assert up["time"].startswith("2026-01-01T00:01:")
    assert up["time"].endswith("Z")
    assert up["txInfo"]["modulation"]["lora"] == {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}
    heard = up["rxInfo"][0]
    assert (heard["gatewayId"], heard["rssi"], heard["snr"]) == ("0000000000000001", -103, 14.0)
    ack = network.events("ack")[0]
    assert ack["acknowledged"] is True
    assert ack["queueItemId"] == network.events("txack")[0]["queueItemId"]
    assert network.events("status")[0]["batteryLevel"] == 100.0
    # Downlink: 16 dBm e.i.r.p. - 120 dB over a noise floor of -117 dBm.
    assert network.events("status")[0]["margin"] == 13


# --- many


def test_twenty_devices_two_gateways_with_loss() -> None:
    places = {f"node-{n}": (400.0 * (n % 5) - 800, 400.0 * (n // 5) - 600) for n in range(1, 21)}
    places |= {"0000000000000001": (-500.0, 0.0), "0000000000000002": (500.0, 0.0)}
    network = Network(gateways=2, path_loss=propagation.log_distance(places), loss=0.05)
    network.device.clock.become("off")

    def script(device: DeviceDouble) -> None:
        device.sleep(device.random.uniform(0, 300))
        assert device.join(attempts=20, pause_s=60)
        for number in range(30):
            device.sleep(device.random.uniform(100, 200))
            device.send(bytes((device.number, number)), confirmed=number % 10 == 0)

    devices = [network.add(number) for number in range(2, 21)]
    run_all([(device, script) for device in devices])
    network.air.finish()
    network.assert_clean()
    total = 19 * 30
    assert 0.85 * total < len(network.data()) <= total
    assert len(set(network.data())) == len(network.data())
    heard_by_both = [body for body in network.events("up") if len(body["rxInfo"]) == 2]
    assert len(heard_by_both) > total // 2
    assert not network.air.timeline.set_aside
