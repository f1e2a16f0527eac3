"""Signals for the velocity path, run through the real kernels, and what numpy in float64 says of them."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tests.device.target import Target

Array = npt.NDArray[np.float64]

STANDARD_GRAVITY = 9.80665  # m/s**2, CGPM 1901
# (name, true rate in Hz, ug per count): a rate is never nominal. IIS3DWB and ADXL345 at 16 g, ADXL355 at 2 g, 16 bits.
SENSORS = (("26.7 kHz", 26931.0, 488), ("3.2 kHz", 3168.0, 3900), ("4 kHz", 4036.0, 62))
FULL_SCALE = 32767


@dataclass
class Job:
    """One signal. g-free: counts, shape (n, 3), of any float. blocks of 4096 are cut from it."""

    counts: Array
    rate_hz: float
    scale_ug: int
    slow: bool = False
    bands: tuple[tuple[int, int], ...] = ()
    block: int = 4096
    results: list["Result"] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """Of one block that completed a record. velocity_mm_s: three axes. lines: of each axis, (Hz, mm/s)."""

    velocity_mm_s: Array
    band_hz: tuple[float, float]
    covered: bool
    resolution_hz: float
    lines: list[list[tuple[float, float]]]
    bands_mm_s: list[list[float | None]]


def samples_for_records(rate_hz: float, records: int = 1) -> int:
    """Samples that complete so many records, in whole blocks of 4096."""
    factor = 8 if rate_hz >= 23200 else 4 if rate_hz >= 11600 else 2 if rate_hz >= 5800 else 1
    slowed = rate_hz / factor
    points = 1024 if slowed <= 1024 else 2048 if slowed <= 2048 else 4096
    needed = points * factor * (records + 1) / 2
    return 4096 * math.ceil(needed / 4096)


def quantized(counts: Array) -> npt.NDArray[np.int16]:
    """As a sensor gives it: rounded and stopped at full scale."""
    return np.clip(np.round(counts), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def run(device: Target, built: Path, folder: Path, jobs: list[Job]) -> None:
    """Fill in the jobs' results with what the kernels say."""
    at = 0
    lines = []
    with (folder / "samples").open("wb") as file:
        for job in jobs:
            blocks = len(job.counts) // job.block
            data = quantized(job.counts[: blocks * job.block]).reshape(blocks, job.block, 3).transpose(0, 2, 1)
            file.write(np.ascontiguousarray(data).astype("<i2").tobytes())
            ends = [str(end) for band in job.bands for end in band]
            words = [at, blocks, job.block, round(10 * job.rate_hz), job.scale_ug, int(job.slow), *ends]
            lines.append(" ".join(map(str, words)) + "\n")
            at += data.size
            job.results = []
    (folder / "jobs").write_text("".join(lines))
    for line in device.output("velocity.py", built, folder / "samples", folder / "jobs").splitlines():
        words = [int(word) for word in line.split()]
        number, velocity, (low, high, covered, resolution), rest = words[0], words[1:4], words[4:8], words[8:]
        pairs = [(rest[i] / 10, rest[i + 1] / 100) for i in range(0, 48, 2)]
        bands = [None if value < 0 else value / 100 for value in rest[48:60]]
        jobs[number].results.append(
            Result(
                np.array(velocity) / 25600,
                (low / 10, high),
                bool(covered),
                resolution / 1000,
                [[pair for pair in pairs[8 * axis : 8 * axis + 8] if pair[1]] for axis in range(3)],
                [bands[4 * axis : 4 * axis + 4] for axis in range(3)],
            )
        )


def sine(rate_hz: float, count: int, hz: float, rms: float, phase: float = 0.0) -> Array:
    """rms in counts."""
    return rms * math.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(count) / rate_hz + phase)


def noise(rate_hz: float, count: int, low_hz: float, high_hz: float, rms: float, seed: int) -> Array:
    """Gaussian noise of one density between two frequencies and nothing outside, periodic in `count`; rms in counts."""
    chance = np.random.default_rng(seed)
    spectrum = chance.normal(size=count // 2 + 1) + 1j * chance.normal(size=count // 2 + 1)
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    found: Array = np.fft.irfft(spectrum, count)
    return found * (rms / found.std())


def velocity_of_sine(hz: float, rms_counts: float, scale_ug: int) -> float:
    """mm/s RMS of a sine's acceleration: a / (2 pi f)."""
    return rms_counts * scale_ug * 1e-6 * STANDARD_GRAVITY * 1000 / (2 * math.pi * hz)


def velocity(counts: Array, rate_hz: float, scale_ug: int, low_hz: float = 10, high_hz: float = 1000) -> float:
    """mm/s RMS within a band with ideal edges, by one transform of the whole signal: of every sample the same."""
    spectrum = np.fft.rfft(counts - counts.mean()) / len(counts)
    hz = np.fft.rfftfreq(len(counts), 1 / rate_hz)
    inside = (hz >= low_hz) & (hz <= high_hz)
    power = 2 * np.abs(spectrum[inside]) ** 2 / (2 * np.pi * hz[inside]) ** 2
    return float(np.sqrt(power.sum())) * scale_ug * 1e-6 * STANDARD_GRAVITY * 1000
