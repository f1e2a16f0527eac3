"""The node's own MAC against the network server: two implementations that share no code have to agree.

After each run the audit must have found nothing, and both sides must see the session the same way.
"""

from __future__ import annotations

import pytest
from device_double import APP_KEY, JOIN_EUI, eui, run_all
from mac_on_air import MacOnAir
from network import Network
from scenarios import SCENARIOS, SENSELESS

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import propagation, regions
from node.link.lorawan import TRANSMIT, session

NUMBER = 5


def make(
    region: str = "EU868", *, sub_band: int = 2, settings: dict[str, object] | None = None, **options: object
) -> tuple[Network, MacOnAir]:
    network = Network(region, **options)  # type: ignore[arg-type]
    network.device.clock.become("off")
    network.server.add("node", eui(NUMBER), JOIN_EUI, APP_KEY)
    band = {"sub_band": sub_band} if regions.find(region).fixed else {}
    return network, MacOnAir(network.air, region, NUMBER, **{**band, **(settings or {})})


def joined(region: str = "EU868", **options: object) -> tuple[Network, MacOnAir]:
    network, node = make(region, **options)  # type: ignore[arg-type]
    assert node.say(b"first")
    node.sleep(60)
    return network, node


def say(node: MacOnAir, count: int = 1, **fields: object) -> None:
    for _ in range(count):
        assert node.say(b"x", **fields) is not None  # type: ignore[arg-type]
        node.sleep(60)


@pytest.mark.parametrize("region", regions.PLANS)
def test_every_region(region: str) -> None:
    network, node = make(region, gateways=2)
    network.server.enqueue(eui(NUMBER), 17, b"hello", confirmed=True)
    for number in range(60):
        assert node.say(bytes((number,)) * 8, confirmed=number % 5 == 0), number
        node.sleep(200)
    network.assert_clean()
    assert network.data() == [bytes((number,)) * 8 for number in range(60)]
    assert node.heard == [(17, b"hello")]
    assert node.mac.session.data_rate == (3 if region == "US915" else 5), "ADR has done its work"
    assert not network.server.refused
    assert [body["acknowledged"] for body in network.events("ack")] == [True]


@pytest.mark.parametrize("name", SCENARIOS)
def test_commands(name: str) -> None:
    region, commands, expected = SCENARIOS[name]
    start = 3 if region == "US915" else 5
    network, node = joined(region, adr=False, settings={"data_rate": start})
    network.server.policy.channels = None
    if node.mac.session.data_rate != start:
        network.server.request(eui(NUMBER), mac.link_adr(start, 15, 0xFF00 if regions.find(region).fixed else 0xFF))
        say(node, 2)
    network.server.request(eui(NUMBER), *commands)
    say(node, 4)
    network.server.enqueue(eui(NUMBER), 9, b"still there")
    say(node, 2, confirmed=True)
    network.assert_clean()
    assert node.heard == [(9, b"still there")]
    believed = network.server.devices[eui(NUMBER)].session
    assert believed is not None
    for field, value in expected.items():
        assert getattr(believed.settings, field) == value, field
    assert believed.unanswered == believed.to_send == []


@pytest.mark.parametrize("raw", SENSELESS, ids=lambda raw: raw.hex()[:20])
def test_senseless_commands(raw: bytes) -> None:
    network, node = joined(adr=False)
    network.server.send_raw(eui(NUMBER), raw)
    say(node, 3)
    network.server.enqueue(eui(NUMBER), 9, b"still there")
    say(node, 2)
    network.assert_clean()
    assert node.heard == [(9, b"still there")]


def test_replays_and_forgeries() -> None:
    network, node = joined(adr=False)
    server = network.server
    server.enqueue(eui(NUMBER), 9, b"good", confirmed=True)
    say(node, 2)
    good = server.devices[eui(NUMBER)].sent[-1]
    forged = server.build(eui(NUMBER), port=9, payload=b"bad")
    for phy in (good, forged[:-1] + bytes((forged[-1] ^ 1,)), server.build(eui(NUMBER), fcnt=0, port=9, payload=b"b")):
        for window in (1, 2):
            server.inject(eui(NUMBER), phy, window)
            say(node)
    assert node.heard == [(9, b"good")]
    network.assert_clean()


def test_backing_off_over_a_long_silence_and_coming_back() -> None:
    network, node = joined(adr=False, path_loss=100.0)
    network.server.request(eui(NUMBER), mac.link_adr(5, 3, 0x07))
    say(node, 2)
    gateway = network.gateways[0]
    gateway.send = lambda _downlink: "COLLISION_PACKET"  # type: ignore[method-assign]
    for _ in range(64 + 32 * 8):
        node.say(b"x")
        node.sleep(300)
    network.assert_clean()
    assert node.mac.session.data_rate == 0
    del gateway.send  # type: ignore[method-assign]
    network.server.policy.adr = True
    for _ in range(25):
        node.say(b"x")
        node.sleep(300)
    network.assert_clean()
    assert node.mac.session.data_rate == 5


def test_the_audit_sees_a_node_that_forgets_its_channel_mask() -> None:
    # The control: a session that loses its mask in deep sleep is found.
    network, node = joined(adr=False)
    network.server.policy.channels = None
    network.server.request(eui(NUMBER), mac.link_adr(15, 15, 0x01))
    say(node, 2)
    network.assert_clean()
    for _ in range(10):
        node.mac.session.plan.mask[0] = 0xFF
        say(node)
    assert network.rules() == ["mask"]


def test_power_cuts_reuse_nothing() -> None:
    network, node = joined(settings={"data_rate": 5})
    for number in range(120):
        if number % 7 == 0:
            node.power_cut()
        elif number % 7 == 3:
            # Power goes in the middle of a transmission: the frame is in the air, and nothing after it was kept.
            def cut(action: tuple[object, ...]) -> None:
                if action[0] == TRANSMIT:
                    raise KeyboardInterrupt

            node.before = cut
            with pytest.raises(KeyboardInterrupt):
                node.say(b"cut")
            node.before = lambda _action: None
            node.power_cut()
        node.say(bytes((number,)), confirmed=number % 10 == 0)
        node.sleep(30)
    assert network.rules() == []
    assert len(set(network.data())) >= 115


def test_repetitions_stop_at_an_answer_and_count_once() -> None:
    network, node = joined(adr=False)
    network.server.request(eui(NUMBER), mac.link_adr(15, 15, 0xFF, 0, 3))
    say(node, 2)
    before = len(network.data())
    say(node, 3)
    assert len(network.data()) == before + 3
    sent = network.air.emissions
    assert node.say(b"x", confirmed=True)
    assert network.air.emissions == sent + 2, "one uplink, one acknowledgement"
    network.assert_clean()


def test_abp() -> None:
    network = Network("EU868")
    network.device.clock.become("off")
    nwk, app = bytes(range(16)), bytes(range(16, 32))
    network.server.add_abp("abp", eui(7), 0x01020304, nwk, app)
    node = MacOnAir(network.air, "EU868", 7, session.abp(bytes((1, 2, 3, 4)), nwk, app))
    for number in range(30):
        assert node.say(bytes((number,)), confirmed=True)
        node.sleep(100)
    network.assert_clean()
    assert len(network.data()) == 30


def test_a_wrong_key_never_joins_and_keeps_to_its_limits() -> None:
    network, node = make("EU868")
    node.identity.app_key = bytes(range(16))
    node.boot()
    while node.now_ms < 30 * 3600 * 1000:
        assert not node.say(b"x", limit_s=30 * 3600)
        node.sleep(60)
    assert network.rules() == ["mic"]
    assert len(network.server.violations) == network.air.emissions > 40
    assert network.events("join") == []


@pytest.mark.parametrize("region", ["EU868", "US915", "AS923-1"])
def test_a_fleet_with_loss(region: str) -> None:
    places = {f"node-{n}": (400.0 * (n % 5) - 800, 400.0 * (n // 5) - 600) for n in range(1, 30)}
    places |= {"0000000000000001": (-500.0, 0.0), "0000000000000002": (500.0, 0.0)}
    network = Network(region, gateways=2, path_loss=propagation.log_distance(places), loss=0.1)
    network.device.clock.become("off")
    band = {"sub_band": 2} if region == "US915" else {}
    nodes = [MacOnAir(network.air, region, number, **band) for number in range(2, 14)]
    for node in nodes:
        network.server.add(f"node {node.number}", eui(node.number), JOIN_EUI, APP_KEY)

    def script(node: MacOnAir) -> None:
        node.sleep(node.random.uniform(0, 300))
        for number in range(40):
            node.say(bytes((node.number, number)), confirmed=number % 10 == 0)
            if number % 5 == 0:
                network.server.enqueue(eui(node.number), 9, bytes((number,)))
            node.sleep(node.random.uniform(100, 200))

    run_all([(node, script) for node in nodes], timeout_s=150)  # type: ignore[list-item]
    network.air.finish()
    network.assert_clean()
    assert not network.air.timeline.set_aside
    got = network.data()
    assert len(got) == len(set(got)) >= 0.75 * len(nodes) * 40
    assert all(len(node.heard) >= 3 for node in nodes)
