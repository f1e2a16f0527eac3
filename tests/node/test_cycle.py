"""One block: features, alarm levels, faults. The real alarm engine, the kernels' twins, sensors told what to say."""

from __future__ import annotations

import numpy as np
import pytest

from judder_core import schema, settings
from node.alarm.engine import Engine
from node.cycle import METRIC_RMS, METRIC_TEMPERATURE, Cycle
from node.dsp import decimate_twin, envelope_twin, fft_twin, moments_twin, spectrum_twin, twin
from node.dsp.features import Features
from node.message import build
from node.sensors import SensorError

N = 1024
SCALE_UG = 488


class Vibration:
    SCALE_UG = SCALE_UG
    CLIP = 32767
    BAND_HZ = (0, 6000)
    COARSE = False
    rate_dhz = 266_670
    contiguous = True
    lost_exact = True
    NOISY = True
    name = "fake"

    def __init__(self) -> None:
        # No sensor is without noise.
        self.data = np.random.default_rng(1).integers(-1, 2, (N, 3)).astype(np.int16)
        self.lost = 0
        self.fault: Exception | None = None
        self.identified = self.configured = 0

    def identify(self) -> None:
        self.identified += 1

    def configure(self, range_g: int) -> None:
        assert range_g == 16
        self.configured += 1

    def fill(self, buffers, n: int) -> int:
        if self.fault:
            raise self.fault
        for axis in range(3):
            for i in range(n):
                buffers[axis][i] = int(self.data[i, axis])
        return self.lost

    def sleep(self) -> None:
        pass


class Temperature:
    CONVERSION_MS = 150

    def __init__(self) -> None:
        self.value = 250
        self.fault: Exception | None = None
        self.started = self.reads = 0

    def identify(self) -> None:
        if self.fault:
            raise self.fault

    def start(self) -> None:
        if self.fault:
            raise self.fault
        self.started += 1

    def read(self) -> int:
        if self.fault:
            raise self.fault
        self.reads += 1
        return self.value

    def sleep(self) -> None:
        raise OSError(19)


def make(vibration: Vibration | None = None, temperature: Temperature | None = None) -> Cycle:
    limits = {
        "acceleration_rms_warning_mg": 1000,
        "acceleration_rms_danger_mg": 2000,
        "temperature_warning_dc": 600,
        "temperature_danger_dc": 800,
        "hysteresis_percent": 10,
    }
    kernels = (twin, moments_twin, envelope_twin, decimate_twin, fft_twin, spectrum_twin)
    engine = Engine({**settings.defaults(), **limits})
    return Cycle(Features(kernels), vibration, temperature, 16, N, engine)


def sine(amplitudes: tuple[float, float, float], mean: float = 0) -> np.ndarray:
    t = np.arange(N)[:, None] / N * 16
    # An axis that gave values goes on doing so.
    noise = np.where(np.arange(N)[:, None] % 2, 1, 0) * (np.array(amplitudes) == 0)
    return np.round(np.array(amplitudes) * np.sin(2 * np.pi * t) + mean + noise).astype(np.int16)


def test_features_equal_numpy() -> None:
    vibration = Vibration()
    vibration.data = sine((3000, 1500, 500), 2048)
    cycle = make(vibration)
    cycle.measure(0, True)
    g = vibration.data.astype(float) * SCALE_UG / 1000
    assert cycle.rms_mg == pytest.approx(g.std(axis=0), abs=0.51)
    # Peaks are taken about the mean rounded to a count.
    assert cycle.peak_mg == pytest.approx(np.abs(g - g.mean(axis=0)).max(axis=0), abs=1.0)
    assert cycle.axis == 1
    assert not cycle.clipped
    assert cycle.rate_dhz == 266_670


@pytest.mark.parametrize("extreme", [32767, -32768])
def test_one_sample_at_full_scale_is_clipping(extreme: int) -> None:
    vibration = Vibration()
    vibration.data[77, 1] = extreme
    cycle = make(vibration)
    cycle.measure(0, True)
    assert cycle.clipped
    vibration.data[77, 1] = 32766
    cycle.measure(0, True)
    assert not cycle.clipped


def test_alarm_rises_and_falls_with_hysteresis_and_says_why() -> None:
    vibration = Vibration()
    cycle = make(vibration)
    story = []
    for amplitude in (1000, 3000, 6500, 5500, 2800, 2600):
        vibration.data = sine((0, amplitude, 0))
        story.append(cycle.measure(0, True))
    rms = [round(a / np.sqrt(2) * 0.488) for a in (1000, 3000, 6500, 5500, 2800, 2600)]
    assert rms == [345, 1035, 2243, 1898, 966, 897]
    assert [[change[:3] for change in changes] for changes in story] == [
        [],
        [(METRIC_RMS, 2, 1)],
        [(METRIC_RMS, 2, 2)],
        [],  # 1898 is below 2000, and not below 90 % of it
        [(METRIC_RMS, 2, 1)],  # below 1800, and not below 900
        [(METRIC_RMS, 2, 0)],
    ]
    assert [change[3:] for changes in story for change in changes] == [
        pytest.approx((1035, 1000), abs=1),
        pytest.approx((2243, 2000), abs=1),
        pytest.approx((966, 2000), abs=1),
        pytest.approx((897, 1000), abs=1),
    ]


def test_a_lossy_block_decides_nothing() -> None:
    vibration = Vibration()
    vibration.data = sine((9000, 0, 0))
    vibration.lost = 3
    vibration.lost_exact = False
    cycle = make(vibration)
    assert cycle.measure(0, True) == ()
    assert (cycle.lost, cycle.lost_exact) == (3, False)
    assert cycle.engine.level == 0
    assert cycle.rms_mg is not None
    vibration.lost = 0
    assert cycle.measure(0, True)


def test_a_clipped_block_may_raise_the_alarm_and_never_lowers_it() -> None:
    vibration = Vibration()
    vibration.data = np.where(sine((1, 0, 0)) > 0, 32767, -32768).astype(np.int16)
    cycle = make(vibration)
    changes = cycle.measure(0, True)
    assert cycle.clipped
    assert [(metric, level) for metric, _axis, level, _value, _limit in changes] == [(2, 2)]
    # One sample at full scale in a quiet block: less than the limit, and still no word that it got better.
    vibration.data = sine((10, 0, 0))
    vibration.data[0] = 32767
    assert cycle.measure(1, True) == ()
    assert cycle.clipped
    assert cycle.engine.level == 2
    vibration.data = sine((10, 0, 0))
    assert cycle.measure(2, True) != ()
    assert cycle.engine.level == 0


def test_a_broken_thermometer_does_not_silence_the_vibration_alarm() -> None:
    vibration, temperature = Vibration(), Temperature()
    vibration.data = sine((3000, 0, 0))
    temperature.fault = SensorError("cold")
    cycle = make(vibration, temperature)
    assert [change[:3] for change in cycle.measure(0, True)] == [(METRIC_RMS, 1, 1)]
    assert cycle.fault


@pytest.mark.parametrize("fault", [SensorError("gone"), OSError(5)])
def test_a_sensor_that_fails_is_a_fault_keeps_the_alarm_and_is_tried_again(fault: Exception) -> None:
    vibration = Vibration()
    vibration.data = sine((9000, 0, 0))
    cycle = make(vibration)
    cycle.measure(0, True)
    assert cycle.engine.level == 2
    vibration.fault = fault
    assert cycle.measure(0, True) == ()
    assert cycle.fault
    assert cycle.rms_mg is None
    assert cycle.engine.level == 2
    vibration.fault = None
    assert cycle.measure(0, True) == ()
    assert not cycle.fault
    assert vibration.identified == vibration.configured == 2


def test_temperature_has_its_own_alarm_and_its_own_fault() -> None:
    temperature = Temperature()
    cycle = make(None, temperature)
    assert cycle.measure(0, True) == ()
    temperature.value = 810
    assert cycle.measure(0, True) == ((METRIC_TEMPERATURE, 0, 2, 810, 800),)
    temperature.fault = SensorError("cold")
    assert cycle.measure(0, True) == ()
    assert cycle.temperature_dc is None
    assert cycle.fault
    assert cycle.why == "cold"
    assert cycle.engine.level == 2


def test_an_impatient_cycle_asks_only_for_finished_conversions() -> None:
    temperature = Temperature()
    cycle = make(None, temperature)
    for now_ms in range(0, 1000, 10):
        cycle.measure(now_ms, False)
    assert 5 <= temperature.started <= 7
    assert temperature.reads == temperature.started - 1


def test_levels_go_through_a_deep_sleep() -> None:
    vibration = Vibration()
    vibration.data = sine((3000, 0, 0))
    cycle = make(vibration)
    cycle.measure(0, True)
    awake = make(vibration)
    assert awake.engine.restore(cycle.engine.state())
    assert awake.measure(0, True) == (), "known already, so not announced again"


def test_sleep_forgives_a_sensor_that_does_not_answer() -> None:
    make(Vibration(), Temperature()).sleep()


# --- messages


def test_reading_has_every_value_in_its_place_and_is_never_off_the_scale() -> None:
    bits = build.state(2, 3, True, True, False, True)
    values = build.reading(bits, 251, 7, [1, 2, 70_000], [4, 5, 6], 3700, 266_670, 9)
    named = dict(zip([row[0] for row in schema.READING_FIELDS], values, strict=False))
    assert bits == 2 << 3 | 3 << 5 | 1 << 7 | 1 << 8 | 1 << 11
    assert named["acceleration_rms_z"] == 65_535
    assert {name: value for name, value in named.items() if value is not None} == {
        "state": bits,
        "temperature": 251,
        "sequence": 7,
        "acceleration_rms_x": 1,
        "acceleration_rms_y": 2,
        "acceleration_rms_z": 65_535,
        "acceleration_peak_x": 4,
        "acceleration_peak_y": 5,
        "acceleration_peak_z": 6,
        "battery": 3700,
        "sample_rate": 266_670,
        "samples_lost": 9,
    }
    cold = build.reading(bits, -9999, 0, None, None, None, 0, 0)
    assert cold[2] == -2731, "absolute zero is the table's limit"


def test_age_goes_in_when_the_message_goes_out() -> None:
    from judder_core import codec

    waiting = build.pack(schema.READING, build.reading(0, 250, 7, [1, 2, 3], [4, 5, 6], 3700, 266_670, 0))
    kind, values, _ = codec.decode(build.finish(waiting, 3600, 4096))
    assert (kind, values[4]) == (schema.READING, 3600)
    assert values[27] == 266_670
    short = build.finish(waiting, 3600, 11)
    assert len(short) <= 11
    assert codec.decode(short)[1][2] == 250, "the essentials stay"
    alarm = build.pack(schema.ALARM, build.alarm(8, 2, 1035, 1000, 7))
    assert codec.decode(build.finish(alarm, 5, 4096))[1][5] == 5
    assert len(build.finish(alarm, 0xFFFFFFFF, 11)) <= 11


def test_capture_fragments_make_the_block_again() -> None:
    from array import array

    from judder_core import codec

    samples = array("h", [(i * 37) % 65_536 - 32_768 for i in range(4096)])
    for limit in (222, 600, 2200):
        parts = build.capture(3, 2, 9, 266_670, 488, samples, 4096, limit)
        data = b""
        for index, part in enumerate(parts):
            frame = build.finish(build.pack(schema.CAPTURE, part), 0, limit)
            assert len(frame) <= limit
            values = codec.decode(frame)[1]
            assert values[:5] == [3, index, len(parts), 0, 2]
            assert values[9] == len(data) // 2
            data += values[10]
        assert data == samples.tobytes()
        assert len(parts) == build.fragments_of(4096, limit)
    assert build.fragments_of(4096, 222) == 48, "LoRaWAN at its widest"
    assert build.fragments_of(4096, 40) == 0
    assert build.capture(3, 2, 9, 266_670, 488, samples, 4096, 40) == [], "no link so narrow carries a waveform"
