"""One run of MicroPython, from start to exit: pipes for the console, a socket for the chips, Ctrl-C as on a board.

Console pipes instead of a terminal: MicroPython's PC build flushes a terminal's input each time the REPL begins, and a
UART does not.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from judder.errors import InputError

_STANDIN = Path(__file__).with_name("standin")
_LAUNCH = Path(__file__).with_name("launch.py")
_CTRL_C = 0x03
# Python objects take twice the room of the ESP32's on a 64-bit computer, and the stand-ins live in the heap too.
_HEAP = "1M"


def find_micropython(command: str | Sequence[str] | None = None) -> list[str]:
    """Arguments for launch.py: the command given, else what MICROPYTHON names, else the wheel's.

    Raises InputError saying what to install when there is none.
    """
    command = command or os.environ.get("MICROPYTHON") or None
    if command is not None:
        words = shlex.split(command) if isinstance(command, str) else list(command)
        program = shutil.which(words[0])
        if program is None:
            raise InputError(f"no MicroPython at '{words[0]}': give the path of its PC build (1.27 or newer)")
        return ["exec", program, *words[1:]]
    found = importlib.util.find_spec("micropython_run")
    if found is None or found.origin is None:
        raise InputError("a virtual board needs MicroPython for the PC: pip install 'judder[sim]'")
    return ["module", str(Path(found.origin).parent)]


class NodeProcess:
    """The process. output: file descriptor to read its console from; bus: socket to the stand-in modules."""

    def __init__(self, micropython: Sequence[str]) -> None:
        self.bus, theirs = socket.socketpair()
        self._terminal, slave = os.openpty()
        stdin, self._input = os.pipe()
        self.output, stdout = os.pipe()
        code = f"import _shim;_shim.run({theirs.fileno()},globals())"
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCH), str(slave)]
                + [*micropython, "-X", f"heapsize={_HEAP}", "-i", "-c", code],
                stdin=stdin,
                stdout=stdout,
                stderr=stdout,
                pass_fds=(theirs.fileno(), slave),
                start_new_session=True,
                # No HOME: the REPL's history belongs to nobody's home directory.
                env={"MICROPYPATH": str(_STANDIN), "PATH": os.environ.get("PATH", "")},
            )
        finally:
            theirs.close()
            for descriptor in (slave, stdin, stdout):
                os.close(descriptor)
        self.pid = self._popen.pid
        self.bus.setblocking(False)
        os.set_blocking(self.output, False)
        os.set_blocking(self._input, False)

    def write(self, data: bytes) -> None:
        """Console input. What does not fit is lost, as behind a UART whose reader sleeps."""
        start = 0
        while (at := data.find(_CTRL_C, start)) >= 0:
            self._put(data[start:at])
            if not self._interrupt():
                self._put(data[at : at + 1])
            start = at + 1
        self._put(data[start:])

    def reply(self, data: bytes) -> None:
        """To the stand-in modules, which are waiting for it."""
        with contextlib.suppress(OSError):
            self.bus.setblocking(True)
            self.bus.sendall(data)
            self.bus.setblocking(False)

    def _put(self, data: bytes) -> None:
        if data:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._input, data)

    def _interrupt(self) -> bool:
        """SIGINT if the program wants interrupts (micropython.kbd_intr); False if 0x03 is a byte like others to it.

        The process is stopped in between, so that it cannot change its mind between the look and the signal.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
            try:
                if not self._wait_stopped() or not self._catches_sigint():
                    return False
                os.kill(self.pid, signal.SIGINT)
                return True
            finally:
                os.kill(self.pid, signal.SIGCONT)
        return False

    def _wait_stopped(self) -> bool:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            try:
                state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return False
            if state in "TtZX":
                return state in "Tt"
            time.sleep(0.0001)
        return False

    def _catches_sigint(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
        return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)

    def cpu_seconds(self) -> float:
        """Processor time used so far, 0 where the system does not say."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> int:
        """End it at once, with whatever it started, and free everything. Returns the exit status."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.close()

    def close(self) -> int:
        """Reap it; it must be ending. Returns the exit status, negative for a signal."""
        status = self._popen.wait()
        self.bus.close()
        for descriptor in (self.output, self._input, self._terminal):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.output = self._input = self._terminal = -1
        return status
