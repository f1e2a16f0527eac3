"""Zones of vibration severity after ISO 20816-3, and the limits that follow from them. Node and host use this file.

Velocity RMS of the worst axis at the bearing housing. Everything is an integer: velocities in 0.01 mm/s, as on air
(names end in _cmm_s), limits that a quarter of a boundary goes into in 0.001 mm/s (_um_s), because a quarter does not
fit 0.01 mm/s: 0.8 + 0.25 x 4.5 = 1.925 mm/s.

    from judder_core import zones
    pump = zones.Machine(zones.BY_SIZE, zones.RIGID, power_w=400000, speed_rpm=1480)
    pump.group, pump.boundaries_cmm_s -> 1, (230, 450, 710)
    pump.zone(451)                    -> 3, which is C
    pump.alarm_limit_um_s(80)         -> 1925
    zones.Machine(zones.GROUP_2, zones.RIGID, power_w=11000, speed_rpm=1480).reason -> why it is not rated

Convention at the boundaries: a value on a boundary is in the worse zone, as a limit is reached by a value equal to it.
A machine of 600 r/min is a slow one (2 Hz), one of 300 kW is in group 2, one of 315 mm shaft height in group 1.

Provenance of BOUNDARIES_CMM_S: the same twelve values stand in five open code bases compared with each other (a
predictive-maintenance server, a gateway's ISO 20816-3 module, tables in Rust, Python and JavaScript). None of them is
the standard and neither is this: hence "zones after ISO 20816-3", and a bought copy decides before anybody claims
conformity. Wrong values seen elsewhere and not to be put back: 5.6 for 7.1 (group 1, flexible, B/C), 4.6 for 4.5,
classes I to IV of ISO 10816-1 under this standard's name, groups chosen by speed. Scope (above 15 kW, 120 to
30,000 r/min): title of ISO 20816-3:2022. Alarm limit, change rule and trip ceiling: as published for DIN ISO 10816-3,
with the example above. Where code bases differ (2 or 10 Hz at exactly 600 r/min) the safe side is taken.

A limit called trip is where the standard sees a shutdown at the latest. A node only reports; it protects nothing.

Runs on CPython and MicroPython; imports nothing.
"""

NOT_RATED, ZONE_A, ZONE_B, ZONE_C, ZONE_D = range(5)

# Where the boundaries come from: setting machine_group.
NO_PROFILE, GROUP_1, GROUP_2, BY_SIZE, USER_LIMITS = range(5)
GROUP_NAMES = ("none", "1", "2", "size", "user")
RIGID, FLEXIBLE = range(2)
SUPPORT_NAMES = ("rigid", "flexible")

# (group, support): A/B, B/C, C/D.
BOUNDARIES_CMM_S = (
    (GROUP_1, RIGID, (230, 450, 710)),
    (GROUP_1, FLEXIBLE, (350, 710, 1100)),
    (GROUP_2, RIGID, (140, 280, 450)),
    (GROUP_2, FLEXIBLE, (230, 450, 710)),
)

POWER_ABOVE_W = 15000
GROUP_1_ABOVE_W = 300000
SHAFT_HEIGHT_FROM_MM = 160
GROUP_1_FROM_MM = 315
SPEED_FROM_RPM = 120
SPEED_TO_RPM = 30000
SLOW_TO_RPM = 600

BAND_HIGH_HZ = 1000


def boundaries(group: int, support: int) -> "tuple[int, int, int]":
    """(A/B, B/C, C/D) in 0.01 mm/s of GROUP_1 or GROUP_2 on RIGID or FLEXIBLE support. Raises ValueError."""
    for row in BOUNDARIES_CMM_S:
        if row[0] == group and row[1] == support:
            return row[2]
    raise ValueError("no boundaries for group %s on support %s" % (group, support))


def group_by_size(power_w: int, shaft_height_mm: int) -> int:
    """GROUP_1, GROUP_2, or NO_PROFILE for a machine outside the scope or one that nothing is known about.

    A shaft height other than 0 says the machine is electrical and then decides alone; a power of 15 kW or less is
    outside the scope whatever the height.
    """
    if 0 < power_w <= POWER_ABOVE_W:
        return NO_PROFILE
    if shaft_height_mm:
        if shaft_height_mm < SHAFT_HEIGHT_FROM_MM:
            return NO_PROFILE
        return GROUP_1 if shaft_height_mm >= GROUP_1_FROM_MM else GROUP_2
    if not power_w:
        return NO_PROFILE
    return GROUP_1 if power_w > GROUP_1_ABOVE_W else GROUP_2


def band_low_hz(speed_rpm: int) -> int:
    """Where the velocity band begins: 2 Hz for a machine of up to 600 r/min, else 10 Hz. A speed of 0 is not known."""
    return 2 if 0 < speed_rpm <= SLOW_TO_RPM else 10


def zone(velocity_cmm_s: int, boundaries_cmm_s: "tuple[int, int, int]") -> int:
    """ZONE_A to ZONE_D. On a boundary it is the worse of the two."""
    for index in range(3):
        if velocity_cmm_s < boundaries_cmm_s[index]:
            return ZONE_A + index
    return ZONE_D


def alarm_limit_um_s(baseline_cmm_s: int, bc_cmm_s: int) -> int:
    """Baseline + 0.25 x (B/C), at most 1.25 x (B/C), in 0.001 mm/s."""
    quarter = bc_cmm_s * 5 // 2
    return min(baseline_cmm_s * 10 + quarter, bc_cmm_s * 10 + quarter)


def trip_limit_um_s(cd_cmm_s: int) -> int:
    """1.25 x (C/D) in 0.001 mm/s: as high as a trip may be set at all."""
    return cd_cmm_s * 25 // 2


def change_limit_um_s(bc_cmm_s: int) -> int:
    """0.25 x (B/C) in 0.001 mm/s: a step this large, up or down, means something even inside zones A and B."""
    return bc_cmm_s * 5 // 2


class Machine:
    """What is known of a machine, and what follows from it.

    group: NO_PROFILE, GROUP_1, GROUP_2, BY_SIZE (power or shaft height decide) or USER_LIMITS. power_w,
    shaft_height_mm (electrical machines), speed_rpm: 0 is not known. user_cmm_s: A/B, B/C, C/D for USER_LIMITS.

    boundaries_cmm_s: (A/B, B/C, C/D), or None when the machine is not rated; reason: why not, "" when it is.
    group: the one found. band_low_hz: 2 or 10. Raises ValueError for user limits that do not rise, unknown groups
    and supports.

    User limits are an agreement about one machine, not the standard's table: no power is asked for. The speed is,
    because a machine turning slower or faster than the band was made for is not measured by it.
    """

    def __init__(
        self,
        group: int,
        support: int = RIGID,
        power_w: int = 0,
        shaft_height_mm: int = 0,
        speed_rpm: int = 0,
        user_cmm_s: "tuple[int, int, int]" = (0, 0, 0),
    ) -> None:
        self.boundaries_cmm_s = None  # type: tuple[int, int, int] | None
        self.band_low_hz = band_low_hz(speed_rpm)
        self.group = group_by_size(power_w, shaft_height_mm) if group == BY_SIZE else group
        self.reason = _refusal(group, power_w, shaft_height_mm, speed_rpm)
        if group == USER_LIMITS:
            if not 0 < user_cmm_s[0] < user_cmm_s[1] < user_cmm_s[2]:
                raise ValueError("user limits %s/%s/%s: each has to be above the one before" % user_cmm_s)
            if not self.reason:
                self.boundaries_cmm_s = user_cmm_s
        elif self.group != NO_PROFILE:
            found = boundaries(self.group, support)
            if not self.reason:
                self.boundaries_cmm_s = found

    def zone(self, velocity_cmm_s: "int | None") -> int:
        """ZONE_A to ZONE_D; NOT_RATED without a velocity or without boundaries."""
        if velocity_cmm_s is None or self.boundaries_cmm_s is None:
            return NOT_RATED
        return zone(velocity_cmm_s, self.boundaries_cmm_s)

    def alarm_limit_um_s(self, baseline_cmm_s: "int | None") -> int:
        """In 0.001 mm/s. Without a baseline it is B/C itself, the end of what is good for unrestricted running.

        0 for a machine that is not rated, here and below.
        """
        if self.boundaries_cmm_s is None:
            return 0
        bc_cmm_s = self.boundaries_cmm_s[1]
        return bc_cmm_s * 10 if baseline_cmm_s is None else alarm_limit_um_s(baseline_cmm_s, bc_cmm_s)

    def trip_limit_um_s(self) -> int:
        """In 0.001 mm/s."""
        return 0 if self.boundaries_cmm_s is None else trip_limit_um_s(self.boundaries_cmm_s[2])

    def change_limit_um_s(self) -> int:
        """In 0.001 mm/s."""
        return 0 if self.boundaries_cmm_s is None else change_limit_um_s(self.boundaries_cmm_s[1])


def machine(values: "dict[str, int | str | bytes]") -> Machine:
    """Machine of a node's settings, by name and as stored. Raises ValueError as Machine does."""
    found = []
    for name in ("group", "support", "power_w", "shaft_height_mm", "speed_rpm"):
        found.append(_number(values["machine_" + name]))
    ab_cmm_s, bc_cmm_s, cd_cmm_s = [_number(values["zone_%s_cmm_s" % name]) for name in ("ab", "bc", "cd")]
    return Machine(found[0], found[1], found[2], found[3], found[4], (ab_cmm_s, bc_cmm_s, cd_cmm_s))


def contradiction(values: "dict[str, int | str | bytes]") -> "tuple[str, str] | None":
    """(name of the setting at fault, what is wrong) for a profile that contradicts itself or leaves out what the
    rating needs; None for one that stands, though it may be out of scope: then the answer is "not rated"."""
    group = _number(values["machine_group"])
    user = [_number(values["zone_%s_cmm_s" % name]) for name in ("ab", "bc", "cd")]
    if group != USER_LIMITS and any(user):
        return "machine_group", "limits zone_ab, zone_bc and zone_cd are used by machine_group = user only"
    if group == NO_PROFILE:
        return None
    if group == USER_LIMITS:
        for index, name in enumerate(("ab", "bc", "cd")):
            if not user[index]:
                return "zone_%s_cmm_s" % name, "machine_group = user needs all three limits"
            if index and user[index] <= user[index - 1]:
                return "zone_%s_cmm_s" % name, "%d is not above the limit before, %d" % (user[index], user[index - 1])
    if not values["machine_speed_rpm"]:
        return "machine_speed_rpm", "a rating needs the speed: it decides the band, and whether the standard applies"
    power_w = _number(values["machine_power_w"])
    height_mm = _number(values["machine_shaft_height_mm"])
    if group == BY_SIZE and not power_w and not height_mm:
        return "machine_power_w", "machine_group = size needs the power, or the shaft height of an electrical machine"
    if group in (GROUP_1, GROUP_2):
        by_size = group_by_size(power_w, height_mm)
        if by_size not in (NO_PROFILE, group):
            return "machine_group", "power and shaft height say group %s" % GROUP_NAMES[by_size]
    return None


def _refusal(group: int, power_w: int, shaft_height_mm: int, speed_rpm: int) -> str:
    """Why a machine is not rated, "" when it is."""
    if group == NO_PROFILE:
        return "no machine profile"
    if group != USER_LIMITS:
        if 0 < power_w <= POWER_ABOVE_W:
            return "%d W: the standard begins above 15 kW" % power_w
        if 0 < shaft_height_mm < SHAFT_HEIGHT_FROM_MM:
            return "shaft height %d mm: the groups begin at 160 mm" % shaft_height_mm
        if group == BY_SIZE and not power_w and not shaft_height_mm:
            return "neither power nor shaft height is known"
    if not speed_rpm:
        return "the speed is not known"
    if not SPEED_FROM_RPM <= speed_rpm <= SPEED_TO_RPM:
        return "%d r/min: the standard covers 120 to 30,000 r/min" % speed_rpm
    return ""


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("%r is not a number" % (value,))
    return value
