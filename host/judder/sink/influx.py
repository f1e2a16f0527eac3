"""Observations to InfluxDB as line protocol over HTTP: v2 and Cloud, v1, v3, and others that take the same.

A measurement for each kind (judder_reading, judder_alarm, ...), the node as tag, everything else as fields, the time
the record was true in nanoseconds. A point is known by measurement, tags and time, so writing it again changes nothing.
"""

from __future__ import annotations

import base64
import gzip
import math
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from judder.decode import columns
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, rows, secret
from judder.sink.base import BaseSink
from judder.sink.http import HttpOptions, Server, post_all

APIS = ("v2", "v1", "v3")
# Beyond the node: what makes two records of one moment two points.
_TAGS = {"alarm": ("metric",), "spectrum": ("axis",)}
# Not fields: the tags and the time, and what a database of numbers has no use for.
_LEFT_OUT = {"id", "node", "time", "measured_at", "name", "tags", "payload", "uplink_dedup", "uplink_confirmed"}
_INTEGERS = (columns.INT32, columns.INT64)


@dataclass(slots=True, kw_only=True)
class InfluxOptions(HttpOptions):
    """api: "v2" (InfluxDB 2, Cloud), "v1" or "v3". bucket: of v2; the database of v1 and v3. org: of v2. token: of v2
    and v3. user, password: of v1, where it asks for them. retention_policy: of v1. prefix: of measurements. tags: which
    of the server's tags become tags, "name" for the device's name."""

    api: str = "v2"
    bucket: str = "judder"
    org: str = ""
    token: str = secret()
    user: str = ""
    password: str = secret()
    retention_policy: str = ""
    prefix: str = "judder_"
    tags: tuple[str, ...] = ()
    batch_size: int = 5000

    def __post_init__(self) -> None:
        HttpOptions.__post_init__(self)
        self.tags = tuple(self.tags)
        if self.api not in APIS:
            raise InputError(f"api: {self.api!r} is not one of {', '.join(APIS)}")
        if not self.bucket:
            raise InputError("bucket: the bucket's name is expected; that of the database with v1 and v3")
        if "\n" in self.token + self.user + self.password:
            raise InputError("token: has an end of line in it")


class InfluxSink(BaseSink):
    """Without captures, whose samples are no points."""

    name = "influx"
    KINDS = ("reading", "alarm", "hello", "spectrum", "ack", "command", "unknown")

    def __init__(self, options: InfluxOptions) -> None:
        super().__init__(options)
        self._server = Server(options)
        self._path = _path(options)
        self._headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip", **_key(options)}
        self._prefix = options.prefix
        self._tags = options.tags

    def write(self, batch: Sequence[Observation]) -> None:
        lines = [self._line(index, observation) for index, observation in enumerate(batch)]
        post_all(self._server, lines, lambda some: gzip.compress(b"\n".join(some), 1), self._headers, self._path)

    def _line(self, index: int, observation: Observation) -> bytes:
        at = rows.moment(observation.at)
        if at is None:
            raise Poisoned(index, "no clock can be believed, and a point needs a time")
        kind = observation.record.kind
        tags: list[tuple[str, str | None]] = [("node", observation.node)]
        own = _TAGS.get(kind, ())
        tags += [(name, getattr(observation.record, name)) for name in own]
        tags += [(name, self._tag(observation, name)) for name in self._tags]
        fields = [
            f"{_escaped(name, _KEY)}={_field(value, type_)}"
            for value, (name, type_) in zip(rows.flat(observation), rows.COLUMNS[kind], strict=True)
            if name not in _LEFT_OUT and name not in own and _sayable(value, type_)
        ]
        key = _escaped(self._prefix + kind, _NAME) + "".join(
            f",{_escaped(name, _KEY)}={_escaped(value, _KEY)}" for name, value in sorted(tags) if value
        )
        # A float of today's Unix time is good to a quarter of a microsecond, so its nanoseconds would be made up.
        microseconds = (at - rows.EPOCH) // rows.MICROSECOND
        return f"{key} {','.join(fields)} {microseconds}000".encode()

    def _tag(self, observation: Observation, name: str) -> str | None:
        uplink = observation.uplink
        return uplink.name if name == "name" else uplink.tags.get(name)


def _path(options: InfluxOptions) -> str:
    said: dict[str, str]
    if options.api == "v2":
        path, said = "/api/v2/write", {"org": options.org, "bucket": options.bucket, "precision": "ns"}
    elif options.api == "v3":
        path, said = "/api/v3/write_lp", {"db": options.bucket, "precision": "nanosecond"}
    else:
        path, said = "/write", {"db": options.bucket, "rp": options.retention_policy, "precision": "ns"}
    return path + "?" + urllib.parse.urlencode({name: value for name, value in said.items() if value})


def _key(options: InfluxOptions) -> dict[str, str]:
    if options.token:
        return {"Authorization": f"{'Bearer' if options.api == 'v3' else 'Token'} {options.token}"}
    if options.user:
        pair = base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


# Backslash, then what it stands before. A value's own backslashes would escape what follows it, and cannot be escaped.
_NAME, _KEY = ", ", ", ="


def _escaped(text: str, special: str) -> str:
    text = rows.line(text.replace("\\", "/")) or "-"
    for sign in special:
        text = text.replace(sign, "\\" + sign)
    return text


def _sayable(value: Any, type_: str) -> bool:
    if type_ == rows.TIME:
        return rows.moment(value) is not None
    if type_ == columns.FLOAT64 and value is not None and not math.isfinite(value):
        return False  # line protocol has no word for it
    return type_ != columns.BINARY and value is not None and value != [] and value != ()


def _field(value: Any, type_: str) -> str:
    if type_ in _INTEGERS:
        return f"{value:d}i"
    if type_ == columns.BOOL:
        return "true" if value else "false"
    if type_ in (columns.FLOAT64, rows.TIME):
        return repr(float(value))
    text = " ".join(value) if isinstance(value, list | tuple) else str(value)
    text = rows.line(text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


PLUGIN = Plugin(InfluxOptions, InfluxSink)
