"""DS18B20 thermometer (Maxim, data sheet 19-7487 rev. 6) on a 1-Wire line, bit by bit.

Modelled: ROM code with CRC, read, match, skip and search ROM, convert, scratchpad with CRC, write and copy scratchpad,
resolutions and their conversion times, 85 degC after power-on. Not modelled: alarm search, parasite power.
"""

from __future__ import annotations

from judder.virtual.chips.base import Quantity, value_at

FAMILY = 0x28
READ_ROM, MATCH_ROM, SKIP_ROM, SEARCH_ROM = 0x33, 0x55, 0xCC, 0xF0
CONVERT, READ_SCRATCHPAD, WRITE_SCRATCHPAD, COPY_SCRATCHPAD, RECALL, READ_POWER = 0x44, 0xBE, 0x4E, 0x48, 0xB8, 0xB4
POWER_ON_RAW = 0x0550  # +85 degC, table 1
_EEPROM_DEFAULT = bytes((0x4B, 0x46, 0x7F))  # TH, TL, configuration: 12 bits
_CONVERSION_US = (93_750, 187_500, 375_000, 750_000)  # by R1:R0, table 2


def crc8(data: bytes) -> int:
    """Dallas CRC: x^8 + x^5 + x^4 + 1, least significant bit first (data sheet, "CRC generation")."""
    crc = 0
    for byte in data:
        for _ in range(8):
            odd = (crc ^ byte) & 1
            crc = crc >> 1 ^ (0x8C if odd else 0)
            byte >>= 1
    return crc


class Ds18b20:
    """celsius: a number or a function of board time. present: on the line. damage: flips a bit of what is read."""

    def __init__(self, celsius: Quantity = 24.0, serial: int = 0x0123456789AB) -> None:
        self.celsius = celsius
        body = bytes((FAMILY,)) + serial.to_bytes(6, "little")
        self.rom = body + bytes((crc8(body),))
        self.present = True
        self.damage = False
        self._eeprom = _EEPROM_DEFAULT
        self.power_on()

    def power_on(self) -> None:
        """The temperature register reads 85 degC until the first conversion; settings come from the EEPROM."""
        self._raw = POWER_ON_RAW
        self._settings = self._eeprom
        self._done_us: int | None = None
        self._converts_at_us = 0
        self._idle()

    def _idle(self) -> None:
        self._state = "idle"
        self._bits: list[int] = []
        self._out: list[int] = []

    # --- the line

    def reset(self, now_us: int) -> bool:
        """Presence pulse, unless it is not there."""
        self._run(now_us)
        self._idle()
        if self.present:
            self._state = "rom"
        return self.present

    def write_bit(self, bit: int, now_us: int) -> None:
        """Commands and data, least significant bit first."""
        self._run(now_us)
        if self._state == "search":
            self._search_choice(bit)
            return
        self._bits.append(bit)
        if len(self._bits) % 8:
            return
        data = bytes(sum(b << i for i, b in enumerate(self._bits[k : k + 8])) for k in range(0, len(self._bits), 8))
        if self._state == "rom":
            self._rom_command(data[0])
        elif self._state == "match" and len(data) == 8:
            self._to("function" if data == self.rom else "idle")
        elif self._state == "function":
            self._function(data[0], now_us)
        elif self._state == "write" and len(data) == 3:
            self._settings = data[:2] + bytes((data[2] & 0x60 | 0x1F,))
            self._to("idle")

    def read_bit(self, now_us: int) -> int:
        """What was asked for; 0 while it converts, 1 when there is nothing to say."""
        self._run(now_us)
        if self._state == "search":
            return self._search_bit()
        if self._out:
            return self._out.pop(0)
        return 0 if self._state == "converting" and self._done_us is not None else 1

    # --- ROM

    def _to(self, state: str) -> None:
        self._state = state
        self._bits = []

    def _rom_command(self, command: int) -> None:
        if command == SKIP_ROM:
            self._to("function")
        elif command == MATCH_ROM:
            self._to("match")
        elif command == READ_ROM:
            self._to("function")
            self._send(self.rom)
        elif command == SEARCH_ROM:
            self._to("search")
            self._place, self._step = 0, 0
        else:
            self._to("idle")

    def _rom_bit(self) -> int:
        return self.rom[self._place // 8] >> self._place % 8 & 1

    def _search_bit(self) -> int:
        # A bit, then its complement, then the master says which way it goes.
        self._step += 1
        return self._rom_bit() if self._step == 1 else 1 - self._rom_bit()

    def _search_choice(self, bit: int) -> None:
        if bit != self._rom_bit():
            self._to("idle")
            return
        self._place, self._step = self._place + 1, 0
        if self._place == 64:
            self._to("function")

    # --- functions

    def _function(self, command: int, now_us: int) -> None:
        self._to("idle")
        if command == CONVERT:
            self._done_us = now_us + _CONVERSION_US[self._settings[2] >> 5 & 3]
            self._state = "converting"
        elif command == READ_SCRATCHPAD:
            self._send(self._scratchpad())
        elif command == WRITE_SCRATCHPAD:
            self._to("write")
        elif command == COPY_SCRATCHPAD:
            self._eeprom = self._settings
        elif command == RECALL:
            self._settings = self._eeprom

    def _scratchpad(self) -> bytes:
        body = (self._raw & 0xFFFF).to_bytes(2, "little") + self._settings + b"\xff\x0c\x10"
        data = bytearray(body + bytes((crc8(body),)))
        if self.damage:
            data[0] ^= 0x04
        return bytes(data)

    def _send(self, data: bytes) -> None:
        self._out = [byte >> i & 1 for byte in data for i in range(8)]

    def _run(self, now_us: int) -> None:
        if self._done_us is not None and now_us >= self._done_us:
            at_us, self._done_us = self._done_us, None
            resolution = 3 - (self._settings[2] >> 5 & 3)
            raw = round(value_at(self.celsius, at_us) * 16) >> resolution << resolution
            self._raw = max(-55 * 16, min(125 * 16, raw))
