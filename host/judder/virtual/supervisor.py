"""Keeps the processor of a virtual board running: boots MicroPython from the flash file and plays the chip around it.

    off -> (boot) -> running -> soft reset, machine.reset(), watchdog -> running
                             -> machine.deepsleep() -> asleep -> running
                             -> hold() (EN pulled low) -> held -> boot() -> running
                             -> power_cut() -> off

Everything happens in one thread of its own: console, chips, time-outs. Chips are models in this process, MicroPython is
a process of its own, so killing it at any instant is a power cut.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from judder.errors import DeviceError, InputError
from judder.virtual import firmware_check
from judder.virtual.bus import Bus, Frame, FrameReader, Refused
from judder.virtual.clock import BoardClock
from judder.virtual.console import ConsoleFilter
from judder.virtual.counters import Counters
from judder.virtual.identity import ChipIdentity
from judder.virtual.process import NodeProcess, find_micropython
from judder.virtual.standin import _wire as wire

# machine.reset_cause() of the esp32 port.
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
_TIMER_WAKE = 4
# What the ROM prints about them (ESP32-S3 technical reference manual, table "Reset Source").
_ROM_CAUSE = {
    PWRON_RESET: "0x1 (POWERON)",
    HARD_RESET: "0xc (RTC_SW_CPU_RST)",
    WDT_RESET: "0x7 (TG0WDT_SYS_RST)",
    DEEPSLEEP_RESET: "0x5 (DSLEEP)",
}

OFF, HELD, RUNNING, ASLEEP, HALTED = "off", "held", "running", "asleep", "halted"

BOOT_US = 300_000  # ROM, second-stage boot loader and MicroPython's own start, about
_HELD_INPUT_BYTES = 4096
_DOG_LOOK_S = 0.1

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


class Supervisor:
    """on_output(bytes): console output. on_power_lost(): the node died at a FlashCut. Both from our thread.

    start() and stop() frame its life; boot(), hold(), feed() and power_cut() may be called from any thread.
    """

    def __init__(
        self,
        flash: Path,
        *,
        identity: ChipIdentity,
        mac: bytes,
        bus: Bus,
        clock: BoardClock,
        counters: Counters,
        on_output: Callable[[bytes], None],
        on_power_lost: Callable[[], None] = lambda: None,
        micropython: str | Sequence[str] | None = None,
    ) -> None:
        self._flash = flash
        self._identity = identity
        self._mac = mac
        self.bus = bus
        self.clock = clock
        self.counters = counters
        self._on_output = on_output
        self._on_power_lost = on_power_lost
        self._micropython = find_micropython(micropython)
        self.state = OFF
        self.failure: DeviceError | None = None
        self.cut: FlashCut | None = None
        self._process: NodeProcess | None = None
        self._console = ConsoleFilter()
        self._frames = FrameReader()
        self._bus_closed = False
        self._held_input: bytearray | None = None  # collected until boot.py runs
        self._cause = PWRON_RESET
        self._wake_reason = 0
        self._wake_at_s: float | None = None
        self._rtc_memory = b""
        self._rtc_offset_s = 0
        self._wdt_ms = 0
        self._wdt_fed_us = 0
        self._wdt_fed_s = 0.0
        self._idle_cpu_s = 0.0
        self._idle_frames = -1
        self._frame_count = 0
        self.up = threading.Event()  # the boot files run, or there is nothing to run
        self._commands: deque[Callable[[], None]] = deque()
        self._wake_receive, self._wake_send = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._life: dict[int, Callable[[Frame], bytes | None]] = {
            wire.HELLO: self._hello,
            wire.RUN: self._run_begins,
            wire.REPL: self._repl_begins,
            wire.TIME: lambda _frame: b"",
            wire.RAW_OUTPUT: self._raw_output,
            wire.RESET: lambda _frame: self._boot(HARD_RESET),
            wire.SOFT_RESET: lambda _frame: self._soft_reset(),
            wire.DEEPSLEEP: self._deep_sleep,
            wire.BITE: lambda _frame: self._boot(WDT_RESET),
            wire.POWER_CUT: self._cut_by_flash,
            wire.WDT_ARM: self._arm_watchdog,
            wire.WDT_FEED: self._feed_watchdog,
            wire.RTC_MEMORY: self._keep_rtc_memory,
            wire.RTC_TIME: self._keep_rtc_time,
            wire.FLASH_OP: self._count_flash,
        }

    # --- from any thread

    def start(self) -> None:
        """Start the thread; nothing boots yet."""
        self._selector.register(self._wake_receive, selectors.EVENT_READ, self._woken)
        self._thread = threading.Thread(target=self._run, name="judder virtual board", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Kill the node and end the thread."""
        if self._thread is None:
            return
        self._stopping = True
        self._wake()
        if self._thread is not threading.current_thread():
            self._thread.join(10)
        self._thread = None

    def boot(self, cause: int = PWRON_RESET) -> None:
        """Reset into run mode. PWRON_RESET also clears the RTC, as pulling EN low does."""
        self.up.clear()
        self._post(lambda: self._boot(cause), wait=False)

    def hold(self) -> None:
        """EN is low: nothing runs until boot()."""
        self._post(lambda: self._halt(HELD), wait=True)

    def power_cut(self) -> None:
        """kill -9; returns when the node is dead."""
        self._post(lambda: self._halt(OFF), wait=True)

    def feed(self, data: bytes) -> None:
        """Console input."""
        self._post(lambda: self._input(data), wait=False)

    def _post(self, command: Callable[[], None], wait: bool) -> None:
        if threading.current_thread() is self._thread:
            command()
            return
        done = threading.Event()

        def run() -> None:
            try:
                command()
            finally:
                done.set()

        self._commands.append(run)
        self._wake()
        if wait and self._thread is not None:
            done.wait(10)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_send.send(b"x")

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                for key, _events in self._selector.select(self._timeout_s()):
                    key.data()
                while self._commands:
                    self._commands.popleft()()
                self._look_at_the_time()
        finally:
            self._halt(OFF)
            while self._commands:
                self._commands.popleft()()
            self._selector.close()
            self._wake_receive.close()
            self._wake_send.close()

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_receive.recv(4096)

    def _timeout_s(self) -> float | None:
        if self._wake_at_s is not None:
            return max(0.0, self._wake_at_s - time.monotonic())
        return _DOG_LOOK_S if self._wdt_ms and self._process is not None else None

    def _look_at_the_time(self) -> None:
        if self._wake_at_s is not None and time.monotonic() >= self._wake_at_s:
            self._boot(DEEPSLEEP_RESET, _TIMER_WAKE)
        elif self._wdt_ms and self._process is not None and self._dog_is_due(self._process):
            self._boot(WDT_RESET)

    def _dog_is_due(self, process: NodeProcess) -> bool:
        if not self.clock.is_virtual:
            return time.monotonic() - self._wdt_fed_s > self._wdt_ms / 1000
        # Virtual time stands still in a loop that does nothing: then the processor time it burns is what counts.
        used_s = process.cpu_seconds()
        if self._frame_count != self._idle_frames:
            self._idle_frames, self._idle_cpu_s = self._frame_count, used_s
        return used_s - self._idle_cpu_s > self._wdt_ms / 1000

    # --- process

    def _boot(self, cause: int, wake_reason: int = 0) -> None:
        self._kill()
        self._wake_at_s = None
        self._wdt_ms = 0
        self._console.raw = False
        if cause == PWRON_RESET:
            self._rtc_memory = b""
            self._rtc_offset_s = -(self.clock.now_us // 1_000_000)
        self.counters.boots += 1
        self._emit(f"{self._identity.banner}rst:{_ROM_CAUSE[cause]},boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n".encode())
        complaint = firmware_check.complaint(self._flash, self._identity.chip)
        if complaint is not None:
            self._emit(complaint)
            self.state = HALTED
            self.up.set()
            return
        self.clock.pass_over(BOOT_US)
        self._spawn(cause, wake_reason)

    def _spawn(self, cause: int, wake_reason: int = 0) -> None:
        self._cause, self._wake_reason = cause, wake_reason
        self.bus.reset()
        self._console.restart()
        self._frames = FrameReader()
        self._held_input = bytearray()
        self._process = NodeProcess(self._micropython)
        self._idle_frames = -1
        self._selector.register(self._process.output, selectors.EVENT_READ, self._read_output)
        self._selector.register(self._process.bus, selectors.EVENT_READ, self._read_bus)
        self._bus_closed = False
        self.state = RUNNING

    def _detach(self) -> NodeProcess | None:
        process, self._process = self._process, None
        if process is not None:
            self._selector.unregister(process.output)
            if not self._bus_closed:
                self._selector.unregister(process.bus)
        self._held_input = None
        return process

    def _kill(self) -> None:
        if self._process is not None:
            self._drain_output()
        process = self._detach()
        if process is not None:
            process.kill()

    def _halt(self, state: str) -> None:
        self._kill()
        self._wake_at_s = None
        self._wdt_ms = 0
        if state == OFF:
            self._rtc_memory = b""
        self.state = state

    def _ended(self) -> None:
        """The process ended by itself: a soft reset, or it never got going."""
        self._read_bus()  # what it still had to say
        if self._process is None:
            return
        never_spoke = self._held_input is not None
        process = self._detach()
        assert process is not None
        status = process.close()
        if never_spoke:
            self.failure = DeviceError(
                f"MicroPython does not start (exit status {status}); try by hand: {' '.join(self._micropython[1:])}"
            )
            self.state = HALTED
            self.up.set()
        elif status < 0:
            self._emit(f"\r\nGuru Meditation Error: MicroPython ended by signal {-status}\r\n".encode())
            self._boot(HARD_RESET)
        else:
            self._soft_reset()

    def _soft_reset(self) -> None:
        self._kill()
        self._emit(b"MPY: soft reboot\r\n")
        self._spawn(SOFT_RESET)

    # --- console

    def _emit(self, data: bytes) -> None:
        if data:
            self._on_output(data)

    def _read_output(self) -> None:
        # What the node did before it printed comes first: whoever reads the line finds the clock and the pins so far.
        self._read_bus()
        process = self._process
        if process is None:
            return
        try:
            data = os.read(process.output, 65536)
        except BlockingIOError:
            return
        if data:
            self._emit(self._console.feed(data))
        else:
            self._ended()

    def _drain_output(self) -> None:
        while self._process is not None:
            try:
                data = os.read(self._process.output, 65536)
            except BlockingIOError:
                return
            if not data:
                return
            self._emit(self._console.feed(data))

    def _input(self, data: bytes) -> None:
        if self._held_input is not None:
            self._held_input += data[: _HELD_INPUT_BYTES - len(self._held_input)]
        elif self._process is not None:
            self._process.write(data)

    # --- messages

    def _read_bus(self) -> None:
        process = self._process
        if process is None or self._bus_closed:
            return
        try:
            data = process.bus.recv(1 << 18)
        except (BlockingIOError, ConnectionResetError):
            return
        if not data:
            # The process is ending; its console says so too.
            self._selector.unregister(process.bus)
            self._bus_closed = True
            return
        for frame in self._frames.feed(data):
            self._answer(process, frame)
            if self._process is not process:
                return  # that message ended it

    def _answer(self, process: NodeProcess, frame: Frame) -> None:
        self._frame_count += 1
        self.clock.observe(frame.time_us)
        handler = self._life.get(frame.operation, self.bus.handle)
        try:
            payload = handler(frame)
        except Refused as refusal:
            reply = frame.reply(status=refusal.number)
        else:
            if payload is None:
                return
            reply = frame.reply(payload)
        if frame.wants_reply:
            with contextlib.suppress(OSError):
                process.bus.setblocking(True)
                process.bus.sendall(reply)
                process.bus.setblocking(False)
        if frame.operation == wire.RUN:
            held, self._held_input = self._held_input, None
            process.write(bytes(held or b""))

    def _hello(self, _frame: Frame) -> bytes:
        title = self._identity.chip.title.replace("-", "")
        config = {
            "flash": str(self._flash),
            "mac": self._mac.hex(),
            "machine": f"Judder virtual board with {title}",
            "build": f"JUDDER_VIRTUAL_{title}",
            "reset_cause": self._cause,
            "wake_reason": self._wake_reason,
            "rtc_memory": self._rtc_memory.hex(),
            "rtc_offset_s": self._rtc_offset_s,
            # A chip select matters only with the transfer after it; anyone may be watching the other pins.
            "cs_pins": [place.cs for place in self.bus.wiring.spi],
            "clock": self.clock.mode,
            "pace": self.clock.pace or 0,
            "now_us": self.clock.now_us,
            "wdt_ms": self._wdt_ms,
            "wdt_due_us": self._wdt_fed_us + self._wdt_ms * 1000,
            "raw_repl": self._console.raw,
            "cut_after": self.cut.after if self.cut else 0,
            "cut_mode": self.cut.mode if self.cut else "",
        }
        return json.dumps(config).encode()

    def _run_begins(self, _frame: Frame) -> bytes:
        self.up.set()
        return b""

    def _repl_begins(self, _frame: Frame) -> bytes:
        self._drain_output()
        if self._console.raw and self._process is not None:
            self._console.skip_to_raw_prompt()
            self._process.write(b"\x01")
        return b""

    def _raw_output(self, frame: Frame) -> bytes:
        self._drain_output()
        self._emit(frame.payload)
        return b""

    def _deep_sleep(self, frame: Frame) -> None:
        (ms,) = struct.unpack("<Q", frame.payload)
        self._halt(ASLEEP)
        if ms:
            self._wake_at_s = time.monotonic() + self.clock.real_seconds(ms * 1000)
            self.clock.pass_over(ms * 1000)

    def _cut_by_flash(self, _frame: Frame) -> None:
        self.cut = None
        self._halt(OFF)
        self._on_power_lost()

    def _arm_watchdog(self, frame: Frame) -> bytes:
        (self._wdt_ms,) = struct.unpack("<I", frame.payload)
        return self._feed_watchdog(frame)

    def _feed_watchdog(self, frame: Frame) -> bytes:
        self._wdt_fed_us, self._wdt_fed_s = frame.time_us, time.monotonic()
        return b""

    def _keep_rtc_memory(self, frame: Frame) -> bytes:
        self._rtc_memory = frame.payload
        return b""

    def _keep_rtc_time(self, frame: Frame) -> bytes:
        (self._rtc_offset_s,) = struct.unpack("<q", frame.payload)
        return b""

    def _count_flash(self, frame: Frame) -> bytes:
        operation, _offset, length, over = struct.unpack("<BIII", frame.payload)
        if operation == 0:
            self.counters.sectors_erased += 1
        else:
            self.counters.bytes_programmed += length
            self.counters.over_programs += over
        if self.cut is not None:
            self.cut.after -= 1
        return b""
