"""The register models of judder.virtual behind the device interface of node.sensors.bus, for drivers run on CPython.

Time is a number that sleeps and transfers move. A transfer takes what its bits take on the wire and what MicroPython
takes to begin it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from chips import Time

from judder.virtual.chips.adxl345 import Adxl345
from judder.virtual.chips.adxl355 import Adxl355
from judder.virtual.chips.iis3dwb import Iis3dwb
from judder.virtual.chips.lis2dw12 import Lis2dw12
from judder.virtual.chips.lis3dh import Lis3dh
from judder.virtual.chips.mpu6050 import Mpu6050
from node.sensors import adxl345, adxl355, iis3dwb, lis2dw12, lis3dh, mpu6050
from node.sensors import unpack16_twin, unpack20_twin, unpack_twin

CALL_US = 40


class Spi:
    """bus.SpiDevice on a chip model. before: called before each burst, to make the node slow."""

    def __init__(self, chip: Any, clock: Time, mode: int = 3, shift: int = 0, increment: int = 0, mhz: float = 5.0):
        self.name = "SPI 1, chip select 10"
        self.chip = chip
        self.clock = clock
        self.before: Callable[[], None] | None = None
        self.gone = False
        self._read = 1 if shift else 0x80
        self._shift = shift
        self._increment = increment
        self._mhz = mhz
        assert mode in chip.spi_modes

    def _transfer(self, data: bytes) -> bytes:
        # As on the bus: what a transfer finds is what was there when its call was under way.
        self.clock.now_us += CALL_US
        self.chip.select()
        answer = self.chip.exchange(data, self.clock.now_us) if not self.gone else b"\xff" * len(data)
        self.chip.deselect()
        self.clock.now_us += int(len(data) * 8 / self._mhz)
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
        self.gone = False
        self._increment = increment

    def _took(self, count: int) -> None:
        if self.gone:
            raise OSError(19)
        self.clock.now_us += CALL_US + int((count + 3) * 9 / 0.4)

    def burst(self, register: int, buffer: Any) -> None:
        if self.before is not None and len(buffer) >= 6:
            self.before()
        self.clock.now_us += CALL_US
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


PARTS = {
    part.name: part
    for part in (
        Part("iis3dwb", Iis3dwb, lambda c, t: Spi(c, t, mhz=10), lambda d: iis3dwb.IIS3DWB(d, unpack_twin), 26667, 6000, 16, 488),
        Part("adxl345", Adxl345, lambda c, t: Spi(c, t, increment=0x40), lambda d: adxl345.ADXL345(d, unpack16_twin), 3200, 1600, 16, 3906.25 / 8, 8),
        Part("adxl345-i2c", Adxl345, I2c, lambda d: adxl345.ADXL345(d, unpack16_twin, i2c=True), 800, 400, 16, 3906.25 / 8, 8),
        Part("adxl355", Adxl355, lambda c, t: Spi(c, t, mode=0, shift=1, mhz=10), lambda d: adxl355.ADXL355(d, unpack20_twin), 4000, 1000, 8, 250),
        Part("lis2dw12", Lis2dw12, lambda c, t: Spi(c, t, mhz=10), lambda d: lis2dw12.LIS2DW12(d, unpack16_twin), 1600, 400, 16, 488, 4),
        Part("lis2dw12-i2c", Lis2dw12, I2c, lambda d: lis2dw12.LIS2DW12(d, unpack16_twin), 1600, 400, 16, 488, 4),
        Part("lis3dh", Lis3dh, lambda c, t: Spi(c, t, increment=0x40, mhz=10), lambda d: lis3dh.LIS3DH(d, unpack16_twin), 1344, 672, 16, 1500, 32),
        Part("lis3dh-fast", Lis3dh, lambda c, t: Spi(c, t, increment=0x40, mhz=10), lambda d: lis3dh.LIS3DH(d, unpack16_twin, 5376), 5376, 2688, 16, 1500, 128),
        Part("lis3dh-i2c", Lis3dh, lambda c, t: I2c(c, t, 0x80), lambda d: lis3dh.LIS3DH(d, unpack16_twin), 1344, 672, 16, 1500, 32),
        Part("mpu6050", Mpu6050, I2c, lambda d: mpu6050.MPU6050(d, unpack16_twin), 1000, 260, 16, 1e6 / 2048),
    )
}  # fmt: skip


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
