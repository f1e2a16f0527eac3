"""Self-test of an accelerometer with a FIFO, for provisioning: is it there, does it move, how fast, how quiet.

Rows are (name, ok, value, low, high, unit, message), as every self_test() gives them.
"""

from array import array

from node.sensors import SensorError

_SAMPLES = 512
_LARGEST_G = 16
_TRIES = 8
# Sensors' clocks are trimmed to a few per cent at best; wide enough for any good part and far from a wrong setting.
_RATE_PERCENT = 10
_NAME = "vibration sensor"
_AXES = "xyz"


def self_test(sensor) -> list:
    """All rows; ends with the first that leaves no sense in going on. The sensor is configured afterwards for the
    range it had, or that sensor.range_g asks for, and sensor.rest_mg the mean of each axis.
    """
    range_g = sensor.range_g or _LARGEST_G
    try:
        sensor.identify()
        rows = [(_NAME, True, None, None, None, "", sensor.name)]
        buffers = [array("h", bytes(2 * _SAMPLES)) for _ in range(3)]
        _response(sensor, buffers, rows)
        sensor.configure(range_g)
        _stream(sensor, buffers, rows)
        return rows
    except (SensorError, OSError) as error:
        return [(_NAME, False, None, None, None, "", str(error))]


def root(value: int) -> int:
    """Integer square root, rounded down."""
    if value <= 0:
        return 0
    guess = 1 << (len(bin(value)) - 1) // 2
    while True:
        better = (guess + value // guess) >> 1
        if better >= guess:
            return guess
        guess = better


def _response(sensor, buffers, rows: list) -> None:
    sensor.configure(sensor.SELF_TEST_RANGE_G)
    rest = _means(sensor, buffers)
    sensor.stimulus(True)
    try:
        moved = _means(sensor, buffers)
    finally:
        sensor.stimulus(False)
    limits = sensor.limits_mg()
    for axis in range(3):
        change_mg = abs(moved[axis] - rest[axis]) * sensor.SCALE_UG // 1000
        low, high = limits[axis]
        rows.append(("self-test " + _AXES[axis], low <= change_mg <= high, change_mg, low, high, "mg", ""))


def _stream(sensor, buffers, rows: list) -> None:
    for _ in range(_TRIES):
        # More than once for the benefit of the doubt: whoever calls this shares the chip with a REPL.
        lost = sensor.fill(buffers, _SAMPLES)
        if not lost and sensor.rate_dhz:
            break
    rate_hz = sensor.rate_dhz / 10
    low_hz = sensor.NOMINAL_HZ * (100 - _RATE_PERCENT) // 100
    high_hz = sensor.NOMINAL_HZ * (100 + _RATE_PERCENT) // 100
    rows.append(("sample rate", low_hz <= rate_hz <= high_hz, rate_hz, low_hz, high_hz, "Hz", ""))
    rows.append(("samples lost", lost == 0, lost, 0, 0, "1", ""))
    scale_ug = sensor.SCALE_UG
    peak = max([max(max(buffer), -min(buffer)) for buffer in buffers])
    rows.append(("peak", peak < sensor.CLIP, peak * scale_ug // 1000, None, sensor.range_g * 1000, "mg", ""))
    # Of the quietest axis: the nearest to the sensor's own noise that can be had on a machine.
    noise_mg = min([_rms(buffer) for buffer in buffers]) * scale_ug // 16 / 1000
    still = [_AXES[axis] for axis in range(3) if max(buffers[axis]) == min(buffers[axis])]
    message = ""
    if still and sensor.COARSE:
        noise_mg = None
        message = "below a digit at %d g; a smaller range_g tells more" % sensor.range_g
    elif still:
        message = "%s: the same value all the time" % ", ".join(still)
    rows.append(("noise floor", sensor.COARSE or not still, noise_mg, None, None, "mg", message))
    sensor.rest_mg = [sum(buffer) * scale_ug // (_SAMPLES * 1000) for buffer in buffers]


def _means(sensor, buffers) -> list:
    # What waits from before is thrown away with the first block.
    sensor.fill(buffers, _SAMPLES)
    sensor.fill(buffers, _SAMPLES)
    return [sum(buffer) // _SAMPLES for buffer in buffers]


def _rms(buffer) -> int:
    """RMS with the mean removed, in 1/16 count."""
    total = sum(buffer)
    squares = sum([value * value for value in buffer])
    return root(256 * (len(buffer) * squares - total * total)) // len(buffer)
