"""A real MQTT broker brought along: mosquitto where it is installed, else amqtt.

For demonstrations, for tests, and for a gateway on a machine that has none. It is a process of its own, so that killing
it is what it is in the field; it binds 127.0.0.1 unless told otherwise, and ends with this process at the latest, even
if that is killed.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from judder.errors import DeviceError

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0
# What a broker with a folder keeps for a client that is away; more is dropped by it.
_QUEUED = 200_000
_SAVE_EVERY_S = 5
_PBKDF2_ROUNDS = 10_000
_PR_SET_PDEATHSIG = 1  # prctl(2)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AddressTaken(DeviceError):
    """Another program listens there."""


def mosquitto() -> str | None:
    """Its path, None where it is not installed."""
    # Debian puts it where a user's PATH does not look.
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _ends_with_parent(how: int) -> None:
    """In the child, before it becomes the broker: Linux ends it with us, even when we are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)


class Broker:
    """start(), kill() (as a power cut does) and start() again keep the same port. Use as a context manager.

    kind: "mosquitto", "amqtt" or None for whichever is there, mosquitto first. host: address to listen at.
    tls: (certificate, key) PEM files; then the port speaks TLS only.
    folder: where mosquitto keeps sessions and what waits in them: written every few seconds, when it is told to stop,
    and when this process ends, however it does. amqtt keeps nothing. log: file with what it last said.
    users: name -> password, and users_file of mosquitto_passwd; without either anybody may connect. Mosquitto only.
    Raises DeviceError when no broker can be started, with what to install. Start it from a thread that lives on: Linux
    takes the end of that thread for the end of the process.
    """

    def __init__(
        self,
        kind: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        tls: tuple[Path, Path] | None = None,
        folder: Path | None = None,
        users: Mapping[str, str] | None = None,
        users_file: Path | None = None,
    ) -> None:
        program = mosquitto()
        if kind == "mosquitto" and program is None:
            raise DeviceError("mosquitto is not installed; on Debian or Ubuntu: apt install mosquitto")
        self.kind = kind or ("mosquitto" if program else "amqtt")
        if (users or users_file) and self.kind != "mosquitto":
            raise DeviceError("a broker with passwords needs mosquitto; on Debian or Ubuntu: apt install mosquitto")
        if ":" in host and self.kind != "mosquitto":
            raise DeviceError(f"listening at {host} needs mosquitto; on Debian or Ubuntu: apt install mosquitto")
        self.host = host
        self.port = port or free_port()
        self._program = program
        self._tls = tls
        self._users = dict(users or {})
        self._users_file = users_file
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="judder-broker-")
        self._keeps = folder is not None and self.kind == "mosquitto"
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self.log = self._folder / "broker.log"
        atexit.register(self.stop)

    @property
    def local(self) -> str:
        """Address at which this computer reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    def _command(self) -> list[str]:
        if self.kind == "mosquitto":
            assert self._program is not None
            config = self._folder / "mosquitto.conf"
            config.write_text("\n".join(self._lines()) + "\n")
            return [self._program, "-c", str(config)]
        command = [sys.executable, "-m", "judder.ingest.broker", f"{self.host}:{self.port}"]
        return command + ([str(path) for path in self._tls] if self._tls else [])

    def _lines(self) -> list[str]:
        lines = [f"listener {self.port} {self.host}"]
        if self._users or self._users_file:
            lines += ["allow_anonymous false", f"password_file {self._write_users()}"]
        else:
            lines += ["allow_anonymous true"]
        if self._keeps:
            lines += ["persistence true", f"persistence_location {self._folder.resolve()}/"]
            lines += [f"autosave_interval {_SAVE_EVERY_S}", f"max_queued_messages {_QUEUED}"]
            lines += [f"pid_file {self._folder.resolve() / 'mosquitto.pid'}"]
            lines += ["log_type error", "log_type warning"]  # a line for every connection would fill the disk
        else:
            lines += ["persistence false"]
        if self._tls:
            lines += [f"certfile {self._tls[0]}", f"keyfile {self._tls[1]}"]
        if os.geteuid() == 0:
            # Started as root, mosquitto would change to a user who may not read our folder.
            lines += ["user root"]
        return lines

    def _write_users(self) -> Path:
        path = self._folder / "users"
        text = self._users_file.read_text() if self._users_file else ""
        text += "".join(f"{name}:{_hashed(password)}\n" for name, password in self._users.items())
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        return path.resolve()

    def start(self) -> Broker:
        """Start and wait until the port answers."""
        assert self._process is None or self._process.poll() is not None, "already running"
        end = signal.SIGTERM if self._keeps else signal.SIGKILL
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._wait_for_the_last()
            self._check_address()
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for us; we end it in order
                    preexec_fn=lambda: _ends_with_parent(end),
                )
        except OSError as error:
            raise DeviceError(f"the {self.kind} broker cannot be started: {error}") from error
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.local, self.port), 0.2):
                return self
            time.sleep(0.05)
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        self.kill()
        raise DeviceError(f"the {self.kind} broker did not start on port {self.port}: {last[0]}")

    def _wait_for_the_last(self) -> None:
        """One that outlived its gateway by a moment, to write its sessions; it has the port and the folder."""
        path = self._folder / "mosquitto.pid"
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while self._keeps and _is_mosquitto(path) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _check_address(self) -> None:
        """Else what answers on the port below might be another broker, while ours dies."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise AddressTaken(
                        f"port {self.port} of {self.host} is taken, perhaps by another broker"
                    ) from error
                raise DeviceError(f"cannot listen at {self.host}:{self.port}: {error.strerror or error}") from error

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in order, with what it keeps written."""
        if self._process is not None and self.running():
            self._process.send_signal(signal.SIGTERM if self._keeps else signal.SIGKILL)
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, with no goodbye to its clients."""
        if self._process is not None and self.running():
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        atexit.unregister(self.stop)
        if self._temporary is not None:
            self._temporary.cleanup()


def _is_mosquitto(pid_file: Path) -> bool:
    """The process a pid file names is there and is a mosquitto; numbers are given again."""
    with contextlib.suppress(OSError, ValueError):
        return b"mosquitto" in Path(f"/proc/{int(pid_file.read_text())}/cmdline").read_bytes()
    return False


def _hashed(password: str) -> str:
    """As mosquitto_passwd writes it since 2.0: $7$, PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _PBKDF2_ROUNDS, 64)
    return f"$7${_PBKDF2_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


async def _serve(bind: str, tls: list[str]) -> None:
    from amqtt.broker import Broker as Amqtt

    listener: dict[str, object] = {"type": "tcp", "bind": bind}
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
    asyncio.run(_serve(sys.argv[1], sys.argv[2:]))
