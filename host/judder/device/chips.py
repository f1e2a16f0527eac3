"""Chips a board can have, as data: what build, flash and the virtual board need to agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """name: in board.toml. title: as Espressif and esptool write it. image_chip_id: in every application image.

    boot_loader_offset: where in flash the second-stage boot loader, and with it a MicroPython download, begins.
    mpy_arch: `-march` of mpy-cross. watchdog_reset: esptool can restart it without the RTS line.
    pins: GPIO numbers that can be used; input_only_pins and adc_pins are among them.
    """

    name: str
    title: str
    image_chip_id: int
    boot_loader_offset: int
    mpy_arch: str
    watchdog_reset: bool
    pins: frozenset[int]
    input_only_pins: frozenset[int]
    adc_pins: frozenset[int]
    spi_ids: tuple[int, ...]
    uart_ids: tuple[int, ...]


def _pins(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(pin for first, last in spans for pin in range(first, last + 1))


# Pins: the data sheets' "Pin Definitions" and "IO MUX" tables, without those the flash chip in the package uses.
# ADC: the first converter only, since Wi-Fi takes the second. SPI and UART ids: as MicroPython's esp32 port
# numbers them; UART 0 is the console.
ESP32 = Chip(
    name="esp32",
    title="ESP32",
    image_chip_id=0,
    boot_loader_offset=0x1000,
    mpy_arch="xtensawin",
    watchdog_reset=False,
    pins=_pins((0, 5), (12, 19), (21, 23), (25, 27), (32, 39)),
    input_only_pins=_pins((34, 39)),
    adc_pins=_pins((32, 39)),
    spi_ids=(1, 2),
    uart_ids=(1, 2),
)
ESP32_S3 = Chip(
    name="esp32s3",
    title="ESP32-S3",
    image_chip_id=9,
    boot_loader_offset=0x0,
    mpy_arch="xtensawin",
    watchdog_reset=True,
    pins=_pins((0, 21), (33, 48)),
    input_only_pins=frozenset(),
    adc_pins=_pins((1, 10)),
    spi_ids=(1, 2),
    uart_ids=(1, 2),
)
ESP32_C3 = Chip(
    name="esp32c3",
    title="ESP32-C3",
    image_chip_id=5,
    boot_loader_offset=0x0,
    mpy_arch="rv32imc",
    watchdog_reset=True,
    pins=_pins((0, 11), (18, 21)),
    input_only_pins=frozenset(),
    adc_pins=_pins((0, 4)),
    spi_ids=(1,),
    uart_ids=(1,),
)

CHIPS: Mapping[str, Chip] = {chip.name: chip for chip in (ESP32, ESP32_S3, ESP32_C3)}


def by_title(title: str) -> Chip | None:
    """Chip by the name esptool gives it, None for one Judder does not support."""
    return next((chip for chip in CHIPS.values() if chip.title == title), None)


def by_image_id(number: int) -> Chip | None:
    """Chip by the number in an application image's header."""
    return next((chip for chip in CHIPS.values() if chip.image_chip_id == number), None)
