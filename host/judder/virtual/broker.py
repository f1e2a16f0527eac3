"""A real MQTT broker on loopback for demonstrations and tests: mosquitto where it is installed, else amqtt.

The broker is a process of its own, so that killing it is what it is in the field. It binds 127.0.0.1 on a free port
and ends with this process at the latest, even if that is killed.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from judder.errors import DeviceError

_START_TIMEOUT_S = 20.0
_PR_SET_PDEATHSIG = 1  # prctl(2)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    """In the child, before it becomes the broker: Linux ends it with us, even when we are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """start(), kill() (as a power cut does) and start() again keep the same port. Use as a context manager.

    kind: "mosquitto", "amqtt" or None for whichever is there, mosquitto first.
    tls: (certificate, key) PEM files; then the port speaks TLS only.
    Raises DeviceError when no broker can be started, with what to install.
    """

    def __init__(
        self, kind: str | None = None, *, port: int | None = None, tls: tuple[Path, Path] | None = None
    ) -> None:
        # Debian puts it where a user's PATH does not look.
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if kind == "mosquitto" and program is None:
            raise DeviceError("mosquitto is not installed; on Debian or Ubuntu: apt install mosquitto")
        self.kind = kind or ("mosquitto" if program else "amqtt")
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self._program = program
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="judder-broker-")
        self._log = Path(self._folder.name) / "broker.log"
        atexit.register(self.kill)

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            assert self._program is not None
            config = Path(self._folder.name) / "mosquitto.conf"
            lines = [f"listener {self.port} {self.host}", "allow_anonymous true", "persistence false"]
            if self._tls:
                lines += [f"certfile {self._tls[0]}", f"keyfile {self._tls[1]}"]
            if os.geteuid() == 0:
                # Started as root, mosquitto would change to a user who may not read our temporary folder.
                lines += ["user root"]
            config.write_text("\n".join(lines) + "\n")
            return [self._program, "-c", str(config)]
        command = [sys.executable, "-m", "judder.virtual.broker", str(self.port)]
        return command + ([str(path) for path in self._tls] if self._tls else [])

    def start(self) -> Broker:
        """Start and wait until the port answers."""
        assert self._process is None or self._process.poll() is not None, "already running"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 0.2):
                return self
            time.sleep(0.05)
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        self.kill()
        raise DeviceError(f"the {self.kind} broker did not start on port {self.port}: {last[0]}")

    def kill(self) -> None:
        """End it at once, with no goodbye to its clients."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        atexit.unregister(self.kill)
        self._folder.cleanup()


async def _serve(port: int, tls: list[str]) -> None:
    from amqtt.broker import Broker as Amqtt

    listener: dict[str, object] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    if tls:
        listener |= {"ssl": True, "certfile": tls[0], "keyfile": tls[1]}
    config = {
        "listeners": {"default": listener},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Amqtt(config)
    await broker.start()
    # The parent holds the other end: when it is gone, for whatever reason, this read ends and so do we.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2:]))
