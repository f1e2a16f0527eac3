"""A sensor that needs no sensor: a known waveform, made on the node. For first steps with a bare board.

The same at every run, block after block without a gap, at a nominal 25 600 Hz. With s = sin(2 pi 100 Hz t) and
d = sin(2 pi 200 Hz t):

    x = 1000 s + 250 d counts     y = 500 s counts     z = 250 d + 2048 counts      (1 count = 0.488 mg)

so RMS (mean removed) is x 355.7 mg, y 172.5 mg, z 86.3 mg, up to the rounding of the table; z carries a constant of
about 1 g. The sine is a table of 256 integers in 1/1000, exact to half a unit; 25 600 / 100 = 256, so it never drifts.
"""

import time

SCALE_UG = 488
RATE_DHZ = 256000
NOMINAL_HZ = 25600

_PERIOD = 256
_REST = 2048

# 1000 * sin(2 pi k / 256), k = 0..64, rounded to nearest.
# fmt: off
_QUARTER = (
    0, 25, 49, 74, 98, 122, 147, 171, 195, 219, 243, 267, 290, 314, 337, 360,
    383, 405, 428, 450, 471, 493, 514, 535, 556, 576, 596, 615, 634, 653, 672, 690,
    707, 724, 741, 757, 773, 788, 803, 818, 831, 845, 858, 870, 882, 893, 904, 914,
    924, 933, 942, 950, 957, 964, 970, 976, 981, 985, 989, 992, 995, 997, 999, 1000,
    1000,
)
# fmt: on


def sine(k: int) -> int:
    """1000 * sin(2 pi k / 256)."""
    k %= _PERIOD
    if k >= 128:
        return -sine(k - 128)
    return _QUARTER[k if k <= 64 else 128 - k]


class Vibration:
    """wait_ms: how to let the time pass that a real sensor would take to make the block."""

    name = "synthetic"
    SCALE_UG = SCALE_UG
    NOMINAL_HZ = NOMINAL_HZ
    CLIP = 32767
    BAND_HZ = (0, 12800)
    COARSE = False

    def __init__(self, wait_ms=None):
        from array import array

        self._wait_ms = time.sleep_ms if wait_ms is None else wait_ms
        self._sine = array("h", [sine(k) for k in range(_PERIOD)])
        self._phase = 0
        self.rate_dhz = RATE_DHZ
        self.contiguous = False
        self.lost_exact = True

    def identify(self) -> None:
        """Always there."""

    def configure(self, range_g: int, rate_hz: int = 0) -> None:
        """Nothing to set."""

    def fill(self, buffers, n: int) -> int:
        """The next n samples."""
        x, y, z = buffers
        sine_1000 = self._sine
        k = self._phase
        for i in range(n):
            s = sine_1000[k]
            d = sine_1000[(k + k) & 255] >> 2
            x[i] = s + d
            y[i] = s >> 1
            z[i] = d + _REST
            k = (k + 1) & 255
        self.contiguous = self._phase == 0 or self.contiguous
        self._phase = k
        self._wait_ms(n * 10000 // RATE_DHZ)
        return 0

    def self_test(self) -> list:
        """Nothing can be wrong."""
        return [("vibration sensor", True, None, None, None, "", "synthetic signal")]

    def sleep(self) -> None:
        """Nothing to switch off."""


class Temperature:
    """A constant 25.0 degC."""

    name = "synthetic"
    CONVERSION_MS = 0

    def identify(self) -> None:
        """Always there."""

    def start(self) -> None:
        """Nothing to begin."""

    def read(self) -> int:
        return 250

    def self_test(self) -> list:
        return [("temperature", True, 25.0, None, None, "degC", "synthetic value")]

    def sleep(self) -> None:
        """Nothing to switch off."""
