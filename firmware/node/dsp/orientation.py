"""Which axis of the sensor points up, from what gravity leaves in the means. Pure, allocates nothing."""

# A sensor at rest shows +1 g on the axis that points up. Offset and sensitivity of cheap parts, and a machine that
# pulls at its base, take the length of the vector this far from 1 g.
_LOW_MG = 750
_HIGH_MG = 1250


def up(x_mg: int, y_mg: int, z_mg: int) -> int:
    """1, 2 or 3 when x, y or z points up; -1, -2, -3 when it points down; 0 when none is within 30 degrees of it.

    Arguments: mean acceleration of a block. 0 too when they do not add up to a gravity between 0.75 and 1.25 g, so that
    nothing is said of a stuck or dead sensor, one in free fall, or one whose mean is not gravity alone.
    """
    largest = max(abs(x_mg), abs(y_mg), abs(z_mg))
    # Before squaring: numbers beyond 30 bits would take heap.
    if largest > _HIGH_MG:
        return 0
    square = x_mg * x_mg + y_mg * y_mg + z_mg * z_mg
    if not _LOW_MG * _LOW_MG <= square <= _HIGH_MG * _HIGH_MG:
        return 0
    # cos(30 degrees)**2 is 3/4.
    if 4 * largest * largest < 3 * square:
        return 0
    if abs(x_mg) == largest:
        return 1 if x_mg > 0 else -1
    if abs(y_mg) == largest:
        return 2 if y_mg > 0 else -2
    return 3 if z_mg > 0 else -3
