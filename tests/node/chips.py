"""Sensors at their registers, for drivers run on CPython: what the data sheets say, nothing of how our drivers use it.

Time is a number that sleeps and transfers move.
"""

from __future__ import annotations


class Time:
    """Stands in for MicroPython's `time` in a driver module. Ticks wrap at 2**30, as on the ESP32."""

    PERIOD = 1 << 30

    def __init__(self, now_us: int = 0) -> None:
        self.now_us = now_us

    def sleep_ms(self, ms: int) -> None:
        self.now_us += ms * 1000

    def sleep_us(self, us: int) -> None:
        self.now_us += us

    def ticks_us(self) -> int:
        self.now_us += 2
        return self.now_us % self.PERIOD

    def ticks_ms(self) -> int:
        self.now_us += 2
        return self.now_us // 1000 % self.PERIOD

    def ticks_add(self, ticks: int, delta: int) -> int:
        return (ticks + delta) % self.PERIOD

    def ticks_diff(self, a: int, b: int) -> int:
        half = self.PERIOD // 2
        return (a - b + half) % self.PERIOD - half


class Tmp117:
    """TMP117 behind the device interface of node.sensors.bus (data sheet SNOSD82, section 8.6)."""

    def __init__(self, clock: Time, raw: int = 0x0C80) -> None:
        self.name = "I2C 0, address 0x48"
        self.clock = clock
        self.raw = raw
        self.id = 0x1117  # revision 1
        self.absent = False
        self.stuck = False
        self.configuration = 0x0220
        self._result = 0x8000
        self._ready = False
        self._done_us: float | None = None

    def _advance(self) -> None:
        if self._done_us is not None and self.clock.now_us >= self._done_us and not self.stuck:
            self._result, self._ready, self._done_us = self.raw & 0xFFFF, True, None
            self.configuration = self.configuration & ~(3 << 10) | 1 << 10

    def read(self, register: int) -> int:
        if self.absent:
            raise OSError(19)
        self.clock.now_us += 90
        self._advance()
        if register == 0x0F:
            return self.id
        if register == 0x01:
            value = self.configuration | (1 << 13 if self._ready else 0)
            self._ready = False
            return value
        if register == 0x00:
            self._ready = False
            return self._result
        return 0

    def write(self, register: int, value: int) -> None:
        if self.absent:
            raise OSError(19)
        assert register == 0x01
        self.clock.now_us += 90
        self.configuration = value
        if value >> 10 & 3 == 3:
            conversions = (1, 8, 32, 64)[value >> 5 & 3]
            self._done_us = self.clock.now_us + conversions * 15_500
