"""The network side's region tables, cell by cell against lorawan.md sections 5.4 and 5.5 (RP002, LoRaMac-node,
ChirpStack and RadioLib, which agree except where said)."""

from __future__ import annotations

import pytest

from judder.errors import InputError
from judder.virtual.lorawan import network_plan, regions
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import DataRate


def test_the_regions_there_are() -> None:
    assert list(regions.PLANS) == [
        "EU868", "US915", "AU915", "AS923-1", "AS923-2", "AS923-3", "AS923-4", "IN865",
    ]  # fmt: skip
    assert regions.find("as923") is regions.find("AS923-1")
    with pytest.raises(InputError, match="there is no region 'EU433'; there are EU868"):
        regions.find("EU433")


CHANNELS_MHZ = {
    "EU868": (868.1, 868.3, 868.5),
    "IN865": (865.0625, 865.4025, 865.985),
    "AS923-1": (923.2, 923.4),
    "AS923-2": (921.4, 921.6),
    "AS923-3": (916.6, 916.8),
    "AS923-4": (917.3, 917.5),
}


@pytest.mark.parametrize("name", CHANNELS_MHZ)
def test_default_channels(name: str) -> None:
    got = [channel.frequency_hz for channel in regions.find(name).channels]
    assert got == [round(mhz * 1e6) for mhz in CHANNELS_MHZ[name]]
    assert {(c.min_dr, c.max_dr) for c in regions.find(name).channels} == {(0, 5)}


@pytest.mark.parametrize(
    ("name", "number", "mhz", "rates"),
    [
        ("US915", 0, 902.3, (0, 3)), ("US915", 63, 914.9, (0, 3)), ("US915", 64, 903.0, (4, 4)),
        ("US915", 71, 914.2, (4, 4)), ("US915", 8, 903.9, (0, 3)), ("US915", 15, 905.3, (0, 3)),
        ("US915", 65, 904.6, (4, 4)), ("AU915", 0, 915.2, (0, 5)), ("AU915", 63, 927.8, (0, 5)),
        ("AU915", 64, 915.9, (6, 6)), ("AU915", 71, 927.1, (6, 6)), ("AU915", 8, 916.8, (0, 5)),
    ],
)  # fmt: skip
def test_channels_of_fixed_plans(name: str, number: int, mhz: float, rates: tuple[int, int]) -> None:
    channel = regions.find(name).channels[number]
    assert channel.frequency_hz == round(mhz * 1e6)
    assert (channel.min_dr, channel.max_dr) == rates
    assert len(regions.find(name).channels) == 72


UP = {
    "EU868": "SF12BW125 SF11BW125 SF10BW125 SF9BW125 SF8BW125 SF7BW125 SF7BW250",
    "AS923-1": "SF12BW125 SF11BW125 SF10BW125 SF9BW125 SF8BW125 SF7BW125 SF7BW250",
    "IN865": "SF12BW125 SF11BW125 SF10BW125 SF9BW125 SF8BW125 SF7BW125",
    "US915": "SF10BW125 SF9BW125 SF8BW125 SF7BW125 SF8BW500",
    "AU915": "SF12BW125 SF11BW125 SF10BW125 SF9BW125 SF8BW125 SF7BW125 SF8BW500",
}


@pytest.mark.parametrize("name", UP)
def test_data_rates(name: str) -> None:
    plan = regions.find(name)
    assert " ".join(str(plan.up[dr]) for dr in sorted(plan.up)) == UP[name]
    assert list(plan.up) == list(range(len(plan.up)))
    if plan.fixed:
        assert {dr: str(rate) for dr, rate in plan.down.items()} == {
            8: "SF12BW500", 9: "SF11BW500", 10: "SF10BW500", 11: "SF9BW500", 12: "SF8BW500", 13: "SF7BW500",
        }  # fmt: skip
    else:
        assert plan.down == plan.up
    assert plan.up_dr(7, 125_000) == (3 if name == "US915" else 5)
    assert plan.up_dr(12, 500_000) is None


# name: join data rates, window 2 MHz and DR, max e.i.r.p. dBm, power steps, RX1 offsets, dwell up, TxParamSetup
CELLS = {
    "EU868": ([0, 1, 2, 3, 4, 5], 869.525, 0, 16, 7, 5, False, False),
    "US915": ([0, 4], 923.3, 8, 30, 14, 3, True, False),
    "AU915": ([2, 6], 923.3, 8, 30, 14, 5, True, True),
    "AS923-1": ([2, 3, 4, 5], 923.2, 2, 16, 7, 7, True, True),
    "AS923-2": ([2, 3, 4, 5], 921.4, 2, 16, 7, 7, True, True),
    "AS923-3": ([2, 3, 4, 5], 916.6, 2, 16, 7, 7, True, True),
    "AS923-4": ([2, 3, 4, 5], 917.3, 2, 16, 7, 7, True, True),
    "IN865": ([0, 1, 2, 3, 4, 5], 866.55, 2, 30, 10, 7, False, False),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(name: str) -> None:
    plan = regions.find(name)
    got = (list(plan.join_drs), plan.rx2_hz / 1e6, plan.rx2_dr, plan.max_eirp_dbm, plan.power_steps)
    assert (*got, plan.max_rx1_offset, plan.dwell_up, plan.tx_param) == CELLS[name]


# Rows: uplink data rate; columns: RX1DROffset.
RX1 = {
    ("EU868", False): ["000000", "100000", "210000", "321000", "432100", "543210"],
    ("US915", False): ["A988", "BA98", "CBA9", "DCBA", "DDCB"],
    ("AU915", False): ["888888", "988888", "A98888", "BA9888", "CBA988", "DCBA98", "DDCBA9"],
    ("AS923-1", False): ["00000012", "10000023", "21000034", "32100045", "43210056", "5432106-"],
    ("AS923-1", True): ["22222222", "22222223", "22222234", "32222245", "43222256", "5432226-"],
    # DR5 + 2: LoRaMac-node 7 (FSK), ChirpStack 5: not used.
    ("IN865", False): ["00000012", "10000023", "21000034", "32100045", "43210055", "5432105-"],
}


@pytest.mark.parametrize("key", RX1, ids=str)
def test_rx1_data_rates(key: tuple[str, bool]) -> None:
    name, dwell = key
    plan = regions.find(name)
    for dr, row in enumerate(RX1[key]):
        for offset, cell in enumerate(row):
            expected = None if cell == "-" else int(cell, 16)
            assert plan.rx1_dr(dr, offset, dwell) == expected, (dr, offset)
        assert len(row) == plan.max_rx1_offset + 1


def test_rx1_frequencies() -> None:
    for name in ("US915", "AU915"):
        plan = regions.find(name)
        got = [plan.rx1_hz(n, plan.channels[n]) for n in (0, 7, 8, 63, 64, 71)]
        assert got == [923_300_000, 927_500_000, 923_300_000, 927_500_000, 923_300_000, 927_500_000]
    plan = regions.find("EU868")
    assert plan.rx1_hz(1, plan.channels[1]) == 868_300_000
    assert plan.rx1_hz(1, regions.Channel(868_300_000, 0, 5, 869_525_000)) == 869_525_000


SIZES = {
    "EU868": ([51, 51, 51, 115, 242, 242, 242], {}),
    "IN865": ([51, 51, 51, 115, 242, 242], {}),
    "AS923-1": ([51, 51, 115, 115, 242, 242, 242], {0: 0, 1: 0, 2: 11, 3: 53, 4: 125, 5: 242, 6: 242}),
    "AU915": ([51, 51, 51, 115, 242, 242, 242], {0: 0, 1: 0, 2: 11, 3: 53, 4: 125, 5: 242, 6: 242}),
    "US915": ([11, 53, 125, 242, 242], {0: 11, 1: 53, 2: 125, 3: 242, 4: 242}),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    plan = regions.find(name)
    free, dwell = SIZES[name]
    assert [plan.max_payload_up(dr, False) for dr in plan.up] == free
    assert {dr: plan.max_payload_up(dr, True) for dr in plan.sizes_dwell} == dwell
    if plan.fixed:
        assert dict(plan.sizes_down) == {8: 53, 9: 129, 10: 242, 11: 242, 12: 242, 13: 242}


@pytest.mark.parametrize(
    ("mhz", "duty"),
    [(863.1, 0.001), (867.1, 0.01), (868.1, 0.01), (868.65, None), (868.8, 0.001), (869.525, 0.1), (869.8, 0.01)],
)
def test_sub_bands(mhz: float, duty: float | None) -> None:
    band = regions.find("EU868").band(round(mhz * 1e6))
    assert (None if band is None else band.duty) == duty
    assert regions.find("US915").band(903_900_000) is None
    assert regions.find("AS923-1").band(923_200_000).duty == 0.01  # type: ignore[union-attr]


def test_networks_and_their_gateways() -> None:
    assert network_plan.sub_band_channels(2) == [*range(8, 16), 65]
    with pytest.raises(InputError, match="sub-band 9"):
        network_plan.sub_band_channels(9)
    gateway = network_plan.make_gateway(Air(), bytes(8), regions.find("US915"))
    assert gateway.frequencies_hz == tuple(903_900_000 + 200_000 * n for n in range(8))
    assert gateway.wide == (904_600_000, DataRate(8, 500_000))
    gateway = network_plan.make_gateway(Air(), bytes(8), regions.find("EU868"))
    expected = (868.1, 868.3, 868.5, 867.1, 867.3, 867.5, 867.7, 867.9)
    assert gateway.frequencies_hz == tuple(round(mhz * 1e6) for mhz in expected)
    assert gateway.wide == (868_300_000, DataRate(7, 250_000))
    assert network_plan.make_gateway(Air(), bytes(8), regions.find("IN865")).wide is None
    with pytest.raises(ValueError, match="a concentrator has 8"):
        type(gateway)(Air(), bytes(8), regions.find("EU868"), [868_100_000] * 9)
