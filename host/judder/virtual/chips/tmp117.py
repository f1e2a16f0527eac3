"""TMP117 thermometer (Texas Instruments, data sheet SNOSD82): 16-bit registers over I2C, most significant byte first.

Modelled: result, configuration with conversion modes, averaging and data-ready, limits, device id, soft reset.
Not modelled: programming the EEPROM (unlocking is accepted, cells stay), the ALERT pin.
"""

from __future__ import annotations

from judder.virtual.chips.base import Quantity, value_at

TEMPERATURE, CONFIGURATION, HIGH_LIMIT, LOW_LIMIT, DEVICE_ID = 0x00, 0x01, 0x02, 0x03, 0x0F
LSB_C = 0.0078125  # section 7.6.2, one count of every temperature register
NO_RESULT = 0x8000  # section 7.6.2: -256 degC until the first conversion is done
_ID = 0x0117

_CONFIG_DEFAULT = 0x0220  # table 7-5: continuous, 1 s cycle, 8 averages
_DATA_READY = 1 << 13
_SOFT_RESET = 1 << 1
_WRITABLE = 0x0FFC
_ONE_SHOT, _SHUTDOWN = 3, 1
_STARTUP_US = 1500  # table 6.5: power-on reset time
_SAMPLE_US = 15_500  # table 6.5: one conversion
_AVERAGES = (1, 8, 32, 64)
# Table 7-7, no averaging: conversion cycle by CONV[2:0]; with averaging a cycle lasts no less than its conversions.
_CYCLES_US = (15_500, 125_000, 250_000, 500_000, 1_000_000, 4_000_000, 8_000_000, 16_000_000)


class Tmp117:
    """celsius: a number or a function of board time in seconds; results are rounded to the LSB."""

    def __init__(self, celsius: Quantity = 24.0) -> None:
        self.celsius = celsius
        self.conversions = 0
        self.power_on()

    def power_on(self) -> None:
        """Registers at their defaults; the first conversion begins."""
        self._pointer = 0
        self._registers = {HIGH_LIMIT: 0x6000, LOW_LIMIT: 0x8000}
        self._result = NO_RESULT
        self._ready = False
        self._config = _CONFIG_DEFAULT
        self._begin_us = _STARTUP_US  # of the running conversion; board time counts from power-on

    def write(self, data: bytes, now_us: int) -> None:
        """Pointer, then optionally one register."""
        self._run(now_us)
        self._pointer = data[0] & 0x0F
        if len(data) >= 3:
            self._set(self._pointer, data[1] << 8 | data[2], now_us)

    def read(self, count: int, now_us: int) -> bytes:
        """The register pointed at, over and over."""
        self._run(now_us)
        pair = self._get(self._pointer).to_bytes(2, "big")
        return (pair * (count // 2 + 1))[:count]

    def _get(self, register: int) -> int:
        if register == TEMPERATURE:
            self._ready = False
            return self._result
        if register == CONFIGURATION:
            value = self._config | (_DATA_READY if self._ready else 0)
            self._ready = False
            return value
        if register == DEVICE_ID:
            return _ID
        return self._registers.get(register, 0)

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register == CONFIGURATION:
            if value & _SOFT_RESET:
                self.power_on()
                self._begin_us = now_us + _STARTUP_US
                return
            self._config = value & _WRITABLE
            self._begin_us = now_us
        elif register in (HIGH_LIMIT, LOW_LIMIT):
            self._registers[register] = value

    @property
    def _mode(self) -> int:
        return self._config >> 10 & 3

    def _conversion_us(self) -> int:
        return _SAMPLE_US * _AVERAGES[self._config >> 5 & 3]

    def _cycle_us(self) -> int:
        return max(_CYCLES_US[self._config >> 7 & 7], self._conversion_us())

    def _run(self, now_us: int) -> None:
        """Catch up with the conversions due by now."""
        if self._mode == _SHUTDOWN:
            return
        done_us = self._begin_us + self._conversion_us()
        if now_us < done_us:
            return
        if self._mode == _ONE_SHOT:
            self._convert(done_us)
            self._config = self._config & ~(3 << 10) | _SHUTDOWN << 10
            return
        cycles = (now_us - done_us) // self._cycle_us()
        self.conversions += cycles
        self._begin_us += (cycles + 1) * self._cycle_us()
        self._convert(done_us + cycles * self._cycle_us())

    def _convert(self, at_us: int) -> None:
        counts = round(value_at(self.celsius, at_us) / LSB_C)
        self._result = max(-32768, min(32767, counts)) & 0xFFFF
        self._ready = True
        self.conversions += 1
