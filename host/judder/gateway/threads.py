"""The threads of a gateway: one for each source, one for each sink. Whatever goes wrong in one is that one's alone."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.errors import InputError, JudderError
from judder.gateway.bounds import Keeper
from judder.gateway.delivery import Delivery
from judder.gateway.intake import Arrival, Intake
from judder.gateway.log import Log
from judder.gateway.metrics import Metrics
from judder.gateway.source import Source, Stopped
from judder.gateway.spool import Spool, SpoolDamaged, SpoolError

_FIRST_RETRY_S = 1.0
_RETRY_MAX_S = 60.0
_FULL_RETRY_S = 5.0


class Stop:
    """Whether the gateway is to stop; and, where it is for damage, why. Safe for threads."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.fatal: JudderError | None = None
        # A signal handler may interrupt the very code that holds an Event, and then waits for itself; not so with this.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self) -> None:
        """Also from a signal handler."""
        self._asked.put(None)

    def fail(self, error: JudderError) -> None:
        self.fatal = self.fatal or error
        self.ask()

    def wait(self, seconds: float) -> bool:
        """For the main thread: passes on what was asked for. True when the gateway is to stop."""
        with contextlib.suppress(queue.Empty):
            self._asked.get(timeout=seconds)
            self.event.set()
        return self.event.is_set()


def _no_ports(port: str) -> Any:
    raise InputError(f"port: {port}: there is nothing here that opens ports")


def _no_frames(path: Path) -> Any:
    raise InputError(f"sessions: {path}: there is nothing here that opens frames")


@dataclass(slots=True)
class Openers:
    """What sources need of parts of Judder that the gateway knows nothing of. See Desk."""

    port: Callable[[str], Any] = _no_ports
    frames: Callable[[Path], Any] = _no_frames


class SourceThread(threading.Thread):
    """Runs one source until the gateway stops, starting it again with growing pauses. It is the source's Desk.

    wait_when_full: a spool over its size makes the source wait instead of dropping the oldest.
    """

    def __init__(
        self,
        origin: str,
        source: Source,
        *,
        spool: Spool,
        intake: Intake,
        keeper: Keeper,
        stop: Stop,
        log: Log,
        metrics: Metrics,
        openers: Openers,
        wait_when_full: bool = False,
    ) -> None:
        super().__init__(name=f"source {origin}", daemon=True)
        self.origin = origin
        self.identity = spool.identity
        self.open_port = openers.port
        self.open_frames = openers.frames
        self.up = False
        self.last_error = ""
        self._source = source
        self._spool = spool
        self._intake = intake
        self._keeper = keeper
        self._stop_asked = stop
        self._log = log
        self._metrics = metrics
        self._wait_when_full = wait_when_full
        self._missed = 0
        metrics.set("source_up", 0, source=origin)
        metrics.add("received_total", 0, source=origin)

    def run(self) -> None:
        attempts = 0
        while not self.stopping:
            begun = time.monotonic()
            try:
                self._source.run(self)
            except Stopped:
                break
            except (JudderError, OSError) as error:
                self.connected(False, str(error))
            except Exception as error:
                self._log.seldom("error", "internal", f"source {self.origin}: {traceback.format_exc()}", self.origin)
                self.connected(False, f"internal error: {error!r}")
            attempts = 0 if time.monotonic() - begun > _RETRY_MAX_S else attempts + 1
            wait_s = min(_RETRY_MAX_S, _FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20)) if attempts else _FIRST_RETRY_S
            self.pause(wait_s * (0.5 + random.random() / 2))
        self._metrics.set("source_up", 0, source=self.origin)

    # The Desk.

    @property
    def stopping(self) -> bool:
        return self._stop_asked.event.is_set()

    def take(self, arrivals: Sequence[Arrival], position: str | None = None) -> None:
        while True:
            if self.stopping:
                raise Stopped
            try:
                if not (self._wait_when_full and self._keeper.full()):
                    self._intake.take(self.origin, arrivals, position)
                    break
                self._log.seldom(
                    "warning", "spool-full", "the spool is over its size; sources wait", "", source=self.origin
                )
            except SpoolDamaged as error:
                self._stop_asked.fail(error)
                raise Stopped from error
            except SpoolError as error:
                message = f"{error}; nothing more is taken, and nothing acknowledged, until it can be written"
                self._log.seldom("error", "spool", message, "", source=self.origin)
            self.pause(_FULL_RETRY_S)
        try:
            if not self._wait_when_full:
                self._keeper.make_room()
        except SpoolError as error:  # it is stored all the same; the next round tries again
            self._log.seldom("error", "spool", str(error), "room")

    def position(self) -> str | None:
        return self._spool.position(self.origin)

    def connected(self, is_up: bool, why: str = "") -> None:
        changed = is_up != self.up or (not is_up and why != self.last_error)
        self.up = is_up
        self.last_error = "" if is_up else why
        self._metrics.set("source_up", is_up, source=self.origin)
        if not changed:
            return
        if is_up:
            self._log.info("source-up", f"source {self.origin}: connected", source=self.origin)
        else:
            message = f"source {self.origin}: {why}; it is tried again"
            self._log.seldom("warning", "source-down", message, self.origin, source=self.origin)

    def missed(self, total: int) -> None:
        if total > self._missed:
            self._metrics.add("source_qos0_dropped_total", total - self._missed, source=self.origin)
            self._missed = total
            message = f"source {self.origin}: {total} messages with QoS 0 dropped so far, nobody took them in time"
            self._log.seldom("warning", "qos0-dropped", message, self.origin, source=self.origin)

    def note(self, message: str, level: str = "info") -> None:
        say = self._log.warning if level == "warning" else self._log.info
        say("source", f"source {self.origin}: {message}", source=self.origin)

    def pause(self, seconds: float) -> bool:
        return self._stop_asked.event.wait(seconds)


class SinkThread(threading.Thread):
    """Steps one delivery: when something is stored, when a pause is over. Ends when the gateway stops, with a last
    attempt to hand over what there is, then closes the sink."""

    def __init__(self, delivery: Delivery, *, stop: Stop, log: Log, grace_s: float) -> None:
        super().__init__(name=f"sink {delivery.name}", daemon=True)
        self.delivery = delivery
        self.news = threading.Event()
        self._stop_asked = stop
        self._finish = threading.Event()
        self._log = log
        self._grace_s = grace_s

    def finish(self) -> None:
        """No more will be stored: hand over the rest and end."""
        self._finish.set()
        self.news.set()

    def run(self) -> None:
        while not self._finish.is_set():
            self.news.clear()
            wait_s = self._step(flush=False)
            if wait_s is None:
                self.news.wait()
            elif wait_s > 0:
                self._finish.wait(wait_s)
        end = time.monotonic() + self._grace_s
        while time.monotonic() < end and self._step(flush=True) == 0.0:
            pass
        self.delivery.close()

    def _step(self, *, flush: bool) -> float | None:
        try:
            return self.delivery.step(flush=flush)
        except SpoolDamaged as error:
            self._stop_asked.fail(error)
        except SpoolError as error:
            self._log.seldom("error", "spool", str(error), self.delivery.name, sink=self.delivery.name)
        except Exception:
            message = f"sink {self.delivery.name}: {traceback.format_exc()}"
            self._log.seldom("error", "internal", message, self.delivery.name, sink=self.delivery.name)
        return _FULL_RETRY_S
