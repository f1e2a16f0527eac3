"""MAX31865 converter for platinum resistors (Maxim, data sheet 19-6478 rev. 3), SPI modes 1 and 3.

Modelled: registers, bias, one-shot and continuous conversions with the filter's duration, 15-bit ratio, fault
thresholds, fault bits of an open or shorted sensor. Not modelled: settling of the input filter, the timing of the fault
detection cycle (its result is there at once), the DRDY pin.
"""

from __future__ import annotations

from collections.abc import Collection

from judder.virtual.chips.base import Quantity, value_at
from judder.virtual.chips.registers import RegisterChip

CONFIG, RTD_MSB, RTD_LSB, HIGH_MSB, LOW_LSB, FAULTS = 0x00, 0x01, 0x02, 0x03, 0x06, 0x07
BIAS, AUTO, ONE_SHOT, FAULT_CLEAR, FILTER_50_HZ = 0x80, 0x40, 0x20, 0x02, 0x01
OPEN, SHORT, OVERVOLTAGE = "open", "short", "overvoltage"
# Callendar-Van Dusen, IEC 60751.
A, B, C = 3.9083e-3, -5.775e-7, -4.183e-12
_CONVERSION_US = {0: 52_000, 1: 62_500}  # one shot, typical, by the filter bit
_PERIOD_US = {0: 16_700, 1: 20_000}


def resistance_ratio(celsius: float) -> float:
    """R / R0 of a platinum resistor (IEC 60751)."""
    below = C * (celsius - 100) * celsius**3 if celsius < 0 else 0.0
    return 1 + A * celsius + B * celsius**2 + below


class Max31865(RegisterChip):
    """celsius: of the resistor, a number or a function of board time. ohm_at_0: 100 or 1000. reference_ohm: the
    resistor beside the chip. fault: None, OPEN, SHORT or OVERVOLTAGE.
    """

    spi_modes: Collection[int] = (1, 3)
    max_baudrate = 5_000_000

    def __init__(self, celsius: Quantity = 24.0, ohm_at_0: float = 100.0, reference_ohm: float = 430.0) -> None:
        self.celsius = celsius
        self.ohm_at_0 = ohm_at_0
        self.reference_ohm = reference_ohm
        self.fault: str | None = None
        self.absent = False
        self.power_on()

    def power_on(self) -> None:
        """Registers at their defaults."""
        super().power_on()
        self._registers = [0, 0, 0, 0xFF, 0xFF, 0, 0, 0]
        self._done_us: int | None = None

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """An absent chip leaves the line high."""
        return b"\xff" * len(data) if self.absent else super().exchange(data, now_us)

    def _spi_command(self, byte: int) -> tuple[int, bool, bool]:
        return byte & 0x07, not byte & 0x80, True

    def _following(self, register: int) -> int:
        return register + 1 & 0x07

    def _get(self, register: int, now_us: int) -> int:  # noqa: ARG002
        return self._registers[register]

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register in (RTD_MSB, RTD_LSB, FAULTS):
            return
        if register != CONFIG:
            self._registers[register] = value
            return
        if value & FAULT_CLEAR:
            self._registers[FAULTS] = 0
        if value & 0x0C:
            self._detect()
        if value & BIAS and value & (ONE_SHOT | AUTO):
            self._done_us = now_us + _CONVERSION_US[value & FILTER_50_HZ]
        elif not value & AUTO:
            self._done_us = None
        self._registers[CONFIG] = value & 0xD1  # the others clear themselves

    def _run(self, now_us: int) -> None:
        if self._done_us is None or now_us < self._done_us:
            return
        config = self._registers[CONFIG]
        if config & AUTO:
            period = _PERIOD_US[config & FILTER_50_HZ]
            periods = (now_us - self._done_us) // period
            at_us = self._done_us + periods * period
            self._done_us = at_us + period
        else:
            at_us, self._done_us = self._done_us, None
        self._convert(at_us)

    def _convert(self, at_us: int) -> None:
        ohm = self.ohm_at_0 * resistance_ratio(value_at(self.celsius, at_us))
        code = {OPEN: 32767, SHORT: 0}.get(self.fault or "", round(ohm / self.reference_ohm * 32768))
        code = max(0, min(32767, code))
        word = code << 1
        high = self._registers[HIGH_MSB] << 8 | self._registers[HIGH_MSB + 1]
        low = self._registers[LOW_LSB - 1] << 8 | self._registers[LOW_LSB]
        if word >= high & 0xFFFE:
            self._registers[FAULTS] |= 0x80
        if word <= low & 0xFFFE:
            self._registers[FAULTS] |= 0x40
        if self.fault == OVERVOLTAGE:
            self._registers[FAULTS] |= 0x04
        word |= self._registers[FAULTS] != 0
        self._registers[RTD_MSB], self._registers[RTD_LSB] = word >> 8, word & 0xFF

    def _detect(self) -> None:
        # Table 12, four wires: an open element pulls REFIN- up, a shorted one shows in the ratio alone.
        if self.fault == OPEN:
            self._registers[FAULTS] |= 0x20
