"""Which limits are in force: those that are set, else those that follow from the machine's zones and its baselines.

Numbers of metrics are those of schema.METRICS; values, limits and baselines are in their units on air. Pure.
"""

VELOCITY = 1
ACCELERATION = 2
ENVELOPE = 4
KURTOSIS = 5
TEMPERATURE = 6
TEMPERATURE_RISE = 7
VELOCITY_CHANGE = 8

_SET = (
    (VELOCITY, "velocity_rms_%s_cmm_s"),
    (ACCELERATION, "acceleration_rms_%s_mg"),
    (ENVELOPE, "envelope_rms_%s_mg"),
    (KURTOSIS, "kurtosis_%s_c"),
    (TEMPERATURE, "temperature_%s_dc"),
    (TEMPERATURE_RISE, "temperature_rise_%s_dc"),
)


def limits(metric: int, values: dict, machine, baseline) -> tuple:
    """(warning, danger) of a metric; 0 is off.

    values: settings by name. machine: judder_core.zones.Machine. baseline: what is usual for the metric (for
    VELOCITY_CHANGE: the velocity), or None as long as that is not known.
    """
    if metric == VELOCITY_CHANGE:
        known = values["change_rule"] and baseline is not None
        return (_reached_at(machine.change_limit_um_s()), 0) if known else (0, 0)
    warning = danger = 0
    for number, name in _SET:
        if number == metric:
            warning, danger = values[name % "warning"], values[name % "danger"]
    if metric == VELOCITY:
        found = _reached_at(machine.alarm_limit_um_s(baseline)), _reached_at(machine.trip_limit_um_s())
    elif metric in (ACCELERATION, ENVELOPE) and baseline is not None:
        found = (
            _share(baseline, values["baseline_warning_percent"]),
            _share(baseline, values["baseline_danger_percent"]),
        )
    else:
        found = 0, 0
    return _fill(warning, danger, found[0], found[1])


def _fill(warning: int, danger: int, found_warning: int, found_danger: int) -> tuple:
    """Limits that are set win; one that was worked out gives way where the two would stand in the wrong order."""
    if not danger and found_danger:
        danger = max(found_danger, warning)
    if not warning and found_warning:
        warning = min(found_warning, danger) if danger else found_warning
    return warning, danger


def _reached_at(limit_um_s: int) -> int:
    """Smallest velocity in 0.01 mm/s that is not below a limit in 0.001 mm/s."""
    return (limit_um_s + 9) // 10


def _share(baseline: int, percent: int) -> int:
    """A share of the baseline, rounded up: never 0 where a limit is wanted."""
    return max(1, (baseline * percent + 99) // 100) if percent else 0
