"""The node's MAC under a network that asks for anything: random commands, loss, sleep.

JUDDER_FULL=1 does it for longer. Whatever comes, the node must answer as the specification says, keep to what it has
agreed to, and never break a rule.
"""

from __future__ import annotations

import os
import random

import pytest
from device_double import APP_KEY, JOIN_EUI, eui
from mac_on_air import MacOnAir
from network import Network

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.regions import Plan

UPLINKS = 2000 if os.environ.get("JUDDER_FULL") else 150


def some_frequency(chance: random.Random, plan: Plan) -> int:
    if chance.random() < 0.2:
        return chance.choice((0, 100, 433_000_000, 1_677_721_500))
    low_hz, high_hz = (865_000_000, 868_600_000) if plan.name == "EU868" else (plan.low_hz, plan.high_hz)
    return chance.randrange(low_hz // 100_000 + 1, high_hz // 100_000) * 100_000


def some_block(chance: random.Random, plan: Plan) -> list[Command]:
    """A LinkADRReq block that makes sense, or one that need not."""
    if chance.random() < 0.5:
        channels = network_plan.channel_numbers(plan)
        narrow = [number for number in channels if number < 64]
        chosen = chance.sample(narrow, chance.randrange(2, len(narrow) + 1))
        chosen += [number for number in channels if number >= 64]
        rates = [dr for dr, rate in plan.up.items() if rate.bandwidth_hz == 125_000 and plan.sizes_dwell.get(dr, 1)]
        power = chance.randrange(plan.power_steps + 1)
        return mac.mask_commands(sorted(chosen), plan.fixed, chance.choice(rates), power, chance.randrange(1, 4))
    return [
        mac.link_adr(chance.randrange(16), chance.randrange(16), chance.getrandbits(16), chance.randrange(8), 1)
        for _ in range(chance.randrange(1, 4))
    ]


def some_commands(chance: random.Random, plan: Plan) -> list[Command]:
    kind = chance.randrange(9)
    if kind <= 2:
        return some_block(chance, plan)
    return {
        3: lambda: [mac.dev_status()],
        4: lambda: [mac.rx_param_setup(some_frequency(chance, plan), chance.randrange(16), chance.randrange(8))],
        5: lambda: [mac.rx_timing_setup(chance.randrange(16))],
        6: lambda: [mac.new_channel(chance.randrange(20), some_frequency(chance, plan), 0, chance.choice((5, 5, 3)))],
        7: lambda: [mac.dl_channel(chance.randrange(12), some_frequency(chance, plan))],
        8: lambda: [mac.tx_param_setup(plan.dwell_up, chance.random() < 0.5, chance.randrange(5, 16))],
    }[kind]()


@pytest.mark.parametrize("region", regions.PLANS)
@pytest.mark.parametrize("seed", range(3))
def test_anything_goes(region: str, seed: int) -> None:
    chance = random.Random(f"{region} {seed}")
    network = Network(region, gateways=2, loss=0.15, adr=False)
    network.device.clock.become("off")
    network.server.policy.channels = None
    network.server.add("node", eui(5), JOIN_EUI, APP_KEY)
    plan = regions.find(region)
    band = {"sub_band": 2} if plan.fixed else {}
    node = MacOnAir(network.air, region, 5, **band)
    node.random.seed(seed)
    for number in range(UPLINKS):
        if node.mac.session.joined and chance.random() < 0.4:
            if chance.random() < 0.1:
                network.server.send_raw(eui(5), chance.randbytes(chance.randrange(1, 15)))
            else:
                session = network.server.devices[eui(5)].session
                if session is not None and not session.to_send and not session.unanswered:
                    network.server.request(eui(5), *some_commands(chance, plan))
        if chance.random() < 0.1:
            network.server.enqueue(eui(5), 9, bytes((number & 0xFF,)), confirmed=chance.random() < 0.5)
        if chance.random() < 0.2:
            node.mac.check_link()
        if not node.mac.ready():  # the network has asked for a long silence
            node.run()
            continue
        size = min(node.mac.limit(), chance.choice((1, 11, 51, 242)))
        node.say(bytes((number & 0xFF,)) * max(1, size), confirmed=chance.random() < 0.2)
        if chance.random() < 0.7:
            node.sleep(chance.choice((1, 30, 600)))
        assert not network.server.violations, (number, network.server.violations[0])
    network.assert_clean()
    # The network may have sent it to channels where no gateway listens, or told it to be silent.
    assert len(network.data()) > UPLINKS // 10
