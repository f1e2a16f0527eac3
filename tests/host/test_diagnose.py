"""Diagnosis of bearings with known defects: synthetic ones of any geometry, speed and slip, and spectra by hand."""

import math

import numpy as np
import pytest
from tests.host.bearing_faults import FAULTS, random_case

from judder.diagnose import Bearing, diagnose
from judder.diagnose.envelope import envelope_spectrum
from judder.errors import InputError
from judder.virtual import machines

BEARING = Bearing.known("6205")


@pytest.mark.parametrize(("fault", "least"), [("outer race", 35), ("inner race", 35), ("rolling element", 35)])
def test_any_bearing_speed_and_slip(fault: str, least: int) -> None:
    """Of 40 bearings with ringing 0.7 times as strong as the noise, never a wrong name: the right one, alone or with a
    fault whose rate lies within the slip of it, or nothing (mostly rates on a harmonic of the shaft)."""
    right = 0
    for seed in range(40):
        case = random_case(fault, seed)
        found = diagnose(case.samples(), case.rate_hz, case.rpm, Bearing(**case.multiples))
        if found.findings:
            first = found.findings[0]
            assert fault in (first.fault, *first.alternatives), (case, found.lines())
            assert found.verdict.startswith("consistent with a")
            right += 1
        if found.fault == fault:
            assert abs(found.findings[0].slip - case.slip) < 0.004
    assert right >= least


def test_cage_shares_its_harmonics_with_the_outer_race() -> None:
    """BPFO is the n-th harmonic of FTF, so a cage that strikes once a turn can look like an outer race; seldom."""
    names = []
    for seed in range(30):
        case = random_case("cage", seed)
        names.append(diagnose(case.samples(), case.rate_hz, case.rpm, Bearing(**case.multiples)).fault)
    assert names.count("cage") >= 24
    assert None not in names


def test_all_faults_are_covered() -> None:
    found = diagnose(np.random.default_rng(1).standard_normal(40000), 12000, 1797, BEARING)
    assert set(FAULTS) == {"outer race", "inner race", "rolling element", "cage"}
    assert (found.fault, found.findings, found.verdict) == (None, (), "nothing found")


def test_our_own_synthetic_machine() -> None:
    machine = machines.bearing_fault()  # an outer race, 3.5848 per turn, at 29.95 Hz
    found = diagnose(machine.samples(0, 48000, 12000)[:, 0], 12000, 1797, BEARING)
    assert found.verdict == "consistent with an outer-race defect"
    assert found.shaft_found
    assert found.shaft_hz == pytest.approx(29.95, abs=0.02)
    labels = [item.label for item in found.findings[0].evidence]
    assert labels[:4] == ["BPFO", "2 x BPFO", "3 x BPFO", "4 x BPFO"]
    text = "\n".join(found.lines())
    assert " is " not in text and "above the noise floor" in text
    assert found.to_dict()["findings"][0]["evidence"][0]["expected_hz"] == pytest.approx(3.5848 * 29.95, abs=0.1)


def test_speed_is_corrected_by_the_shafts_own_lines() -> None:
    """0.8 % off is 5 r/min of a four-pole motor's slip; eight times that on the eighth harmonic."""
    samples = machines.bearing_fault().samples(0, 48000, 12000)[:, 0]
    found = diagnose(samples, 12000, 1797 * 1.008, BEARING)
    assert found.fault == "outer race"
    assert found.shaft_hz == pytest.approx(29.95, abs=0.02)
    assert abs(found.findings[0].slip) < 0.004


def test_a_speed_that_is_wrong_finds_nothing() -> None:
    samples = machines.bearing_fault().samples(0, 48000, 12000)[:, 0]
    assert diagnose(samples, 12000, 1797 * 1.1, BEARING).fault is None


def test_envelope_of_a_modulated_tone() -> None:
    """(1 + m cos) a cos: the squared envelope is a^2 (1 + m cos)^2, so relative to its mean 1 + m^2 / 2 the line at the
    modulation is 2 m and at twice that m^2 / 2 (trigonometry)."""
    rate, n, m = 12000.0, 48000, 0.4
    t = np.arange(n) / rate
    samples = 5 + 3 * (1 + m * np.cos(2 * np.pi * 90 * t)) * np.cos(2 * np.pi * 3000 * t)
    spectrum = envelope_spectrum(samples, rate, 30)
    mean = 1 + m * m / 2
    assert spectrum.band_rms == pytest.approx(3 * math.sqrt(mean / 2), rel=1e-6)
    lines = {round(line.hz): line.depth for line in spectrum.lines()}
    assert set(lines) == {90, 180}
    assert lines[90] == pytest.approx(2 * m / mean, rel=1e-3)
    assert lines[180] == pytest.approx(m * m / 2 / mean, rel=1e-3)


def test_noise_floor_is_the_mean_of_the_noise() -> None:
    """White noise: the median of a bin's exponential power, over ln 2, against the mean of the powers themselves."""
    samples = np.random.default_rng(3).standard_normal(120000)
    spectrum = envelope_spectrum(samples, 12000, 30, top_hz=1000)
    part = slice(200, -200)
    assert np.mean(spectrum.floor[part] ** 2) == pytest.approx(np.mean(spectrum.depth[part] ** 2), rel=0.05)


def test_short_waveform_says_what_it_cannot_tell() -> None:
    """4096 samples at 26.7 kHz are 4.6 turns: shaft and race rates are fewer than two bins apart."""
    found = diagnose(machines.bearing_fault().samples(0, 4096, 26667)[:, 0], 26667, 1797, BEARING)
    assert found.fault is None
    assert found.verdict.startswith("cannot say: 0.15 s")
    assert "takes 0.23 s of waveform" in found.notes[0]  # 2 bins / (0.2865 x 29.95 Hz): the rolling element


def test_rate_on_a_harmonic_of_the_shaft_is_not_looked_for() -> None:
    bearing = Bearing.from_multiples(4.0, 6.0)
    found = diagnose(machines.misalignment().samples(0, 48000, 12000)[:, 0], 12000, 1797, bearing)
    assert found.verdict == "nothing found; not looked for: outer race, inner race"


def test_any_sequence_of_numbers_will_do() -> None:
    samples = (machines.bearing_fault().samples(0, 24000, 12000)[:, 0] * 2048).round().astype(int).tolist()
    assert diagnose(samples, 12000, 1797, BEARING).fault == "outer race"


def test_saturated_waveform_is_not_judged() -> None:
    """2 g of range for strokes of 4 g and an imbalance of 3 g: the tops are gone, so are the strokes on them."""
    bearing = machines.bearing_fault().samples(0, 48000, 12000)[:, 0]
    shaft = machines.imbalance(3.0).samples(0, 48000, 12000)[:, 0]
    found = diagnose(np.clip(bearing + shaft, -2, 2), 12000, 1797, BEARING)
    assert found.verdict.startswith("cannot say") and "at the ends" in found.verdict
    assert found.findings == ()
    # Strokes alone that clip now and then are still strokes.
    assert diagnose(np.clip(bearing, -2, 2), 12000, 1797, BEARING).fault == "outer race"


@pytest.mark.parametrize(
    ("samples", "rate_hz", "rpm", "words"),
    [
        (np.zeros((400, 3)), 12000, 1797, "one axis"),
        (np.zeros(100), 12000, 1797, "100 samples"),
        (np.append(np.zeros(400), np.nan), 12000, 1797, "not numbers"),
        (np.zeros(4096), 0, 1797, "sample rate"),
        (np.zeros(4096), math.nan, 1797, "sample rate"),
        (np.zeros(4096), 12000, 0, "r/min"),
        (np.zeros(4096), 12000, math.inf, "r/min"),
        (np.zeros(4096), 1000, 600, "record faster"),
        (np.zeros(4096), 2000, 6000, "record faster"),
    ],
)
def test_what_cannot_be_used(samples: np.ndarray, rate_hz: float, rpm: float, words: str) -> None:
    with pytest.raises(InputError) as raised:
        diagnose(samples, rate_hz, rpm, BEARING)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
