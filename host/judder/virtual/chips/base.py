"""What a chip model must offer to sit on a virtual board. Times are board time in microseconds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol


class SpiChip(Protocol):
    """A chip with a chip select. spi_modes: clock modes it understands (polarity * 2 + phase)."""

    spi_modes: Collection[int]
    max_baudrate: int

    def power_on(self) -> None:
        """Supply voltage came (back): registers at their defaults."""

    def select(self, now_us: int = 0) -> None:
        """CS went low."""

    def deselect(self, now_us: int = 0) -> None:
        """CS went high."""

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """Bytes on MOSI -> as many bytes on MISO, starting at now_us."""


class I2cChip(Protocol):
    """A chip with an address; the bus has matched it already."""

    def power_on(self) -> None:
        """Supply voltage came (back)."""

    def write(self, data: bytes, now_us: int) -> None:
        """Bytes after the address of a write transfer."""

    def read(self, count: int, now_us: int) -> bytes:
        """Bytes of a read transfer."""


class OneWireChip(Protocol):
    """A chip on a 1-Wire line: open drain, so a line with several carries the AND of what they send."""

    def power_on(self) -> None:
        """Supply voltage came (back)."""

    def reset(self, now_us: int) -> bool:
        """A reset pulse; True when the chip answers with a presence pulse."""

    def write_bit(self, bit: int, now_us: int) -> None:
        """A write slot."""

    def read_bit(self, now_us: int) -> int:
        """A read slot; 1 when the chip leaves the line alone."""


class UartDevice(Protocol):
    """Something with a UART of its own at the other end of the wires."""

    def power_on(self) -> None:
        """Supply voltage came (back), and board time starts at nought."""

    def hear(self, data: bytes, start_us: float, baudrate: int) -> None:
        """Characters from the processor at its speed, the first of them beginning at start_us."""

    def speak(self, now_us: int, baudrate: int) -> bytes:
        """Characters that have come to the processor by now, as it gets them at its speed; each once."""


class AnalogSource(Protocol):
    """Something with a voltage."""

    def microvolts(self, now_us: int) -> float:
        """Voltage at the converter's pin."""


# A quantity that is constant or a function of board time in seconds.
Quantity = float | Callable[[float], float]


def value_at(quantity: Quantity, now_us: int) -> float:
    """The quantity at a moment."""
    return quantity(now_us / 1e6) if callable(quantity) else quantity
