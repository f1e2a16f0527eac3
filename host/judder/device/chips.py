"""Chips a board can have, as data: what build, flash and the virtual board need to agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """name: in board.toml. title: as Espressif and esptool write it. image_chip_id: in every application image.

    boot_loader_offset: where in flash the second-stage boot loader, and with it a MicroPython download, begins.
    mpy_arch: `-march` of mpy-cross. watchdog_reset: esptool can restart it without the RTS line.
    """

    name: str
    title: str
    image_chip_id: int
    boot_loader_offset: int
    mpy_arch: str
    watchdog_reset: bool


ESP32 = Chip("esp32", "ESP32", 0, 0x1000, "xtensawin", False)
ESP32_S3 = Chip("esp32s3", "ESP32-S3", 9, 0x0, "xtensawin", True)
ESP32_C3 = Chip("esp32c3", "ESP32-C3", 5, 0x0, "rv32imc", True)

CHIPS: Mapping[str, Chip] = {chip.name: chip for chip in (ESP32, ESP32_S3, ESP32_C3)}


def by_title(title: str) -> Chip | None:
    """Chip by the name esptool gives it, None for one Judder does not support."""
    return next((chip for chip in CHIPS.values() if chip.title == title), None)


def by_image_id(number: int) -> Chip | None:
    """Chip by the number in an application image's header."""
    return next((chip for chip in CHIPS.values() if chip.image_chip_id == number), None)
