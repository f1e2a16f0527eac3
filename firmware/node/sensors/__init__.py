"""Two shapes of driver, whatever the part. Constructors take a built bus device, never pins.

Vibration (sample blocks):
    identify()            -> None, SensorError when the part does not answer as itself
    configure(range_g, rate_hz=0) -> None, ValueError unless 2, 4, 8 or 16. A part that has less gives its largest
                             range (range_g says which) and the rate nearest to the one asked for (0: its usual one)
    fill(buffers, n)      -> samples lost inside the block; buffers: three array('h') x, y, z of at least n. Allocates
                             nothing while none is lost. Blocks follow each other without a gap as long as the caller
                             comes back in time.
    lost_exact            whether no other number than what fill gave was possible; if not, it is about that many, or
                             perhaps none
    rate_dhz              measured sample rate of the last block, 0.1 Hz
    contiguous            whether the last block joins the one before it
    SCALE_UG              acceleration of one count, micro-g
    CLIP                  counts from which on the part is at the end of its range
    NOMINAL_HZ            rate the data sheet promises
    BAND_HZ               (low, high): frequencies the part's own filter lets through, -3 dB
    COARSE                whether a digit hides the part's noise: then one value all along is no fault
    self_test()           -> list of (name, ok, value, low, high, unit, message)
    sleep()

Slow values:
    identify(), start(), read() -> tenths of a unit, self_test(), sleep()
    CONVERSION_MS         from start() to a result. read() waits for what is left of it, up to 0.75 s: whoever has a
                          stream to look after comes later
"""

from judder_core.errors import JudderError


class SensorError(JudderError):
    """A sensor that does not answer, or not as itself. Names part, address and the bytes read."""
