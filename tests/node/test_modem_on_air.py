"""Both drivers, their modems' models, and a network server at the other end of a shared air."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from modem_bench import APP_KEY, JOIN_EUI, KINDS, NODE_ID, Bench, command, message

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.audit import describe
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.server import NetworkServer
from judder.virtual.modems.on_air import OnAir
from judder_core import schema

both = pytest.mark.parametrize("kind", list(KINDS))


class Site:
    """A gateway, a server, and a bench whose modem is in that air."""

    def __init__(self, kind: str, region: str = "EU868", settings: dict[str, Any] | None = None) -> None:
        plan = regions.find(region)
        self.air = Air(120.0)
        gateway = network_plan.make_gateway(self.air, bytes(8), plan)
        self.server = NetworkServer(self.air, plan, [gateway])
        clock = BoardClock("virtual")
        station = self.air.station("node", clock)
        model = KINDS[kind][1](OnAir(self.air, station))
        self.bench = Bench(kind, settings, model=model)
        real = self.bench.wire.readinto

        def readinto(buffer: bytearray) -> int | None:
            clock.observe(self.bench.time.now_us)
            return real(buffer)

        self.bench.wire.readinto = readinto  # type: ignore[method-assign]

    def data(self) -> list[tuple[int, bytes]]:
        """(port, payload) the application was given."""
        bodies = [event.body for event in self.server.events if event.kind == "up"]
        return [(body["fPort"], base64.b64decode(body["data"])) for body in bodies if body.get("data")]

    def clean(self) -> None:
        assert self.air.timeline.errors == []
        assert self.server.violations == [], describe(self.server.violations)


@both
@pytest.mark.parametrize(
    ("region", "number", "rate", "sub_band"),
    [("EU868", 0, 5, 0), ("US915", 1, 3, 2), ("AU915", 2, 5, 2), ("AS923-1", 3, 5, 0), ("IN865", 7, 5, 0)],
)
def test_joins_and_talks(kind: str, region: str, number: int, rate: int, sub_band: int) -> None:
    settings = {"lorawan_region": number, "lorawan_data_rate": rate, "lorawan_sub_band": sub_band}
    site = Site(kind, region, settings)
    site.server.add("pump", NODE_ID, JOIN_EUI, APP_KEY)
    bench = site.bench
    bench.join()
    bench.idle(15)
    site.server.enqueue(NODE_ID, schema.COMMAND + schema.FPORT_OFFSET, command(7).payload, confirmed=True)
    sent = [message(schema.READING, 53), message(schema.ALARM), message(schema.HELLO)]
    got = []
    for one in sent:
        bench.deliver(one)
        bench.idle(15)
        got += bench.link.poll()
    assert site.data() == [(one[1] + 1 if one[0] < 0x98 else one[2] + 1, one) for one in sent]
    assert got == [command(7).payload]
    assert dict(bench.link.report())["joins"] == 1
    site.clean()


@both
def test_commands_of_the_network_leave_the_node_at_work(kind: str) -> None:
    site = Site(kind, settings={"lorawan_data_rate": 5})
    site.server.add("pump", NODE_ID, JOIN_EUI, APP_KEY)
    bench = site.bench
    bench.join()
    bench.idle(30)
    asked = [
        mac.link_adr(2, 3, 0x07, 0, 2),
        mac.dev_status(),
        mac.rx_timing_setup(3),
        mac.rx_param_setup(869_525_000, 3),
    ]
    site.server.request(NODE_ID, *asked)
    for _ in range(4):
        bench.deliver(message(schema.READING, 40))
        bench.idle(60)
    assert dict(bench.link.report())["data_rate"] == 2
    assert bench.link.limit() == 51
    assert site.server.devices[NODE_ID].session.unanswered == []
    site.clean()


@both
def test_wrong_key_never_joins(kind: str) -> None:
    site = Site(kind, settings={"lorawan_data_rate": 5})
    site.server.add("pump", NODE_ID, JOIN_EUI, bytes(16))
    site.bench.idle(60)
    assert any("no answer to the join request" in line for line in site.bench.said)
    assert site.server.refused["mic"] >= 1


@both
def test_joins_again_after_losing_power(kind: str) -> None:
    site = Site(kind, settings={"lorawan_data_rate": 5})
    site.server.add("pump", NODE_ID, JOIN_EUI, APP_KEY)
    bench = site.bench
    bench.join()
    bench.idle(15)
    bench.deliver(message())
    bench.model.reset(bench.time.now_us)
    bench.deliver(message(schema.ALARM))
    assert site.data() == [(1, message()), (3, message(schema.ALARM))]
    assert site.server.devices[NODE_ID].joins == 2, "with a DevNonce that was not there before"
    site.clean()


@both
def test_personalised(kind: str) -> None:
    keys = (bytes(range(16)), bytes(range(16, 32)))
    settings = {"lorawan_activation": 1, "dev_addr": bytes.fromhex("01020304"), "lorawan_data_rate": 5}
    site = Site(kind, settings=settings | {"nwk_s_key": keys[0], "app_s_key": keys[1]})
    site.server.add_abp("pump", NODE_ID, 0x01020304, *keys)
    site.bench.join()
    site.bench.deliver(message(schema.READING, 40))
    assert site.data() == [(2, message(schema.READING, 40))]
    site.clean()


@both
def test_adr_takes_it_to_the_best_rate(kind: str) -> None:
    site = Site(kind, settings={"lorawan_data_rate": 0, "lorawan_region": 7}, region="IN865")
    site.server.add("pump", NODE_ID, JOIN_EUI, APP_KEY)
    bench = site.bench
    bench.join()
    for _ in range(24):
        bench.deliver(message(schema.READING, 40))
        bench.idle(10)
    assert dict(bench.link.report())["data_rate"] == 5
    assert bench.link.limit() == 242
    site.clean()
