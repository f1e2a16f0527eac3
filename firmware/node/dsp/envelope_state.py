"""Filters of the envelope chosen for a sample rate, and what they carry from one block to the next. Pure Python.

Used by envelope.py and its twin. Making a State allocates; keep one per axis. All arithmetic is on whole numbers, so
every runtime, with floats of one size or another, comes to the same coefficients.
"""

from array import array

# Band: third-order Butterworth each side, in three biquads by the bilinear transform. The lower edge is 3 dB down at
# 477.5 Hz, which lets through as much noise as an ideal edge at 500 Hz would.
BAND_LOW_HZ = 500
_CORNER_DECIHERTZ = 4775
_BAND_HIGH_MAX_HZ = 10000

# Squaring doubles frequencies: what is folded at the sample rate must not come back as envelope. Below the first rate
# there is no band left that is clear of that; above the second 14 bits are too few for the lower edge.
MIN_RATE_HZ = 3000
MAX_RATE_HZ = 64000
_ENVELOPE_CLEAR_HZ = 1000

# Squares are added up in groups of 1, 2, 4 or 8, so that there are 4000 to 8000 points a second (3000 to 4000 from
# slower sensors). These are smoothed by the mean of every two and three one-pole filters of this corner.
_POINTS_MIN_HZ = 4000
_POLE_HZ = 500

# After a start the filters ring and fill: points of this long are left out.
_SETTLE_MS = 8

# State.words: coefficients, the filters' memory, then these.
POLES = 19
LAST = 22
SHIFT = 23
ALPHA = 24
GROUP_BITS = 25
LEFT = 26
LEFT_OVER = 27
SETTLE = 34
WORDS = 35

_MEMORY = 9

_ONE = 1 << 28
_PI = 843314857


class State:
    """Envelope of one axis. rate_hz: sample rate, a whole number, measured or nominal.

    usable: the rate allows an envelope. band_high_hz: upper edge, 3 dB down. point_rate_dhz: points of the envelope
    a second, in 0.1 Hz. words: for the kernels.
    """

    def __init__(self, rate_hz: int):
        self.words = array("i", [0] * WORDS)
        self._mean = None
        self._design(rate_hz)

    def retune(self, rate_hz: int) -> bool:
        """The rate as now measured. Filters stay, and run on, while it is within 1 % of what they were made for.

        Returns True when they were made anew, which starts the envelope afresh.
        """
        if abs(rate_hz - self.rate_hz) * 100 <= self.rate_hz:
            return False
        self._design(rate_hz)
        return True

    def reset(self) -> None:
        """The next block does not follow the last one."""
        self._mean = None

    def begin(self, mean: int) -> None:
        """Before each block. After a reset the filters start as if the samples had been `mean` for ever."""
        if self._mean is not None:
            return
        self._mean = mean
        words = self.words
        for at in range(_MEMORY, WORDS):
            if not ALPHA <= at <= GROUP_BITS:
                words[at] = 0
        words[_MEMORY] = words[_MEMORY + 1] = mean
        words[SETTLE] = 1 + _SETTLE_MS * (self.rate_hz >> words[GROUP_BITS]) // 1000

    def _design(self, rate_hz):
        self.rate_hz = rate_hz
        self.reset()
        self.usable = MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ
        self.band_high_hz = self.point_rate_dhz = 0
        if not self.usable:
            return
        words = self.words
        self.band_high_hz = min(2 * rate_hz // 5, (rate_hz - _ENVELOPE_CLEAR_HZ) // 2, _BAND_HIGH_MAX_HZ)
        for at, value in enumerate(coefficients(rate_hz, self.band_high_hz)):
            words[at] = value
        bits = 0
        while bits < 3 and rate_hz >> (bits + 1) >= _POINTS_MIN_HZ:
            bits += 1
        words[GROUP_BITS] = bits
        self.point_rate_dhz = rate_hz * 10 >> bits
        # A one-pole filter takes 1 - exp(-w) of each difference; in 1/32.
        w = 2 * _PI * (_POLE_HZ << bits) // rate_hz
        words[ALPHA] = (32 * (_ONE - _exp_minus(w)) + _ONE // 2) // _ONE


def coefficients(rate_hz: int, high_hz: int) -> tuple:
    """(g, -a1, -a2) of each section in 1/16384: g(1 - 2z' + z''), g(1 - z''), g(1 + 2z' + z''), z' a delay of one."""
    t = _tan(_PI * _CORNER_DECIHERTZ // (10 * rate_hz))
    u = _tan(_PI * high_hz // rate_hz)
    return (
        _pair(t, _ONE)
        + (
            _q14(_over(u, _times(_ONE + u, _ONE + t))),
            _q14(_over(_ONE - t, _ONE + t) + _over(_ONE - u, _ONE + u)),
            _q14(-_over(_times(_ONE - t, _ONE - u), _times(_ONE + t, _ONE + u))),
        )
        + _pair(u, _times(u, u))
    )


def _pair(t, gain):
    """The two poles of a third-order Butterworth filter that are a pair (Q = 1). t: tan(pi * corner / rate)."""
    square = _times(t, t)
    a0 = _ONE + t + square
    return _q14(_over(gain, a0)), _q14(_over(2 * (_ONE - square), a0)), _q14(-_over(_ONE - t + square, a0))


def _tan(angle):
    """tan of an angle below 1.3, by its series for a quarter of it and the formula for twice an angle."""
    x = angle >> 2
    square = _times(x, x)
    # tan x = x + x**3 / 3 + 2 x**5 / 15 + 17 x**7 / 315 + 62 x**9 / 2835
    found = _ONE + _times(
        square,
        _ONE // 3
        + _times(square, 2 * _ONE // 15 + _times(square, 17 * _ONE // 315 + _times(square, 62 * _ONE // 2835))),
    )
    found = _times(found, x)
    for _ in range(2):
        found = _over(2 * found, _ONE - _times(found, found))
    return found


def _exp_minus(x):
    """exp(-x) for x below 2, as the sixteenth power of its series for x / 16."""
    x >>= 4
    found = _ONE - x + _times(x, x) // 2 - _times(x, _times(x, x)) // 6
    for _ in range(4):
        found = _times(found, found)
    return found


def _times(a, b):
    return a * b // _ONE


def _over(a, b):
    return a * _ONE // b


def _q14(value):
    return (value * 32768 // _ONE + 1) // 2
