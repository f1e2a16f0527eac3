"""IIS3DWB, TMP117, synthetic sensor and battery drivers against chips faked at their registers. On CPython."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Iterator

import numpy as np
import pytest
from chips import Iis3dwb, Time, Tmp117

from node.sensors import SensorError, battery, iis3dwb, synthetic, tmp117, unpack_twin


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    made = Time()
    monkeypatch.setattr(iis3dwb, "time", made)
    monkeypatch.setattr(tmp117, "time", made)
    yield made


def sensor_on(chip: Iis3dwb, range_g: int = 16) -> iis3dwb.IIS3DWB:
    sensor = iis3dwb.IIS3DWB(chip, unpack_twin)
    sensor.identify()
    sensor.configure(range_g)
    return sensor


def buffers(n: int) -> tuple[array, array, array]:
    return tuple([array("h", bytes(2 * n)) for _ in range(3)])


def steps(values: array) -> set[int]:
    return set(np.diff(np.array(values, dtype=np.int64)).tolist())


# --- IIS3DWB


def test_another_chip_is_named_with_what_it_said(clock: Time) -> None:
    chip = Iis3dwb(clock)
    chip.id = 0x6B
    with pytest.raises(SensorError, match=r"SPI 1, chip select 10.*0x6b"):
        iis3dwb.IIS3DWB(chip, unpack_twin).identify()


# Data sheet table 2 (sensitivity) and register CTRL1_XL (FS_XL: 00 2 g, 01 16 g, 10 4 g, 11 8 g).
@pytest.mark.parametrize(("range_g", "bits", "ug"), [(2, 0, 61), (16, 1, 488), (4, 2, 122), (8, 3, 244)])
def test_full_scale(clock: Time, range_g: int, bits: int, ug: int) -> None:
    chip = Iis3dwb(clock)
    sensor = sensor_on(chip, range_g)
    assert ug == sensor.SCALE_UG
    sensor.fill(buffers(256), 256)
    assert chip.registers[0x10] == 0xA0 | bits << 2


def test_unknown_range_is_refused_before_anything_is_written(clock: Time) -> None:
    chip = Iis3dwb(clock)
    with pytest.raises(ValueError, match="3 g"):
        iis3dwb.IIS3DWB(chip, unpack_twin).configure(3)
    assert chip.writes == []


@pytest.mark.parametrize("n", [256, 264, 1000, 4096])
def test_blocks_are_the_chips_samples_and_join_without_a_gap(clock: Time, n: int) -> None:
    sensor = sensor_on(Iis3dwb(clock))
    block = buffers(n)
    last = None
    for index in range(6):
        assert sensor.fill(block, n) == 0
        assert sensor.contiguous == (index > 0)
        assert steps(block[0]) == {1}
        assert steps(block[1]) == {-1}
        assert set(block[2]) == {2048}
        if last is not None:
            assert block[0][0] == last + 1
        last = block[0][n - 1]
        clock.sleep_ms(5)


@pytest.mark.parametrize("rate_hz", [26_667.0, 25_400.0, 28_111.5, 12_000.0])
def test_sample_rate_is_measured(clock: Time, rate_hz: float) -> None:
    sensor = sensor_on(Iis3dwb(clock, rate_hz))
    block = buffers(4096)
    sensor.fill(block, 4096)
    # One word in 4096 either way.
    assert sensor.rate_dhz == pytest.approx(rate_hz * 10, rel=2 / 4096)
    for _ in range(40):
        sensor.fill(block, 4096)
    assert sensor.rate_dhz == pytest.approx(rate_hz * 10, rel=1e-4)


def test_rate_and_stream_survive_the_wrap_of_the_ticks(clock: Time) -> None:
    clock.now_us = Time.PERIOD - 300_000
    sensor = sensor_on(Iis3dwb(clock))
    block = buffers(4096)
    for _ in range(5):
        assert sensor.fill(block, 4096) == 0
        assert sensor.rate_dhz == pytest.approx(266_670, rel=1e-3)


def test_rate_stays_right_when_the_past_is_forgotten(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    # As after hours, with a memory of two seconds instead of two minutes.
    monkeypatch.setattr(iis3dwb, "_ANCHOR_US", 1 << 21)
    chip = Iis3dwb(clock, 26_800)
    sensor = sensor_on(chip)
    block = buffers(4096)
    longest_us = 0
    for _ in range(70):
        assert sensor.fill(block, 4096) == 0
        longest_us = max(longest_us, sensor._span_us)
        assert sensor.rate_dhz == pytest.approx(268_000, rel=1e-3)
    assert longest_us < 1 << 22


def test_coming_back_too_late_starts_afresh_and_loses_nothing_inside_the_block(clock: Time) -> None:
    sensor = sensor_on(Iis3dwb(clock))
    block = buffers(1024)
    sensor.fill(block, 1024)
    clock.sleep_ms(25)  # the FIFO holds 19.2 ms
    assert sensor.fill(block, 1024) == 0
    assert not sensor.contiguous
    assert steps(block[0]) == {1}


def test_samples_lost_inside_a_block_are_counted(clock: Time) -> None:
    chip = Iis3dwb(clock)
    sensor = sensor_on(chip)
    block = buffers(4096)
    sensor.fill(block, 1024)
    stall_ms = 30
    calls = 0
    unpack = unpack_twin.unpack

    class Stalling:
        STATE_WORDS = unpack_twin.STATE_WORDS

        @staticmethod
        def unpack(*arguments: object) -> None:
            nonlocal calls
            calls += 1
            unpack(*arguments)
            if calls == 10:
                clock.sleep_ms(stall_ms)

    sensor._kernel = Stalling
    lost = sensor.fill(block, 4096)
    gap = [step - 1 for step in np.diff(np.array(block[0], dtype=np.int64)).tolist() if step != 1]
    assert len(gap) == 1
    assert lost == pytest.approx(gap[0], abs=2)
    assert sensor.fill(block, 4096) == 0
    assert sensor.rate_dhz == pytest.approx(266_670, rel=1e-3)


def test_words_of_other_sensors_are_left_out(clock: Time) -> None:
    chip = Iis3dwb(clock)
    chip.extra_tags = dict.fromkeys(range(0, 5000, 97), 0x03)  # temperature, register FIFO_DATA_OUT_TAG
    sensor = sensor_on(chip)
    block = buffers(1000)
    assert sensor.fill(block, 1000) == 0
    assert steps(block[0]) == {1}


def test_a_chip_that_stops_is_an_error_not_a_hang_and_can_come_back(clock: Time) -> None:
    chip = Iis3dwb(clock)
    sensor = sensor_on(chip)
    block = buffers(1024)
    sensor.fill(block, 1024)
    chip.dead = True
    before = clock.now_us
    with pytest.raises(SensorError, match="delivers no samples"):
        sensor.fill(block, 1024)
    assert clock.now_us - before < 1_000_000
    chip.dead = False
    sensor.configure(16)
    assert sensor.fill(block, 1024) == 0
    assert steps(block[0]) == {1}


def test_sleep_powers_down_and_the_next_fill_wakes_it(clock: Time) -> None:
    chip = Iis3dwb(clock)
    sensor = sensor_on(chip)
    block = buffers(256)
    sensor.fill(block, 256)
    sensor.sleep()
    assert chip.registers[0x10] >> 5 == 0
    clock.sleep_ms(10_000)
    assert sensor.fill(block, 256) == 0
    assert not sensor.contiguous
    assert chip.registers[0x10] == 0xA4


def test_self_test_holds_the_response_against_the_data_sheet(clock: Time) -> None:
    chip = Iis3dwb(clock, sample=lambda k: ((k % 3) - 1, 0, 8197))
    sensor = sensor_on(chip, 8)
    checks = sensor.self_test()
    assert [name for name, ok, *_rest in checks if not ok] == []
    # 13000 counts of 0.122 mg: 4 g is the range the limits are for.
    assert {check[0]: check[2] for check in checks}["self-test x"] == pytest.approx(1586, abs=2)
    assert sensor.SCALE_UG == 244, "back to the range it had"
    chip.self_test_counts = (13_000, 300, -14_000)
    assert [name for name, ok, *_rest in sensor.self_test() if not ok] == ["self-test y"]
    chip.id = 0
    assert sensor.self_test()[0][1] is False


def test_self_test_notices_a_wrong_rate(clock: Time) -> None:
    chip = Iis3dwb(clock, rate_hz=20_000, sample=lambda _k: (0, 0, 8197))
    assert "sample rate" in [name for name, ok, *_rest in sensor_on(chip).self_test() if not ok]


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


def test_fill_keeps_no_memory(clock: Time) -> None:
    # CPython's own count; the 0 bytes of MicroPython's heap are shown on the virtual board.
    sensor = sensor_on(Iis3dwb(clock))
    block = buffers(1024)
    sensor.fill(block, 1024)
    tracemalloc.start()
    for _ in range(5):
        sensor.fill(block, 1024)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 4096
