"""How often a healthy machine is accused: counted, not argued.

With a false-alarm rate of 1 in 100 or more, 300 machines without one would be luck of 5 % (0.99^300). So "none in 300"
says below 1 in 100 with that confidence; the margin of match.py is meant to make it far less.
"""

from collections.abc import Callable

import numpy as np
import pytest
from tests.host.bearing_faults import random_geometry

from judder.diagnose import Bearing, diagnose
from judder.virtual import machines

Make = Callable[[np.random.Generator, int, float, float], np.ndarray]


def accused(make: Make, count: int, first_seed: int = 0) -> list[str]:
    """Verdicts that name something. make(rng, samples, rate_hz, shaft_hz) -> waveform."""
    verdicts = []
    for seed in range(first_seed, first_seed + count):
        rng = np.random.default_rng((7, seed))
        rpm = rng.uniform(300, 3600)
        rate_hz = float(rng.choice([10000, 12000, 26667]))
        samples = min(40000, int(rng.uniform(30, 100) * 60 / rpm * rate_hz))
        balls, g = random_geometry(rng)
        bearing = Bearing.from_geometry(balls, g, 1.0)
        found = diagnose(make(rng, samples, rate_hz, rpm / 60), rate_hz, rpm, bearing)
        if found.findings:
            verdicts.append(f"{seed}: {found.lines()}")
    return verdicts


def white(rng: np.random.Generator, n: int, _rate_hz: float, _shaft_hz: float) -> np.ndarray:
    return rng.standard_normal(n)


def coloured(rng: np.random.Generator, n: int, _rate_hz: float, _shaft_hz: float) -> np.ndarray:
    """A resonance anywhere, rung by noise."""
    k = np.arange(200)
    return np.convolve(rng.standard_normal(n + 200), np.exp(-k / 6) * np.cos(k * rng.uniform(0.3, 2)))[100 : n + 100]


def coarse(rng: np.random.Generator, n: int, _rate_hz: float, _shaft_hz: float) -> np.ndarray:
    """Noise below one step of the sensor."""
    return np.round(0.4 * rng.standard_normal(n))


def of(machine: str) -> Make:
    """A machine of judder.virtual.machines, its speed up to 0.8 % from what the nameplate says."""

    def make(rng: np.random.Generator, n: int, rate_hz: float, shaft_hz: float) -> np.ndarray:
        true_hz = shaft_hz * (1 + rng.uniform(-0.008, 0.008))
        made = getattr(machines, machine)(shaft_hz=true_hz, seed=int(rng.integers(1 << 20)))
        # 16 g is the widest range of the sensor.
        return np.clip(made.samples(0, n, rate_hz)[:, 0], -16, 16)

    return make


def noiseless(_rng: np.random.Generator, n: int, rate_hz: float, shaft_hz: float) -> np.ndarray:
    return machines.misalignment(shaft_hz=shaft_hz, noise_g=0).samples(0, n, rate_hz)[:, 0]


def square(_rng: np.random.Generator, n: int, rate_hz: float, shaft_hz: float) -> np.ndarray:
    """Full scale: its edges fall between samples and beat."""
    return 16 * np.sign(np.sin(2 * np.pi * shaft_hz * np.arange(n) / rate_hz))


def rubbing(rng: np.random.Generator, n: int, rate_hz: float, shaft_hz: float) -> np.ndarray:
    """Noise that comes and goes with many harmonics of the shaft: misaligned, rubbing, with a fan on it."""
    angle = 2 * np.pi * shaft_hz * (1 + rng.uniform(-0.008, 0.008)) * np.arange(n) / rate_hz
    strength = 1 + sum(rng.uniform(0.1, 0.5) * np.cos(k * angle + k) for k in (1, 2, 3, 5, 8))
    return 0.05 * strength * rng.standard_normal(n) + 0.1 * np.cos(angle)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        pytest.param(white, 150, id="white noise"),
        pytest.param(coloured, 150, id="coloured noise"),
        pytest.param(coarse, 40, id="noise below a step"),
        pytest.param(of("imbalance"), 80, id="imbalance"),
        pytest.param(of("misalignment"), 80, id="misalignment"),
        pytest.param(of("clipped"), 80, id="clipped"),
        pytest.param(noiseless, 40, id="misalignment without noise"),
        pytest.param(square, 60, id="square wave"),
        pytest.param(rubbing, 100, id="rubbing"),
    ],
)
def test_healthy_machines_are_not_accused(make: Make, count: int) -> None:
    assert accused(make, count) == []


def test_standstill_and_dead_signals() -> None:
    bearing = Bearing.known("6205")
    still = machines.standstill().samples(0, 48000, 12000)[:, 2]
    ramp = np.linspace(-1, 1, 48000)
    stuck = np.where(np.arange(48000) == 24000, 1.0, 0.0)
    for samples in (still, np.zeros(48000), np.full(48000, 0.3), ramp, stuck):
        assert diagnose(samples, 12000, 1797, bearing).findings == ()
    assert "silent" in diagnose(np.full(48000, 0.3), 12000, 1797, bearing).notes[0]
