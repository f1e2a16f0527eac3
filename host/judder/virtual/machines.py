"""Synthetic machines: imbalance, misalignment, a bearing with an outer-race defect, standstill, a clipped sensor.

Made to look like the faults in the ways that matter to features (lines at multiples of shaft speed; impulses that ring
at a resonance at the defect's rate, with the slip of rolling elements), not to imitate one machine. Noise and slip are
computed from sample and event numbers, so any stretch can be asked for in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Vector = tuple[float, float, float]

# IIS3DWB: 75 ug/sqrt(Hz) (data sheet DS12569, table 2) over its 6.3 kHz bandwidth: 6 mg RMS.
SENSOR_NOISE_G = 75e-6 * math.sqrt(6300)
GRAVITY_G: Vector = (0.0, 0.0, 1.0)
SHAFT_HZ = 29.95  # the 1797 r/min of a four-pole motor at 60 Hz with little load
_BPFO_PER_TURN = 3.5848  # outer-race defect of a 6205 bearing, times shaft speed
_NOISE_BLOCK = 4096


class Machine:
    """`motion(t)` -> (len(t), 3) g for times t in s, plus gravity and the sensor's own white noise.

    noise_g: RMS per axis. The same seed gives the same samples.
    """

    rate_hz: float | None = None

    def __init__(
        self,
        motion: Callable[[Array], Array],
        *,
        seed: int = 1,
        noise_g: float = SENSOR_NOISE_G,
        gravity_g: Vector = GRAVITY_G,
    ) -> None:
        self._motion = motion
        self._seed = seed
        self._noise_g = noise_g
        self._gravity_g = np.array(gravity_g)
        self._blocks: dict[int, Array] = {}

    def samples(self, t0_s: float, n: int, rate_hz: float) -> Array:
        """Acceleration in g, shape (n, 3), at t0_s, t0_s + 1 / rate_hz, ..."""
        out: Array = self._motion(t0_s + np.arange(n) / rate_hz) + self._gravity_g
        if self._noise_g:
            out += self._noise_g * self._noise(round(t0_s * rate_hz), n)
        return out

    def ended(self, t_s: float) -> bool:  # noqa: ARG002
        """Never: a machine goes on."""
        return False

    def _noise(self, first: int, n: int) -> Array:
        parts = [np.empty((0, 3))]
        while n > 0:
            number, at = divmod(first, _NOISE_BLOCK)
            part = self._noise_block(number)[at : at + n]
            parts.append(part)
            first += len(part)
            n -= len(part)
        return np.concatenate(parts)

    def _noise_block(self, number: int) -> Array:
        if number not in self._blocks:
            if len(self._blocks) >= 4:
                del self._blocks[next(iter(self._blocks))]
            generator = np.random.default_rng((self._seed, number & 0xFFFFFFFFFFFFFFFF))
            self._blocks[number] = generator.standard_normal((_NOISE_BLOCK, 3))
        return self._blocks[number]


def standstill(*, seed: int = 1, noise_g: float = SENSOR_NOISE_G, gravity_g: Vector = GRAVITY_G) -> Machine:
    """Nothing turns: gravity and noise."""
    return Machine(lambda t: np.zeros((len(t), 3)), seed=seed, noise_g=noise_g, gravity_g=gravity_g)


def imbalance(
    amplitude_g: float = 0.15,
    *,
    shaft_hz: float = SHAFT_HZ,
    seed: int = 1,
    noise_g: float = SENSOR_NOISE_G,
    gravity_g: Vector = GRAVITY_G,
) -> Machine:
    """A heavy spot: one line at shaft speed, turning in x and y, little along the shaft (z). amplitude_g: peak."""

    def motion(t: Array) -> Array:
        angle = 2 * np.pi * shaft_hz * t
        return np.stack(
            (amplitude_g * np.cos(angle), amplitude_g * np.sin(angle), 0.1 * amplitude_g * np.cos(angle)), 1
        )

    return Machine(motion, seed=seed, noise_g=noise_g, gravity_g=gravity_g)


def misalignment(
    amplitude_g: float = 0.3,
    *,
    shaft_hz: float = SHAFT_HZ,
    seed: int = 1,
    noise_g: float = SENSOR_NOISE_G,
    gravity_g: Vector = GRAVITY_G,
) -> Machine:
    """Shafts that do not meet: lines at one, two and three times shaft speed, the second largest, much along z."""

    def motion(t: Array) -> Array:
        angle = 2 * np.pi * shaft_hz * t
        lines = 0.4 * np.cos(angle) + np.cos(2 * angle + 0.7) + 0.3 * np.cos(3 * angle + 1.9)
        out: Array = amplitude_g * lines[:, None] * np.array((0.6, 0.5, 1.0))
        return out

    return Machine(motion, seed=seed, noise_g=noise_g, gravity_g=gravity_g)


def bearing_fault(
    impulse_g: float = 4.0,
    *,
    shaft_hz: float = SHAFT_HZ,
    defect_per_turn: float = _BPFO_PER_TURN,
    resonance_hz: float = 3500.0,
    decay_s: float = 0.0008,
    slip: float = 0.01,
    seed: int = 1,
    noise_g: float = 0.03,
    gravity_g: Vector = GRAVITY_G,
) -> Machine:
    """A dent in the outer race: each rolling element that passes rings the housing.

    impulse_g: peak of one ring on x. slip: spread of the intervals, relative to one interval. noise_g is that of a
    running machine. A small imbalance goes with it.
    """
    rate = shaft_hz * defect_per_turn

    def motion(t: Array) -> Array:
        ring = np.zeros(len(t))
        newest = np.floor(t * rate).astype(np.int64)
        for back in range(3):  # older ones have died away: three intervals are many times decay_s
            event = newest - back
            since = t - (event + slip * (_uniform(event, seed) - 0.5)) / rate
            live = since >= 0
            ring[live] += np.exp(-since[live] / decay_s) * np.sin(2 * np.pi * resonance_hz * since[live])
        shaft = 0.05 * np.cos(2 * np.pi * shaft_hz * t)
        out: Array = impulse_g * ring[:, None] * np.array((1.0, 0.4, 0.15)) + shaft[:, None] * np.array((1.0, 1.0, 0.1))
        return out

    return Machine(motion, seed=seed, noise_g=noise_g, gravity_g=gravity_g)


def clipped(*, shaft_hz: float = SHAFT_HZ, seed: int = 1, gravity_g: Vector = GRAVITY_G) -> Machine:
    """More than any range of the sensor: 25 g peak on x and y."""
    return imbalance(25.0, shaft_hz=shaft_hz, seed=seed, gravity_g=gravity_g)


def _uniform(number: npt.NDArray[np.int64], seed: int) -> Array:
    """A number in [0, 1) for each integer, always the same: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = (number.astype(np.uint64) + np.uint64(seed & 0xFFFFFFFF) * np.uint64(0x632BE59BD9B4E019)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


# By the names that command lines use.
MACHINES: Mapping[str, Callable[[], Machine]] = {
    "standstill": standstill,
    "imbalance": imbalance,
    "misalignment": misalignment,
    "bearing-fault": bearing_fault,
    "clipped": clipped,
}
