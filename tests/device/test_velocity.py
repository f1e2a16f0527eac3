"""Velocity, lines and bands through the real kernels on both words: kernels against twins bit for bit, results against
numpy in float64 or arithmetic."""

import math
from pathlib import Path

import numpy as np
import pytest
from tests.device import vibration
from tests.device.target import Target
from tests.device.vibration import Job, Result, run, samples_for_records, sine

HIGH_RATE, LOW_RATE = vibration.SENSORS[0], vibration.SENSORS[1]


def test_kernels_equal_their_twins(device: Target, built: Path, tmp_path: Path) -> None:
    """Every word of decimator, FFT and spectrum (checked by the program); the FFT also against numpy's."""
    chance = np.random.default_rng(5)
    i = np.arange(4096)
    blocks = [
        chance.integers(-32768, 32768, 4096),
        np.where(i % 2 == 0, -32768, 32767),
        np.full(4096, -32768),
        np.where(i < 2000, 32767, -32768),
        np.round(30 * np.sin(2 * np.pi * 900.3 * i / 4096)),
        np.round(1000 * np.sin(2 * np.pi * 37.3 * i / 4096)) + 16384,
        np.zeros(4096),
        chance.integers(-2, 3, 4096),
        np.where(i == 2048, 32767, 0),
    ]
    data = np.concatenate(blocks).astype("<i2")
    (tmp_path / "samples").write_bytes(data.tobytes())
    lines = device.output("velocity_kernels.py", built, tmp_path / "samples").splitlines()
    assert len(lines) == len(blocks)
    hann = (1 - np.cos(2 * np.pi * i / 4096)) / 2
    for block, line in zip(data.reshape(-1, 4096).astype(float), lines, strict=True):
        pairs = np.array(line.split(), dtype=float).reshape(-1, 2)
        # spectrum.survey's centre; what is left of a constant is nowhere but in bins 0 and 1.
        block = block - np.floor(block[7::8].mean() + 0.5)
        span = np.abs(block).max()
        shift = 0
        while span and span * 2 ** (shift + 1) < 65536:
            shift += 1
        expected = np.fft.rfft(block * 2**shift * hann)[:2048] / 2048
        error = np.abs(pairs[:, 0] + 1j * pairs[:, 1] - expected)[1:]
        # Full scale is 2**16. Below one unit would be no rounding at all.
        assert np.sqrt((error**2).mean()) < 1 and error.max() < 5


SINES_HZ = (10.0, 10.4, 10.8, 12.5, 25.0, 79.43, 160.0, 500.0, 900.0, 1000.0)


def test_sines_read_right_from_10_to_1000_hz(device: Target, built: Path, tmp_path: Path) -> None:
    """2 % to 900 Hz and 5 % at 1000 Hz, from 20 counts RMS to full scale, gravity on one axis (DESIGN section 7)."""
    jobs, wanted = [], []
    for _name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        one_g = min(1e6 / scale_ug, 30000)
        for rms in (20.0, 20000.0):
            for hz in SINES_HZ:
                axes = [sine(rate_hz, n, hz, rms, phase) for phase in (0.2, 1.3, 2.4)]
                axes[2] += one_g if rms == 20 else 3000
                jobs.append(Job(np.stack(axes, 1), rate_hz, scale_ug))
                wanted.append((hz, vibration.velocity_of_sine(hz, rms, scale_ug)))
    run(device, built, tmp_path, jobs)
    for job, (hz, expected) in zip(jobs, wanted, strict=True):
        found = job.results[-1]
        error = found.velocity_mm_s / expected - 1
        assert np.abs(error).max() <= (0.05 if hz > 900 else 0.02), (job.rate_hz, hz, expected, error)
        assert found.covered and found.band_hz == (10.0, 1000)


def test_noise_reads_right(device: Target, built: Path, tmp_path: Path) -> None:
    """Noise of 10 to 1000 Hz over sixteen records, against the same samples with ideal edges in float64: 2 %."""
    jobs, wanted = [], []
    for _name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz, 16)
        for rms in (20.0, 5000.0):
            axes = [vibration.noise(rate_hz, n, 10, 1000, rms, seed) for seed in (1, 2, 3)]
            axes[2] += min(1e6 / scale_ug, 8000)
            jobs.append(Job(np.stack(axes, 1), rate_hz, scale_ug))
            wanted.append([vibration.velocity(axis, rate_hz, scale_ug) for axis in axes])
    run(device, built, tmp_path, jobs)
    for job, expected in zip(jobs, wanted, strict=True):
        mean = np.sqrt(np.mean([result.velocity_mm_s**2 for result in job.results], axis=0))
        # What remains is that the two do not weigh every sample alike; no axis is off for good.
        assert np.abs(mean / expected - 1).max() <= 0.02, (job.rate_hz, mean, expected)


def one(device: Target, built: Path, folder: Path, counts: np.ndarray, sensor: tuple, **options: object) -> Result:
    """Result of a signal on x."""
    _name, rate_hz, scale_ug = sensor
    three = np.zeros((len(counts), 3))
    three[:, 0] = counts
    job = Job(three, rate_hz, scale_ug, **options)  # type: ignore[arg-type]
    run(device, built, folder, [job])
    return job.results[-1]


def test_the_reference_number(device: Target, built: Path, tmp_path: Path) -> None:
    """1 g RMS at 100 Hz is 9.80665 / (2 pi 100) m/s = 15.608 mm/s RMS."""
    n = samples_for_records(HIGH_RATE[1])
    found = one(device, built, tmp_path, sine(HIGH_RATE[1], n, 100, 1e6 / HIGH_RATE[2]), HIGH_RATE)
    assert found.velocity_mm_s[0] == pytest.approx(15.608, rel=0.001)
    assert found.lines[0][0] == (100.0, pytest.approx(15.608, rel=0.002))


def butterworth(hz: float) -> float:
    """Reference filter: third-order Butterworth each side, 3 dB down a third of an octave outside 10 and 1000 Hz."""
    low, high = 10 / 2 ** (1 / 3), 1000 * 2 ** (1 / 3)
    return 1 / math.sqrt((1 + (low / hz) ** 6) * (1 + (hz / high) ** 6))


@pytest.mark.parametrize("sensor", vibration.SENSORS, ids=lambda sensor: sensor[0])
def test_out_of_band_is_kept_out(device: Target, built: Path, tmp_path: Path, sensor: tuple) -> None:
    """Never more than the reference filter lets through; what could fold into the band is 60 dB down."""
    _name, rate_hz, scale_ug = sensor
    n = samples_for_records(rate_hz)
    below = [2, 3, 4, 5, 6, 7, 8, 9]
    above = [hz for hz in (1050, 1120, 1260, 1500, 2000, 4000, 8000) if hz < rate_hz / 2]
    # Where the decimator's stages fold, 500 Hz and 1000 Hz from multiples of the slowed rate.
    folds = [k * rate_hz / 8 + hz for k in (1, 2, 3, 4) for hz in (-1000, -500, 500, 1000) if rate_hz > 20000]
    jobs = []
    for hz in (*below, *above, *(fold for fold in folds if fold < rate_hz / 2)):
        three = np.zeros((n, 3))
        three[:, 0] = sine(rate_hz, n, hz, 10000)
        three[:, 1] = sine(rate_hz, n, hz, 10000, 0.7)
        jobs.append((hz, Job(three, rate_hz, scale_ug)))
    run(device, built, tmp_path, [job for _hz, job in jobs])
    for hz, job in jobs:
        true = vibration.velocity_of_sine(hz, 10000, scale_ug)
        # Less than the last digit on the air is nothing.
        passed = np.maximum(0, job.results[-1].velocity_mm_s[:2] - 0.01) / true
        assert passed.max() <= butterworth(hz), (hz, passed)
        if hz in folds:
            # As if it were a line at 1 kHz, where it would come out.
            assert passed.max() <= 0.001 * hz / 1000, (hz, passed)


def test_lines_between_bins(device: Target, built: Path, tmp_path: Path) -> None:
    """Frequency within 0.1 bin, amplitude within 2 %, wherever between two bins a line falls; weaker ones beside it."""
    _name, rate_hz, scale_ug = HIGH_RATE
    n = samples_for_records(rate_hz)
    jobs, wanted = [], []
    for step in range(11):
        lines = [(30 + 0.0814 * step, 5.0), (61.3 + 0.0814 * step, 1.0), (119.0, 0.5), (800.2 + 0.0814 * step, 2.0)]
        counts = np.zeros(n)
        for hz, mm_s in lines:
            rms = mm_s / vibration.velocity_of_sine(hz, 1, scale_ug)
            counts += sine(rate_hz, n, hz, rms, hz)
        jobs.append(Job(np.stack([counts, counts / 3, -counts], 1), rate_hz, scale_ug))
        wanted.append(sorted(lines, key=lambda line: -line[1]))
    run(device, built, tmp_path, jobs)
    for job, lines in zip(jobs, wanted, strict=True):
        found = job.results[-1]
        for (hz, mm_s), (expected_hz, expected_mm_s) in zip(found.lines[0], lines, strict=False):
            # Half of the last digit on top: frequencies are in 0.1 Hz, velocities in 0.01 mm/s.
            assert abs(hz - expected_hz) <= 0.1 * found.resolution_hz + 0.05
            assert abs(mm_s - expected_mm_s) <= 0.02 * expected_mm_s + 0.005
        # Nothing of the window's side lobes.
        assert [len(axis) for axis in found.lines] == [4, 4, 4]
        assert found.resolution_hz == pytest.approx(rate_hz / 8 / 4096, abs=0.001)


def test_a_strong_fast_line_leaves_a_weak_slow_one(device: Target, built: Path, tmp_path: Path) -> None:
    """10 g at 1.3 kHz, out of the band, and 1 mm/s at 15 Hz, a thousandth of it in acceleration: arithmetic holds."""
    _name, rate_hz, scale_ug = HIGH_RATE
    n = samples_for_records(rate_hz)
    weak = 1 / vibration.velocity_of_sine(15, 1, scale_ug)
    counts = sine(rate_hz, n, 15, weak) + sine(rate_hz, n, 1300, 10e6 / scale_ug, 1)
    assert np.abs(counts).max() < 32767
    found = one(device, built, tmp_path, counts, HIGH_RATE)
    assert found.velocity_mm_s[0] == pytest.approx(1, rel=0.02)
    assert found.lines[0][0] == (15.0, pytest.approx(1, abs=0.02))


def test_bands_add_up(device: Target, built: Path, tmp_path: Path) -> None:
    _name, rate_hz, scale_ug = LOW_RATE
    n = samples_for_records(rate_hz)
    counts = sum(sine(rate_hz, n, hz, 1 / vibration.velocity_of_sine(hz, 1, scale_ug), hz) for hz in (20, 50, 200, 700))
    bands = ((10, 35), (35, 400), (0, 0), (400, 2000))
    found = one(device, built, tmp_path, counts, LOW_RATE, bands=bands)
    assert found.bands_mm_s[0] == [
        pytest.approx(1, rel=0.02),
        pytest.approx(math.sqrt(2), rel=0.02),
        None,
        pytest.approx(1, rel=0.02),
    ]
    assert found.bands_mm_s[1] == [0, 0, None, 0]


def test_slow_machines_from_2_hz(device: Target, built: Path, tmp_path: Path) -> None:
    """A band from 2 Hz: 5 % from its lower end as told (2.0 to 2.4 Hz, as the record allows) to 10 Hz, then 2 %."""
    jobs = []
    for _name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        for hz in (2.4, 3.0, 4.1, 5.3, 7.0, 9.9, 10.3, 25.0, 900.0):
            three = np.stack([sine(rate_hz, n, hz, 3000, phase) for phase in (0, 1, 2)], 1)
            three[:, 2] += 5000
            jobs.append((hz, Job(three, rate_hz, scale_ug, slow=True)))
    run(device, built, tmp_path, [job for _hz, job in jobs])
    for hz, job in jobs:
        found = job.results[-1]
        assert 2.0 <= found.band_hz[0] <= 2.4 and found.covered == (found.band_hz[0] == 2.0)
        error = found.velocity_mm_s / vibration.velocity_of_sine(hz, 3000, job.scale_ug) - 1
        assert np.abs(error).max() <= (0.05 if hz < 10 else 0.02), (job.rate_hz, hz, error)


@pytest.mark.parametrize(("rate_hz", "high_hz"), [(1024.0, 400), (1600.0, 625), (416.0, 162), (2550.0, 996)])
def test_slow_sensors_say_what_they_cover(
    device: Target, built: Path, tmp_path: Path, rate_hz: float, high_hz: int
) -> None:
    sensor = ("slow", rate_hz, 3900)
    n = samples_for_records(rate_hz)
    found = one(device, built, tmp_path, sine(rate_hz, n, 50, 500), sensor)
    assert not found.covered and found.band_hz == (10.0, high_hz)
    assert found.velocity_mm_s[0] == pytest.approx(vibration.velocity_of_sine(50, 500, 3900), rel=0.02)


def test_what_is_no_vibration(device: Target, built: Path, tmp_path: Path) -> None:
    """Zeros and constants move at no speed and have no lines; a full-scale square wave is its own line spectrum."""
    _name, rate_hz, scale_ug = LOW_RATE
    n = samples_for_records(rate_hz)
    square = np.where(np.sin(2 * np.pi * 50.3 * np.arange(n) / rate_hz) >= 0, 32767.0, -32768.0)
    jobs = [
        Job(np.stack([np.zeros(n), np.full(n, -32768.0), np.full(n, 32767.0)], 1), rate_hz, scale_ug),
        Job(np.stack([square, np.full(n, 1.0), -square], 1), rate_hz, scale_ug),
    ]
    run(device, built, tmp_path, jobs)
    still, loud = jobs[0].results[-1], jobs[1].results[-1]
    assert not still.velocity_mm_s.any() and still.lines == [[], [], []]
    expected = vibration.velocity(square, rate_hz, scale_ug)
    assert loud.velocity_mm_s[[0, 2]] == pytest.approx([expected, expected], rel=0.02)
    assert loud.velocity_mm_s[1] == 0
    assert loud.lines[0][0][0] == pytest.approx(50.3, abs=0.1)


def test_any_block_size_gives_the_same_record(device: Target, built: Path, tmp_path: Path) -> None:
    """The stream is cut into blocks; where does not matter."""
    _name, rate_hz, scale_ug = HIGH_RATE
    n = 40960
    counts = vibration.noise(rate_hz, n, 10, 3000, 2000, 9) + 700
    three = np.stack([counts, counts[::-1], counts / 7], 1)
    jobs = [Job(three, rate_hz, scale_ug, block=block) for block in (4096, 2560, 640, 256)]
    run(device, built, tmp_path, jobs)
    first = [job.results[0] for job in jobs]
    assert all(result.lines == first[0].lines for result in first)
    assert all((result.velocity_mm_s == first[0].velocity_mm_s).all() for result in first)
