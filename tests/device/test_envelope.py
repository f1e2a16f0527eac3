"""Envelope on both word sizes: kernel equal to twin, and both near scipy's Hilbert envelope in float64."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import signal
from tests.device.cases import HIGH, LOW, counts
from tests.device.target import FIRMWARE, Target

# RMS and peak, of the Hilbert reference (issue: envelope within 3 %).
TOLERANCE = 0.03

# The rates of the sensors Judder has drivers for, and of the recordings it is tried on.
RATES = (26667, 12000, 4000, 3200)
SETTLED_S = 0.05


@dataclass(frozen=True)
class Stream:
    """Consecutive blocks at one rate. lengths: of the blocks, negative after a gap."""

    name: str
    rate: int
    samples: np.ndarray
    lengths: tuple[int, ...]
    offset: int = 0


@dataclass(frozen=True)
class Block:
    """What the kernel said of a block. points: the squared envelope it left, in counts."""

    valid: int
    rms: float
    peak: float
    points: np.ndarray
    shift: int
    skipped: int


def band(rate: int) -> tuple[float, float]:
    """Edges 3 dB down, as envelope.py promises. Of noise the lower lets through what an ideal edge at 500 Hz does."""
    return 477.5, min(0.4 * rate, (rate - 1000) / 2, 10000)


def band_pass(samples: np.ndarray, rate: int) -> np.ndarray:
    """scipy's Butterworth filters in float64."""
    low, high = band(rate)
    passed = signal.sosfilt(signal.butter(3, low, "high", fs=rate, output="sos"), samples - samples.mean())
    return signal.sosfilt(signal.butter(3, high, "low", fs=rate, output="sos"), passed)


def hilbert_square(samples: np.ndarray, rate: int) -> np.ndarray:
    """Squared Hilbert envelope of the band-passed signal."""
    return np.abs(signal.hilbert(band_pass(samples, rate))) ** 2


def smoothed(square: np.ndarray, rate: int) -> np.ndarray:
    """The low-pass that envelope.py describes: mean over a group, of two groups, then three poles at 500 Hz."""
    group = 1
    while group < 8 and rate / (2 * group) >= 4000:
        group *= 2
    points = square[: len(square) // group * group].reshape(-1, group).mean(axis=1)
    points = signal.lfilter([0.5, 0.5], [1], points)
    keep = np.exp(-2 * np.pi * 500 * group / rate)
    for _ in range(3):
        points = signal.lfilter([1 - keep], [1, -keep], points)
    return points


def run(device: Target, modules: Path, streams: list[Stream], folder: Path) -> list[list[Block]]:
    first = 0
    lines = []
    for stream in streams:
        lines.append(f"{stream.rate} {first} {stream.offset} {' '.join(map(str, stream.lengths))}\n")
        first += len(stream.samples)
        assert len(stream.samples) == sum(map(abs, stream.lengths))
    (folder / "samples").write_bytes(np.concatenate([s.samples for s in streams]).astype("<i2").tobytes())
    (folder / "cases").write_text("".join(lines))
    printed = iter(device.output("envelope.py", modules, folder / "samples", folder / "cases").splitlines())
    found = []
    for stream in streams:
        blocks = []
        for _ in stream.lengths:
            valid, rms, peak, count, shift, group, skipped, *points = map(int, next(printed).split())
            assert count == len(points)
            square = 2 * np.array(points, float) * 4.0**shift / 256 / max(group, 1)
            blocks.append(Block(valid, rms / 16, peak / 16, square, shift, skipped))
        found.append(blocks)
    assert next(printed, None) is None
    return found


def noises(rate: int, length: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Carriers over the band and over a part of it, modulated, RMS 1 or so."""
    t = np.arange(length) / rate
    low, high = band(rate)
    white = chance.standard_normal(length)
    middle = signal.sosfilt(
        signal.butter(4, [1.3 * low, 0.8 * high], "bandpass", fs=rate, output="sos"), chance.standard_normal(length)
    )
    bursts = np.zeros(length)
    bursts[:: rate // 97] = 1
    ringing = signal.lfilter([1], signal.iirpeak(0.5 * high, 8, fs=rate)[1], bursts)
    found = {
        "white": white,
        "white, modulated 80 % at 37 Hz": white * (1 + 0.8 * np.sin(2 * np.pi * 37 * t)),
        "part of the band, modulated at 103 Hz": middle * (1 + 0.6 * np.sin(2 * np.pi * 103 * t)),
        "bursts 97 times a second": ringing + 0.02 * white * np.abs(ringing).max(),
        "tone in the middle, modulated": np.sin(2 * np.pi * 0.6 * high * t) * (1 + 0.5 * np.sin(2 * np.pi * 29 * t)),
    }
    return {name: carrier / carrier.std() for name, carrier in found.items()}


@pytest.mark.parametrize("rate", RATES)
def test_accuracy(device: Target, built: Path, tmp_path: Path, rate: int) -> None:
    """RMS and peak from 20 counts RMS in the band to full scale, alone or under a strong low frequency and gravity."""
    chance = np.random.default_rng(rate)
    length = 4096
    lead = int(SETTLED_S * rate) // 8 * 8
    t = np.arange(lead + length) / rate
    streams = []
    for name, carrier in noises(rate, lead + length, chance).items():
        in_band = band_pass(carrier, rate).std()
        for rms, low, mean in ((20, 0, 0), (20, 12000, 2047), (400, 12000, -2047), (3000, 0, 0)):
            made = carrier * rms / in_band + low * np.sin(2 * np.pi * 24.7 * t) + mean
            streams.append(Stream(f"{name}, {rms}, {low}", rate, counts(made), (lead, length)))
    for stream, (_, block) in zip(streams, run(device, built, streams, tmp_path), strict=True):
        square = hilbert_square(stream.samples.astype(float), rate)
        rms = np.sqrt(square[lead:].mean())
        smooth = smoothed(square, rate)
        peak = np.sqrt(smooth[-len(block.points) :].max())
        assert block.valid == 1 and block.skipped == 0
        assert block.rms == pytest.approx(rms, rel=TOLERANCE), stream.name
        assert block.peak == pytest.approx(peak, rel=TOLERANCE), stream.name


@pytest.mark.parametrize("rate", RATES)
def test_attenuation(device: Target, built: Path, tmp_path: Path, rate: int) -> None:
    """The table in envelope.py: a tone in the band reads its amplitude, below it falls by 18 dB an octave."""
    expected_db = {25: -77, 50: -59, 100: -41, 200: -23, 300: -12, 477.5: -3, 1.7 * 477.5: -0.3, band(rate)[1]: -3}
    length = 4096
    t = np.arange(length) / rate
    half = length // 2
    streams = [Stream(f"{hz} Hz", rate, counts(30000 * np.sin(2 * np.pi * hz * t)), (half, half)) for hz in expected_db]
    for (hz, expected), (_, block) in zip(expected_db.items(), run(device, built, streams, tmp_path), strict=True):
        db = 20 * np.log10(max(block.rms, 1 / 16) / 30000)
        assert db <= expected + (0.6 if hz > 50 else 2), hz
        assert db >= expected - 2.5, hz


def test_blocks_join(device: Target, built: Path, tmp_path: Path) -> None:
    """A stream in blocks of any length leaves the points and the peak of the same stream in one block."""
    chance = np.random.default_rng(8)
    lengths = (1, 2, 3, 7, 8, 250, 13, 1001, 0, 64, 2747)
    samples = counts(800 * chance.standard_normal(sum(lengths)) + 100)
    streams = []
    for rate in RATES:
        # The mean is what the filters start from: that of the first block. A lead of silence makes it the same.
        quiet = np.concatenate([np.full(4, 100, np.int16), samples])
        streams.append(Stream("whole", rate, quiet, (4, len(samples))))
        streams.append(Stream("parts", rate, quiet, (4, *lengths)))
    results = run(device, built, streams, tmp_path)
    for whole, parts in zip(results[::2], results[1::2], strict=True):
        together = np.concatenate([block.points for block in parts])
        alone = np.concatenate([block.points for block in whole])
        assert len(together) == len(alone)
        # The shift of a short, soft block may differ: a few units of its last place.
        np.testing.assert_allclose(together, alone, rtol=2e-3, atol=40)
        assert max(block.peak for block in parts) == pytest.approx(max(block.peak for block in whole), rel=1e-3)


def test_gap_settles_afresh(device: Target, built: Path, tmp_path: Path) -> None:
    """After a gap the filters start over: neither the loud block before it nor the step itself is heard."""
    chance = np.random.default_rng(9)
    loud = counts(9000 * chance.standard_normal(2048))
    soft = counts(30 * chance.standard_normal(4096) + 20000)
    for rate in RATES:
        (first, second), (_, joined) = run(
            device,
            built,
            [
                Stream("gap", rate, np.concatenate([loud, soft]), (2048, -4096)),
                Stream("no gap", rate, np.concatenate([loud, soft]), (2048, 4096)),
            ],
            tmp_path,
        )
        assert first.skipped == second.skipped >= 0.008 * rate / 8
        wanted = np.sqrt(hilbert_square(soft.astype(float), rate)[rate // 50 :].mean())
        assert second.rms == pytest.approx(wanted, rel=TOLERANCE)
        # Run on as if there were no gap, the step of 20000 counts is seen as the event it would be.
        assert joined.peak > 20 * second.peak


def test_no_value(device: Target, built: Path, tmp_path: Path) -> None:
    """Rates without a band and blocks that end while the filters fill say so; so does a block of nothing."""
    chance = np.random.default_rng(10)
    samples = counts(1000 * chance.standard_normal(4096))
    streams = [Stream(f"{rate}", rate, samples, (4096,)) for rate in (400, 1000, 1600, 2560, 2999, 64001)]
    streams += [Stream("short", rate, samples[: rate // 200], (rate // 200,)) for rate in RATES]
    streams += [Stream("nothing", 26667, samples[:0], (0,))]
    for stream, (block,) in zip(streams, run(device, built, streams, tmp_path), strict=True):
        assert (block.valid, block.rms, block.peak) == (0, 0, 0), stream.name


def edge_streams() -> list[Stream]:
    """Blocks that break integer kernels, one after the other with jumps between, every length and alignment."""
    chance = np.random.default_rng(11)
    streams = []
    for rate in (3000, 3200, 4000, 8000, 12000, 26667, 31999, 51200, 64000):
        # (length, made of what), gap or not by turns
        lengths = [*range(17), 400, 401, 402, 403, 404, 405, 406, 407, 1000]
        chance.shuffle(lengths)
        parts = []
        for turn, length in enumerate(lengths):
            even = np.arange(length) % 2 == 0
            slow = np.arange(length) % 40 < 20
            kinds = (
                np.zeros(length),
                np.full(length, LOW),
                np.full(length, HIGH),
                np.where(even, LOW, HIGH),
                np.where(slow, LOW, HIGH),
                chance.integers(LOW, HIGH + 1, length),
                chance.integers(-2, 3, length),
                np.full(length, -1),
            )
            parts.append(kinds[turn % len(kinds)])
        signed = tuple(-n if turn % 5 == 4 else n for turn, n in enumerate(lengths))
        for offset in (0, 1):
            streams.append(Stream(f"{rate}, {offset}", rate, counts(np.concatenate(parts)), signed, offset))
    return streams


def worst_streams() -> list[Stream]:
    """The sign of the impulse response, backwards: no samples drive the filters further."""
    streams = []
    for rate in (*RATES, 64000):
        impulse = np.zeros(2000)
        impulse[0] = 1
        response = band_pass(impulse + 0.0, rate)
        worst = np.where(response[::-1] >= 0, HIGH, LOW)
        streams.append(Stream(f"worst, {rate}", rate, counts(np.concatenate([worst, -worst])), (2000, 2000)))
    return streams


def check_edges(device: Target, modules: Path, folder: Path) -> None:
    """The program compares kernel and twin, state included; here: nothing said is out of the question."""
    for stream, blocks in zip(edge_streams(), run(device, modules, edge_streams(), folder), strict=True):
        for block in blocks:
            # Less than 4 times full scale, twice for the square's root, and a peak no lower than the smoothed mean.
            assert 0 <= block.rms <= 4 * 32768 * 1.5, stream.name
            assert (block.points >= 0).all()
            if block.valid:
                top = np.sqrt(block.points[block.skipped :].max())
                assert block.peak == pytest.approx(top, abs=(1 + 2**block.shift / 32) / 16), stream.name


def test_edges(device: Target, built: Path, tmp_path: Path) -> None:
    check_edges(device, built, tmp_path)


def test_worst(device: Target, built: Path, tmp_path: Path) -> None:
    """Samples made to drive the filters as far as they go stay within the kernel's words, right to 3 %."""
    streams = worst_streams()
    for stream, (_, block) in zip(streams, run(device, built, streams, tmp_path), strict=True):
        passed = band_pass(np.concatenate([np.full(20, stream.samples[0]), stream.samples]).astype(float), stream.rate)
        assert block.rms == pytest.approx(np.sqrt(2 * (passed[-2000:] ** 2).mean()), rel=TOLERANCE), stream.name


@pytest.mark.parametrize("device", [32], ids=["32-bit"], indirect=True)
def test_edges_when_compiled_on_the_device(device: Target, tmp_path: Path) -> None:
    """The sources themselves, as they would run if copied to a node: the emitter there has one more register."""
    check_edges(device, FIRMWARE, tmp_path)


def test_coefficients() -> None:
    """scipy's butter() to half of the last place, at every rate there is; and states can't outgrow 17 bits and sign."""
    from node.dsp.envelope_state import GROUP_BITS, MAX_RATE_HZ, MIN_RATE_HZ, State

    for rate in (*range(MIN_RATE_HZ, MAX_RATE_HZ, 997), *RATES, MAX_RATE_HZ):
        state = State(rate)
        low, high = band(rate)
        assert state.band_high_hz == int(high)
        words = np.array(state.words[:9]) / 16384
        g1, c1, d1, g2, c2, d2, g3, c3, d3 = words
        sections = np.array([[g1, -2 * g1, g1, 1, -c1, -d1], [g2, 0, -g2, 1, -c2, -d2], [g3, 2 * g3, g3, 1, -c3, -d3]])
        impulse = np.zeros(20000)
        impulse[0] = 1
        for upto in (1, 2, 3):
            assert np.abs(signal.sosfilt(sections[:upto], impulse)).sum() < 3.5
        # The poles of each filter: a pair, and one that stands in the middle section.
        z_low = signal.butter(3, low, "high", fs=rate, output="zpk")[1]
        z_high = signal.butter(3, int(high), "low", fs=rate, output="zpk")[1]
        for poles, c, d in ((z_low, c1, d1), (z_high, c3, d3)):
            pair = poles[np.abs(poles.imag) > 1e-9]
            assert [c, d] == pytest.approx([pair.sum().real, -pair.prod().real], abs=0.51 / 16384)
        single = np.array([poles[np.abs(poles.imag) <= 1e-9][0].real for poles in (z_low, z_high)])
        assert [c2, d2] == pytest.approx([single.sum(), -single.prod()], abs=0.51 / 16384)
        assert state.point_rate_dhz == rate * 10 >> state.words[GROUP_BITS]


def test_retune() -> None:
    """A rate measured a little differently keeps the filters, with what is in them; a new one does not."""
    from node.dsp.envelope_state import State

    state = State(26667)
    state.begin(500)
    before = list(state.words)
    assert not state.retune(26800)
    state.begin(0)
    assert list(state.words) == before
    assert state.retune(20000)
    assert state.band_high_hz == 8000
    state.begin(7)
    assert list(state.words[9:11]) == [7, 7]
    assert state.retune(1000) and not state.usable
    assert state.retune(26667) and state.usable
    assert [a for a, _ in pairwise(state.words[:9])] == before[:8]
