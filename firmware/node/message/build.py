"""Messages of the contract from plain numbers: lists of raw values in table order (judder_core.schema), then bytes.

A message waits packed, whole and without its age; `finish` adds the age when it goes out and cuts it to what the link
takes. Nothing here knows a clock or a link.
"""

from judder_core import codec, schema


def _position(rows, name: str) -> int:
    for i in range(len(rows)):
        if rows[i][0] == name:
            return i
    return -1


_READING_AGE = _position(schema.READING_FIELDS, "age")
_ALARM_AGE = _position(schema.ALARM_FIELDS, "age")
_SEQUENCE = _position(schema.READING_FIELDS, "sequence")
_TEMPERATURE = _position(schema.READING_FIELDS, "temperature")
_RMS = _position(schema.READING_FIELDS, "acceleration_rms_x")
_PEAK = _position(schema.READING_FIELDS, "acceleration_peak_x")
_BATTERY = _position(schema.READING_FIELDS, "battery")
_RATE = _position(schema.READING_FIELDS, "sample_rate")
_LOST = _position(schema.READING_FIELDS, "samples_lost")
_BAND = _position(schema.SPECTRUM_FIELDS, "band1_velocity_rms")

# An essential reading: everything up to the battery, at most this long. What a node keeps when it can keep little.
ESSENTIAL_BYTES = 51

# A CAPTURE fragment without its samples: array head, eleven values at their longest, head of the byte string.
_CAPTURE_OVERHEAD_BYTES = 48
_CAPTURE_DATA_MAX = 2048


def clamp(value, kind_rows, position: int):
    """A value pulled into its row's range; None stays None. A reading must never fail for being off the scale."""
    if value is None:
        return None
    _name, _type, _unit, _divisor, low, high, _meaning = kind_rows[position]
    return low if value < low else high if value > high else value


def state(
    level: int,
    axis: int,
    clipped: bool,
    lost: bool,
    fault: bool,
    clock_not_set: bool,
    zone: int = 0,
    not_running: bool = False,
    band_not_covered: bool = False,
) -> int:
    """State bits of READING and ALARM. axis: 0 none, 1 x, 2 y, 3 z. A reading that is not whole carries no zone."""
    bits = level << schema.STATE_ALARM_SHIFT | axis << schema.STATE_AXIS_SHIFT
    if not (clipped or lost or fault or not_running):
        bits |= zone
    if not_running:
        bits |= schema.STATE_NOT_RUNNING
    if clipped:
        bits |= schema.STATE_CLIPPED
    if lost:
        bits |= schema.STATE_LOST
    if fault:
        bits |= schema.STATE_SENSOR_FAULT
    if clock_not_set:
        bits |= schema.STATE_CLOCK_NOT_SET
    if band_not_covered:
        bits |= schema.STATE_BAND_NOT_COVERED
    return bits


def reading(bits: int, temperature_dc, sequence: int, rms_mg, peak_mg, battery_mv, rate_dhz, lost, more=()) -> list:
    """READING. rms_mg, peak_mg: three integers, or None when there is no block. Others: integer or None.

    more: (name of the row, value) of what else there is.
    """
    rows = schema.READING_FIELDS
    values = [None] * len(rows)
    values[0] = bits
    values[_TEMPERATURE] = clamp(temperature_dc, rows, _TEMPERATURE)
    values[_SEQUENCE] = sequence
    if rms_mg is not None:
        for axis in range(3):
            values[_RMS + axis] = clamp(rms_mg[axis], rows, _RMS)
            values[_PEAK + axis] = clamp(peak_mg[axis], rows, _PEAK)
        values[_RATE] = clamp(rate_dhz, rows, _RATE)
        values[_LOST] = clamp(lost, rows, _LOST)
    values[_BATTERY] = clamp(battery_mv, rows, _BATTERY)
    for name, value in more:
        at = _position(rows, name)
        values[at] = clamp(value, rows, at)
    return values


def spectrum(axis: int, sequence: int, resolution_mhz: int, lines, bands) -> list:
    """SPECTRUM. axis: 1 x, 2 y, 3 z. lines: frequency (0.1 Hz) and velocity (0.01 mm/s) in turns. bands: integers or
    None."""
    rows = schema.SPECTRUM_FIELDS
    values = [axis, sequence, resolution_mhz] + list(lines)
    values += [None] * (_BAND - len(values)) + list(bands)
    return [clamp(value, rows, i) for i, value in enumerate(values)]


def alarm(bits: int, metric: int, value: int, limit: int, sequence: int) -> list:
    """ALARM. value and limit in the metric's unit on air."""
    return [bits, metric, value, limit, sequence, None]


def version(parts) -> int:
    """(major, minor, patch, ...) as one number."""
    return parts[0] * 10000 + parts[1] * 100 + parts[2]


def hello(named: dict) -> list:
    """HELLO from values by field name; what is not named is absent."""
    return [clamp(named.get(row[0]), schema.HELLO_FIELDS, i) for i, row in enumerate(schema.HELLO_FIELDS)]


def ack(tag: int, status: int, detail: int, settings_crc: int) -> list:
    """ACK."""
    return [tag, status, detail, settings_crc]


def _samples_each(limit: int) -> int:
    return min(_CAPTURE_DATA_MAX, limit - _CAPTURE_OVERHEAD_BYTES) // 2


def fragments_of(n: int, limit: int) -> int:
    """How many CAPTURE fragments of at most `limit` bytes n samples need; 0 when a link so narrow carries none."""
    size = _samples_each(limit)
    return (n + size - 1) // size if size >= 1 else 0


def capture(number: int, axis: int, sequence: int, rate_dhz: int, scale_ug: int, samples, n: int, limit: int) -> list:
    """CAPTURE fragments (lists of values) of samples[:n], array('h'), each at most `limit` bytes once encoded."""
    size = _samples_each(limit)
    count = fragments_of(n, limit)
    fragments = []
    for index in range(count):
        first = index * size
        data = bytes(samples[first : min(first + size, n)])
        fragments.append([number, index, count, 0, axis, sequence, max(1, rate_dhz), scale_ug, n, first, data])
    return fragments


def pack(kind: int, values: list) -> bytes:
    """A message as it waits to be sent: whole, with its age still to come. Raises EncodeError."""
    return codec.encode(kind, values)


def finish(message: bytes, age_s: int, limit: int) -> bytes:
    """A packed message as it is sent: with its age where the kind has one, cut to `limit`. Raises EncodeError."""
    kind, values, _extra = codec.decode(message)
    age_at = _READING_AGE if kind == schema.READING else _ALARM_AGE if kind == schema.ALARM else -1
    if age_at >= 0:
        values[age_at] = clamp(age_s, schema.READING_FIELDS, _READING_AGE)
    return codec.encode(kind, values, limit)


def kind_of(message: bytes) -> int:
    """Kind of a packed message. Raises DecodeError for bytes that are none."""
    return codec.decode(message)[0]
