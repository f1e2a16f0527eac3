"""A server of Debian's, started by a test on loopback: waited for, stopped, and gone with the test in any case."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

_START_S = 60.0
_PR_SET_PDEATHSIG = 1  # prctl(2)


def program(name: str, *folders: str) -> str:
    """Its path. Skips the test, by name, where it is not installed; in CI that is a failure."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed; .ci/run installs it")
        pytest.skip(f"{name} is not installed")
    return found


class Daemon:
    """command runs in folder until stop(); ready() tells when it serves. user: who runs it, where we are root."""

    def __init__(
        self, command: Sequence[str], folder: Path, ready: Callable[[], bool], user: str | None = None
    ) -> None:
        self._command = list(command)
        self._folder = folder
        self._ready = ready
        self._user = pwd.getpwnam(user) if user and os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._become,
            )
        deadline = time.monotonic() + _START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def _become(self) -> None:
        if self._user:
            os.initgroups(self._user.pw_name, self._user.pw_gid)
            os.setgid(self._user.pw_gid)
            os.setuid(self._user.pw_uid)
        # It ends with us, even when we are killed. After the user, whose change takes it back.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def stop(self, with_: int = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(with_)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
