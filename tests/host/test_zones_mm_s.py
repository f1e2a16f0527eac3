"""judder.zones: the node's tables in mm/s, kW and r/min. Numbers typed from the published tables."""

import re
import tomllib
from pathlib import Path

import pytest

from judder.errors import InputError
from judder.zones import GROUPS, SUPPORTS, Machine
from judder_core import settings


@pytest.mark.parametrize(
    ("group", "support", "boundaries"),
    [
        ("1", "rigid", (2.3, 4.5, 7.1)),
        ("1", "flexible", (3.5, 7.1, 11.0)),
        ("2", "rigid", (1.4, 2.8, 4.5)),
        ("2", "flexible", (2.3, 4.5, 7.1)),
    ],
)
def test_tables_and_zones(group: str, support: str, boundaries: tuple[float, float, float]) -> None:
    machine = Machine(group, support, speed_rpm=1480)
    assert machine.boundaries_mm_s == boundaries
    ab, bc, cd = boundaries
    assert [machine.zone(v) for v in (0.0, ab - 0.01, ab, bc - 0.01, bc, cd - 0.01, cd, 90.0)] == list("AABBCCDD")
    assert machine.change_limit_mm_s == pytest.approx(0.25 * bc, abs=1e-9)
    assert machine.trip_limit_mm_s == pytest.approx(1.25 * cd, abs=1e-9)
    assert machine.alarm_limit_mm_s(0.8) == pytest.approx(0.8 + 0.25 * bc, abs=1e-9)
    assert machine.alarm_limit_mm_s(50.0) == pytest.approx(1.25 * bc, abs=1e-9)
    assert machine.alarm_limit_mm_s(None) == bc
    assert machine.zone(None) == "not rated"


def test_published_example() -> None:
    pump = Machine("size", power_kw=355, speed_rpm=1480)
    assert pump.alarm_limit_mm_s(0.8) == 1.925
    assert pump.band_hz == (10, 1000)
    assert Machine("size", power_kw=355, speed_rpm=600).band_hz == (2, 1000)


def test_out_of_scope_is_not_rated() -> None:
    for machine, why in (
        (Machine("2", power_kw=15, speed_rpm=1480), "15 kW"),
        (Machine("size", power_kw=15.001, speed_rpm=100), "100 r/min"),
        (Machine("1", speed_rpm=30001), "30001 r/min"),
        (Machine(), "no machine profile"),
    ):
        assert why in machine.reason
        assert machine.boundaries_mm_s is None
        assert machine.zone(3.0) == "not rated"
        assert machine.alarm_limit_mm_s(0.8) is machine.change_limit_mm_s is machine.trip_limit_mm_s is None


def test_wrong_profiles_are_one_line() -> None:
    for wrong in (
        {"group": "3"},
        {"support": "soft"},
        {"group": "user", "user_mm_s": (4.5, 2.8, 1.4)},
        {"group": "user"},
    ):
        with pytest.raises(InputError) as failure:
            Machine(speed_rpm=1000, **wrong)  # type: ignore[arg-type]
        assert "\n" not in str(failure.value)


def test_from_settings() -> None:
    given = {"machine_group": 4, "machine_speed_rpm": 500, "zone_ab_cmm_s": 112, "zone_bc_cmm_s": 280}
    machine = Machine.from_settings({**settings.defaults(), **given, "zone_cd_cmm_s": 710})
    assert machine == Machine("user", speed_rpm=500, user_mm_s=(1.12, 2.8, 7.1))
    assert machine.boundaries_mm_s == (1.12, 2.8, 7.1)
    assert Machine.from_settings(settings.defaults()).reason == "no machine profile"
    assert GROUPS == ("none", "1", "2", "size", "user") and SUPPORTS == ("rigid", "flexible")


def test_the_document_says_what_the_code_does() -> None:
    """docs/alarms.md: its table of boundaries, and every setting it names."""
    text = (Path(__file__).parents[2] / "docs" / "alarms.md").read_text()
    rows = re.findall(r"^\| (1|2)(?:: [^|]*)? \| (rigid|flexible) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert len(rows) == 4
    for group, support, *cells in rows:
        assert Machine(group, support, speed_rpm=1480).boundaries_mm_s == tuple(float(cell) for cell in cells)
    profile = tomllib.loads(text.split("```toml\n")[1].split("```")[0])["settings"]
    stored = {name: settings.from_text(name, value) for name, value in profile.items()}
    assert Machine.from_settings({**settings.defaults(), **stored}).boundaries_mm_s == (2.3, 4.5, 7.1)
    settings.pack(stored)
    named = set(re.findall(r"`([a-z]+_[a-z_*]+)(?: = [^`]*)?`", text))
    known = {row[1] for row in settings.SETTINGS}
    assert len(named) > 15
    for name in named:
        assert any(re.fullmatch(name.replace("*", "(warning|danger)"), one) for one in known), name
