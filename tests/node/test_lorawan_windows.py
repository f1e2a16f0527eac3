"""Windows of an uplink that nobody answers, at every data rate of every region: MAC, link, driver and radio model.

When and on what they have to open says the network server's own code (judder.virtual.lorawan); how long, and how much
before or after, LoRaMac-node's formula (rx_windows.py).
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from powered import Aes, Clock
from radio_bench import Bench
from rx_windows import OPENS_MS, PUBLISHED, by_formula

from judder.virtual.lorawan import regions as network_regions
from judder.virtual.lorawan.downlink import windows
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import Channel, DataRate
from judder_core import codec, schema
from node.link.lorawan import regions, session
from node.link.lorawan.link import Lorawan
from node.link.lorawan.mac import Mac
from node.message import build

ERROR_MS = 20
OPENS_WITHIN_US = 3000
# What rounding the published milliseconds took away from each of two windows.
ROUNDED_US = 1000
SX1276_STEP_HZ = 62
MORE = 3
MESSAGE = codec.encode(schema.ALARM, build.alarm(8, 2, 1035, 1000, 4), 11)
NWK, APP, ADDRESS = bytes(range(16)), bytes(range(16, 32)), bytes.fromhex("26011bda")


def node(bench: Bench, region: str, data_rate: int, rx1_delay_s: int) -> Lorawan:
    """A link at a fixed data rate, with a session. Dwell time does not keep it from the slow ones, and a channel that
    default ones have not allows the fast one of 250 kHz."""
    identity = session.abp(ADDRESS, NWK, APP)
    identity.data_rate, identity.adr, identity.rx1_delay_s = data_rate, False, rx1_delay_s
    mac = Mac(regions.find(region), identity, Aes, random.Random(7).randbytes, bench.clock.uptime_ms())
    mac.session.dwell, mac.session.data_rate = 0, data_rate
    if 6 in rates(region) and not mac.session.region.fixed:
        mac.session.plan.define(MORE, more_hz(region) // 100, 0x60)
    vault = SimpleNamespace(save=lambda _blob: None)
    return Lorawan(mac, bench.radio, bench.clock, bench.clock, vault, lambda _session: None, lambda: None, 0)


def more_hz(region: str) -> int:
    return network_regions.find(region.upper()).channels[0].frequency_hz - 200_000


def rates(region: str) -> list[int]:
    return sorted(network_regions.find(region.upper()).up)


@pytest.mark.parametrize("region", regions.NAMES)
@pytest.mark.parametrize("chip", ["sx1262", "sx1276"])
def test_windows_of_every_data_rate(monkeypatch: pytest.MonkeyPatch, chip: str, region: str) -> None:
    plan = network_regions.find(region.upper())
    for data_rate in rates(region):
        for rx1_delay_s in (1, 5):
            bench = Bench(monkeypatch, chip)
            bench.clock = Clock(bench.clock.now_us)
            bench.port.clock = bench.clock
            bench.take_time(monkeypatch)
            link = node(bench, region, data_rate, rx1_delay_s)
            assert link.send(MESSAGE, False) is None
            while link.outcome() is None or link.busy():
                link.step(20)
            assert link.outcome() is True
            assert bench.chip.faults == []

            uplink = bench.air.sent[0]
            assert len(bench.air.sent) == 1
            settings = Mirror(plan, rx1_delay_s=rx1_delay_s)
            settings.dwell_up = settings.dwell_down = False
            if not plan.fixed:
                settings.channels[MORE] = Channel(more_hz(region), 0, 6)
            sent = DataRate(uplink.tuning.sf, uplink.tuning.bandwidth_hz)
            assert sent == plan.up[data_rate]
            heard = SimpleNamespace(frequency_hz=uplink.tuning.frequency_hz, rate=sent, time_us=uplink.end_us)
            wanted = windows(settings, heard, rx1_delay_s)  # type: ignore[arg-type]
            found = [one for one in bench.chip.windows if one.opened_us > uplink.end_us]
            where = region, data_rate, rx1_delay_s
            assert len(found) == len(wanted) == 2, where
            listened_us = allowed_us = 0.0
            for one, due in zip(found, wanted, strict=True):
                assert abs(one.tuning.frequency_hz - due.frequency_hz) <= SX1276_STEP_HZ / 2, where
                assert (one.tuning.sf, one.tuning.bandwidth_hz) == (due.rate.sf, due.rate.bandwidth_hz), where
                _symbols, open_ms, offset_ms = by_formula(due.rate.sf, due.rate.bandwidth_hz, ERROR_MS)
                late_us = one.opened_us - due.time_us - offset_ms * 1000
                assert abs(late_us) <= OPENS_WITHIN_US, (where, late_us)
                listened_us += one.on_us
                allowed_us += round(open_ms) * 1000
            assert listened_us <= allowed_us + ROUNDED_US, (where, listened_us)


def test_every_region_and_every_downlink_rate_is_among_them() -> None:
    assert {name.partition("-")[0] for name in regions.NAMES} == {"eu868", "us915", "au915", "as923", "in865"}
    cases = sum(len(rates(name)) for name in regions.NAMES)
    print(f"\nwindows: {cases} data rates of {len(regions.NAMES)} regions, both radios, RX1 after 1 s and 5 s")
    assert cases > 40


@pytest.mark.parametrize("rate", PUBLISHED)
def test_the_formula_is_the_published_one(rate: tuple[int, int]) -> None:
    for error_ms, (symbols, ms) in PUBLISHED[rate].items():
        found, open_ms, offset_ms = by_formula(*rate, error_ms)
        assert found == symbols
        assert abs(open_ms - ms) <= 0.5
        if error_ms == ERROR_MS:
            # LoRaMac-node rounds it up, other tables to the nearest.
            assert -1 < OPENS_MS[rate] - offset_ms < 1
