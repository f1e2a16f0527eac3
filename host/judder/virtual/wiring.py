"""Which chip sits on which pins: what a virtual board's buses lead to.

A driver that names other pins, another mode or too fast a clock talks to nobody, as on a bench.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judder.virtual.chips.base import AnalogSource, I2cChip, SpiChip
from judder.virtual.chips.battery import Battery
from judder.virtual.chips.iis3dwb import Iis3dwb
from judder.virtual.chips.tmp117 import Tmp117

if TYPE_CHECKING:
    from judder.device.boards import Board
    from judder.virtual.signal import Source


@dataclass(frozen=True)
class SpiPins:
    """The four wires of one SPI chip, as GPIO numbers."""

    sck: int
    mosi: int
    miso: int
    cs: int


@dataclass(frozen=True)
class I2cPins:
    """The two wires of an I2C bus, as GPIO numbers."""

    scl: int
    sda: int


@dataclass
class Wiring:
    """Chips by the pins they are soldered to. inputs: levels of other pins, 1 where nothing is said (pull-ups).

    vibration, temperature, battery: the chips for_board made, for whoever wants to look at or change them.
    """

    spi: Mapping[SpiPins, SpiChip] = field(default_factory=dict)
    i2c: Mapping[I2cPins, Mapping[int, I2cChip]] = field(default_factory=dict)
    adc: Mapping[int, AnalogSource] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)
    vibration: Iis3dwb | None = None
    temperature: Tmp117 | None = None
    battery: Battery | None = None

    def power_on(self) -> None:
        """Every chip loses what it held."""
        for chip in self.spi.values():
            chip.power_on()
        for bus in self.i2c.values():
            for device in bus.values():
                device.power_on()

    @classmethod
    def for_board(
        cls,
        board: Board,
        source: Source | None = None,
        *,
        rate_hz: float | None = None,
        temperature_c: float = 24.0,
        battery_mv: float = 3700.0,
    ) -> Wiring:
        """Chips as board.toml has them. source: what shakes the accelerometer (default: a machine at a standstill).

        rate_hz: true sample clock of the accelerometer; default: the source's own rate if it has one (a recording is
        then delivered sample by sample), else a little beside the nominal one, as chips are.
        """
        wiring = cls()
        pins, sensors = board.pins, board.sensors
        if sensors.vibration == "iis3dwb":
            assert pins.spi_sck is not None and pins.spi_mosi is not None
            assert pins.spi_miso is not None and pins.spi_cs is not None
            wiring.vibration = Iis3dwb(source, rate_hz=rate_hz, temperature_c=temperature_c)
            place = SpiPins(pins.spi_sck, pins.spi_mosi, pins.spi_miso, pins.spi_cs)
            wiring.spi = {place: wiring.vibration}
        if sensors.temperature == "tmp117":
            assert pins.i2c_scl is not None and pins.i2c_sda is not None and sensors.i2c_tmp117 is not None
            wiring.temperature = Tmp117(temperature_c)
            wiring.i2c = {I2cPins(pins.i2c_scl, pins.i2c_sda): {sensors.i2c_tmp117: wiring.temperature}}
        if board.battery is not None and pins.battery_adc is not None:
            wiring.battery = Battery(battery_mv, board.battery.numerator, board.battery.denominator)
            wiring.adc = {pins.battery_adc: wiring.battery}
        return wiring
