"""A waveform as a node sends it, from fragments to a verdict; and the float64 velocity that pictures show."""

import struct

import numpy as np
import pytest

from judder import decode
from judder.decode.capture import Assembler
from judder.decode.records import Capture
from judder.diagnose import Bearing, diagnose
from judder.diagnose.velocity import velocity_spectrum
from judder.virtual import machines
from judder_core import codec, schema

RATE_HZ, SCALE_UG, SAMPLES = 26667.0, 488, 4096
SHAFT_HZ = 49.2  # a two-pole motor at 50 Hz: at 26.7 kHz a block has 7.6 turns of it, enough to tell rates apart


def fragments(samples_g: np.ndarray) -> list[Capture]:
    counts = np.clip(np.rint(samples_g * 1e6 / SCALE_UG), -32768, 32767).astype(int).tolist()
    out = []
    for index in range(0, SAMPLES, 1000):
        part = counts[index : index + 1000]
        data = struct.pack(f"<{len(part)}h", *part)
        row = [1, index // 1000, 5, 0, 1, 3, round(10 * RATE_HZ), SCALE_UG, SAMPLES, index, data]
        record = decode(codec.encode(schema.CAPTURE, row))
        assert isinstance(record, Capture)
        out.append(record)
    return out


@pytest.mark.parametrize("shape", ["outer race", "healthy"])
def test_one_block_of_a_node(shape: str) -> None:
    made = machines.bearing_fault if shape == "outer race" else machines.misalignment
    samples = made(shaft_hz=SHAFT_HZ).samples(0, SAMPLES, RATE_HZ)[:, 0]
    assembler = Assembler()
    waveforms = [found for part in fragments(samples) if (found := assembler.add(part, "node"))]
    waveform = waveforms[0]
    found = diagnose(waveform.in_mg(), waveform.sample_rate_hz, 60 * SHAFT_HZ, Bearing.known("6205"))
    assert found.verdict == ("consistent with an outer-race defect" if shape == "outer race" else "nothing found")


def test_velocity_of_one_g() -> None:
    """1 g RMS at 100 Hz is 9806.65 / (2 pi 100) = 15.608 mm/s RMS, whatever the rate and with gravity on top."""
    for rate_hz in (3200.0, 12000.0, 26667.0):
        t = np.arange(round(3.3 * rate_hz)) / rate_hz
        found = velocity_spectrum(1 + np.sqrt(2) * np.sin(2 * np.pi * 100 * t), rate_hz)
        assert found.overall_mm_s == pytest.approx(15.608, rel=1e-3)
        assert found.rms_mm_s.max() == pytest.approx(15.608, rel=2e-3)
        assert found.hz[found.rms_mm_s.argmax()] == pytest.approx(100, abs=0.5)


def test_velocity_of_noise() -> None:
    """White noise of density d: sqrt of the integral of (d g / (2 pi f))^2 over the band."""
    rate_hz, rms_g = 12000.0, 0.5
    found = velocity_spectrum(rms_g * np.random.default_rng(2).standard_normal(600000), rate_hz)
    density = rms_g / np.sqrt(rate_hz / 2)
    expected = density * 9806.65 / (2 * np.pi) * np.sqrt(1 / 10 - 1 / 1000)
    assert found.overall_mm_s == pytest.approx(expected, rel=0.05)
