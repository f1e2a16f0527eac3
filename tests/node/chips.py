"""Sensors at their registers, for drivers run on CPython: what the data sheets say, nothing of how our drivers use it.

Time is a number that sleeps and transfers move.
"""

from __future__ import annotations

import struct
from collections.abc import Callable


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


class Iis3dwb:
    """IIS3DWB behind the device interface of node.sensors.bus (data sheet DS12569, sections 8 and 9).

    rate_hz: what this specimen really does. sample(k) -> (x, y, z) counts of its k-th sample since power-on of the
    sensing element. byte_us: duration of a byte on the bus.
    """

    FIFO_WORDS = 512

    def __init__(
        self, clock: Time, rate_hz: float = 26_667, sample: Callable[[int], tuple[int, int, int]] | None = None
    ):
        self.name = "SPI 1, chip select 10"
        self.clock = clock
        self.rate_hz = rate_hz
        self.sample = sample or (lambda k: (k % 30_000, -(k % 30_000), 2048))
        self.byte_us = 0.8
        self.id = 0x7B
        self.dead = False
        self.self_test_counts = (13_000, 12_000, -14_000)
        self.extra_tags: dict[int, int] = {}  # sample index -> tag of a word put before it
        self.registers = bytearray(128)
        self.writes: list[tuple[int, int]] = []
        self.fifo: list[bytes] = []
        self.overrun = False
        self.made = 0
        self._started_us: float | None = None

    # --- what the sensing element does as time goes by

    def _advance(self) -> None:
        if self._started_us is None or self.dead:
            return
        due = int((self.clock.now_us - self._started_us) * self.rate_hz / 1e6)
        while self.made < due:
            k = self.made
            self.made += 1
            # FIFO_CTRL4 FIFO_MODE 110 continuous; FIFO_CTRL3 BDR_XL 1010 batches at the full rate.
            if self.registers[0x0A] & 7 != 6 or self.registers[0x09] & 0xF != 0xA:
                continue
            if k in self.extra_tags:
                self._put(bytes((self.extra_tags[k] << 3,)) + b"\x11" * 6)
            values = self.sample(k)
            if self.registers[0x14] & 3 == 1:
                values = tuple([v + s for v, s in zip(values, self.self_test_counts, strict=True)])
            clipped = [max(-32768, min(32767, value)) for value in values]
            self._put(bytes((0x02 << 3 | (k & 3) << 1,)) + struct.pack("<hhh", *clipped))

    def _put(self, word: bytes) -> None:
        if len(self.fifo) == self.FIFO_WORDS:
            self.fifo.pop(0)
            self.overrun = True
        self.fifo.append(word)

    # --- the bus

    def read(self, register: int) -> int:
        one = bytearray(1)
        self.burst(register, one)
        return one[0]

    def burst(self, register: int, buffer: bytearray | memoryview) -> None:
        self._advance()
        if register == 0x3A:
            level = len(self.fifo)
            # FIFO_STATUS2: WTM 7, OVR 6, FULL 5, OVR_LATCHED 3 (cleared by this read), DIFF 9:8.
            high = level >> 8 | (0x48 if self.overrun else 0) | (0x20 if level == self.FIFO_WORDS else 0)
            data = bytes((level & 0xFF, high))
            self.overrun = False
        elif register == 0x78:
            assert len(buffer) % 7 == 0
            words = [self.fifo.pop(0) if self.fifo else bytes(7) for _ in range(len(buffer) // 7)]
            data = b"".join(words)
        elif register == 0x0F:
            data = bytes((self.id,))
        else:
            data = bytes(self.registers[register : register + len(buffer)])
        buffer[:] = data[: len(buffer)]
        self.clock.now_us += int(20 + self.byte_us * (1 + len(buffer)))

    def write(self, register: int, value: int) -> None:
        self._advance()
        self.clock.now_us += int(20 + self.byte_us * 2)
        self.writes.append((register, value))
        if register == 0x12 and value & 1:  # SW_RESET: back to defaults, and the bit clears itself
            self.registers = bytearray(128)
            self.registers[0x12] = 0x04
            self._started_us = None
            self.fifo.clear()
            return
        self.registers[register] = value
        if register == 0x0A and value & 7 == 0:
            self.fifo.clear()
            self.overrun = False
        if register == 0x10:
            on = value >> 5 == 5
            if on and self._started_us is None:
                self._started_us, self.made = self.clock.now_us, 0
            elif not on:
                self._started_us = None


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
