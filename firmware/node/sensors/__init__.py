"""Two shapes of driver, whatever the part. Constructors take a built bus device, never pins.

Vibration (sample blocks):
    identify()            -> None, SensorError when the part does not answer as itself
    configure(range_g)    -> None, ValueError for a range the part has not
    fill(buffers, n)      -> samples lost inside the block; buffers: three array('h') x, y, z of at least n. Allocates
                             nothing. Blocks follow each other without a gap as long as the caller comes back in time.
    rate_dhz              measured sample rate of the last block, 0.1 Hz
    contiguous            whether the last block joins the one before it
    SCALE_UG              acceleration of one count, micro-g
    self_test()           -> list of (name, ok, value, low, high, unit, message)
    sleep()

Slow values:
    identify(), start(), read() -> tenths of a unit, self_test(), sleep()
"""

from judder_core.errors import JudderError


class SensorError(JudderError):
    """A sensor that does not answer, or not as itself. Names part, address and the bytes read."""
