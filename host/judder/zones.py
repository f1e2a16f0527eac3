"""Zones after ISO 20816-3 in the units of an engineer: mm/s, kW, mm, r/min. The tables and rules are the node's own.

    pump = Machine(group="size", support="rigid", power_kw=355, speed_rpm=1480)
    pump.boundaries_mm_s           -> (2.3, 4.5, 7.1)
    pump.zone(3.2)                 -> "B"
    pump.alarm_limit_mm_s(0.8)     -> 1.925
    Machine(group="2", power_kw=11, speed_rpm=1480).zone(3.2)  -> "not rated", and .reason says why

A value on a boundary is in the worse zone. Provenance of the numbers, conventions and refusals: judder_core.zones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from judder.errors import InputError
from judder_core import schema
from judder_core import zones as core

GROUPS = core.GROUP_NAMES
SUPPORTS = core.SUPPORT_NAMES

Boundaries = tuple[float, float, float]


@dataclass(frozen=True)
class Machine:
    """What is known of a machine; 0 where a number is not. group: one of GROUPS; "size" is by power or, for electrical
    machines, by shaft height. user_mm_s: A/B, B/C, C/D for group "user", to 0.01 mm/s.

    Raises InputError for a group or support that is none and for user limits that do not rise.
    """

    group: str = "none"
    support: str = "rigid"
    power_kw: float = 0.0
    shaft_height_mm: int = 0
    speed_rpm: int = 0
    user_mm_s: Boundaries = (0.0, 0.0, 0.0)
    _core: core.Machine = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise InputError(f"group '{self.group}' is not one of {', '.join(GROUPS)}")
        if self.support not in SUPPORTS:
            raise InputError(f"support '{self.support}' is not one of {', '.join(SUPPORTS)}")
        ab, bc, cd = (round(value * 100) for value in self.user_mm_s)
        try:
            found = core.Machine(
                GROUPS.index(self.group),
                SUPPORTS.index(self.support),
                round(self.power_kw * 1000),
                self.shaft_height_mm,
                self.speed_rpm,
                (ab, bc, cd),
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        object.__setattr__(self, "_core", found)

    @classmethod
    def from_settings(cls, values: Mapping[str, int | str | bytes]) -> Machine:
        """The machine a node's settings describe; values as they are stored, all of them."""

        def number(name: str) -> int:
            value = values[name]
            assert isinstance(value, int)
            return value

        return cls(
            GROUPS[number("machine_group")],
            SUPPORTS[number("machine_support")],
            number("machine_power_w") / 1000,
            number("machine_shaft_height_mm"),
            number("machine_speed_rpm"),
            (number("zone_ab_cmm_s") / 100, number("zone_bc_cmm_s") / 100, number("zone_cd_cmm_s") / 100),
        )

    @property
    def boundaries_mm_s(self) -> Boundaries | None:
        """A/B, B/C, C/D, or None when the machine is not rated."""
        found = self._core.boundaries_cmm_s
        return None if found is None else (found[0] / 100, found[1] / 100, found[2] / 100)

    @property
    def reason(self) -> str:
        """Why it is not rated, "" when it is."""
        return self._core.reason

    @property
    def band_hz(self) -> tuple[int, int]:
        """The velocity band that suits its speed: from 2 Hz up to 600 r/min, else from 10 Hz."""
        return self._core.band_low_hz, core.BAND_HIGH_HZ

    def zone(self, velocity_mm_s: float | None) -> str:
        """ "A" to "D" of a velocity RMS, rounded to 0.01 mm/s as nodes send it, or "not rated"."""
        return schema.ZONES[self._core.zone(None if velocity_mm_s is None else round(velocity_mm_s * 100))]

    def alarm_limit_mm_s(self, baseline_mm_s: float | None) -> float | None:
        """Baseline + 0.25 x (B/C), at most 1.25 x (B/C); B/C without a baseline. None when not rated."""
        found = self._core.alarm_limit_um_s(None if baseline_mm_s is None else round(baseline_mm_s * 100))
        return found / 1000 if found else None

    @property
    def change_limit_mm_s(self) -> float | None:
        """0.25 x (B/C): a change so large means something, up or down. None when not rated."""
        return self._core.change_limit_um_s() / 1000 or None

    @property
    def trip_limit_mm_s(self) -> float | None:
        """1.25 x (C/D), as high as a trip may be set at all; a node protects nothing. None when not rated."""
        return self._core.trip_limit_um_s() / 1000 or None
