"""The way out: one sink's share of the spool, in order, again and again until it is taken.

    delivery = Delivery("influx", sink, spool, ...)
    wait_s = delivery.step()      None: nothing to do until something is stored

No thread and no sleep in here: whoever calls step() waits, so an hour of a server's absence takes a test no time.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from judder.decode import decode
from judder.errors import JudderError
from judder.flow import Observation
from judder.gateway.log import Log
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Aside, Row, Spool
from judder.sink import Poisoned, Sink, SinkDown

# Batches looked at in one step: a sink that takes alarms only passes over most.
_SCANS = 10
_FIRST_RETRY_S = 1.0
# What the other side may ask us to wait at most.
_ASKED_S = 3600.0
_STILL_DOWN_S = 600.0


_Pair = tuple[Row, Observation]


@dataclass(slots=True)
class State:
    """Of a delivery, for people. down_since: monotonic seconds, None while it is up."""

    written: int = 0
    failures: int = 0
    down_since: float | None = None
    last_error: str = ""


class Delivery:
    """clock: monotonic seconds. wall: Unix time in seconds. retry_max_s: longest wait between attempts."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        spool: Spool,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        log: Log,
        metrics: Metrics,
        retry_max_s: float = 60.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.state = State()
        self._sink = sink
        self._spool = spool
        self._clock = clock
        self._wall = wall
        self._log = log
        self._metrics = metrics
        self._retry_max_s = retry_max_s
        self._jitter = jitter
        self._cursor = spool.cursor(name)
        self._is_open = False
        self._attempts = 0
        self._retry_at = 0.0
        self._since: float | None = None  # when the batch being waited for began
        self._said_at = 0.0
        metrics.set("sink_up", 1, sink=name)

    def step(self, *, flush: bool = False) -> float | None:
        """Do what is due. Returns seconds until there may be more, None: when something is stored.

        flush: do not linger for a fuller batch. Raises SpoolError.
        """
        now = self._clock()
        if now < self._retry_at:
            return self._retry_at - now
        if not self._is_open:
            try:
                self._open()
            except SinkDown as error:
                return self._fail(str(error), error.retry_after_s)
        batch, last = self._next_batch()
        if not batch:
            if last == self._cursor:
                return None
            self._advance(last)
            return 0.0
        if len(batch) < self._sink.batch_size and not flush:
            self._since = now if self._since is None else self._since
            wait_s = self._since + self._sink.linger_s - now
            if wait_s > 0 and not self._attempts:
                return wait_s
        self._since = None
        try:
            self._write(batch)
        except SinkDown as error:
            return self._fail(str(error), error.retry_after_s)
        self._succeed()
        self._advance(last)
        return 0.0

    def close(self) -> None:
        """Closes the sink; whatever that raises is logged."""
        try:
            self._sink.close()
        except Exception as error:
            self._log.warning("sink-close", f"sink {self.name}: {error}", sink=self.name)

    def _open(self) -> None:
        """Raises SinkDown."""
        try:
            self._sink.open()
        except SinkDown:
            raise
        except Exception as error:
            raise SinkDown(f"internal error: {error!r}") from error
        self._is_open = True
        self._succeed()

    def _next_batch(self) -> tuple[list[_Pair], int]:
        """(what the sink takes, id of the last uplink that is dealt with by it)."""
        batch: list[_Pair] = []
        last, full = self._cursor, self._sink.batch_size
        for _ in range(_SCANS):
            rows = self._spool.read(last, full)
            for row in rows:
                last = row.id
                found = self._observation(row)
                if found is not None:
                    batch.append((row, found))
                    if len(batch) == full:
                        return batch, last
            if len(rows) < full:
                break
        return batch, last

    def _observation(self, row: Row) -> Observation | None:
        """None for what is not for this sink."""
        try:
            record = decode(row.uplink.payload)
            found = Observation(row.uplink, record, row.measured_at, row.problems, row.heard_at)
            return found if self._sink.takes(found) else None
        except JudderError as error:  # stored by another version of this program
            self._set_aside(row, "decode", str(error))
        except Exception as error:
            self._set_aside(row, f"sink:{self.name}", f"internal error: {error!r}")
        return None

    def _write(self, batch: list[_Pair]) -> None:
        """All of it, less what can never be taken. Raises SinkDown."""
        while batch:
            try:
                self._sink.write([found for _row, found in batch])
            except SinkDown:
                raise
            except Poisoned as error:
                if not 0 <= error.index < len(batch):
                    raise SinkDown(f"internal error: it refused number {error.index} of {len(batch)}") from error
                row, _found = batch.pop(error.index)
                self._set_aside(row, f"sink:{self.name}", error.reason)
            except OSError as error:  # a sink that forgot to say SinkDown
                raise SinkDown(str(error)) from error
            except Exception as error:
                self._log.seldom(
                    "error", "internal", f"sink {self.name}: {traceback.format_exc()}", self.name, sink=self.name
                )
                self._one_by_one(batch, error)
                return
            else:
                self._took(len(batch))
                return

    def _one_by_one(self, batch: list[_Pair], error: Exception) -> None:
        """For a sink that breaks on something. Where others pass, those it breaks on are set aside; where none does,
        it is the sink, and it is tried again later. Raises SinkDown."""
        broken: list[tuple[Row, str]] = []
        taken = 0
        for row, found in batch:
            try:
                self._sink.write([found])
                taken += 1
            except SinkDown:
                raise
            except Poisoned as refusal:
                self._set_aside(row, f"sink:{self.name}", refusal.reason)
            except Exception as cause:
                broken.append((row, f"the sink broke on it: {cause!r}"))
        if broken and not taken:
            raise SinkDown(f"internal error: {error!r}") from error
        for row, reason in broken:
            self._set_aside(row, f"sink:{self.name}", reason)
        self._took(taken)

    def _took(self, count: int) -> None:
        self.state.written += count
        self._metrics.add("sink_written_total", count, sink=self.name)

    def _set_aside(self, row: Row, stage: str, reason: str) -> None:
        if self._spool.set_aside(Aside(stage, reason, row), self._wall()):
            self._metrics.add("poison_total", stage=stage)
            node = row.uplink.node
            message = f"node {node or '?'}: set aside ({stage}): {reason}"
            self._log.seldom("warning", "set-aside", message, f"{self.name} {node}", node=node, sink=self.name)

    def _advance(self, done: int) -> None:
        self._spool.advance(self.name, done)
        self._cursor = done

    def _fail(self, message: str, asked_s: float | None) -> float:
        """Exponential back-off; half of each wait is random, so that a fleet of gateways does not knock in step."""
        now, state = self._clock(), self.state
        wait_s = min(self._retry_max_s, _FIRST_RETRY_S * 2.0 ** min(self._attempts, 20))
        wait_s *= 0.5 + self._jitter() / 2
        if asked_s is not None:
            wait_s = max(wait_s, min(asked_s, _ASKED_S))
        self._attempts += 1
        self._retry_at = now + wait_s
        state.failures += 1
        state.last_error = message
        self._metrics.add("sink_failures_total", sink=self.name)
        self._metrics.set("sink_up", 0, sink=self.name)
        if state.down_since is None:
            state.down_since = self._said_at = now
            self._log.warning("sink-down", f"sink {self.name}: {message}; it is tried again", sink=self.name)
        elif now - self._said_at >= _STILL_DOWN_S:
            self._said_at = now
            down_s = round(now - state.down_since)
            self._log.warning("sink-down", f"sink {self.name}: {message}", sink=self.name, down_s=down_s)
        return wait_s

    def _succeed(self) -> None:
        self._attempts = 0
        if self.state.down_since is not None:
            down_s = round(self._clock() - self.state.down_since)
            self._log.info("sink-up", f"sink {self.name} takes again", sink=self.name, down_s=down_s)
            self.state.down_since = None
            self._metrics.set("sink_up", 1, sink=self.name)
