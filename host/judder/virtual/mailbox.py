"""Commands for a thread that waits in a selector, from any other thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable

_TIMEOUT_S = 10.0


class Mailbox:
    """fileno() is readable when there is something to run; run() runs it, in order. The owner calls serve() first."""

    def __init__(self) -> None:
        self._commands: deque[Callable[[], None]] = deque()
        self._receive, self._send = socket.socketpair()
        self._receive.setblocking(False)
        self._owner: threading.Thread | None = None

    def fileno(self) -> int:
        """For a selector."""
        return self._receive.fileno()

    def serve(self, owner: threading.Thread | None) -> None:
        """From now on commands are for this thread; None: it has gone, and nobody waits for them."""
        self._owner = owner

    @property
    def is_owner(self) -> bool:
        """The caller is the thread that runs the commands."""
        return threading.current_thread() is self._owner

    def post(self, command: Callable[[], None], wait: bool) -> None:
        """Have it run. wait: return when it has been. The owner itself runs it at once."""
        if self.is_owner:
            command()
            return
        done = threading.Event()

        def run() -> None:
            try:
                command()
            finally:
                done.set()

        self._commands.append(run)
        self.wake()
        if wait and self._owner is not None:
            done.wait(_TIMEOUT_S)

    def wake(self) -> None:
        """Let the selector return."""
        with contextlib.suppress(OSError):
            self._send.send(b"x")

    def drain(self) -> None:
        """The selector has returned because of us."""
        with contextlib.suppress(BlockingIOError):
            self._receive.recv(4096)

    def run(self) -> None:
        """Run what has been posted."""
        while self._commands:
            self._commands.popleft()()

    def close(self) -> None:
        self._receive.close()
        self._send.close()
