"""Signal sources: synthetic machines looked at with numpy's FFT, recordings taken apart sample by sample."""

import math
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from judder.errors import InputError
from judder.virtual.signal import (
    MACHINES,
    Machine,
    Recording,
    Sequence,
    bearing_fault,
    clipped,
    imbalance,
    misalignment,
    standstill,
)

RATE_HZ = 26_667.0
SHAFT_HZ = 29.95
# Outer-race defect of a 6205 bearing in multiples of shaft speed (data sheet geometry; CWRU Bearing Data Center).
BPFO = 3.5848


def lines(signal: np.ndarray, rate_hz: float) -> Callable[[float], float]:
    """Amplitude of the line at exactly a frequency: the Fourier integral there, Hann-windowed."""
    window = np.hanning(len(signal))
    weighted = (signal - signal.mean()) * window * 2 / window.sum()
    t = np.arange(len(signal)) / rate_hz
    return lambda f_hz: float(np.abs((weighted * np.exp(-2j * np.pi * f_hz * t)).sum()))


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_any_stretch_in_any_order_is_the_same(name: str) -> None:
    whole = MACHINES[name]().samples(0.0, 10_000, RATE_HZ)
    assert whole.shape == (10_000, 3)
    assert np.isfinite(whole).all()
    other = MACHINES[name]()
    late = other.samples(7000 / RATE_HZ, 3000, RATE_HZ)
    early = other.samples(100 / RATE_HZ, 50, RATE_HZ)
    assert np.allclose(late, whole[7000:], atol=1e-9)
    assert np.allclose(early, whole[100:150], atol=1e-9)


def test_seeds_make_different_noise_and_the_same_seed_the_same() -> None:
    a, b, c = (standstill(seed=seed).samples(0, 1000, RATE_HZ) for seed in (1, 2, 1))
    assert (a == c).all()
    assert abs(np.corrcoef(a[:, 0], b[:, 0])[0, 1]) < 0.2


def test_standstill_is_gravity_and_the_noise_of_the_data_sheet() -> None:
    samples = standstill().samples(5.0, 50_000, RATE_HZ)
    assert samples.mean(axis=0) == pytest.approx([0, 0, 1], abs=1e-3)
    # 75 ug/sqrt(Hz) over 6.3 kHz (IIS3DWB data sheet).
    assert samples.std(axis=0) == pytest.approx([75e-6 * math.sqrt(6300)] * 3, rel=0.03)


def test_imbalance_is_one_line_turning() -> None:
    samples = imbalance(0.2, noise_g=0).samples(0, 2**17, RATE_HZ)
    at = lines(samples[:, 0], RATE_HZ)
    assert at(SHAFT_HZ) == pytest.approx(0.2, rel=0.02)
    assert at(2 * SHAFT_HZ) < 0.002
    assert np.hypot(samples[:, 0], samples[:, 1]) == pytest.approx(0.2, rel=1e-6)


def test_misalignment_has_twice_shaft_speed_above_all_and_along_the_shaft() -> None:
    samples = misalignment(0.3, noise_g=0).samples(0, 2**17, RATE_HZ)
    at = lines(samples[:, 2], RATE_HZ)
    assert at(2 * SHAFT_HZ) == pytest.approx(0.3, rel=0.02)
    assert at(2 * SHAFT_HZ) > 2 * at(SHAFT_HZ) > 2 * at(3 * SHAFT_HZ) > 0.1
    assert samples[:, 2].std() > samples[:, 0].std()


def test_bearing_fault_rings_at_the_resonance_and_repeats_at_the_defect_rate() -> None:
    samples = bearing_fault(4.0).samples(0, 2**17, RATE_HZ)[:, 0]
    at = lines(samples, RATE_HZ)
    assert at(SHAFT_HZ) == pytest.approx(0.05, rel=0.2)
    # The envelope (squared signal) carries the defect's rate, not the shaft's.
    envelope = lines(samples**2, RATE_HZ)
    assert envelope(BPFO * SHAFT_HZ) > 5 * envelope(SHAFT_HZ)
    assert envelope(BPFO * SHAFT_HZ) > 5 * envelope(0.63 * BPFO * SHAFT_HZ)
    spread = samples - samples.mean()
    assert (spread**4).mean() / (spread**2).mean() ** 2 > 8  # kurtosis: impulsive, a Gaussian has 3
    # Two thirds of the power is within 500 Hz of the resonance.
    power = np.abs(np.fft.rfft(spread)) ** 2
    near = np.abs(np.fft.rfftfreq(len(spread), 1 / RATE_HZ) - 3500) < 500
    assert power[near].sum() / power.sum() > 0.6


def test_slip_keeps_events_apart_and_on_average_on_time() -> None:
    period = 1 / (BPFO * SHAFT_HZ)
    samples = np.abs(bearing_fault(4.0, noise_g=0, gravity_g=(0, 0, 0)).samples(0, 300_000, RATE_HZ)[:, 0])
    loud = np.flatnonzero(samples > 1.5)
    starts = loud[np.insert(np.diff(loud) > 50, 0, True)] / RATE_HZ
    gaps = np.diff(starts)
    assert gaps.mean() == pytest.approx(period, rel=0.001)
    assert 0.001 * period < gaps.std() < 0.01 * period


def test_clipped_exceeds_every_range() -> None:
    assert np.abs(clipped().samples(0, 5000, RATE_HZ)).max() > 16


def test_machines_never_end() -> None:
    assert not imbalance().ended(1e9)


# --- sequences


def test_a_sequence_plays_each_piece_from_its_beginning() -> None:
    def level(g: float) -> Machine:
        return Machine(lambda t: np.repeat((g + t)[:, None], 3, axis=1), noise_g=0, gravity_g=(0, 0, 0))

    joined = Sequence([(1.0, level(0)), (2.0, level(10)), (0.5, level(20))])
    samples = joined.samples(0.5, 400, 100.0)[:, 0]
    assert samples[:50] == pytest.approx(0.5 + np.arange(50) / 100)
    assert samples[50:250] == pytest.approx(10 + np.arange(200) / 100)
    assert samples[250:] == pytest.approx(20 + np.arange(150) / 100)  # the last goes on
    assert joined.samples(2.99, 3, 100.0)[:, 1] == pytest.approx([11.99, 20.0, 20.01])
    assert not joined.ended(3.4)
    assert joined.ended(3.5)


def test_a_sequence_of_recordings_loses_no_sample() -> None:
    a, b = Recording(np.arange(30.0).reshape(10, 3), 12_000), Recording(np.arange(30.0, 60).reshape(10, 3), 12_000)
    joined = Sequence([(10 / 12_000, a), (10 / 12_000, b)])
    assert joined.rate_hz == 12_000
    out = np.concatenate([joined.samples(n / 12_000, 1, 12_000) for n in range(20)])
    assert (out == np.arange(60.0).reshape(20, 3)).all()


def test_sequences_that_make_no_sense() -> None:
    a, b = Recording(np.zeros((4, 3)), 12_000), Recording(np.zeros((4, 3)), 48_000)
    with pytest.raises(InputError, match="12000 and 48000 Hz"):
        Sequence([(1, a), (1, b)])
    with pytest.raises(InputError, match="at least one"):
        Sequence([])
    with pytest.raises(InputError, match="duration above zero"):
        Sequence([(0, a)])


# --- recordings


def test_int16_npy_is_scaled_and_missing_channels_are_silent(tmp_path: Path) -> None:
    data = np.array([[1, -2], [30000, 4], [-32768, 32767]], np.int16)
    np.save(tmp_path / "r.npy", data)
    recording = Recording.load(tmp_path / "r.npy", rate_hz=12_000, scale_g=0.00025)
    out = recording.samples(0, 3, 12_000)
    assert (out[:, :2] == data * 0.00025).all()
    assert (out[:, 2] == 0).all()
    assert (recording.count, recording.channels, recording.rate_hz) == (3, 2, 12_000)
    assert recording.duration_s == pytest.approx(3 / 12_000)


def test_channels_can_be_chosen(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.arange(12.0).reshape(3, 4))
    out = Recording.load(tmp_path / "r.npy", 100, channels=[3, 0]).samples(0, 1, 100)
    assert out.tolist() == [[3, 0, 0]]
    for wrong in ([4], [-1], [], [0, 1, 2, 3]):
        with pytest.raises(InputError):
            Recording.load(tmp_path / "r.npy", 100, channels=wrong)


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "x;y\n1;2\n3;4\n", "# made by hand\n1\t2\n3\t4\n", "1 2\n3 4\n\n"])
def test_csv_in_the_forms_people_have(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    out = Recording.load(tmp_path / "r.csv", 100).samples(0, 2, 100)
    assert out.tolist() == [[1, 2, 0], [3, 4, 0]]


@pytest.mark.parametrize("width", [2, 3, 4])
def test_wav_brings_its_rate(tmp_path: Path, width: int) -> None:
    values = np.array([[1, -1], [2 ** (8 * width - 1) - 1, -(2 ** (8 * width - 1))]], np.int64)
    with wave.open(str(tmp_path / "r.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(width)
        file.setframerate(48_000)
        file.writeframes(b"".join(int(v).to_bytes(width, "little", signed=True) for v in values.ravel()))
    recording = Recording.load(tmp_path / "r.wav", scale_g=1e-9)
    assert recording.rate_hz == 48_000
    assert recording.samples(0, 2, 48_000)[:, :2] == pytest.approx(values * 1e-9)
    with pytest.raises(InputError, match="recorded at 48000 Hz"):
        Recording.load(tmp_path / "r.wav", rate_hz=12_000)


def test_the_end_is_silence_or_the_beginning() -> None:
    values = np.arange(1.0, 31).reshape(10, 3)
    once, loop = Recording(values, 1000), Recording(values, 1000, loop=True)
    assert once.samples(0.008, 4, 1000)[:, 0].tolist() == [25, 28, 0, 0]
    assert loop.samples(0.008, 4, 1000)[:, 0].tolist() == [25, 28, 1, 4]
    assert [once.ended(t) for t in (0, 0.009, 0.010, 5)] == [False, False, True, True]
    assert not loop.ended(1e6)


def test_another_rate_holds_the_nearest_sample() -> None:
    recording = Recording(np.repeat(np.arange(10.0)[:, None], 3, axis=1), 1000)
    values = recording.samples(0, 40, 4000)[:, 0]
    assert set(values) <= set(range(10))  # nothing between two samples
    assert values[::4].tolist() == list(range(10))


def saved(folder: Path, data: np.ndarray) -> Path:
    np.save(folder / "bad.npy", data)
    return folder / "bad.npy"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.array([[1.0], [np.nan], [np.inf]]), "2 samples are not numbers, the first in row 1"),
        (np.zeros((10, 0)), "no channels"),
        (np.zeros((0, 3)), "is empty"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        (np.zeros((3, 4000)), "transpose it"),
        (np.array(["a", "b"]), "not numbers"),
        (np.full((3, 3), 1e9), "give --scale"),
    ],
)
def test_bad_data_is_refused_in_one_line(tmp_path: Path, data: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Recording.load(saved(tmp_path, data), rate_hz=12_000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.nan, math.inf, 1e9, 0.01, None])
def test_bad_rates_are_refused(tmp_path: Path, rate_hz: float | None) -> None:
    with pytest.raises(InputError, match="--rate"):
        Recording.load(saved(tmp_path, np.zeros((4, 1))), rate_hz=rate_hz)


@pytest.mark.parametrize("scale_g", [0.0, -0.1, math.nan, math.inf])
def test_bad_scales_are_refused(tmp_path: Path, scale_g: float) -> None:
    with pytest.raises(InputError, match="scale"):
        Recording.load(saved(tmp_path, np.zeros((4, 1))), rate_hz=12_000, scale_g=scale_g)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check the path"):
        Recording.load(tmp_path / "nowhere.npy", 12_000)
    for name, contents in (("a.npy", b"junk"), ("a.csv", b"1,2\n3\n"), ("a.csv", b"1,x\n"), ("a.wav", b"RIFFjunk")):
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(InputError, match="no readable"):
            Recording.load(tmp_path / name, 12_000)
    (tmp_path / "a.csv").write_bytes(b"\n")
    with pytest.raises(InputError, match="is empty"):
        Recording.load(tmp_path / "a.csv", 12_000)
    (tmp_path / "a.mat").write_bytes(b"")
    with pytest.raises(InputError, match=r"\.npy, \.csv or \.wav"):
        Recording.load(tmp_path / "a.mat", 12_000)
    np.savez(tmp_path / "z.npz", np.zeros(3))
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    with pytest.raises(InputError, match="several arrays"):
        Recording.load(tmp_path / "z.npy", 12_000)
