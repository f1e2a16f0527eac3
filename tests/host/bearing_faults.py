"""Vibration of a bearing with a defect, made from first principles: strokes, a ringing housing, load, noise.

Made apart from judder.virtual.machines (which knows one outer race) and with nothing of judder.diagnose in it: element
by element in time, not line by line in frequency.
"""

from dataclasses import dataclass

import numpy as np

FAULTS = ("outer race", "inner race", "rolling element", "cage")


@dataclass(frozen=True)
class Case:
    """One machine. g: d / D cos p. slip: how far all rates are off, relative. jitter: of each interval, relative."""

    fault: str
    balls: int
    g: float
    rpm: float
    rate_hz: float
    seconds: float
    slip: float
    jitter: float
    resonance_hz: float
    snr: float  # RMS of the ringing over RMS of the noise
    seed: int

    @property
    def multiples(self) -> dict[str, float]:
        """The formulas of the reference, contact angle 0."""
        n, g = self.balls, self.g
        return {
            "ftf": (1 - g) / 2,
            "bpfo": n * (1 - g) / 2,
            "bpfi": n * (1 + g) / 2,
            "bsf": (1 - g * g) / (2 * g),
        }

    def samples(self) -> np.ndarray:
        """One axis, in g."""
        rng = np.random.default_rng(self.seed)
        n = int(self.seconds * self.rate_hz)
        t = np.arange(n) / self.rate_hz
        shaft = self.rpm / 60
        m = self.multiples
        per_turn = {
            "outer race": m["bpfo"],
            "inner race": m["bpfi"],
            "rolling element": 2 * m["bsf"],
            "cage": m["ftf"],
        }[self.fault]
        rate = per_turn * shaft * (1 + self.slip)
        count = int(self.seconds * rate) + 2
        times = np.cumsum((1 + self.jitter * rng.standard_normal(count)) / rate) - rng.uniform(0, 1) / rate
        times = times[(times > 0) & (times * self.rate_hz < n)]
        # What brings the spot into the load and out of it: the shaft for the inner race, the cage for an element.
        turning = {"inner race": shaft, "rolling element": m["ftf"] * shaft * (1 + self.slip)}.get(self.fault)
        strength = 1 + 0.15 * rng.standard_normal(len(times))
        if turning is not None:
            strength *= np.clip(0.4 + np.cos(2 * np.pi * turning * times), 0, None)
        strokes = np.zeros(n)
        np.add.at(strokes, (times * self.rate_hz).astype(int), strength)
        decay = 2 * np.pi * self.resonance_hz * 0.04
        k = np.arange(int(8 / decay * self.rate_hz) + 1) / self.rate_hz
        ring = np.convolve(strokes, np.exp(-decay * k) * np.sin(2 * np.pi * self.resonance_hz * k))[:n]
        machine = 0.1 * np.cos(2 * np.pi * shaft * t) + 0.05 * np.cos(4 * np.pi * shaft * t + 1)
        return ring * self.snr / ring.std() * 0.05 + machine + 0.05 * rng.standard_normal(n)


def random_case(fault: str, seed: int, snr: float = 0.7) -> Case:
    """Any bearing, speed and slip: 6 to 16 elements, 300 to 3600 r/min, slip up to 1.5 %, 60 to 100 turns."""
    rng = np.random.default_rng((seed, FAULTS.index(fault)))
    rpm = rng.uniform(300, 3600)
    rate_hz = float(rng.choice([10000, 12000, 20000, 26667]))
    balls, g = random_geometry(rng)
    return Case(
        fault=fault,
        balls=balls,
        g=g,
        rpm=rpm,
        rate_hz=rate_hz,
        seconds=rng.uniform(60, 100) / (rpm / 60),
        slip=rng.uniform(-0.015, 0.015),
        jitter=rng.uniform(0.0, 0.01),
        resonance_hz=rng.uniform(0.15, 0.35) * rate_hz,
        snr=snr,
        seed=seed,
    )


def random_geometry(rng: np.random.Generator) -> tuple[int, float]:
    """6 to 16 elements that fit beside one another, and d / D."""
    balls = int(rng.integers(6, 17))
    return balls, rng.uniform(0.12, min(0.28, 0.95 * np.sin(np.pi / balls)))
