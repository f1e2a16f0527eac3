"""The register models of judder.virtual behind the device interface of node.sensors.bus, for drivers run on CPython.

Time is a number that sleeps and transfers move. A transfer takes what its bits take on the wire and what MicroPython
takes to begin it. `before` is called before each burst, `lag` tells how many us each half of a transfer takes longer:
what comes before the chip is asked, and what comes after.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from chips import Time

from judder.virtual.chips.adxl345 import Adxl345
from judder.virtual.chips.adxl355 import Adxl355
from judder.virtual.chips.iis3dwb import Iis3dwb
from judder.virtual.chips.lis2dw12 import Lis2dw12
from judder.virtual.chips.lis3dh import Lis3dh
from judder.virtual.chips.mpu6050 import Mpu6050
from node.sensors import (
    adxl345,
    adxl355,
    fifo,
    iis3dwb,
    lis2dw12,
    lis3dh,
    mpu6050,
    pace,
    unpack16_twin,
    unpack20_twin,
    unpack_twin,
)

CALL_US = 40


def _prompt() -> int:
    return 0


class Spi:
    """bus.SpiDevice on a chip model."""

    def __init__(self, chip: Any, clock: Time, mode: int = 3, shift: int = 0, increment: int = 0, mhz: float = 5.0):
        self.name = "SPI 1, chip select 10"
        self.chip = chip
        self.clock = clock
        self.before: Callable[[], None] | None = None
        self.lag: Callable[[], int] = _prompt
        self.gone = False
        self._read = 1 if shift else 0x80
        self._shift = shift
        self._increment = increment
        self._mhz = mhz
        assert mode in chip.spi_modes

    def _transfer(self, data: bytes) -> bytes:
        # As on the bus: what a transfer finds is what was there when its call was under way.
        self.clock.now_us += CALL_US + self.lag()
        self.chip.select()
        answer = self.chip.exchange(data, self.clock.now_us) if not self.gone else b"\xff" * len(data)
        self.chip.deselect()
        self.clock.now_us += int(len(data) * 8 / self._mhz) + self.lag()
        return answer

    def burst(self, register: int, buffer: Any) -> None:
        if self.before is not None and len(buffer) >= 6:
            self.before()
        command = register << self._shift | self._read | (self._increment if len(buffer) > 1 else 0)
        buffer[:] = self._transfer(bytes((command,)) + bytes(len(buffer)))[1:]

    def read(self, register: int) -> int:
        one = bytearray(1)
        self.burst(register, one)
        return one[0]

    def write(self, register: int, value: int) -> None:
        self._transfer(bytes((register << self._shift, value)))


class I2c:
    """bus.I2cRegisters on a chip model."""

    def __init__(self, chip: Any, clock: Time, increment: int = 0) -> None:
        self.name = "I2C 0, address 0x1d"
        self.chip = chip
        self.clock = clock
        self.before: Callable[[], None] | None = None
        self.lag: Callable[[], int] = _prompt
        self.gone = False
        self._increment = increment

    def _took(self, count: int) -> None:
        if self.gone:
            raise OSError(19)
        self.clock.now_us += CALL_US + int((count + 3) * 9 / 0.4) + self.lag()

    def burst(self, register: int, buffer: Any) -> None:
        if self.before is not None and len(buffer) >= 6:
            self.before()
        self.clock.now_us += CALL_US + self.lag()
        if len(buffer) > 1:
            register |= self._increment
        if not self.gone:
            self.chip.write(bytes((register,)), self.clock.now_us)
            buffer[:] = self.chip.read(len(buffer), self.clock.now_us)
        self._took(len(buffer))

    def read(self, register: int) -> int:
        one = bytearray(1)
        self.burst(register, one)
        return one[0]

    def write(self, register: int, value: int) -> None:
        if not self.gone:
            self.chip.write(bytes((register, value)), self.clock.now_us)
        self._took(1)


@dataclass(frozen=True)
class Part:
    """One accelerometer on one bus. lsb_ug: micro-g of one count at range_g, from the data sheet's sensitivity."""

    name: str
    chip: type
    wire: Callable[[Any, Time], Any]
    driver: Callable[[Any], Any]
    nominal_hz: float
    band_hz: float
    range_g: int
    lsb_ug: float
    step: int = 1  # counts between neighbouring values the part can give

    @property
    def odr_hz(self) -> float:
        """What the model calls nominal at the rate the driver chooses."""
        return self.chip.NOMINAL_HZ if self.name == "iis3dwb" else self.nominal_hz


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Time) -> None:
    """Every driver's idea of time is this one."""
    for module in (adxl345, adxl355, fifo, iis3dwb, lis2dw12, lis3dh, mpu6050, pace):
        monkeypatch.setattr(module, "time", clock)


def _spi(**frame: Any) -> Callable[[Any, Time], Any]:
    return lambda chip, clock: Spi(chip, clock, **frame)


def _i2c(increment: int = 0) -> Callable[[Any, Time], Any]:
    return lambda chip, clock: I2c(chip, clock, increment)


def _made(driver: type, kernel: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda device: driver(device, kernel, **options)


_IIS3DWB = _made(iis3dwb.IIS3DWB, unpack_twin)
_ADXL345 = _made(adxl345.ADXL345, unpack16_twin)
_ADXL345_I2C = _made(adxl345.ADXL345, unpack16_twin, i2c=True)
_ADXL355 = _made(adxl355.ADXL355, unpack20_twin)
_LIS2DW12 = _made(lis2dw12.LIS2DW12, unpack16_twin)
_LIS3DH = _made(lis3dh.LIS3DH, unpack16_twin)
_LIS3DH_FAST = _made(lis3dh.LIS3DH, unpack16_twin, rate_hz=5376)
_MPU6050 = _made(mpu6050.MPU6050, unpack16_twin)
_LIS3DH_SPI = _spi(increment=0x40, mhz=10)

# Sensitivities: the data sheets' typical ones, see the models.
_ROWS = (
    Part("iis3dwb", Iis3dwb, _spi(mhz=10), _IIS3DWB, 26667, 6000, 16, 488),
    Part("adxl345", Adxl345, _spi(increment=0x40), _ADXL345, 3200, 1600, 16, 3906.25 / 8, 8),
    Part("adxl345-i2c", Adxl345, _i2c(), _ADXL345_I2C, 800, 400, 16, 3906.25 / 8, 8),
    Part("adxl355", Adxl355, _spi(mode=0, shift=1, mhz=10), _ADXL355, 4000, 1000, 8, 250),
    Part("lis2dw12", Lis2dw12, _spi(mhz=10), _LIS2DW12, 1600, 400, 16, 488, 4),
    Part("lis2dw12-i2c", Lis2dw12, _i2c(), _LIS2DW12, 1600, 400, 16, 488, 4),
    Part("lis3dh", Lis3dh, _LIS3DH_SPI, _LIS3DH, 1344, 672, 16, 1500, 32),
    Part("lis3dh-fast", Lis3dh, _LIS3DH_SPI, _LIS3DH_FAST, 5376, 2688, 16, 1500, 128),
    Part("lis3dh-i2c", Lis3dh, _i2c(0x80), _LIS3DH, 1344, 672, 16, 1500, 32),
    Part("mpu6050", Mpu6050, _i2c(), _MPU6050, 1000, 260, 16, 1e6 / 2048),
)
PARTS = {part.name: part for part in _ROWS}


class Numbered:
    """A source whose k-th sample says that it is the k-th: x, y and z are digits of k. digit_g: g of one digit."""

    def __init__(self, digit_g: float, base: int = 100) -> None:
        self.rate_hz = None
        self.digit_g = digit_g
        self.base = base

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        k = round(t0_s * rate_hz) + np.arange(n)
        digits = np.column_stack([k // self.base**power % self.base for power in range(3)])
        return (digits - self.base // 2) * self.digit_g

    def ended(self, _t_s: float) -> bool:
        return False

    def numbers(self, block: Any, lsb_ug: float) -> np.ndarray:
        """The k of each sample of a block of three buffers."""
        values = np.array([list(axis) for axis in block], float) * lsb_ug * 1e-6 / self.digit_g
        digits = np.rint(values).astype(np.int64) + self.base // 2
        assert np.abs(values - np.rint(values)).max() < 0.3, "a value between two digits"
        return digits[0] + self.base * digits[1] + self.base**2 * digits[2]


class Setup:
    """A part, its chip and its driver at a sample rate that is off by `ratio`, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, part: Part, seed: int = 1, source: Any = None) -> None:
        chance = random.Random(seed)
        self.part = part
        self.clock = Time(chance.randrange(Time.PERIOD))
        use_clock(monkeypatch, self.clock)
        self.source = source or Numbered(part.lsb_ug * part.step * 1e-6)
        self.ratio = 1 + chance.uniform(-0.03, 0.03)
        self.chip = part.chip(self.source, rate_hz=part.chip.NOMINAL_HZ * self.ratio)
        self.wire = part.wire(self.chip, self.clock)
        self.driver = part.driver(self.wire)
        self.true_hz = self.part.odr_hz * self.ratio
        self.last: int | None = None

    def ready(self) -> Setup:
        self.driver.identify()
        self.driver.configure(16)
        return self

    def numbers(self, block: Any) -> np.ndarray:
        return self.source.numbers(block, self.part.lsb_ug)

    def fill(self, n: int) -> tuple[int, int]:
        """A block: (samples lost by the driver's word, samples lost by what it delivered)."""
        block = block_of(n)
        lost = self.driver.fill(block, n)
        numbers = self.numbers(block)
        if self.driver.contiguous:
            numbers = np.concatenate(([self.last], numbers))
        self.last = numbers[-1]
        return lost, int(((np.diff(numbers) - 1) % self.source.base**3).sum())


def block_of(n: int) -> tuple[array, array, array]:
    return tuple([array("h", bytes(2 * n)) for _ in range(3)])


class Busy:
    """The lag of a node that has other things to do: `mean_us` more on each half of a transfer, each for itself at
    random, and the stalls: (when, us).
    """

    def __init__(self, clock: Time, chance: random.Random, mean_us: float = 0, stalls: Any = ()) -> None:
        self.stalls = sorted(stalls)
        self._clock = clock
        self._chance = chance
        self._mean_us = mean_us

    def __call__(self) -> int:
        us = int(self._chance.expovariate(1 / self._mean_us)) if self._mean_us else 0
        while self.stalls and self._clock.now_us + us >= self.stalls[0][0]:
            us += int(self.stalls.pop(0)[1])
        return us
