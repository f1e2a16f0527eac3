"""What an SX1262 is set to, and what its commands do to that. See judder.virtual.chips.sx1262."""

from __future__ import annotations

from dataclasses import dataclass, field

from judder.virtual.chips import sx1262_codes as codes
from judder.virtual.lorawan.air import Tuning

_TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)  # table 13-35


def _defaults() -> dict[int, int]:
    registers = dict.fromkeys(range(codes.RETENTION, codes.RETENTION + 9), 0)
    return {**registers, codes.SYMBOL_TIMEOUT: 0, codes.RTC_CONTROL: 0, codes.EVENT_CLEAR: 0, **codes.DEFAULTS}


@dataclass
class Settings:
    """calibrated: blocks as in Calibrate. image_band: MHz. tcxo_mv: 0 without TCXO control. power: of SetTxParams."""

    registers: dict[int, int] = field(default_factory=_defaults)
    calibrated: int = 0
    image_band: tuple[int, int] = (0, 0)
    tcxo_mv: int = 0
    tcxo_delay_us: int = 0
    dio2_switch: bool = False
    fallback: int = 0x20
    lora: bool = False
    frequency_hz: int = 0
    sf: int = 0
    bandwidth_hz: int = 0
    low_rate: bool = False
    preamble: int = 0
    length: int = 0
    crc: bool = False
    inverted_iq: bool = False
    pa_dbm: int | None = None
    power: int | None = None
    tx_base: int = 0
    rx_base: int = 0
    symbol_timeout: int = 0
    stop_on_preamble: bool = False
    irq_mask: int = 0
    dio1_mask: int = 0

    def retained(self) -> Settings:
        """After a warm sleep: all but some registers, unless they stand on the retention list."""
        registers = self.registers
        kept = {
            registers[codes.RETENTION + 1 + 2 * n] << 8 | registers[codes.RETENTION + 2 + 2 * n]
            for n in range(min(4, registers[codes.RETENTION]))
        }
        for address in codes.NOT_RETAINED:
            if address not in kept:
                registers[address] = codes.DEFAULTS[address]
        return self

    def tuning(self) -> Tuning:
        """What the modem sends and listens for. A sync word 3444 is 0x34 to an SX1276."""
        high, low = self.registers[codes.SYNC_MSB], self.registers[codes.SYNC_LSB]
        sync_word = high & 0xF0 | low >> 4
        return Tuning(self.frequency_hz, self.sf, self.bandwidth_hz, self.inverted_iq, sync_word)

    def power_dbm(self) -> float:
        """At the antenna pin: SetTxParams says 22 for what the amplifier's setting gives at most (table 13-21)."""
        assert self.power is not None and self.pa_dbm is not None
        return self.power - 22 + self.pa_dbm

    def missing(self, sending: bool) -> str:
        """Why it can't send or receive, or nothing."""
        if not self.lora:
            return "no packet type is set"
        if not (self.frequency_hz and self.bandwidth_hz and self.preamble):
            return "frequency, modulation or packet parameters are not set"
        if sending and (self.pa_dbm is None or self.power is None):
            return "the power amplifier is not set"
        return ""

    def apply(self, opcode: int, data: bytes) -> str:
        """Carry out a command that only sets something. Returns what is wrong with it, or nothing."""
        number = int.from_bytes(data, "big")
        if opcode == codes.WRITE_REGISTER:
            address = data[0] << 8 | data[1]
            for place, byte in enumerate(data[2:]):
                if address + place == codes.SYMBOL_TIMEOUT:
                    # Mantissa above exponent, symbols = mantissa * 2^(2 * exponent + 1).
                    self.symbol_timeout = (byte >> 3) << (2 * (byte & 7) + 1)
                self.registers[address + place] = byte
        elif opcode == codes.SET_DIO3_TCXO:
            self.tcxo_mv = _TCXO_MV[data[0] & 7]
            self.tcxo_delay_us = round(int.from_bytes(data[1:], "big") * codes.TICK_US)
        elif opcode == codes.SET_DIO2_SWITCH:
            self.dio2_switch = data[0] == 1
        elif opcode == codes.SET_PACKET_TYPE:
            self.lora = data[0] == 1
            self.symbol_timeout = 0  # LoRaMac-node pull request 881: set it after the packet type
        elif opcode == codes.SET_FREQUENCY:
            self.frequency_hz = round(number * 32e6 / 2**25)
        elif opcode == codes.SET_MODULATION:
            return self._modulation(data)
        elif opcode == codes.SET_PACKET:
            return self._packet(data)
        elif opcode == codes.SET_FALLBACK:
            if data[0] not in (0x20, 0x30, 0x40):
                return f"fallback mode 0x{data[0]:02x}"
            self.fallback = data[0]
        elif opcode == codes.SET_PA_CONFIG:
            self.pa_dbm = codes.PA_DBM.get((data[0], data[1]))
            self.registers[codes.OCP] = 0x38  # section 13.1.14: for the SX1262 it becomes 140 mA
            if self.pa_dbm is None or data[2:] != b"\x00\x01":
                return f"PA configuration {data.hex()} is none of the data sheet's for an SX1262"
        elif opcode == codes.SET_TX_PARAMS:
            power = data[0] - 256 if data[0] > 127 else data[0]
            if not -9 <= power <= 22 or data[1] > 7:
                return f"SetTxParams power {power}, ramp {data[1]}"
            self.power = power
        elif opcode == codes.SET_DIO_IRQ:
            self.irq_mask, self.dio1_mask = number >> 48, number >> 32 & 0xFFFF
        elif opcode == codes.SET_BUFFER_BASE:
            self.tx_base, self.rx_base = data
        elif opcode == codes.SET_SYMBOL_TIMEOUT:
            # Counted in pairs up to 62, in eights up to 248; the chip rounds down (LoRaMac-node issue 935).
            self.symbol_timeout = data[0] & ~1 if data[0] < 64 else data[0] & ~7
        elif opcode == codes.STOP_TIMER_ON_PREAMBLE:
            self.stop_on_preamble = data[0] == 1
        return ""

    def _modulation(self, data: bytes) -> str:
        bandwidth = codes.BANDWIDTHS.get(data[1])
        if not 5 <= data[0] <= 12 or bandwidth is None or not 1 <= data[2] <= 4 or data[3] > 1:
            return f"modulation parameters {data.hex()}"
        if not self.lora:
            return "modulation parameters before the packet type"
        self.sf, self.bandwidth_hz, self.low_rate = data[0], bandwidth, data[3] == 1
        return ""

    def _packet(self, data: bytes) -> str:
        if not self.lora:
            return "packet parameters before the packet type"
        if data[2]:
            return "implicit headers are not modelled"
        self.preamble, self.length = data[0] << 8 | data[1], data[3]
        self.crc, self.inverted_iq = data[4] == 1, data[5] == 1
        return ""
