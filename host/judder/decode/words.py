"""Numbers of the contract -> the words records use: state bits, metrics, versions, indexes into tables."""

from __future__ import annotations

from judder_core import codec, schema

# zone, alarm_level, worst_axis, clipped, lossy, band_not_covered, not_running, clock_not_set, sensor_fault
State = tuple[str | None, str, str | None, bool, bool, bool, bool, bool, bool]
STATE_ATTRIBUTES = (
    "zone",
    "alarm_level",
    "worst_axis",
    "clipped",
    "lossy",
    "band_not_covered",
    "not_running",
    "clock_not_set",
    "sensor_fault",
)

STATE_FLAGS_AT = STATE_ATTRIBUTES.index("clipped")  # words before, truth values from here


class States(dict[int, State]):
    """State bits -> words, filled as states turn up (fewer than 1,200 are valid). KeyError for one that is not
    valid."""

    def __missing__(self, state: int) -> State:
        if codec.wrong_state(state) or not 0 <= state <= schema.READING_FIELDS[0][5]:
            raise KeyError(state)
        zone = state & schema.STATE_ZONE_MASK
        axis = state >> schema.STATE_AXIS_SHIFT & schema.STATE_AXIS_MASK
        words = self[state] = (
            schema.ZONES[zone] if zone else None,
            schema.ALARM_LEVELS[state >> schema.STATE_ALARM_SHIFT & schema.STATE_ALARM_MASK],
            schema.AXES[axis] if axis else None,
            bool(state & schema.STATE_CLIPPED),
            bool(state & schema.STATE_LOST),
            bool(state & schema.STATE_BAND_NOT_COVERED),
            bool(state & schema.STATE_NOT_RUNNING),
            bool(state & schema.STATE_CLOCK_NOT_SET),
            bool(state & schema.STATE_SENSOR_FAULT),
        )
        return words


STATES = States()

# Metric number -> (name, unit, divisor).
METRICS = {number: (name, unit, divisor) for number, name, unit, divisor in schema.METRICS}


def metric(number: int) -> tuple[str, str, int]:
    """(name, unit, divisor) of a metric; one this version does not know keeps its number and the value on air."""
    return METRICS.get(number) or (f"metric {number}", "raw", 1)


def scaled(value: int, divisor: int) -> float:
    """Value in its unit; a divisor of 1 keeps the integer."""
    return value if divisor == 1 else value / divisor


def word(table: tuple[str, ...], index: int | None) -> str | None:
    """Entry of a table, "unknown (9)" where a newer node has more of them than this version."""
    if index is None:
        return None
    return table[index] if index < len(table) else f"unknown ({index})"


def version(number: int | None) -> str | None:
    """10203 -> "1.2.3"."""
    if number is None:
        return None
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def flags(bits: int | None) -> tuple[str, ...]:
    """Names of the HELLO flags that are set; "bit 9" for one this version does not know."""
    names = schema.HELLO_FLAGS
    bits = bits or 0
    return tuple(names[i] if i < len(names) else f"bit {i}" for i in range(bits.bit_length()) if bits >> i & 1)
