"""What a sensor needs on a board, as data: buses it can sit on, its I2C addresses, the keys of board.toml it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SPI_PINS = ("spi_sck", "spi_mosi", "spi_miso")
I2C_PINS = ("i2c_scl", "i2c_sda")
BUSES = ("spi", "i2c")


@dataclass(frozen=True)
class Part:
    """buses: the first is taken when board.toml does not say. addresses: 7-bit, chosen by a pin of the part."""

    buses: tuple[str, ...]
    addresses: tuple[int, ...] = ()


VIBRATION: Mapping[str, Part] = {
    "iis3dwb": Part(("spi",)),
    "adxl345": Part(("spi", "i2c"), (0x1D, 0x53)),
    "adxl355": Part(("spi",)),
    "lis2dw12": Part(("spi", "i2c"), (0x18, 0x19)),
    "lis3dh": Part(("spi", "i2c"), (0x18, 0x19)),
    "mpu6050": Part(("i2c",), (0x68, 0x69)),
}
ADDRESSES = tuple(sorted({address for part in VIBRATION.values() for address in part.addresses}))


def vibration_bus(name: str, wanted: str | None) -> str | None:
    """The bus an accelerometer is on, or None for what is none of ours (synthetic, none)."""
    part = VIBRATION.get(name)
    return None if part is None else wanted or part.buses[0]


def needs(bus: str | None, temperature: str) -> list[tuple[str, str]]:
    """(table, key) of board.toml that the thermometer, and an accelerometer on that bus, can't do without."""
    found = []
    if bus == "spi":
        found += [("pins", key) for key in (*SPI_PINS, "spi_cs")] + [("sensors", "spi_id")]
    elif bus == "i2c":
        found += [("pins", key) for key in I2C_PINS] + [("sensors", key) for key in ("i2c_id", "vibration_address")]
    if temperature == "tmp117":
        found += [("pins", key) for key in I2C_PINS] + [("sensors", key) for key in ("i2c_id", "i2c_tmp117")]
    elif temperature == "ds18b20":
        found.append(("pins", "onewire"))
    elif temperature == "max31865":
        found += [("pins", key) for key in (*SPI_PINS, "temperature_cs")]
        found += [("sensors", key) for key in ("spi_id", "rtd", "rtd_wires", "rtd_reference_ohm")]
    return list(dict.fromkeys(found))


def problems(sensors: Mapping[str, object]) -> list[str]:
    """What is wrong between keys of [sensors] that are each allowed by themselves."""
    name = str(sensors["vibration"])
    part = VIBRATION.get(name)
    bus = sensors.get("vibration_bus")
    address = sensors.get("vibration_address")
    found = []
    if part is not None:
        if bus is not None and bus not in part.buses:
            found.append(f'[sensors] vibration_bus = "{bus}": the {name} has only {" and ".join(part.buses)}')
        elif (bus or part.buses[0]) == "i2c" and address is not None and address not in part.addresses:
            allowed = " or ".join(f"0x{one:02x}" for one in part.addresses)
            found.append(f"[sensors] vibration_address = 0x{address:02x}: the {name} answers at {allowed}")
    return found
