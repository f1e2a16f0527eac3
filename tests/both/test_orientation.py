"""Which axis is up: from gravity as a sensor at rest has it, +1 g on the axis that points up."""

from math import cos, radians, sin

from node.dsp.orientation import up


def test_each_axis_up_and_down():
    for axis in range(3):
        for sign in (1, -1):
            mean = [12, -9, 15]
            mean[axis] = sign * 1000
            assert up(*mean) == sign * (axis + 1)


def test_tilt():
    # Tilted from z towards x and y: named up to 30 degrees.
    for degrees, expected in ((0, 3), (15, 3), (29, 3), (31, 0), (45, 0), (59, 0), (61, 2), (90, 2)):
        angle = radians(degrees)
        assert up(0, round(1000 * sin(angle)), round(1000 * cos(angle))) == expected, degrees
    assert up(577, 577, 577) == 0


def test_not_gravity():
    # Dead, in free fall, stuck at an end, more than gravity, next to nothing.
    for mean in ((0, 0, 0), (0, 0, 740), (0, 0, -1260), (16000, 0, 0), (-16000, 16000, 15999), (1000, 900, 0)):
        assert up(*mean) == 0, mean


def test_offset_of_a_cheap_part():
    # LIS3DH and ADXL345 data sheets: zero-g offset of 40 to 150 mg; 10 % of sensitivity.
    assert up(150, -150, 1100 + 100) == 3
    assert up(-150, -900 + 100, 150) == -2
