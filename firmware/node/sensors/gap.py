"""How many samples a gap in a stream may have cost, from looks at the FIFO's level before and after it.

    low, high = rates(lows, highs, low, high)       the rates that looks at one stretch allow
    fewest, most = losses(before, after, low, high)

A look between two moments that found n samples made says: at some time t from the one to the other

    n <= phase + rate * t < n + 1

so each stretch has two lists of points. lows: (us, n), by when n had come at the latest; highs: (us, n), when sample n
had not come yet. A pair of one and the other bounds the rate, and for a rate all of them bound the phase. The phase
before the gap less the phase after it is what was lost, a whole number; what the points allow is an interval. With one
whole number in it that is the loss, and no other is possible as long as the sample clock is steady. With more, looks
cannot tell.

Times are small, rates are samples per us times ONE: plain integers of any size. It allocates; after a gap that is no
harm.
"""

ONE = 1 << 44


def rates(lows: list, highs: list, low: int, high: int) -> tuple:
    """low..high narrowed to the rates at which a line passes all points; low above high when there is none."""
    for by_us, made in lows:
        for from_us, other in highs:
            us = by_us - from_us
            # The line is at `made` or above at by_us, and not above `other` at from_us.
            if us > 0:
                low = max(low, -((other - made) * ONE // us))
            elif us < 0:
                high = min(high, (other - made) * ONE // -us)
    return low, high


def losses(before: tuple, after: tuple, low: int, high: int) -> tuple:
    """Fewest and most samples, in parts of 1 / ONE, that may lie between the stretches; (lows, highs) of each. Times
    before are negative, times after are not.
    """
    # Everything before the gap is worth more, and everything after it less, the faster the clock.
    fewest = _least(before[0], low) - _most(after[1], low)
    most = _most(before[1], high) - _least(after[0], high)
    return fewest, most


def _least(lows: list, rate: int) -> int:
    """The phase at time 0, at least."""
    return max([made * ONE - rate * us for us, made in lows])


def _most(highs: list, rate: int) -> int:
    """The phase at time 0, at most."""
    return min([made * ONE - rate * us for us, made in highs])
