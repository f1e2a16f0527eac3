"""TMP117, synthetic sensor and battery drivers against chips faked at their registers. On CPython.

Accelerometers: test_sensors_fifo.py. Other thermometers: test_sensors_slow.py.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import pytest
from chips import Time, Tmp117

from node.sensors import SensorError, battery, synthetic, tmp117


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    made = Time()
    monkeypatch.setattr(tmp117, "time", made)
    yield made


def buffers(n: int) -> tuple[array, array, array]:
    return tuple([array("h", bytes(2 * n)) for _ in range(3)])


# --- TMP117


# Data sheet table 8-1: examples of temperature data.
@pytest.mark.parametrize(
    ("raw", "decidegrees"),
    [(0x8000, -2560), (0xF380, -250), (0xFFF0, -1), (0xFFFF, 0), (0, 0), (0x0001, 0), (0x0010, 1), (0x0C80, 250)]
    + [(0x3200, 1000), (0x7FFF, 2560)],
)
def test_conversion_of_the_data_sheets_examples(raw: int, decidegrees: int) -> None:
    assert tmp117.decidegrees(raw) == decidegrees


def test_temperature_of_one_conversion(clock: Time) -> None:
    chip = Tmp117(clock, 0x0C80)
    sensor = tmp117.TMP117(chip)
    sensor.identify()
    sensor.start()
    before = clock.now_us
    clock.sleep_ms(154)
    assert sensor.read() == 250
    assert clock.now_us - before < 156_000, "the conversion was done while the block was taken"
    chip.raw = 0xF380
    assert sensor.read() == -250, "without start() it converts and waits"
    assert chip.configuration >> 10 & 3 == 1, "shut down again"


def test_absent_wrong_and_stuck_thermometers_are_told_apart(clock: Time) -> None:
    chip = Tmp117(clock)
    sensor = tmp117.TMP117(chip)
    chip.absent = True
    with pytest.raises(SensorError, match="does not answer"):
        sensor.identify()
    with pytest.raises(SensorError, match="does not answer"):
        sensor.read()
    sensor.sleep()
    chip.absent = False
    chip.id = 0x0190
    with pytest.raises(SensorError, match="0x0190"):
        sensor.identify()
    chip.id = 0x0117
    chip.stuck = True
    with pytest.raises(SensorError, match="no result"):
        sensor.read()
    assert sensor.self_test()[0][1] is False


def test_no_result_yet_is_never_taken_for_minus_256_degrees(clock: Time) -> None:
    chip = Tmp117(clock, 0x8000)
    with pytest.raises(SensorError, match="no result"):
        tmp117.TMP117(chip).read()


# --- synthetic


def test_synthetic_waveform_is_what_it_says() -> None:
    sensor = synthetic.Vibration(wait_ms=lambda _ms: None)
    n = 4096
    block = buffers(n)
    parts = []
    for _ in range(3):
        assert sensor.fill(block, n) == 0
        parts.append(np.array(block, dtype=float).T)
    data = np.concatenate(parts)
    t = np.arange(len(data)) / 25_600
    s, d = np.sin(2 * np.pi * 100 * t), np.sin(2 * np.pi * 200 * t)
    expected = np.column_stack([1000 * s + 250 * d, 500 * s, 250 * d + 2048])
    # A count for the table's rounding and one for each division that rounds down.
    assert np.abs(data - expected).max() <= 2.0
    rms_mg = data[: 256 * 48].std(axis=0) * 0.488
    assert rms_mg == pytest.approx([355.7, 172.5, 86.3], abs=0.2)
    again = synthetic.Vibration(wait_ms=lambda _ms: None)
    again.fill(block, n)
    assert (parts[0] == np.array(block, dtype=float).T).all()


def test_synthetic_sine_is_the_rounded_sine() -> None:
    exact = 1000 * np.sin(2 * np.pi * np.arange(256) / 256)
    assert [synthetic.sine(k) for k in range(256)] == np.round(exact).astype(int).tolist()


def test_synthetic_block_takes_as_long_as_a_real_one() -> None:
    waits: list[int] = []
    synthetic.Vibration(wait_ms=waits.append).fill(buffers(4096), 4096)
    assert waits == [160]


# --- battery


def test_battery_through_a_divider() -> None:
    class Adc:
        values = iter([1_850_000] * 4 + [1_860_000] * 4)

        def read_uv(self) -> int:
            return next(self.values)

    assert battery.Battery(Adc(), 2, 1).read_mv() == 3710
