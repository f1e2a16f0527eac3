"""Zones after ISO 20816-3: every cell, every boundary, the limits that follow, and what is not rated."""

from portable import raises

from judder_core import settings, zones
from judder_core.errors import SettingsError

# mm/s, typed once more from the published tables that the docstring of zones.py speaks of, not derived from it.
TABLE = (
    ("1", "rigid", 2.3, 4.5, 7.1),
    ("1", "flexible", 3.5, 7.1, 11.0),
    ("2", "rigid", 1.4, 2.8, 4.5),
    ("2", "flexible", 2.3, 4.5, 7.1),
)


def machine(group, support="rigid", **more):
    more.setdefault("speed_rpm", 1480)
    return zones.Machine(zones.GROUP_NAMES.index(group), zones.SUPPORT_NAMES.index(support), **more)


def test_every_cell_and_both_sides_of_every_boundary():
    for group, support, ab, bc, cd in TABLE:
        found = machine(group, support)
        cells = tuple([round(100 * value) for value in (ab, bc, cd)])
        assert found.boundaries_cmm_s == cells and found.reason == ""
        assert zones.boundaries(found.group, zones.SUPPORT_NAMES.index(support)) == cells
        # On a boundary it is the worse zone.
        story = [(0, 1)]
        for index, cell in enumerate(cells):
            story += [(cell - 1, index + 1), (cell, index + 2), (cell + 1, index + 2)]
        for velocity, zone in story + [(65535, 4)]:
            assert found.zone(velocity) == zone, (group, support, velocity)
        assert found.zone(None) == zones.NOT_RATED
    raises(ValueError, zones.boundaries, zones.USER_LIMITS, zones.RIGID)
    raises(ValueError, zones.Machine, 9, 0, 0, 0, 1480)
    raises(ValueError, zones.Machine, zones.GROUP_1, 2, 0, 0, 1480)


def test_alarm_limit_from_the_baseline():
    # The published example: 0.8 + 0.25 x 4.5 = 1.925 mm/s.
    assert zones.alarm_limit_um_s(80, 450) == 1925
    for _group, _support, _ab, bc, _cd in TABLE:
        bc_cmm_s = round(100 * bc)
        for baseline in (0, 1, 99, bc_cmm_s - 1, bc_cmm_s, bc_cmm_s + 1, 65535):
            exact = min(baseline / 100 + 0.25 * bc, 1.25 * bc)
            assert abs(zones.alarm_limit_um_s(baseline, bc_cmm_s) / 1000 - exact) < 1e-9
    pump = machine("1")
    assert pump.alarm_limit_um_s(80) == 1925
    assert pump.alarm_limit_um_s(100000) == 5625  # never above 1.25 x 4.5
    assert pump.alarm_limit_um_s(None) == 4500  # B/C as long as nothing is known


def test_change_and_trip():
    # 0.25 x 2.8 and 1.25 x 4.5, 1.25 x 7.1, 1.25 x 11.0
    assert machine("2").change_limit_um_s() == 700
    assert machine("2").trip_limit_um_s() == 5625
    assert machine("1").trip_limit_um_s() == 8875
    assert machine("1", "flexible").trip_limit_um_s() == 13750
    unrated = machine("2", power_w=11000)
    assert unrated.alarm_limit_um_s(80) == unrated.trip_limit_um_s() == unrated.change_limit_um_s() == 0


def test_group_by_power_or_shaft_height():
    for power_w, height_mm, group in (
        (0, 0, None),
        (1, 0, None),
        (15000, 0, None),
        (15001, 0, "2"),
        (18500, 0, "2"),
        (300000, 0, "2"),
        (300001, 0, "1"),
        (0, 159, None),
        (0, 160, "2"),
        (0, 314, "2"),
        (0, 315, "1"),
        # An electrical machine goes by its height, whatever its power, as long as that is in scope.
        (400000, 280, "2"),
        (75000, 315, "1"),
        (22000, 132, None),
        (11000, 160, None),
    ):
        found = machine("size", power_w=power_w, shaft_height_mm=height_mm)
        if group is None:
            assert found.boundaries_cmm_s is None and found.reason, (power_w, height_mm)
            assert found.zone(100) == zones.NOT_RATED
        else:
            assert zones.GROUP_NAMES[found.group] == group, (power_w, height_mm)
            assert found.boundaries_cmm_s == machine(group).boundaries_cmm_s and not found.reason


def test_outside_the_scope_it_is_not_rated_and_says_why():
    for speed_rpm, rated in ((0, 0), (1, 0), (119, 0), (120, 1), (600, 1), (30000, 1), (30001, 0), (1000000, 0)):
        found = machine("2", speed_rpm=speed_rpm)
        assert (found.boundaries_cmm_s is not None) == bool(rated), speed_rpm
        assert found.zone(50) == (zones.ZONE_A if rated else zones.NOT_RATED)
        assert bool(found.reason) != bool(rated)
    assert "119 r/min" in machine("2", speed_rpm=119).reason
    assert "30001 r/min" in machine("2", speed_rpm=30001).reason
    assert "not known" in machine("2", speed_rpm=0).reason
    for group in ("1", "2", "size"):
        found = machine(group, power_w=15000)
        assert found.boundaries_cmm_s is None and "15000 W" in found.reason and "15 kW" in found.reason
    assert "159 mm" in machine("2", shaft_height_mm=159).reason
    assert machine("none").reason == "no machine profile"
    assert machine("none").zone(9999) == zones.NOT_RATED


def test_user_limits():
    found = machine("user", power_w=5500, user_cmm_s=(120, 250, 400))
    assert found.boundaries_cmm_s == (120, 250, 400) and found.zone(250) == zones.ZONE_C
    assert machine("user", speed_rpm=90, user_cmm_s=(120, 250, 400)).zone(250) == zones.NOT_RATED
    for wrong in ((0, 0, 0), (120, 120, 400), (120, 400, 250), (400, 250, 120), (0, 250, 400), (-1, 2, 3)):
        raises(ValueError, lambda limits: machine("user", user_cmm_s=limits), wrong)
    # An odd B/C: the cap is rounded down, never above 1.25 x B/C.
    assert zones.alarm_limit_um_s(999, 333) == 4162  # 4.1625
    assert zones.trip_limit_um_s(333) == 4162


def test_band_begins_at_2_hz_for_slow_machines():
    for speed_rpm, low_hz in ((120, 2), (599, 2), (600, 2), (601, 10), (1480, 10), (0, 10)):
        assert zones.band_low_hz(speed_rpm) == low_hz
        assert machine("2", speed_rpm=speed_rpm).band_low_hz == low_hz


def profile(**given):
    values = settings.defaults()
    for name in given:
        values[name] = settings.from_text(name, given[name])
    settings.check_together(values)
    return zones.machine(values)


def test_from_settings():
    assert profile().reason == "no machine profile"
    found = profile(machine_group="2", machine_support="flexible", machine_speed_rpm=2950)
    assert found.boundaries_cmm_s == (230, 450, 710)
    assert profile(machine_group="size", machine_power_w=355000, machine_speed_rpm=2950).group == zones.GROUP_1
    found = profile(machine_group=1, machine_speed_rpm=500)
    assert (found.boundaries_cmm_s, found.band_low_hz) == ((230, 450, 710), 2)
    found = profile(
        machine_group="user", zone_ab_cmm_s=100, zone_bc_cmm_s=200, zone_cd_cmm_s=300, machine_speed_rpm=1000
    )
    assert found.boundaries_cmm_s == (100, 200, 300)
    # Out of scope is an answer, not an error.
    assert "15 kW" in profile(machine_group="2", machine_power_w=7500, machine_speed_rpm=2950).reason
    assert "r/min" in profile(machine_group="2", machine_speed_rpm=60000).reason


def test_contradictory_profiles_are_refused():
    user = {"machine_group": "user", "machine_speed_rpm": 1000}
    for wrong, named in (
        ({"machine_group": "2"}, "machine_speed_rpm"),
        ({"machine_group": "size", "machine_speed_rpm": 1000}, "machine_power_w"),
        ({"machine_group": "1", "machine_power_w": 50000, "machine_speed_rpm": 1000}, "machine_group"),
        ({"machine_group": "2", "machine_power_w": 500000, "machine_speed_rpm": 1000}, "machine_group"),
        ({"machine_group": "2", "machine_shaft_height_mm": 400, "machine_speed_rpm": 1000}, "machine_group"),
        ({"zone_ab_cmm_s": 100}, "machine_group"),
        ({"machine_group": "1", "zone_cd_cmm_s": 100, "machine_speed_rpm": 1000}, "machine_group"),
        (user, "zone_ab_cmm_s"),
        (dict(user, zone_ab_cmm_s=100, zone_cd_cmm_s=300), "zone_bc_cmm_s"),
        (dict(user, zone_ab_cmm_s=200, zone_bc_cmm_s=200, zone_cd_cmm_s=300), "zone_bc_cmm_s"),
        (dict(user, zone_ab_cmm_s=100, zone_bc_cmm_s=300, zone_cd_cmm_s=200), "zone_cd_cmm_s"),
    ):
        error = raises(SettingsError, settings.pack, wrong)
        assert error.name == named and error.key == settings.row(named)[0], wrong
    # What makes group 1 of a machine of 50 kW is a shaft height.
    settings.pack(
        {"machine_group": "1", "machine_power_w": 50000, "machine_shaft_height_mm": 315, "machine_speed_rpm": 1000}
    )
