"""Which chip sits on which pins: what a virtual board's buses lead to.

A driver that names other pins, another mode or too fast a clock talks to nobody, as on a bench.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judder.device import sensor_parts
from judder.virtual import modem_wiring, radio_wiring
from judder.virtual.chips import axp
from judder.virtual.chips.adxl345 import Adxl345
from judder.virtual.chips.adxl355 import Adxl355
from judder.virtual.chips.base import AnalogSource, I2cChip, OneWireChip, SpiChip, UartDevice
from judder.virtual.chips.battery import Battery
from judder.virtual.chips.ds18b20 import Ds18b20
from judder.virtual.chips.fifo import FifoChip
from judder.virtual.chips.iis3dwb import Iis3dwb
from judder.virtual.chips.lis2dw12 import Lis2dw12
from judder.virtual.chips.lis3dh import Lis3dh
from judder.virtual.chips.max31865 import Max31865
from judder.virtual.chips.mpu6050 import Mpu6050
from judder.virtual.chips.tmp117 import Tmp117
from judder.virtual.pins import I2cPins, SpiPins, UartPins

if TYPE_CHECKING:
    from judder.device.boards import Board
    from judder.virtual.chips.radio import LoraRadio
    from judder.virtual.lorawan.air import Medium
    from judder.virtual.modems.network import Network
    from judder.virtual.modems.rak3172 import Rak3172
    from judder.virtual.modems.wioe5 import WioE5
    from judder.virtual.signal import Source


VIBRATION_CHIPS: Mapping[str, type[FifoChip]] = {
    "iis3dwb": Iis3dwb,
    "adxl345": Adxl345,
    "adxl355": Adxl355,
    "lis2dw12": Lis2dw12,
    "lis3dh": Lis3dh,
    "mpu6050": Mpu6050,
}


@dataclass
class Wiring:
    """Chips by the pins they are soldered to. inputs: levels of other pins, 1 where nothing is said (pull-ups).

    driven: pins a chip drives, as a function of board time in us. watchers: told (level, board time) of what the node
    does to a pin. vibration, temperature, battery, radio, modem: the chips for_board made, for whoever wants to look
    at or change them.
    """

    spi: Mapping[SpiPins, SpiChip] = field(default_factory=dict)
    i2c: Mapping[I2cPins, Mapping[int, I2cChip]] = field(default_factory=dict)
    adc: Mapping[int, AnalogSource] = field(default_factory=dict)
    one_wire: Mapping[int, Sequence[OneWireChip]] = field(default_factory=dict)
    uart: Mapping[UartPins, UartDevice] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)
    vibration: FifoChip | None = None
    temperature: Tmp117 | Ds18b20 | Max31865 | None = None
    battery: Battery | None = None
    driven: dict[int, Callable[[int], int]] = field(default_factory=dict)
    watchers: dict[int, Callable[[int, int], None]] = field(default_factory=dict)
    radio: LoraRadio | None = None
    modem: Rak3172 | WioE5 | None = None

    def power_on(self) -> None:
        """Every chip loses what it held."""
        for chip in self.spi.values():
            chip.power_on()
        for bus in self.i2c.values():
            for device in bus.values():
                device.power_on()
        for line in self.one_wire.values():
            for thermometer in line:
                thermometer.power_on()
        for modem in self.uart.values():
            modem.power_on()

    def attach(self, medium: Medium, station: object) -> None:
        """Give radio or modem their antenna, a station of that medium. Before power-on."""
        if self.radio is not None:
            self.radio.station = station
        if self.modem is not None:
            from judder.virtual.modems.on_air import OnAir  # needs the extra for cryptography

            self.modem.network = OnAir(medium, station)

    @classmethod
    def for_board(
        cls,
        board: Board,
        source: Source | None = None,
        *,
        rate_hz: float | None = None,
        temperature_c: float = 24.0,
        battery_mv: float = 3700.0,
        medium: Medium | None = None,
        network: Network | None = None,
    ) -> Wiring:
        """Chips as board.toml has them. source: what shakes the accelerometer (default: a machine at a standstill).

        rate_hz: true sample clock of the accelerometer; default: the source's own rate if it has one (a recording is
        then delivered sample by sample), else a little beside the nominal one, as chips are. medium: the air its radio
        is in, as a station of its own (default: one where nobody else is), see attach().
        network: whom a LoRaWAN modem reaches, nobody by default.
        """
        wiring = cls()
        spi: dict[SpiPins, SpiChip] = {}
        i2c: dict[int, I2cChip] = {}
        sensors = board.sensors
        bus = sensor_parts.vibration_bus(sensors.vibration, sensors.vibration_bus)
        if bus is not None:
            chip = VIBRATION_CHIPS[sensors.vibration](source, rate_hz)
            wiring.vibration = chip
            if isinstance(chip, Iis3dwb | Adxl355):
                chip.temperature_c = temperature_c
            if bus == "spi":
                spi[_spi_pins(board, board.pins.spi_cs)] = chip
            else:
                i2c[_known(sensors.vibration_address)] = chip
        if sensors.temperature == "tmp117":
            wiring.temperature = thermometer = Tmp117(temperature_c)
            i2c[_known(sensors.i2c_tmp117)] = thermometer
        elif sensors.temperature == "ds18b20":
            wiring.temperature = ds18b20 = Ds18b20(temperature_c)
            wiring.one_wire = {_known(board.pins.onewire): [ds18b20]}
        elif sensors.temperature == "max31865":
            ohm_at_0 = {"pt100": 100.0, "pt1000": 1000.0}[sensors.rtd or ""]
            max31865 = Max31865(temperature_c, ohm_at_0, float(_known(sensors.rtd_reference_ohm)))
            wiring.temperature = spi[_spi_pins(board, board.pins.temperature_cs)] = max31865
        if board.radio is not None:
            power_chip = radio_wiring.solder(wiring, spi, board.radio, medium)
            if power_chip is not None:
                i2c[axp.ADDRESS] = power_chip
            modem_wiring.solder(wiring, board.radio, network)
        wiring.spi = spi
        if i2c:
            wiring.i2c = {I2cPins(_known(board.pins.i2c_scl), _known(board.pins.i2c_sda)): i2c}
        if board.battery is not None and board.pins.battery_adc is not None:
            wiring.battery = Battery(battery_mv, board.battery.numerator, board.battery.denominator)
            wiring.adc = {board.pins.battery_adc: wiring.battery}
        return wiring


def _known(value: int | None) -> int:
    """What boards.load has checked to be there."""
    assert value is not None
    return value


def _spi_pins(board: Board, cs: int | None) -> SpiPins:
    pins = board.pins
    return SpiPins(_known(pins.spi_sck), _known(pins.spi_mosi), _known(pins.spi_miso), _known(cs))
