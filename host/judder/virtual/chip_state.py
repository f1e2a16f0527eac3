"""What an ESP32 keeps around its program: RTC memory and clock, watchdog, and the flash operation at which power goes.

The supervisor owns one; the program fills it through messages and finds it again after the resets that keep it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from judder.errors import InputError
from judder.virtual.bus import Frame
from judder.virtual.clock import BoardClock
from judder.virtual.counters import Counters
from judder.virtual.process import NodeProcess
from judder.virtual.standin import _wire as wire

_LOOK_S = 0.05
CUT_MODES = ("drop", "torn", "complete")


@dataclass
class FlashCut:
    """Power goes at the `after`-th erase or program from now on (1: the next).

    mode: drop (it has not happened), torn (half of it has), complete (it has, nothing after it).
    """

    after: int
    mode: str = "drop"

    def __post_init__(self) -> None:
        if self.after < 1 or self.mode not in CUT_MODES:
            raise InputError(f"flash cut after {self.after}, {self.mode}: after from 1, mode of {', '.join(CUT_MODES)}")


class Watchdog:
    """Armed by the program, off after every reset that is not a soft one."""

    def __init__(self, clock: BoardClock) -> None:
        self._clock = clock
        self.timeout_ms = 0
        self._fed_us = 0
        self._fed_s = 0.0
        self._idle_cpu_s = 0.0
        self._idle_messages = -1
        self._look_s = 0.0

    def arm(self, timeout_ms: int, now_us: int) -> None:
        """From now on it wants to be fed every timeout_ms."""
        self.timeout_ms = timeout_ms
        self.feed(now_us)

    def feed(self, now_us: int) -> None:
        self._fed_us, self._fed_s = now_us, time.monotonic()

    def disarm(self) -> None:
        self.timeout_ms = 0
        self._idle_messages = -1

    @property
    def due_us(self) -> int:
        """Board time at which it bites unless fed; the node itself sees to that on a virtual clock."""
        return self._fed_us + self.timeout_ms * 1000

    def bites(self, process: NodeProcess, messages: int) -> bool:
        """Time is up for a program that does not notice it itself. messages: how many it has sent so far."""
        if not self.timeout_ms:
            return False
        now_s = time.monotonic()
        if not self._clock.is_virtual:
            return now_s - self._fed_s > self.timeout_ms / 1000
        if messages != self._idle_messages and now_s < self._look_s:
            return False  # it says something all the time; asking for its processor time costs more than an answer
        self._look_s = now_s + _LOOK_S
        # Virtual time stands still in a loop that does nothing: then the processor time it burns is what counts.
        used_s = process.cpu_seconds()
        if messages != self._idle_messages:
            self._idle_messages, self._idle_cpu_s = messages, used_s
        return used_s - self._idle_cpu_s > self.timeout_ms / 1000


class ChipState:
    """RTC, watchdog and flash cut of one board. `handlers`: message number -> what to do, for the supervisor."""

    def __init__(self, clock: BoardClock, counters: Counters) -> None:
        self._clock = clock
        self._counters = counters
        self.watchdog = Watchdog(clock)
        self.cut: FlashCut | None = None
        self.rtc_memory = b""
        self.rtc_offset_s = 0
        self.handlers: dict[int, Callable[[Frame], bytes]] = {
            wire.TIME: lambda _frame: b"",
            wire.WDT_ARM: self._arm,
            wire.WDT_FEED: self._feed,
            wire.RTC_MEMORY: self._keep_memory,
            wire.RTC_TIME: self._keep_time,
            wire.FLASH_OP: self._count_flash,
        }

    def power_on(self) -> None:
        """RTC memory is lost and its clock starts in 2000."""
        self.rtc_memory = b""
        self.rtc_offset_s = -(self._clock.now_us // 1_000_000)

    def config(self) -> dict[str, object]:
        """What the program is told at its start."""
        return {
            "rtc_memory": self.rtc_memory.hex(),
            "rtc_offset_s": self.rtc_offset_s,
            "clock": self._clock.mode,
            "pace": self._clock.pace or 0,
            "now_us": self._clock.now_us,
            "wdt_ms": self.watchdog.timeout_ms,
            "wdt_due_us": self.watchdog.due_us,
            "cut_after": self.cut.after if self.cut else 0,
            "cut_mode": self.cut.mode if self.cut else "",
        }

    def _arm(self, frame: Frame) -> bytes:
        (timeout_ms,) = struct.unpack("<I", frame.payload)
        self.watchdog.arm(timeout_ms, frame.time_us)
        return b""

    def _feed(self, frame: Frame) -> bytes:
        self.watchdog.feed(frame.time_us)
        return b""

    def _keep_memory(self, frame: Frame) -> bytes:
        self.rtc_memory = frame.payload
        return b""

    def _keep_time(self, frame: Frame) -> bytes:
        (self.rtc_offset_s,) = struct.unpack("<q", frame.payload)
        return b""

    def _count_flash(self, frame: Frame) -> bytes:
        operation, _offset, length, over = struct.unpack("<BIII", frame.payload)
        if operation == 0:
            self._counters.sectors_erased += 1
        else:
            self._counters.bytes_programmed += length
            self._counters.over_programs += over
        if self.cut is not None:
            self.cut.after -= 1
        return b""
