"""FIFOs that are stuck, and what only looks like it. Drivers against register models, on CPython, kernels' twins."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from parts_bench import PARTS, Busy, Part, Setup, block_of

from judder.virtual.chips import iis3dwb_registers as reg
from judder.virtual.machines import standstill
from node.sensors import SensorError, fifo, iis3dwb

ALL = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
# The ADXL345 is read sample by sample: frozen, it gives one value all along, see node.cycle.
IN_BURSTS = pytest.mark.parametrize(
    "part",
    [part for part in PARTS.values() if "adxl345" not in part.name],
    ids=[name for name in PARTS if "adxl345" not in name],
)
NEVER = 1 << 29


class Tones:
    """A sound machine on coarse digits: sines of these many cycles a sample (x, y, z) and g, no noise."""

    rate_hz = None

    def __init__(self, cycles: float, peak_g: float) -> None:
        self.cycles = cycles
        self.peak_g = peak_g

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        k = round(t0_s * rate_hz) + np.arange(n)
        phase = 2 * np.pi * (self.cycles * k[:, None] + np.array([0.1, 0.35, 0.6]))
        return self.peak_g * np.sin(phase) + np.array([0.0, 0.0, 1.0])

    def ended(self, _t_s: float) -> bool:
        return False


def noisy(part: Part) -> Any:
    """A machine at rest: white noise of a step of the part."""
    return standstill(noise_g=max(0.004, part.lsb_ug * part.step * 1e-6))


def fill(setup: Setup, n: int, times: int = 1) -> Any:
    block = block_of(n)
    for _ in range(times):
        setup.driver.fill(block, n)
    return block


# --- levels that stand still


@ALL
def test_a_stuck_fifo_is_an_error(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """The level always says that half of it is full, and it gives the same for ever: faster than the part can."""
    setup = Setup(monkeypatch, part).ready()
    block = block_of(512)
    setup.driver.fill(block, 512)
    half = setup.chip.DEPTH // 2
    stuck = setup.chip._render(setup.chip._head, 1) if setup.chip._level else setup.chip._encode(np.zeros((1, 3), int))
    monkeypatch.setattr(type(setup.chip), "_level", half - half % setup.chip.UNITS)
    monkeypatch.setattr(setup.chip, "_pop", lambda units: (stuck * units)[: units * setup.chip.UNIT_BYTES])
    with pytest.raises(SensorError, match=r"stuck|out of step"):
        for _ in range(4):
            setup.driver.fill(block, 512)


@ALL
def test_a_node_that_just_keeps_up_is_not_taken_for_a_stuck_fifo(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """It never has to wait, block after block, because every transfer takes about as long as what it brings."""
    setup = Setup(monkeypatch, part).ready()
    fill(setup, 512)
    chunk = setup.driver._chunk
    per_transfer_us = 0.9 * (chunk if "adxl345" not in part.name else 1) * 1e6 / setup.true_hz
    setup.wire.lag = Busy(setup.clock, random.Random(1), mean_us=per_transfer_us / 2)
    fill(setup, 1024, times=6 if part.name == "iis3dwb" else 2)


# --- data that stand still


@IN_BURSTS
@pytest.mark.parametrize("n", [256, 1024])
def test_the_same_samples_again_and_again_are_an_error(monkeypatch: pytest.MonkeyPatch, part: Part, n: int) -> None:
    """The level goes up and down as ever; every read gives what the first one gave."""
    setup = Setup(monkeypatch, part, source=noisy(part)).ready()
    fill(setup, n, times=2)
    setup.chip.frozen = True
    what = "time stamps that go back" if part.name == "iis3dwb" else "the same samples again and again"
    with pytest.raises(SensorError, match=f"{setup.driver.name} on .* gives {what}: its FIFO is stuck"):
        fill(setup, n, times=2)
    # Mended, it is set up again and goes on.
    setup.chip.frozen = False
    setup.chip.power_on()
    setup.ready()
    fill(setup, n)


@IN_BURSTS
def test_it_is_the_comparison_that_notices(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """Control: without it copies pass for samples."""
    monkeypatch.setattr(fifo, "_COPIES", NEVER)
    monkeypatch.setattr(iis3dwb, "_LONGEST_TICKS", 1 << 40)
    setup = Setup(monkeypatch, part, source=noisy(part)).ready()
    fill(setup, 256)
    setup.chip.frozen = True
    if part.name == "iis3dwb":
        monkeypatch.setattr(reg, "STAMP_DECIMATION", (0, 0, 0, 0))
        setup.ready()
    assert len(set(fill(setup, 1024)[0])) > 1


def test_an_iis3dwb_without_stamps_is_compared_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reg, "STAMP_DECIMATION", (0, 0, 0, 0))
    part = PARTS["iis3dwb"]
    setup = Setup(monkeypatch, part, source=noisy(part)).ready()
    fill(setup, 1024)
    setup.chip.frozen = True
    with pytest.raises(SensorError, match="the same samples again and again"):
        fill(setup, 1024, times=2)


def test_an_iis3dwb_whose_stamps_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its read pointer stands on one word, a sample."""
    setup = Setup(monkeypatch, PARTS["iis3dwb"], source=noisy(PARTS["iis3dwb"])).ready()
    fill(setup, 1024)
    word = setup.chip._render(1, 1)
    real = setup.chip._pop
    monkeypatch.setattr(setup.chip, "_pop", lambda units: word * (len(real(units)) // 7))
    with pytest.raises(SensorError, match="gives no more time stamps: its FIFO is stuck"):
        fill(setup, 1024)


@pytest.mark.parametrize("name", ["adxl345", "adxl345-i2c"])
def test_a_frozen_adxl345_gives_one_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Which is for the cycle to judge, by the whole block: `stuck` of node.dsp.features."""
    setup = Setup(monkeypatch, PARTS[name], source=noisy(PARTS[name])).ready()
    fill(setup, 256)
    setup.chip.frozen = True
    assert [len(set(axis)) for axis in fill(setup, 256, times=2)] == [1, 1, 1]
    assert not setup.driver.COARSE


@ALL
def test_a_machine_at_rest_is_not_stuck(monkeypatch: pytest.MonkeyPatch, part: Part) -> None:
    """Without any noise, and with a tenth of a step of it: now and then one axis moves by a count."""
    step_g = part.lsb_ug * part.step * 1e-6
    for noise_g in (0, step_g / 10, step_g / 3):
        setup = Setup(monkeypatch, part, source=standstill(noise_g=noise_g)).ready()
        fill(setup, 1024, times=2)


# Cycles a sample: whole and half bursts, a burst and a sample, and what a sweep of many frequencies found nearest to
# being taken for copies.
@pytest.mark.parametrize(
    "cycles", [1 / 2, 1 / 4, 1 / 8, 1 / 16, 5 / 16, 1 / 32, 1 / 17, 3 / 49, 0.31326, 0.31282, 2 / 35]
)
@pytest.mark.parametrize("name", ["lis3dh-fast", "mpu6050", "iis3dwb"])
def test_a_machine_in_step_with_the_bursts_is_not_stuck(
    monkeypatch: pytest.MonkeyPatch, name: str, cycles: float
) -> None:
    monkeypatch.setattr(reg, "STAMP_DECIMATION", (0, 0, 0, 0))
    part = PARTS[name]
    for steps in (0.55, 0.7, 3):
        source = Tones(cycles, steps * part.lsb_ug * part.step * 1e-6)
        fill(Setup(monkeypatch, part, source=source).ready(), 1024, times=2)


def test_the_bursts_of_one_word_are_what_tells_copies_from_regular_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with bursts of one length, a machine in step with them is accused."""
    part = PARTS["lis3dh-fast"]
    compare = fifo.FifoSensor._compare

    def unprobed(driver: Any, *burst: Any) -> None:
        compare(driver, *burst)
        driver._probes = NEVER

    monkeypatch.setattr(fifo.FifoSensor, "_compare", unprobed)
    source = Tones(1 / 16, 3 * part.lsb_ug * part.step * 1e-6)
    with pytest.raises(SensorError, match="the same samples again and again"):
        fill(Setup(monkeypatch, part, source=source).ready(), 1024)
