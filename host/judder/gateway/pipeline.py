"""Everything joined: sources -> intake -> spool -> deliveries -> sinks, and the round that keeps the spool bounded."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from judder.gateway import poison
from judder.gateway.bounds import Keeper, Limits
from judder.gateway.delivery import Delivery
from judder.gateway.intake import Intake, Rules
from judder.gateway.log import Log
from judder.gateway.metrics import Metrics
from judder.gateway.source import Source
from judder.gateway.spool import Spool, SpoolDamaged, SpoolError
from judder.gateway.threads import Openers, SinkThread, SourceThread, Stop
from judder.sink import Sink

RETRY_MAX_S = 60.0
_TRIM_EVERY_S = 5.0


@dataclass(slots=True)
class Outlet:
    """A sink by its name, and the longest wait between attempts to reach it."""

    sink: Sink
    retry_max_s: float = RETRY_MAX_S


@dataclass(slots=True)
class Plan:
    """What a gateway is made of. grace_s: how long a stop may take to hand over what there is."""

    spool: Path
    sources: Mapping[str, Source]
    sinks: Mapping[str, Outlet]
    limits: Limits = field(default_factory=Limits)
    rules: Rules = field(default_factory=Rules)
    wait_when_full: bool = False
    grace_s: float = 10.0


class Gateway:
    """start(), then round() now and then until stopping, then stop(). Raises what Spool raises when it is made."""

    def __init__(
        self,
        plan: Plan,
        *,
        log: Log,
        openers: Openers | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = Metrics()
        self.log = log
        self._plan = plan
        self._clock = clock
        self._monotonic = monotonic
        self._begun = monotonic()
        self._trim_at = 0.0
        self._asked = Stop()
        self.spool = Spool(plan.spool, log=lambda line: log.error("spool-damaged", line))
        try:
            for name, missed in self.spool.attach(list(plan.sinks)).items():
                if missed:
                    log.warning("sink-gone", f"sink {name} is no more; it had not got {missed} uplinks", sink=name)
            self.keeper = Keeper(self.spool, plan.limits, self._dropped)
            self.intake = Intake(
                self.spool, clock=clock, log=log, metrics=self.metrics, rules=plan.rules, stored=self._stored
            )
            self.deliveries = [
                SinkThread(
                    Delivery(
                        name,
                        outlet.sink,
                        self.spool,
                        clock=monotonic,
                        wall=clock,
                        log=log,
                        metrics=self.metrics,
                        retry_max_s=outlet.retry_max_s,
                    ),
                    stop=self._asked,
                    log=log,
                    grace_s=plan.grace_s,
                )
                for name, outlet in plan.sinks.items()
            ]
            self.sources = [
                SourceThread(
                    name,
                    source,
                    spool=self.spool,
                    intake=self.intake,
                    keeper=self.keeper,
                    stop=self._asked,
                    log=log,
                    metrics=self.metrics,
                    openers=openers or Openers(),
                    wait_when_full=plan.wait_when_full,
                )
                for name, source in plan.sources.items()
            ]
        except BaseException:
            self.spool.close()
            raise

    def start(self) -> None:
        for thread in (*self.deliveries, *self.sources):
            thread.start()

    @property
    def stopping(self) -> bool:
        return self._asked.event.is_set()

    def ask_to_stop(self) -> None:
        """Also from a signal handler. round() sees it."""
        self._asked.ask()

    def round(self, wait_s: float) -> bool:
        """Wait, at most so long, and see to the spool; True when the gateway is to stop."""
        stopping = self._asked.wait(wait_s)
        now = self._monotonic()
        if not stopping and now >= self._trim_at:
            self._trim_at = now + _TRIM_EVERY_S
            try:
                self.keeper.trim(self._clock())
                poison.retry_wanted(self.spool, self.intake)
            except SpoolDamaged as error:
                self._asked.fail(error)
            except SpoolError as error:
                self.log.seldom("error", "spool", str(error), "trim")
            except Exception:
                self.log.seldom("error", "internal", traceback.format_exc(), "round")
        return stopping

    def stop(self) -> None:
        """Sources first, then what they stored goes to the sinks that take it, then the spool. What a sink does not
        take within the grace stays in the spool. Raises the error that made the gateway stop, if one did."""
        self._asked.event.set()
        end = self._monotonic() + self._plan.grace_s
        for source in self.sources:
            source.join(max(0.0, end - self._monotonic()))
        for delivery in self.deliveries:
            delivery.finish()
        end = self._monotonic() + self._plan.grace_s
        late = []
        for delivery in self.deliveries:
            delivery.join(max(0.0, end - self._monotonic()) + 0.5)
            if delivery.is_alive():
                late.append(delivery.delivery.name)
        if late:
            self.log.warning(
                "stop", f"stopped without waiting for {', '.join(late)}; it gets the rest at the next start"
            )
        self.spool.close()
        if self._asked.fatal is not None:
            raise self._asked.fatal

    def dead(self) -> list[str]:
        """Names of threads that ended although nobody asked; none, as far as anybody knows how."""
        return [thread.name for thread in (*self.sources, *self.deliveries) if not thread.is_alive()]

    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock()

    def uptime_s(self) -> float:
        return self._monotonic() - self._begun

    def _stored(self, _last: int) -> None:
        for delivery in self.deliveries:
            delivery.news.set()

    def _dropped(self, count: int, missed: dict[str, int], reason: str) -> None:
        sinks = ", ".join(f"{name} {number}" for name, number in missed.items() if number)
        message = f"{count} of the oldest uplinks dropped, {reason}; not delivered: {sinks}"
        self.log.seldom("error", "spool-dropped", message, "", dropped=count)
