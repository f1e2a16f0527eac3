"""Keeps the processor of a virtual board running: boots MicroPython from the flash file and plays the chip around it.

    off -> (boot) -> running -> soft reset, machine.reset(), watchdog -> running
                             -> machine.deepsleep() -> asleep -> running
                             -> hold() (EN pulled low) -> held -> boot() -> running
                             -> power_cut() -> off

Everything happens in one thread of its own: console, chips, time-outs. Chips are models in this process, MicroPython is
a process of its own, so killing it at any instant is a power cut.
"""

from __future__ import annotations

import json
import os
import selectors
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from judder.errors import DeviceError
from judder.virtual import clock as clock_states
from judder.virtual import rom
from judder.virtual.bus import Bus, Frame, FrameReader, Refused
from judder.virtual.chip_state import ChipState
from judder.virtual.clock import BoardClock
from judder.virtual.console import ConsoleFilter
from judder.virtual.counters import Counters
from judder.virtual.identity import ChipIdentity
from judder.virtual.mailbox import Mailbox
from judder.virtual.process import NodeProcess, find_micropython
from judder.virtual.rom import DEEPSLEEP_RESET, HARD_RESET, PWRON_RESET, SOFT_RESET, WDT_RESET
from judder.virtual.standin import _wire as wire

_TIMER_WAKE = 4  # machine.wake_reason() of the esp32 port

OFF, HELD, RUNNING, ASLEEP, HALTED = "off", "held", "running", "asleep", "halted"

BOOT_US = 300_000  # ROM, second-stage boot loader and MicroPython's own start, about
_HELD_INPUT_BYTES = 4096
_DOG_LOOK_S = 0.1


class Supervisor:
    """on_output(bytes): console output. on_power_lost(): the node died where `chip.cut` says. Both from our thread.

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
        self.chip = ChipState(clock, counters)
        self._process: NodeProcess | None = None
        self._console = ConsoleFilter()
        self._frames = FrameReader()
        self._bus_closed = False
        self._held_input: bytearray | None = None  # collected until boot.py runs
        self._cause = PWRON_RESET
        self._wake_reason = 0
        self._wake_at_s: float | None = None
        self._frame_count = 0
        self.up = threading.Event()  # the boot files run, or there is nothing to run
        self._mailbox = Mailbox()
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._life: dict[int, Callable[[Frame], bytes | None]] = {
            wire.HELLO: self._hello,
            wire.RUN: lambda _frame: b"",
            wire.REPL: self._repl_begins,
            wire.RAW_OUTPUT: self._raw_output,
            wire.MARK: lambda _frame: b"",
            wire.RESET: lambda _frame: self._boot(HARD_RESET),
            wire.SOFT_RESET: lambda _frame: self._soft_reset(),
            wire.DEEPSLEEP: self._deep_sleep,
            wire.BITE: lambda _frame: self._boot(WDT_RESET),
            wire.POWER_CUT: self._cut_by_flash,
            **self.chip.handlers,
        }

    # --- from any thread

    def start(self) -> None:
        """Start the thread; nothing boots yet."""
        self._selector.register(self._mailbox, selectors.EVENT_READ, self._mailbox.drain)
        self._thread = threading.Thread(target=self._run, name="judder virtual board", daemon=True)
        self._mailbox.serve(self._thread)
        self._thread.start()

    def stop(self) -> None:
        """Kill the node and end the thread."""
        if self._thread is None:
            return
        self._stopping = True
        self.clock.become(clock_states.OFF)  # nobody waits for it, and it waits for nobody
        self._mailbox.wake()
        if not self.is_current_thread:
            self._thread.join(10)
        self._thread = None
        self._mailbox.serve(None)

    def boot(self, cause: int = PWRON_RESET) -> None:
        """Reset into run mode. PWRON_RESET also clears the RTC, as pulling EN low does."""
        self.up.clear()
        self._mailbox.post(lambda: self._boot(cause), wait=False)

    def hold(self) -> None:
        """EN is low: nothing runs until boot()."""
        self.clock.become(clock_states.OFF)
        self._mailbox.post(lambda: self._halt(HELD), wait=True)

    def power_cut(self) -> None:
        """kill -9; returns when the node is dead."""
        self.clock.become(clock_states.OFF)
        self._mailbox.post(lambda: self._halt(OFF), wait=True)

    def feed(self, data: bytes) -> None:
        """Console input."""
        self._mailbox.post(lambda: self._input(data), wait=False)

    @property
    def is_current_thread(self) -> bool:
        """The caller is the thread of the board."""
        return self._mailbox.is_owner

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                for key, _events in self._selector.select(self._timeout_s()):
                    key.data()
                self._mailbox.run()
                self._look_at_the_time()
        finally:
            self._halt(OFF)
            self._mailbox.run()
            self._selector.close()
            self._mailbox.close()

    def _timeout_s(self) -> float | None:
        if self._wake_at_s is not None:
            return max(0.0, self._wake_at_s - time.monotonic())
        return _DOG_LOOK_S if self.chip.watchdog.timeout_ms and self._process is not None else None

    def _look_at_the_time(self) -> None:
        if self._wake_at_s is not None and time.monotonic() >= self._wake_at_s:
            self._boot(DEEPSLEEP_RESET, _TIMER_WAKE)
        elif self._process is not None and self.chip.watchdog.bites(self._process, self._frame_count):
            self.clock.observe(self.chip.watchdog.due_us)  # it hung until then
            self._boot(WDT_RESET)

    # --- process

    def _boot(self, cause: int, wake_reason: int = 0) -> None:
        self._kill()
        self._wake_at_s = None
        self.chip.watchdog.disarm()
        self._console.raw = False
        if cause == PWRON_RESET:
            self.chip.power_on()
        self.counters.boots += 1
        self._emit(rom.greeting(self._identity, cause))
        complaint = rom.complaint(self._flash, self._identity.chip)
        if complaint is not None:
            self._emit(complaint)
            self._halt(HALTED)
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
        try:
            self._process = NodeProcess(self._micropython)
        except OSError as error:
            self._fail(DeviceError(f"cannot start MicroPython ({error.strerror}): close other programs and try again"))
            return
        self._selector.register(self._process.output, selectors.EVENT_READ, self._read_output)
        self._selector.register(self._process.bus, selectors.EVENT_READ, self._read_bus)
        self._bus_closed = False
        self.state = RUNNING
        self.clock.become(clock_states.GOING)

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
        self.chip.watchdog.disarm()
        self.state = state
        if state != ASLEEP:
            self.clock.become(clock_states.OFF)

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
            tried = " ".join(self._micropython[1:])
            self._fail(DeviceError(f"MicroPython does not start (exit status {status}); try by hand: {tried}"))
        elif status < 0:
            self._emit(f"\r\nGuru Meditation Error: MicroPython ended by signal {-status}\r\n".encode())
            self._boot(HARD_RESET)
        else:
            self._soft_reset()

    def _fail(self, error: DeviceError) -> None:
        self.failure = error
        self._emit(f"{error}\r\n".encode())
        self._halt(HALTED)
        self.up.set()

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
        if not self._drain_output():
            self._ended()

    def _drain_output(self) -> bool:
        """What has been printed so far; False when the console is closed, because the process ends."""
        for _ in range(16):  # a flood of output must not keep everything else waiting
            if self._process is None:
                break
            try:
                data = os.read(self._process.output, 65536)
            except BlockingIOError:
                break
            if not data:
                return False
            self._emit(self._console.feed(data))
        return True

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
        if frame.operation == wire.MARK:
            process.reply(frame.payload)
        elif frame.wants_reply:
            process.reply(reply)
        if frame.operation == wire.RUN:
            self.up.set()
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
            # A chip select matters only with the transfer after it; anyone may be watching the other pins.
            "cs_pins": [place.cs for place in self.bus.wiring.spi],
            "raw_repl": self._console.raw,
            **self.chip.config(),
        }
        return json.dumps(config).encode()

    def _repl_begins(self, _frame: Frame) -> bytes:
        self.clock.become(clock_states.IDLE)
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
        else:
            self.clock.become(clock_states.OFF)

    def _cut_by_flash(self, _frame: Frame) -> None:
        self.chip.cut = None
        self._halt(OFF)
        self._on_power_lost()
