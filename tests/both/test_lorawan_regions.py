"""Regional tables, cell by cell, against RP002 as LoRaMac-node, RadioLib and ChirpStack agree on it.

Where they differ the case says so, and which reading is the safe one.
"""

from portable import raises

from node.link.lorawan import LorawanError, regions

DWELL_UP, DWELL_DOWN = regions.DWELL_UP, regions.DWELL_DOWN


def mhz(value):
    return round(value * 1000000)


# name, default channels MHz (fixed plans: first of 125 and of 500 kHz), RX2 MHz and data rate, max EIRP dBm,
# highest TXPower, highest RX1 offset, dwell flags at the start, TXParamSetupReq, data rates of joins
REGIONS = (
    ("eu868", (868.1, 868.3, 868.5), 869.525, 0, 16, 7, 5, 0, False, (0, 1, 2, 3, 4, 5)),
    ("us915", (902.3, 903.0), 923.3, 8, 30, 14, 3, 0, False, (0, 4)),
    ("au915", (915.2, 915.9), 923.3, 8, 30, 14, 5, DWELL_UP, True, (2, 6)),
    ("as923-1", (923.2, 923.4), 923.2, 2, 16, 7, 7, DWELL_UP | DWELL_DOWN, True, (2, 3, 4, 5)),
    ("as923-2", (921.4, 921.6), 921.4, 2, 16, 7, 7, DWELL_UP | DWELL_DOWN, True, (2, 3, 4, 5)),
    ("as923-3", (916.6, 916.8), 916.6, 2, 16, 7, 7, DWELL_UP | DWELL_DOWN, True, (2, 3, 4, 5)),
    ("as923-4", (917.3, 917.5), 917.3, 2, 16, 7, 7, DWELL_UP | DWELL_DOWN, True, (2, 3, 4, 5)),
    ("in865", (865.0625, 865.4025, 865.985), 866.55, 2, 30, 10, 7, 0, False, (0, 1, 2, 3, 4, 5)),
)


def test_defaults_of_every_region():
    assert regions.NAMES == tuple([row[0] for row in REGIONS])
    for name, defaults, rx2_mhz, rx2, eirp, powers, offsets, dwell, tx_param, join in REGIONS:
        region = regions.find(name)
        assert region.name == name
        assert region.defaults == tuple([mhz(value) for value in defaults]), name
        assert (region.rx2_hz, region.rx2_data_rate) == (mhz(rx2_mhz), rx2), name
        assert (region.eirp_dbm, region.powers, region.offsets) == (eirp, powers, offsets), name
        assert (region.dwell, region.tx_param) == (dwell, tx_param), name
        assert tuple(region.join) == join, name
        assert region.fixed == (name in ("us915", "au915"))
        assert region.channels == (72 if region.fixed else 16)
        assert region.usable(region.rx2_hz)


# Data rates as (SF, kHz); None: FSK, LR-FHSS or reserved, all of which this node refuses.
L125 = ((12, 125), (11, 125), (10, 125), (9, 125), (8, 125), (7, 125))
DOWN_500 = (None,) * 8 + ((12, 500), (11, 500), (10, 500), (9, 500), (8, 500), (7, 500), None, None)
RATES = (
    ("eu868", L125 + ((7, 250), None), L125 + ((7, 250), None)),
    ("as923-1", L125 + ((7, 250), None), L125 + ((7, 250), None)),
    ("as923-3", L125 + ((7, 250), None), L125 + ((7, 250), None)),
    ("in865", L125 + (None, None), L125 + (None, None)),
    ("us915", ((10, 125), (9, 125), (8, 125), (7, 125), (8, 500), None, None, None), DOWN_500),
    ("au915", L125 + ((8, 500), None), DOWN_500),
)


def test_data_rates():
    for name, up, down in RATES:
        region = regions.find(name)
        for table, rates in ((region.up, up), (region.down, down)):
            for number in range(16):
                expected = rates[number] if number < len(rates) else None
                found = region.rate(table, number)
                assert found == (expected and (expected[0], expected[1] * 1000)), (name, number)


# Longest application payload by uplink data rate: without and with a dwell time of 400 ms.
LONG = (51, 51, 51, 115, 242, 242, 242)
PAYLOADS = (
    ("eu868", LONG, LONG),
    ("in865", LONG[:6], LONG[:6]),
    # DR2 without dwell time: 115 since RP002-1.0.1, 51 before.
    ("as923-1", (51, 51, 115, 115, 242, 242, 242), (0, 0, 11, 53, 125, 242, 242)),
    ("as923-4", (51, 51, 115, 115, 242, 242, 242), (0, 0, 11, 53, 125, 242, 242)),
    ("au915", LONG, (0, 0, 11, 53, 125, 242, 242)),
    ("us915", (11, 53, 125, 242, 242), (11, 53, 125, 242, 242)),
)


def test_longest_uplinks():
    for name, free, dwell in PAYLOADS:
        region = regions.find(name)
        for number in range(len(free)):
            assert region.longest(number, 0) == free[number], (name, number)
            assert region.longest(number, DWELL_UP) == dwell[number], (name, number)
            assert region.longest(number, DWELL_DOWN) == free[number], (name, number)


def test_longest_downlinks():
    # Dwell time does not shorten what a node accepts (RP002-1.0.5 section 3.10.6).
    for name, row in (("eu868", LONG), ("in865", LONG[:6]), ("as923-2", (51, 51, 115, 115, 242, 242, 242))):
        assert tuple(regions.find(name).n_down)[: len(row)] == row, name
    for name in ("us915", "au915"):
        assert tuple(regions.find(name).n_down)[8:] == (53, 129, 242, 242, 242, 242), name


# First window: rows are uplink data rates, columns offsets; None: not with LoRa.
MINUS = (
    (0, 0, 0, 0, 0, 0),
    (1, 0, 0, 0, 0, 0),
    (2, 1, 0, 0, 0, 0),
    (3, 2, 1, 0, 0, 0),
    (4, 3, 2, 1, 0, 0),
    (5, 4, 3, 2, 1, 0),
    (6, 5, 4, 3, 2, 1),
)
# LoRaMac-node, RegionAS923.h.
AS923 = (
    (0, 0, 0, 0, 0, 0, 1, 2),
    (1, 0, 0, 0, 0, 0, 2, 3),
    (2, 1, 0, 0, 0, 0, 3, 4),
    (3, 2, 1, 0, 0, 0, 4, 5),
    (4, 3, 2, 1, 0, 0, 5, 6),
    (5, 4, 3, 2, 1, 0, 6, None),
    (6, 5, 4, 3, 2, 1, None, None),
)
AS923_DWELL = (
    (2, 2, 2, 2, 2, 2, 2, 2),
    (2, 2, 2, 2, 2, 2, 2, 3),
    (2, 2, 2, 2, 2, 2, 3, 4),
    (3, 2, 2, 2, 2, 2, 4, 5),
    (4, 3, 2, 2, 2, 2, 5, 6),
    (5, 4, 3, 2, 2, 2, 6, None),
    (6, 5, 4, 3, 2, 2, None, None),
)
# RadioLib, LoRaWANBands.cpp. (5, 7): DR7, FSK, there and in LoRaMac-node, DR5 in ChirpStack: so not used at all.
IN865 = (
    (0, 0, 0, 0, 0, 0, 1, 2),
    (1, 0, 0, 0, 0, 0, 2, 3),
    (2, 1, 0, 0, 0, 0, 3, 4),
    (3, 2, 1, 0, 0, 0, 4, 5),
    (4, 3, 2, 1, 0, 0, 5, 5),
    (5, 4, 3, 2, 1, 0, 5, None),
)
# LoRaMac-node, RegionUS915.h and RegionAU915.h.
US915 = ((10, 9, 8, 8), (11, 10, 9, 8), (12, 11, 10, 9), (13, 12, 11, 10), (13, 13, 12, 11))
AU915 = (
    (8, 8, 8, 8, 8, 8),
    (9, 8, 8, 8, 8, 8),
    (10, 9, 8, 8, 8, 8),
    (11, 10, 9, 8, 8, 8),
    (12, 11, 10, 9, 8, 8),
    (13, 12, 11, 10, 9, 8),
    (13, 13, 12, 11, 10, 9),
)
RX1 = (
    ("eu868", 0, MINUS),
    ("as923-1", 0, AS923),
    ("as923-1", DWELL_UP, AS923),
    ("as923-1", DWELL_DOWN, AS923_DWELL),
    ("as923-4", DWELL_UP | DWELL_DOWN, AS923_DWELL),
    ("in865", 0, IN865),
    ("us915", 0, US915),
    ("au915", DWELL_UP, AU915),
    ("au915", DWELL_UP | DWELL_DOWN, AU915),
)


def test_first_window():
    for name, dwell, table in RX1:
        region = regions.find(name)
        for number in range(len(table)):
            for offset in range(len(table[number])):
                found = region.rx1(number, offset, dwell)
                assert found == table[number][offset], (name, dwell, number, offset, found)


def test_lowest_data_rate():
    for name in regions.NAMES:
        region = regions.find(name)
        assert region.lowest(0) == 0
        assert region.lowest(DWELL_DOWN) == 0
        assert region.lowest(DWELL_UP) == (2 if region.tx_param else 0), name
        assert region.longest(region.lowest(region.dwell), region.dwell) >= 11


# EU868 bands (ETSI EN 300 220-2), allowance of an hour in seconds, None: no uplinks there.
BANDS = (
    (862.9, None),
    (863.0, 3.6),
    (864.9, 3.6),
    (865.0, 36),
    (867.1, 36),
    (867.9, 36),
    (868.0, 36),
    (868.1, 36),
    (868.6, 36),
    (868.65, None),
    (868.7, 3.6),
    (869.2, 3.6),
    (869.3, None),
    (869.4, 360),
    (869.525, 360),
    (869.65, 360),
    (869.68, None),
    (869.7, 36),
    (870.0, 36),
    (870.1, None),
)


def test_bands_of_eu868():
    region = regions.find("eu868")
    for frequency, seconds in BANDS:
        band = region.band(mhz(frequency))
        found = None if band is None else region.bands[band][2] / 1000
        assert found == seconds, frequency
    # The three channels every node has share a band, 867 MHz has its own.
    assert region.band(868100000) == region.band(868500000) != region.band(867100000)


def test_bands_elsewhere():
    for name in ("us915", "au915", "in865"):
        assert regions.find(name).bands == ()
    for group in range(1, 5):
        region = regions.find("as923-%d" % group)
        for hz in region.defaults:
            assert region.bands[region.band(hz)][2] == 36000


# Where the network may put a channel or a window: MHz inside, MHz outside.
SPANS = (
    ("eu868", (863.0, 869.525, 870.0), (862.9, 870.1, 433.0, 0)),
    ("in865", (865.0, 867.0), (864.9, 867.1, 868.1)),
    ("as923-1", (915.0, 923.2, 928.0), (914.9, 928.1)),
    ("as923-2", (920.0, 923.0), (919.9, 923.1)),
    ("as923-3", (915.0, 921.0), (914.9, 921.1)),
    ("as923-4", (917.0, 920.0), (916.9, 920.1)),
    ("us915", (923.3, 925.7, 927.5), (902.3, 923.2, 927.6)),
    ("au915", (923.3, 927.5), (915.2, 923.2, 927.6)),
)


def test_spans():
    for name, inside, outside in SPANS:
        region = regions.find(name)
        for value in inside:
            assert region.usable(mhz(value)), (name, value)
        for value in outside:
            assert not region.usable(mhz(value)), (name, value)


def test_unknown_region_is_named():
    for name in ("", "eu433", "EU868", "as923", "as923-5", "us902"):
        error = raises(LorawanError, regions.find, name)
        assert error.reason == "region"
        assert "eu868" in str(error)
