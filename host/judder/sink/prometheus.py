"""The latest of every node, for Prometheus to fetch: http://127.0.0.1:9878/metrics. Needs the extra `prometheus`.

    judder_velocity_rms_mm_per_second{node="70b3d57ed0000001",axis="x"} 3.01

A gauge for each number of a reading, named as everywhere but for seconds, and counters of what came. Nothing is kept:
Prometheus keeps what it has fetched, and after a restart a node is there again when it was heard. What is late never
replaces what is newer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, SinkOptions, needs
from judder.sink.base import BaseSink

if TYPE_CHECKING:
    from judder.sink.prometheus_exporter import Exporter

_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})")


@dataclass(slots=True, kw_only=True)
class PrometheusOptions(SinkOptions):
    """listen: address and port; there is no password, so leave it on this computer or behind something that has one.
    stale_s: measurements older than that are not shown, at least twice the time between readings. max_nodes: beyond it
    the node heard longest ago is forgotten."""

    listen: str = "127.0.0.1:9878"
    stale_s: float = 7200.0
    max_nodes: int = 1000

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        _address(self.listen)
        if self.stale_s <= 0:
            raise InputError(f"stale_s: {self.stale_s:g} is not above 0")
        if self.max_nodes < 1:
            raise InputError(f"max_nodes: {self.max_nodes} is not at least 1")


class PrometheusSink(BaseSink):
    """clock: Unix time in seconds."""

    name = "prometheus"

    def __init__(self, options: PrometheusOptions, clock: Callable[[], float] = time.time) -> None:
        super().__init__(options)
        try:
            from judder.sink.prometheus_exporter import Exporter
        except ImportError as error:
            raise needs("prometheus-client", "prometheus", error) from error
        host, port = _address(options.listen)
        self._exporter: Exporter = Exporter(host, port, options.stale_s, options.max_nodes, clock)

    def open(self) -> None:
        self._exporter.listen()

    def write(self, batch: Sequence[Observation]) -> None:
        self._exporter.listen()  # for who does not open
        for observation in batch:
            self._exporter.take(observation)

    def close(self) -> None:
        self._exporter.close()


def _address(text: str) -> tuple[str, int]:
    match = _LISTEN.fullmatch(text)
    if not match or int(match["port"]) > 65535:
        raise InputError(f"listen: {text!r} is no address and port; one as 127.0.0.1:9878 is expected")
    return match["v6"] or match["host"], int(match["port"])


PLUGIN = Plugin(PrometheusOptions, PrometheusSink)
