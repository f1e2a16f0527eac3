"""What a cycle measured as the rows of messages: everything of a READING beyond the essentials, and SPECTRUM.

Plain numbers in, (name of a row, value) out; message.build knows the tables.
"""

_AXES = "xyz"


def reading(c) -> list:
    """(row of READING, value) of a cycle's last reading: what there is, and nothing of what there is not."""
    found = []
    if c.rms_mg is None:
        return found
    f = c.features
    v = f.velocity
    if c.velocity_c is not None:
        found.append(("velocity_rms_worst", max(c.velocity_c)))
        found.append(("band_low", v.band_low_dhz))
        found.append(("band_high", v.band_high_hz))
    stride = len(v.lines) // 3
    for i in range(3):
        axis = _AXES[i]
        if c.velocity_c is not None:
            found.append(("velocity_rms_" + axis, c.velocity_c[i]))
            # No line stands out of nothing.
            if v.lines[stride * i + 1]:
                found.append(("line_frequency_" + axis, v.lines[stride * i]))
                found.append(("line_velocity_rms_" + axis, v.lines[stride * i + 1]))
        if f.moments_valid[i]:
            found.append(("kurtosis_" + axis, f.kurtosis_c[i]))
            found.append(("skewness_" + axis, f.skewness_c[i]))
        if f.envelope_valid[i]:
            found.append(("envelope_rms_" + axis, f.envelope_rms_mg[i]))
            found.append(("envelope_peak_" + axis, f.envelope_peak_mg[i]))
    return found


def spectrum(c, axis: int) -> tuple:
    """(lines, bands) of an axis, 1..3, of the last record: frequency and velocity in turns; velocity, None if off."""
    v = c.features.velocity
    stride = len(v.lines) // 3
    lines = list(v.lines[stride * (axis - 1) : stride * axis])
    while lines and not lines[-1]:
        lines.pop()
    stride = len(v.bands) // 3
    bands = [None if value < 0 else value for value in v.bands[stride * (axis - 1) : stride * axis]]
    return lines, bands
