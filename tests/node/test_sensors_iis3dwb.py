"""IIS3DWB: what only it has. Time stamps, 512 words of FIFO, words of other sensors. On CPython, against its model."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from chips import Time
from parts_bench import Numbered, Spi, use_clock

from judder.virtual.chips import iis3dwb_registers as reg
from judder.virtual.chips.iis3dwb import Iis3dwb
from node.sensors import iis3dwb, unpack_twin

N = 4096


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    use_clock(monkeypatch, made)
    return made


def sensor_on(chip: Iis3dwb, clock: Time) -> tuple[iis3dwb.IIS3DWB, Spi]:
    wire = Spi(chip, clock, mhz=10)
    sensor = iis3dwb.IIS3DWB(wire, unpack_twin)
    sensor.identify()
    sensor.configure(16)
    return sensor, wire


def block_of(n: int) -> tuple[array, array, array]:
    return tuple([array("h", bytes(2 * n)) for _ in range(3)])


def gaps(numbers: np.ndarray) -> int:
    return int((np.diff(numbers) - 1).sum())


# Data sheet table 2 (sensitivity) and register CTRL1_XL (FS_XL: 00 2 g, 01 16 g, 10 4 g, 11 8 g).
@pytest.mark.parametrize(("range_g", "bits", "ug"), [(2, 0, 61), (16, 1, 488), (4, 2, 122), (8, 3, 244)])
def test_full_scale(clock: Time, range_g: int, bits: int, ug: int) -> None:
    chip = Iis3dwb()
    sensor, _wire = sensor_on(chip, clock)
    sensor.configure(range_g)
    assert ug == sensor.SCALE_UG
    sensor.fill(block_of(256), 256)
    assert chip._registers[reg.CTRL1_XL] == 0xA0 | bits << 2


@pytest.mark.parametrize("stall_ms", [10, 19, 25, 400, 60_000])
def test_loss_is_exact_whatever_the_nodes_clock_does(clock: Time, stall_ms: int) -> None:
    """The node's clock stands still during the stall, as a clock does that is set or drifts: stamps do not care."""
    source = Numbered(488e-6, base=400)
    chip = Iis3dwb(source, rate_hz=26_400)
    sensor, wire = sensor_on(chip, clock)
    block = block_of(N)
    sensor.fill(block, N)
    hidden_us = 0
    real = chip.exchange

    def late(data: bytes, now_us: int) -> bytes:
        return real(data, now_us + hidden_us)

    chip.exchange = late  # type: ignore[method-assign]
    calls = 0

    def before() -> None:
        nonlocal calls, hidden_us
        calls += 1
        if calls == 12:
            hidden_us = stall_ms * 1000

    wire.before = before
    lost = sensor.fill(block, N)
    assert lost == gaps(source.numbers(block, 488)) == chip.samples_lost
    assert (lost > 0) == (stall_ms > 10)


def test_loss_at_the_very_end_of_a_block_is_counted_too(clock: Time) -> None:
    source = Numbered(488e-6, base=400)
    chip = Iis3dwb(source, rate_hz=26_400)
    sensor, wire = sensor_on(chip, clock)
    block = block_of(N)
    sensor.fill(block, N)
    bursts = 0

    def count() -> None:
        nonlocal bursts
        bursts += 1

    wire.before = count
    sensor.fill(block, N)
    total, bursts = bursts, 0
    for place in (total - 3, total - 2, total - 1, total):
        bursts = 0

        def before(place: int = place) -> None:
            nonlocal bursts
            bursts += 1
            if bursts == place:
                clock.sleep_ms(100)

        wire.before = before
        last = source.numbers(block, 488)[-1]
        was = chip.samples_lost
        lost = sensor.fill(block, N)
        if sensor.contiguous:
            numbers = np.concatenate(([last], source.numbers(block, 488)))
        else:
            numbers = source.numbers(block, 488)
        assert lost == gaps(numbers)
        assert lost <= chip.samples_lost - was
        wire.before = None
        assert sensor.fill(block, N) == 0
        assert gaps(source.numbers(block, 488)) == 0


def test_words_of_other_sensors_are_left_out(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chip that also batches its temperature puts words of another tag between (register FIFO_DATA_OUT_TAG)."""
    source = Numbered(488e-6)
    chip = Iis3dwb(source, rate_hz=26_400)
    sensor, _wire = sensor_on(chip, clock)
    real = chip._render

    def with_others(unit: int, count: int) -> bytes:
        words = np.frombuffer(real(unit, count), np.uint8).reshape(-1, 7).copy()
        # Every 97th word reads as an empty one.
        words[(unit + np.arange(count)) % 97 == 50, 0] = 0x03 << 3
        return words.tobytes()

    monkeypatch.setattr(chip, "_render", with_others)
    block = block_of(1000)
    sensor.fill(block, 1000)
    numbers = source.numbers(block, 488)
    steps: Any = np.diff(numbers)
    assert set(steps.tolist()) == {1, 2}
    assert (steps == 2).sum() in (10, 11)


def test_a_chip_without_stamps_still_counts_by_the_clock(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Numbered(488e-6)
    chip = Iis3dwb(source, rate_hz=26_800)
    monkeypatch.setattr(reg, "STAMP_DECIMATION", (0, 0, 0, 0))
    sensor, wire = sensor_on(chip, clock)
    block = block_of(N)
    for _ in range(3):
        assert sensor.fill(block, N) == 0
    assert sensor.rate_dhz / 10 == pytest.approx(26_800, rel=1e-3)
    calls = 0

    def before() -> None:
        nonlocal calls
        calls += 1
        if calls == 10:
            clock.sleep_ms(40)

    wire.before = before
    lost = sensor.fill(block, N)
    assert lost == pytest.approx(gaps(source.numbers(block, 488)), abs=1)
    assert lost > 0


@pytest.mark.parametrize("extra_counts", [48, 96])
def test_both_time_stamp_resolutions_are_understood(
    clock: Time, monkeypatch: pytest.MonkeyPatch, extra_counts: int
) -> None:
    """ST's documents name 25 us a count and 12.5 us a count: 48 or 96 counts for 32 samples."""
    monkeypatch.setattr("judder.virtual.chips.iis3dwb._STAMPS_PER_2_SAMPLES", extra_counts // 16)
    source = Numbered(488e-6, base=400)
    chip = Iis3dwb(source)
    sensor, wire = sensor_on(chip, clock)
    block = block_of(N)
    assert sensor.fill(block, N) == 0
    calls = 0

    def before() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            clock.sleep_ms(333)

    wire.before = before
    assert sensor.fill(block, N) == gaps(source.numbers(block, 488)) == chip.samples_lost > 8000
