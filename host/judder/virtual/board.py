"""A whole board without the board: flash file, boot loader, running MicroPython, chips, one serial port.

    with VirtualBoard("flash.bin", clock="virtual", wiring=Wiring.for_board(board, source)) as board:
        print(board.port)            # rfc2217://127.0.0.1:NNNNN, for esptool, mpremote and judder alike

The reset lines choose between the boot loader and the application as on a development board (judder.virtual.lines).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from judder.errors import DeviceError
from judder.virtual import lines
from judder.virtual.bus import AccessPoint, Bus
from judder.virtual.chip_state import FlashCut
from judder.virtual.clock import REAL, BoardClock
from judder.virtual.counters import Counters
from judder.virtual.identity import identity_of
from judder.virtual.loader import DEFAULT_MAC, Loader
from judder.virtual.nor import NorFlash
from judder.virtual.ptyport import PtyServer
from judder.virtual.rfc2217 import Server
from judder.virtual.rom import HARD_RESET, PWRON_RESET
from judder.virtual.supervisor import OFF, Supervisor
from judder.virtual.wiring import Wiring

_START_TIMEOUT_S = 20.0
_log = logging.getLogger(__name__)


class VirtualBoard:
    """One board with its power supply, port and sensors.

    flash_path: made blank if it is not there. clock: "real", or "virtual", which moves only by what the node does; pace
    limits that to so many seconds per second. wiring: chips on the pins (default: those of boards/virtual-esp32s3).
    micropython: PC build to run (default: MICROPYTHON or the wheel's). download: start in the boot loader. pty: serve a
    pseudo-terminal, which has no reset lines, instead of RFC 2217. tcp_port: 0 for a free one.

    Attributes: port (what to give to --port), pty_path, counters, wiring, clock, bus, flash.
    Raises InputError without a MicroPython for the PC; ValueError for a chip or flash size there is none of.
    """

    def __init__(
        self,
        flash_path: str | os.PathLike[str],
        chip: str = "esp32s3",
        flash_size: int = 8 << 20,
        mac: bytes = DEFAULT_MAC,
        wiring: Wiring | None = None,
        clock: str = REAL,
        pace: float | None = None,
        micropython: str | Sequence[str] | None = None,
        download: bool = False,
        pty: bool = False,
        tcp_port: int = 0,
        access_point: AccessPoint | None = None,
    ) -> None:
        self.identity = identity_of(chip)
        self.mac = mac
        self.counters = Counters()
        self.clock = BoardClock(clock, pace)
        self.wiring = _default_wiring() if wiring is None else wiring
        self.bus = Bus(self.wiring, access_point)
        self.flash = NorFlash(Path(flash_path).resolve(), flash_size, self.counters)
        self._loader = Loader(self.flash, self.identity, self.counters, mac)
        self._lines = lines.ResetLines()
        self._downloading = download
        self._started = False
        self._callbacks: list[Callable[[bytes], object]] = []
        self.power_lost = threading.Event()
        try:
            self._supervisor = Supervisor(
                self.flash.path,
                identity=self.identity,
                mac=mac,
                bus=self.bus,
                clock=self.clock,
                counters=self.counters,
                on_output=self._output,
                on_power_lost=self.power_lost.set,
                micropython=micropython,
            )
            self._server: Server | PtyServer
            if pty:
                self._server = PtyServer(self._input, counters=self.counters)
            else:
                self._server = Server(self._input, self._on_lines, counters=self.counters, tcp_port=tcp_port)
        except BaseException:
            self.flash.close()
            raise
        self.port = self._server.port
        self.pty_path: str | None = self._server.port if pty else None

    # --- power

    def start(self) -> VirtualBoard:
        """Power on and serve; returns itself once boot.py runs (or there is nothing to run).

        Raises DeviceError when MicroPython does not start on this computer.
        """
        self._started = True
        self._supervisor.start()
        self._server.start()
        self._power_on()
        return self

    def stop(self) -> None:
        """Power off and close the port; the flash file stays. Safe to call twice."""
        if self._started:
            self._supervisor.stop()
        self._server.stop()
        self.flash.close()

    def __enter__(self) -> VirtualBoard:
        return self if self._started else self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def power_cut(self) -> None:
        """Pull the battery: the node is dead when this returns, the port stays, the flash is as it is."""
        self._supervisor.power_cut()

    def cut_power_at_flash(self, after: int, mode: str = "drop") -> None:
        """Pull the battery at the `after`-th flash erase or program of the node from the next boot on.

        mode: "drop" (that operation has not happened), "torn" (half of it has) or "complete". power_lost is set then.
        """
        self.power_lost.clear()
        self._supervisor.chip.cut = FlashCut(after, mode)

    def restart(self) -> None:
        """Battery out and in again: RTC memory and chips forget, the clock starts from zero."""
        self._supervisor.power_cut()
        self._downloading = False
        self._power_on()

    def reset(self) -> None:
        """Press the reset button: RTC memory forgets, the chips keep their power."""
        self._downloading = False
        self._boot()

    def crash(self) -> None:
        """Reset the processor as a panic does: RTC memory stays."""
        self._supervisor.boot(HARD_RESET)
        self._await_up()

    def _power_on(self) -> None:
        self.clock.power_on()
        self.wiring.power_on()
        if self._downloading:
            self.counters.downloads += 1
            self._output(self._loader.reset())
            return
        self._boot()

    def _boot(self) -> None:
        self._supervisor.boot(PWRON_RESET)
        self._await_up()

    def _await_up(self) -> None:
        if self._supervisor.is_current_thread:
            return  # called by a listener: nothing can happen before it returns
        self._supervisor.up.wait(_START_TIMEOUT_S)
        if self._supervisor.failure is not None:
            raise self._supervisor.failure
        if not self._supervisor.up.is_set():
            raise DeviceError(f"MicroPython did not start within {_START_TIMEOUT_S:g} s: is this computer overloaded?")

    # --- what can be seen

    @property
    def state(self) -> str:
        """off, held, running, asleep, halted (nothing to boot) or download."""
        return "download" if self._downloading and self._supervisor.state in (OFF, "held") else self._supervisor.state

    @property
    def now_us(self) -> int:
        """Board time since power-on, in microseconds."""
        return self.clock.now_us

    @property
    def access_point(self) -> AccessPoint:
        """The Wi-Fi network; set `.up` to False to take it away."""
        return self.bus.access_point

    def console(self, callback: Callable[[bytes], object]) -> None:
        """callback(bytes) for everything the board sends, from a thread of the board."""
        self._callbacks.append(callback)

    def type(self, data: bytes) -> None:
        """Console input without a client on the port."""
        self._input(data)

    # --- the serial line

    def _output(self, data: bytes) -> None:
        self._server.send(data)
        for callback in tuple(self._callbacks):
            try:
                callback(data)
            except Exception:  # the board goes on whatever its listeners do
                _log.exception("a listener of the virtual board's console failed")

    def _input(self, data: bytes) -> None:
        if not self._downloading:
            self._supervisor.feed(data)
            return
        self._output(self._loader.feed(data))
        if self._loader.action == lines.BOOT_RUN:
            self._downloading = False
            self._supervisor.boot(PWRON_RESET)

    def _on_lines(self, dtr: bool, rts: bool) -> None:
        action = self._lines.update(dtr, rts)
        if action == lines.HOLD:
            self._supervisor.hold()
        elif action == lines.BOOT_DOWNLOAD:
            self._downloading = True
            self.counters.downloads += 1
            self._output(self._loader.reset())
        elif action == lines.BOOT_RUN:
            self._downloading = False
            self._supervisor.boot(PWRON_RESET)


def _default_wiring() -> Wiring:
    from judder.device import boards

    return Wiring.for_board(boards.load(boards.DEFAULT))
