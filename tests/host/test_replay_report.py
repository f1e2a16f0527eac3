"""A replay's numbers put together, against arithmetic by hand; what was not sent stays null."""

import math

import numpy as np
import pytest

from judder.decode.records import Alarm, Axes, Reading, Spectrum
from judder.virtual import replay_notes, replay_report, replay_text
from judder.virtual.replay import Run
from judder.virtual.scenario import synthetic
from judder_core import settings


def run_of(*records: object, **values: object) -> Run:
    run = Run(synthetic(), 4096, values={**settings.defaults(), **values})
    run.messages = [(float(at), record) for at, record in enumerate(records)]  # type: ignore[misc]
    return run


def axes(x: float | None, y: float | None = None) -> Axes:
    return Axes.of(x=x, y=y)


def spectrum(sequence: int, *lines: tuple[float, float], axis: str = "x") -> Spectrum:
    return Spectrum.of(axis=axis, sequence=sequence, resolution_hz=0.5, lines=lines)


def test_rms_peak_and_kurtosis_are_those_of_the_blocks_as_one() -> None:
    """Against numpy on the whole, blocks of one mean: kurtosis is E[x^4] / E[x^2]^2."""
    rng = np.random.default_rng(5)
    parts = [rng.standard_normal(4096) * scale for scale in (50, 400, 120)]
    parts = [part - part.mean() for part in parts]
    readings = [
        Reading.of(
            sequence=index,
            acceleration_rms_mg=axes(part.std()),
            acceleration_peak_mg=axes(np.abs(part).max()),
            velocity_rms_mm_s=axes(part.std() / 100),
            kurtosis=axes(np.mean(part**4) / part.var() ** 2),
        )
        for index, part in enumerate(parts)
    ]
    found = replay_report.summary(run_of(*readings), "x")["channels"]["x"]
    whole = np.concatenate(parts)
    assert found["rms_mg"] == pytest.approx(whole.std(), abs=1e-3)
    assert found["velocity_rms_mm_s"] == pytest.approx(whole.std() / 100, abs=1e-3)
    assert found["peak_mg"] == np.abs(whole).max()
    assert found["kurtosis"] == pytest.approx(np.mean(whole**4) / whole.var() ** 2, abs=0.01)
    assert found["envelope_rms_mg"] is None


def test_lines_of_several_spectra() -> None:
    """The same line three times: RMS of its velocities. One that shows once in three: a third of its power."""
    run = run_of(
        *(Reading.of(sequence=n, acceleration_rms_mg=axes(1)) for n in range(3)),
        spectrum(0, (29.9, 3.0), (120.0, 1.0)),
        spectrum(1, (30.1, 4.0)),
        spectrum(2, (30.0, 5.0)),
        spectrum(2, (60.0, 9.0), axis="y"),
    )
    found = replay_report.summary(run, "x")["channels"]
    first, second = found["x"]["lines"]
    assert first["velocity_rms_mm_s"] == pytest.approx(math.sqrt((9 + 16 + 25) / 3), abs=1e-3)
    assert first["hz"] == pytest.approx((29.9 * 9 + 30.1 * 16 + 30.0 * 25) / 50, abs=0.01)
    assert second == {"hz": 120.0, "velocity_rms_mm_s": round(math.sqrt(1 / 3), 3)}
    assert found["y"]["lines"] == [{"hz": 60.0, "velocity_rms_mm_s": 9.0}]
    assert found["z"]["lines"] is None
    block = replay_report.blocks(run)[0]
    assert block["channels"]["x"]["lines"][1] == {"hz": 120.0, "velocity_rms_mm_s": 1.0}
    assert block["channels"]["y"]["lines"] is None


def test_eight_strongest_lines() -> None:
    lines = [(10.0 * n, float(n)) for n in range(1, 9)]
    run = run_of(Reading.of(sequence=0), spectrum(0, *lines), spectrum(1, *((hz + 200, rms) for hz, rms in lines)))
    found = replay_report.summary(run, "x")["channels"]["x"]["lines"]
    assert len(found) == 8
    assert found[0]["velocity_rms_mm_s"] == round(8 / math.sqrt(2), 3)


def test_strongest_line_of_a_reading_without_a_spectrum() -> None:
    run = run_of(Reading.of(sequence=0, line_frequency_hz=axes(29.9), line_velocity_rms_mm_s=axes(1.25)))
    expected = [{"hz": 29.9, "velocity_rms_mm_s": 1.25}]
    assert replay_report.blocks(run)[0]["channels"]["x"]["lines"] == expected
    assert replay_report.summary(run, "x")["channels"]["x"]["lines"] == expected


def test_flags_zone_and_alarm() -> None:
    run = run_of(
        Reading.of(sequence=0, zone="A", sample_rate_hz=12000.0, band_low_hz=10.0, band_high_hz=1000, samples_lost=0),
        Alarm.of(sequence=1, alarm_level="warning", metric="velocity_rms", value=3.1, limit=2.8, unit="mm/s"),
        Reading.of(sequence=1, zone="C", alarm_level="warning", sample_rate_hz=12001.0, samples_lost=0),
        Reading.of(sequence=2, clipped=True, sample_rate_hz=12002.0, samples_lost=7),
    )
    found = replay_report.summary(run, "x")
    assert (found["zone"], found["alarm"], found["clipped"], found["lost"]) == ("C", "warning", True, 7)
    assert (found["fs_hz"], found["band_hz"]) == (12002.0, [10.0, 1000])
    assert [alarm["metric"] for alarm in found["alarms"]] == ["velocity_rms"]
    text = "\n".join(replay_text.lines(run, found, {}))
    assert "CLIPPED, 7 samples LOST" in text and "no velocity" in text
    assert "no zone: no machine profile" in text and "alarm: warning" in text


def test_samples_lost_nobody_knows_how_many() -> None:
    run = run_of(Reading.of(sequence=0, samples_lost=7, lossy=True), Reading.of(sequence=1, lossy=True))
    found = replay_report.summary(run, "x")
    assert found["lost"] is None
    assert "samples LOST" in "\n".join(replay_text.lines(run, found, {}))
    assert replay_report.summary(run_of(Reading.of(sequence=0)), "x")["lost"] == 0


def test_nothing_sent_is_null_and_not_zero() -> None:
    found = replay_report.summary(run_of(Reading.of(sequence=0)), "x")
    for channel in found["channels"].values():
        assert set(channel.values()) == {None}
    assert (found["fs_hz"], found["band_hz"], found["zone"], found["alarm"]) == (None, None, None, "none")


def test_words_of_a_zone() -> None:
    profile = {"machine_group": 2, "machine_speed_rpm": 1480, "machine_power_w": 22000}
    run = run_of(Reading.of(sequence=0, zone="B"), **profile)
    assert replay_notes.zone_words(run, {"zone": "B"}) == "zone B after ISO 20816-3, limits 1.4 / 2.8 / 4.5 mm/s"
    assert "nothing measured" in replay_notes.zone_words(run, {"zone": None})
    small = run_of(**{**profile, "machine_power_w": 11000})
    assert replay_notes.zone_words(small, {"zone": None}) == "no zone: 11000 W: the standard begins above 15 kW"
