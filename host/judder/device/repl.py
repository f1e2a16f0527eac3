"""The node's raw REPL, through mpremote's serial transport.

mpremote calls that interface unstable, so it is pinned and this is the only module that touches it. What goes wrong
becomes one of judder.errors: NoBoard, PortBusy, Timeout, or Refused with the exception the node printed.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from judder.device import ports
from judder.errors import NoBoard, Refused, Timeout

_GREETING = b"raw REPL; CTRL-B to exit\r\n"
# One read waits this long at most; mpremote's own time-outs are made of such reads.
_READ_S = 2.0
# Ctrl-C is said again this often while an application starts or is busy.
_KNOCK_S = 0.5
_RESET_S = 0.1


class Repl:
    """One board's REPL. port: as for --port. Opening does not disturb the node; enter() stops what it runs.

    Use as a context manager, or close().
    """

    def __init__(self, port: str) -> None:
        from mpremote.transport_serial import SerialTransport

        self.port = ports.resolve(port)
        self._has_lines = ports.has_reset_lines(self.port)
        self._serial = ports.open_port(port, timeout_s=_READ_S)
        # The transport would open the port itself, without our client and without our words for what goes wrong.
        self._transport: Any = SerialTransport.__new__(SerialTransport)
        self._transport.serial = self._serial
        self._transport.device_name = self.port
        self._transport.in_raw_repl = False
        self._transport.use_raw_paste = True
        self._transport.mounted = False
        self._transport.is_pty = SerialTransport._is_pty_device(self.port)

    def __enter__(self) -> Repl:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the REPL as people expect to find it and free the port. Never raises."""
        with contextlib.suppress(Exception):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        with contextlib.suppress(Exception):
            self._transport.close()

    # --- in and out of the REPL

    def enter(self, timeout_s: float = 10.0) -> None:
        """Stop what runs and get the raw REPL; a node that does not answer is reset and stopped as it starts.

        Raises Timeout with what to press or check when the node answers neither way.
        """
        with self._mapped():
            if self._knock(min(3.0, timeout_s)):
                return
            if self._has_lines:
                self.hard_reset()
                if self._knock(timeout_s):
                    return
        if not self._has_lines:
            raise Timeout(
                f"the node on {self._shown} does not answer and this port cannot reset it: "
                "press RESET (EN) on the board and try again within a second"
            )
        raise Timeout(f"the node on {self._shown} does not answer: is MicroPython flashed? Try 'judder flash'")

    def _knock(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        first = True
        while time.monotonic() < deadline:
            self._serial.write(b"\r\x03")
            if self._greeted():
                # Answers to earlier knocks may still be on their way: let them pass, then ask once more.
                if not first:
                    time.sleep(_RESET_S)
                self._transport.in_raw_repl = first or self._greeted()
                if self._transport.in_raw_repl:
                    return True
            first = False
        return False

    def _greeted(self) -> bool:
        self._serial.reset_input_buffer()
        self._serial.write(b"\r\x01")
        answer: bytes = self._transport.read_until(1, _GREETING, timeout=_KNOCK_S, timeout_overall=_KNOCK_S)
        return answer.endswith(_GREETING)

    def soft_reset(self) -> None:
        """Start MicroPython anew with boot.py but without main.py, and stay in the raw REPL."""
        with self._mapped():
            self._need_repl()
            self._transport.read_until(1, b">", timeout=_READ_S)
            self._serial.write(b"\x04")
            for mark in (b"soft reboot\r\n", _GREETING):
                answer = self._transport.read_until(1, mark, timeout=10, timeout_overall=20)
                if not answer.endswith(mark):
                    self._transport.in_raw_repl = False
                    raise Timeout(f"the node on {self._shown} did not come back from a soft reset: reset it by hand")

    def hard_reset(self) -> None:
        """Pull the reset line: the node starts as after power-on. Raises Refused when the port has no such line."""
        if not self._has_lines:
            raise Refused(f"{self._shown} has no reset lines: press RESET (EN) on the board")
        with self._mapped():
            self._transport.in_raw_repl = False
            self._serial.dtr = False  # not the boot loader
            self._serial.rts = True
            time.sleep(_RESET_S)
            self._serial.rts = False

    def restart(self) -> None:
        """Start the node's application: by the reset line, or by machine.reset() where there is none."""
        if self._has_lines:
            self.hard_reset()
            return
        with self._mapped():
            self._need_repl()
            self._transport.exec_raw_no_follow("import machine; machine.reset()")
            self._transport.in_raw_repl = False

    # --- work

    def exec(self, code: str, timeout_s: float = 20.0) -> str:
        """Run code; returns what it printed, lines ended by LF. timeout_s: longest silence.

        Raises Refused with the exception's last line (the traceback is its note), Timeout when the node falls silent.
        """
        with self._mapped():
            self._need_repl()
            printed, raised = self._transport.exec_raw(code, timeout=timeout_s)
        if raised:
            trace = raised.decode("utf-8", "replace").replace("\r\n", "\n").strip()
            refused = Refused(f"the node raised {trace.splitlines()[-1]}")
            refused.add_note(trace)
            raise refused
        text: str = printed.decode("utf-8", "replace").replace("\r\n", "\n")
        return text

    def eval_json(self, code: str, timeout_s: float = 20.0) -> Any:
        """Run code whose last printed line is JSON; returns its value. Raises as exec, and Refused for other text."""
        lines = self.exec(code, timeout_s).strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            said = lines[-1][:80] if lines else "nothing"
            raise Refused(f"the node on {self._shown} answered '{said}' where JSON was expected") from None

    def put(self, path: str, data: bytes) -> None:
        """Write a file on the node."""
        with self._mapped():
            self._need_repl()
            self._transport.fs_writefile(path, data)

    def get(self, path: str) -> bytes:
        """Read a file of the node."""
        with self._mapped():
            self._need_repl()
            return bytes(self._transport.fs_readfile(path))

    def read_available(self, timeout_s: float) -> bytes:
        """Console bytes as soon as there are any; empty after timeout_s without."""
        deadline = time.monotonic() + timeout_s
        with self._mapped():
            while True:
                waiting = self._serial.in_waiting
                if waiting:
                    return bytes(self._serial.read(waiting))
                if time.monotonic() >= deadline:
                    return b""
                time.sleep(0.005)

    # --- errors

    @property
    def _shown(self) -> str:
        return ports.shown(self.port)

    def _need_repl(self) -> None:
        if not self._transport.in_raw_repl:
            self.enter()

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        """Exceptions of mpremote and pyserial -> ours."""
        import serial
        from mpremote.transport import TransportError, TransportExecError

        try:
            yield
        except TransportExecError as error:
            raise Refused(f"the node raised {error.error_output.strip().splitlines()[-1]}") from error
        except TransportError as error:
            self._transport.in_raw_repl = False
            raise Timeout(f"the node on {self._shown} fell silent ({error}): check the cable, or reset it") from error
        except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            # mpremote turns the node's own OSError into these.
            raise Refused(f"the node refused: {error.strerror or 'no such file or folder'}") from error
        except (serial.SerialException, OSError) as error:
            self._transport.in_raw_repl = False
            raise NoBoard(f"{self._shown} went away ({error}): plug the board in again and repeat") from error
