"""What a LoRa radio or modem needs on a board, as data: the keys of [radio] it takes, and which it can't do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Supply of a TCXO on DIO3 (SX1261/2 data sheet rev 2.1, table 13-35).
TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)
# What the pins of [radio] are to the processor.
INPUTS = ("miso", "busy", "dio0", "dio1", "rx")
OUTPUTS = ("sck", "mosi", "cs", "reset", "switch_rx", "switch_tx", "tx")
PIN_KEYS = (*INPUTS, *OUTPUTS)

_SPI = ("spi_id", "sck", "mosi", "miso", "cs", "reset")
_POWER = ("enable", "pmu")
_UART = ("uart_id", "tx", "rx")
_RADIO_PACKAGES = ("node/link/lorawan", "node/link/radio")
_MODEM_PACKAGES = ("node/link/modem",)


@dataclass(frozen=True)
class Part:
    """required, optional: keys of [radio] besides chip. packages: folders of firmware that boards with it alone need.
    baudrate: of a modem as it comes from its maker.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    packages: tuple[str, ...]
    baudrate: int | None = None


PARTS: Mapping[str, Part] = {
    "sx1262": Part(
        (*_SPI, "busy", "dio1"),
        ("tcxo_mv", "dio2_switch", "switch_rx", "switch_tx", "pa_gain_db", *_POWER),
        _RADIO_PACKAGES,
    ),
    # Without DIO1 the end of an empty window is asked for over SPI.
    "sx1276": Part(
        (*_SPI, "dio0"), ("dio1", "tcxo_mv", "switch_rx", "switch_tx", "pa_gain_db", *_POWER), _RADIO_PACKAGES
    ),
    # No PMU: the driver of a modem has no way to one.
    "rak3172": Part(_UART, ("baudrate", "reset", "enable"), _MODEM_PACKAGES, 115_200),
    "wioe5": Part(_UART, ("baudrate", "reset", "enable"), _MODEM_PACKAGES, 9600),
}


def left_out(chip: str | None) -> frozenset[str]:
    """Folders of firmware that a board with this chip (None: without any) has no use for, and no room in flash."""
    everything = frozenset(package for part in PARTS.values() for package in part.packages)
    return everything if chip is None else everything - frozenset(PARTS[chip].packages)


def needs(radio: Mapping[str, object]) -> list[tuple[str, str]]:
    """(table, key) of board.toml that the radio can't do without. A PMU sits on the sensors' I2C bus."""
    found = [("radio", key) for key in PARTS[str(radio["chip"])].required]
    if "pmu" in radio:
        found += [("pins", "i2c_scl"), ("pins", "i2c_sda"), ("sensors", "i2c_id")]
    return found


def pins(radio: Mapping[str, object]) -> dict[str, int]:
    """GPIO numbers by what the error messages call them; those of `enable` as "enable 0", "enable 1", ..."""
    found = {key: value for key, value in radio.items() if key in PIN_KEYS and isinstance(value, int)}
    enable = radio.get("enable", ())
    assert isinstance(enable, list | tuple)
    for place, row in enumerate(enable):
        found[f"enable {place}"] = row["pin"]
    return found


def problems(radio: Mapping[str, object], sensors: Mapping[str, object]) -> list[str]:
    """What is wrong between keys of [radio], and with [sensors], that are each allowed by themselves."""
    name = str(radio["chip"])
    part = PARTS[name]
    allowed = ("chip", *part.required, *part.optional)
    found = [
        f"[radio] {key}: the {name} has no use for it (it takes {', '.join(allowed)})"
        for key in radio
        if key not in allowed
    ]
    if radio.get("dio2_switch") and ("switch_rx" in radio or "switch_tx" in radio):
        found.append(
            "[radio] dio2_switch: DIO2 drives the antenna switch, so switch_rx and switch_tx have nothing to do"
        )
    spi_id = radio.get("spi_id")
    if spi_id is not None and spi_id == sensors.get("spi_id"):
        found.append(
            f"[radio] spi_id = {spi_id}: the sensors are on it, and they would keep each other waiting; "
            "give one of them the other bus"
        )
    return found
