"""Lengths, data rates and power of the regions, against the tables of RP002-1.0.4."""

from __future__ import annotations

import pytest

from judder_core.settings import REGIONS
from node.link.modem import region

# Longest application payload N, no FOpts, no repeater; with the dwell time on where a region knows one
# (RP002-1.0.4 tables 11, 21, 41, 54, 68, 80).
EU868 = {0: 51, 1: 51, 2: 51, 3: 115, 4: 242, 5: 242, 6: 242, 7: 242}
DWELL = {2: 11, 3: 53, 4: 125, 5: 242, 6: 242}
LONGEST = {
    "eu868": EU868,
    "in865": {**{rate: EU868[rate] for rate in range(6)}, 7: 242},
    "us915": {0: 11, 1: 53, 2: 125, 3: 242, 4: 242},
    "au915": DWELL,
    "as923-1": DWELL,
    "as923-4": DWELL,
}


@pytest.mark.parametrize("name", LONGEST)
def test_longest_payload(name: str) -> None:
    assert {rate: region.payload_limit(name, rate) for rate in LONGEST[name]} == LONGEST[name]


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("rate", [-1, 8, 15])
def test_a_data_rate_there_is_not_is_taken_for_the_shortest(name: str, rate: int) -> None:
    assert region.payload_limit(name, rate) == (51 if name in ("eu868", "in865") else 11)


def test_first_data_rate() -> None:
    first = {name: [region.first_data_rate(name, wanted) for wanted in (0, 2, 5)] for name in REGIONS}
    dwell = [name for name, rates in first.items() if rates == [2, 2, 5]]
    assert dwell == ["au915", "as923-1", "as923-2", "as923-3", "as923-4"]
    assert all(rates == [0, 2, 5] for name, rates in first.items() if name not in dwell)


# Highest EIRP in dBm (RP002-1.0.4).
EIRP_DBM = {"eu868": 16, "us915": 30, "au915": 30, "as923-1": 16, "in865": 30}


@pytest.mark.parametrize("name", EIRP_DBM)
@pytest.mark.parametrize("cap_dbm", [0, 2, 10, 14, 20, 36])
@pytest.mark.parametrize("gain_dbi", [-5, 0, 2, 6, 12])
def test_power_stays_below_what_is_asked(name: str, cap_dbm: int, gain_dbi: int) -> None:
    allowed_dbm = min(cap_dbm or 36, EIRP_DBM[name])
    step = region.power_step(name, cap_dbm, gain_dbi)
    assert step >= 0
    radiated_dbm = EIRP_DBM[name] - 2 * step - 2.15 + gain_dbi
    assert radiated_dbm <= allowed_dbm + 1e-9
    assert step == 0 or radiated_dbm > allowed_dbm - 2, "not more than needed"
    power_dbm = region.power_dbm(name, cap_dbm, gain_dbi)
    if power_dbm is None:
        assert cap_dbm == 0
        assert gain_dbi <= 2
    else:
        assert power_dbm + gain_dbi == allowed_dbm
