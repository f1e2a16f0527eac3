"""A profile's machine: the boundaries a reading will be held against, or why there are none."""

import pytest

from judder.device import profile

PUMP = {"machine_group": "2", "machine_support": "rigid", "machine_power_w": 90000, "machine_speed_rpm": 1480}


def test_boundaries_follow_from_the_profile() -> None:
    # Group 2, rigid: 1.4 / 2.8 / 4.5 mm/s (values after ISO 20816-3 as five published code bases have them).
    assert profile.machine(profile.from_table(PUMP)).boundaries_mm_s == (1.4, 2.8, 4.5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"machine_power_w": 11000}, "15 kW"), ({"machine_speed_rpm": 100}, "120"), ({"machine_speed_rpm": 40000}, "30")],
)
def test_out_of_scope_is_not_rated_and_says_why(changes: dict[str, object], words: str) -> None:
    machine = profile.machine(profile.from_table({**PUMP, **changes}))
    assert machine.boundaries_mm_s is None
    assert words in machine.reason
