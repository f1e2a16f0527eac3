"""Wires of a bus, as GPIO numbers: how a virtual board finds the chip a driver talks to."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class UartPins:
    """The two wires of a UART, named as the processor does, as GPIO numbers."""

    tx: int
    rx: int
