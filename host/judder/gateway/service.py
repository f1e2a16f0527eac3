"""A gateway as a service: signals, systemd, health, until it is asked to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from judder.errors import InputError
from judder.gateway import status
from judder.gateway.config import Config
from judder.gateway.health import HealthServer
from judder.gateway.log import Log
from judder.gateway.notify import Notifier
from judder.gateway.pipeline import Gateway
from judder.gateway.threads import Openers

_ROUND_S = 1.0
_STATUS_EVERY = 30  # rounds


def serve(config: Config, log: Log, *, notifier: Notifier, openers: Openers) -> None:
    """Runs until SIGTERM or SIGINT; a second one ends the process at once, which loses nothing either.

    To be called from the main thread. Raises InputError for what
    cannot begin (the spool is another gateway's, the health port is taken), SpoolDamaged for a spool that broke.
    """
    for warning in config.warnings:
        log.warning("config", warning)
    gateway = Gateway(config.plan, log=log, openers=openers)
    try:
        health = _health(config, gateway)
    except BaseException:
        gateway.spool.close()
        raise
    try:
        with _signals(gateway.ask_to_stop):
            gateway.start()
            _announce(config, gateway, health, log)
            notifier.ready(_line(gateway))
            _until_stopped(gateway, log, notifier)
            notifier.stopping()
            log.info("stopping", "stopping: what came in goes to the sinks that take it")
            gateway.stop()
    finally:
        if health:
            health.stop()
    log.info("stopped", "stopped; what a sink has not got is kept in the spool", spool=str(config.plan.spool))


def _until_stopped(gateway: Gateway, log: Log, notifier: Notifier) -> None:
    wait_s = min(_ROUND_S, notifier.watchdog_s / 4) if notifier.watchdog_s else _ROUND_S
    rounds = 0
    while not gateway.round(wait_s):
        wrong = status.ill(gateway)
        if wrong:  # no sign of life any more: systemd starts us again
            log.seldom("error", "ill", "; ".join(wrong), "")
            continue
        notifier.alive()
        rounds += 1
        if rounds % _STATUS_EVERY == 0:
            notifier.status(_line(gateway))


def _health(config: Config, gateway: Gateway) -> HealthServer | None:
    if config.health is None:
        return None
    host, port = config.health
    try:
        return HealthServer(gateway, host, port)
    except InputError:
        if config.path is not None:
            raise
        return HealthServer(gateway, host, 0)  # the built-in configuration is to work at once


def _announce(config: Config, gateway: Gateway, health: HealthServer | None, log: Log) -> None:
    log.info("started", f"started with {config.where()}; the data is in {config.data}", pid=os.getpid())
    for name, source in config.plan.sources.items():
        log.info("source", f"source {name}: {source.where()}")
    for name in config.plan.sinks:
        options = config.options[f"sink {name}"]
        place = options.get("path") or options.get("folder") or options.get("url") or options.get("host") or ""
        log.info("sink", f"sink {name}: {options['type']} {place}".rstrip())
    if health:
        log.info("health", f"health, metrics and status: http://{health.host}:{health.port}/status")
    log.debug("identity", f"known to brokers as judder-{gateway.spool.identity}-NAME")


def _line(gateway: Gateway) -> str:
    up = sum(source.up for source in gateway.sources)
    down = [t.delivery.name for t in gateway.deliveries if t.delivery.state.down_since is not None]
    received = int(gateway.metrics.get("received_total"))
    text = f"{received} uplinks; {up} of {len(gateway.sources)} sources connected"
    return text + (f"; waiting for {', '.join(down)}" if down else "")


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    def handle(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one is meant
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
