"""AXP192 and AXP2101 power chips (X-Powers), as far as a T-Beam's radio hangs on them. I2C, 8-bit registers.

Registers after the AXP2101 data sheet V1.4 and the register lists of XPowersLib; which output feeds the radio: LilyGO's
examples. Modelled: chip type, the voltage and the switch of that one output. All else is memory.
"""

from __future__ import annotations

from collections.abc import Callable

ADDRESS = 0x34
TYPE = 0x03
# Chip type, register and bit that switch the radio's output, voltage register, its lowest bit, mask, lowest mV.
_OUTPUTS = {
    "axp192": (0x03, 0x12, 2, 0x28, 4, 0x0F, 1800),  # LDO2
    "axp2101": (0x4A, 0x90, 1, 0x93, 0, 0x1F, 500),  # ALDO2
}
_DEFAULTS = {"axp192": {0x12: 0x03, 0x28: 0xCF}, "axp2101": {0x90: 0x00, 0x93: 0x1C}}
_NEEDED_MV = range(3000, 3601)


class Axp:
    """kind: "axp192" or "axp2101". switched(on, now_us): told when the radio's supply comes or goes."""

    def __init__(self, kind: str = "axp2101", switched: Callable[[bool, int], None] | None = None) -> None:
        self.kind = kind
        self.switched = switched
        self.power_on()

    def power_on(self) -> None:
        """The radio's output is off."""
        self.registers = bytearray(256)
        for register, value in {TYPE: _OUTPUTS[self.kind][0], **_DEFAULTS[self.kind]}.items():
            self.registers[register] = value
        self._pointer = 0

    @property
    def radio_mv(self) -> int:
        """At the radio's supply pin."""
        _type, switch, bit, voltage, shift, mask, lowest_mv = _OUTPUTS[self.kind]
        if not self.registers[switch] >> bit & 1:
            return 0
        return lowest_mv + 100 * (self.registers[voltage] >> shift & mask)

    def write(self, data: bytes, now_us: int) -> None:
        """Register, then what goes into it and those after it."""
        self._pointer = data[0]
        for value in data[1:]:
            if self._pointer != TYPE:
                self.registers[self._pointer] = value
            self._pointer = self._pointer + 1 & 0xFF
        if len(data) > 1 and self.switched is not None:
            self.switched(self.radio_mv in _NEEDED_MV, now_us)

    def read(self, count: int, now_us: int) -> bytes:  # noqa: ARG002
        """From the register pointed at on."""
        return bytes(self.registers[self._pointer + place & 0xFF] for place in range(count))
