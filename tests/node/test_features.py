"""What a block and a stream of blocks say together, with the kernels' twins: gaps, what is worked on when, flags."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from node.dsp import decimate_twin, envelope_twin, fft_twin, moments_twin, spectrum_twin, twin
from node.dsp.features import Features

RATE_DHZ = 16_000  # so that a record is 2048 samples, and twins are quick
N = 512
RECORD_BLOCKS = 4
SCALE_UG = 1000
KERNELS = (twin, moments_twin, envelope_twin, decimate_twin, fft_twin, spectrum_twin)


class Stream:
    """Blocks of 50 Hz on x, 1 mm/s RMS or as told, noise on y and z; take() feeds the next."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.at = 0

    def block(self, mm_s: float = 1.0) -> np.ndarray:
        t = (self.at + np.arange(N)) / (RATE_DHZ / 10)
        self.at += N
        counts = np.random.default_rng(self.at).normal(0, 3, (N, 3))
        counts[:, 0] = mm_s * 2 * np.pi * 50 / 9.80665 * np.sqrt(2) * np.sin(2 * np.pi * 50 * t)
        return np.round(counts).astype(np.int16)

    def take(self, data: np.ndarray | None = None, contiguous: bool = True, **options: object) -> Features:
        data = self.block() if data is None else data
        buffers = [array("h", data[:, axis].tobytes()) for axis in range(3)]
        self.features.take(buffers, N, RATE_DHZ, SCALE_UG, 32767, contiguous, **options)  # type: ignore[arg-type]
        return self.features


@pytest.fixture
def stream() -> Stream:
    return Stream(Features(KERNELS, nominal_hz=RATE_DHZ // 10))


def test_velocity_is_none_until_the_record_is_full(stream: Stream) -> None:
    for block in range(RECORD_BLOCKS):
        features = stream.take()
        assert features.velocity.ready == features.new_velocity == (block == RECORD_BLOCKS - 1)
    assert features.velocity.fine[0] / 25600 == pytest.approx(1, rel=0.02)
    # Half a record later the next is full.
    assert [stream.take().new_velocity for _ in range(6)] == [False, True] * 3


def test_a_gap_empties_the_record_and_leaves_the_last_result_for_a_while(stream: Stream) -> None:
    for _ in range(RECORD_BLOCKS):
        stream.take()
    stream.take()
    features = stream.take(contiguous=False)
    assert not features.new_velocity and features.velocity.ready
    assert [stream.take().new_velocity for _ in range(3)] == [False, False, True]
    # With a gap before every block there is never another, and an old one is not told for ever.
    told = [stream.take(contiguous=False).velocity.ready for _ in range(5 * RECORD_BLOCKS)]
    assert told[0] and not told[-1] and sum(told) == 4 * RECORD_BLOCKS


@pytest.mark.parametrize("lost", [1, 4000])
def test_loss_inside_a_block_takes_velocity_away(stream: Stream, lost: int) -> None:
    for _ in range(RECORD_BLOCKS):
        stream.take()
    assert not stream.take(lost=lost).velocity.ready
    assert [stream.take().velocity.ready for _ in range(RECORD_BLOCKS)] == [False] * 3 + [True]


def test_one_value_on_every_axis_is_stuck_one_axis_is_not(stream: Stream) -> None:
    for _ in range(RECORD_BLOCKS):
        stream.take()
    silent = stream.block()
    silent[:, 1:] = 0
    assert not stream.take(silent).stuck
    assert stream.features.moments_valid.tolist() == [1, 0, 0]
    features = stream.take(np.tile(np.array([5, 0, -2048], np.int16), (N, 1)))
    assert features.stuck and not features.velocity.ready
    assert features.moments_valid.tolist() == [0, 0, 0]
    assert not stream.take().stuck


@pytest.mark.parametrize("extreme", [32767, -32768])
def test_a_clipped_sample_marks_every_reading_whose_record_holds_it(stream: Stream, extreme: int) -> None:
    for _ in range(RECORD_BLOCKS):
        assert not stream.take().clipped
    data = stream.block()
    data[7, 0] = extreme
    assert stream.take(data).clipped
    # It is in the records that end with the next block and with the third; the fifth has a new one.
    assert [stream.take().clipped for _ in range(6)] == [True, True, True, True, False, False]


def test_in_a_hurry_kurtosis_and_envelope_come_with_the_record(stream: Stream) -> None:
    assert [stream.take().whole for _ in range(3)] == [True] * 3, "there is time"
    assert stream.take(brief=True, contiguous=False).whole is False
    assert [stream.take(brief=True).whole for _ in range(3)] == [False, False, True]
    assert stream.features.new_velocity
    assert stream.features.has_moments()


def test_what_is_missing_is_what_fills_the_record(stream: Stream) -> None:
    stream.take()
    velocity = stream.features.velocity
    for left in (3, 2, 1):
        assert velocity.missing == left * N
        stream.take()
    assert velocity.count == 1 and velocity.missing == RECORD_BLOCKS // 2 * N, "the next begins half-way"
    stream.take(contiguous=False)
    assert velocity.missing == (RECORD_BLOCKS - 1) * N


def test_a_brief_block_leaves_the_costly_part_out_unless_it_is_the_last(stream: Stream) -> None:
    assert not stream.take(brief=True).has_moments()
    features = stream.take(brief=True, last=True)
    assert features.has_moments()
    assert features.kurtosis_c[0] == pytest.approx(150, abs=2), "a sine"
    assert features.skewness_c[0] == pytest.approx(0, abs=3)
    assert not features.has_envelope(), "1600 Hz leave no band for one"


def test_levels_in_mg(stream: Stream) -> None:
    data = stream.block()
    data[:, 1] = np.where(np.arange(N) % 2, 300, -100)
    features = stream.take(data)
    assert features.mean_mg[1] == 100 and features.rms_mg[1] == 200
    assert features.peak_mg[1] == 200 and features.peak_to_peak_mg[1] == 400
    data[:, 1] = -data[:, 1]
    assert stream.take(data).mean_mg[1] == -100


def test_what_was_known_is_forgotten_with_the_sensor(stream: Stream) -> None:
    for _ in range(RECORD_BLOCKS):
        stream.take()
    stream.features.forget()
    assert not stream.features.velocity.ready and not stream.features.has_moments()
    assert stream.features.moments_valid.tolist() == [0, 0, 0]


def test_a_rate_that_makes_no_sense_gives_no_velocity(stream: Stream) -> None:
    buffers = [array("h", stream.block()[:, axis].tobytes()) for axis in range(3)]
    for _ in range(RECORD_BLOCKS):
        stream.features.take(buffers, N, 0, SCALE_UG, 32767, True)
    assert not stream.features.velocity.ready and stream.features.rms_mg[0] > 0
