"""A serial port served as a pseudo-terminal (Linux, macOS): the same face as rfc2217.Server, without DTR and RTS.

A pty has no modem lines, so nothing can reset the board through it: a board meant for flashing starts in download
mode. Bytes written while nobody has the terminal open wait in the kernel's buffer and are then lost.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Callable

from judder.virtual.counters import Counters

_CHUNK = 65536


class PtyServer:
    """`path` is what to give to --port. on_data is called from the server's thread; `send` from any."""

    def __init__(self, on_data: Callable[[bytes], None], counters: Counters | None = None) -> None:
        self._on_data = on_data
        self.counters = Counters() if counters is None else counters
        self._master, self._slave = os.openpty()
        # Kept open and raw: else the line discipline echoes, and the master reads EIO between two clients.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.port = self.path
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> PtyServer:
        """Begin to serve; returns itself."""
        self._thread = threading.Thread(target=self._run, name=f"judder {self.path}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the terminal."""
        self._stopping = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        with self._lock:
            for descriptor in (self._master, self._slave):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._master = self._slave = -1

    def __enter__(self) -> PtyServer:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def send(self, data: bytes) -> None:
        """Bytes from the board; what does not fit because nobody reads for 2 s is lost."""
        self.counters.sent(len(data))
        view = memoryview(data)
        with self._lock:
            while view and self._master >= 0:
                try:
                    view = view[os.write(self._master, view) :]
                except BlockingIOError:
                    if not select.select([], [self._master], [], 2.0)[1]:
                        return
                except OSError:
                    return

    def _run(self) -> None:
        while not self._stopping:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._master, _CHUNK)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                return
            self.counters.received(len(data))
            self._on_data(data)
