"""Alarms to a system that makes work orders of them: one signed POST each, the reason in plain words.

Signed after Standard Webhooks 1.0 (headers webhook-id, webhook-timestamp, webhook-signature: HMAC-SHA256 over id, time
and body), so that receivers verify with a library. The id stays the same when one is sent again: drop what came before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from judder.decode.records import Alarm
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, reason, rows, secret
from judder.sink.base import BaseSink
from judder.sink.http import HttpOptions, Server, refusal

_PREFIX = "whsec_"
_REMEMBERED = 10_000


@dataclass(slots=True, kw_only=True)
class WebhookOptions(HttpOptions):
    """url: not shown, for services put a key in it. secret: "whsec_" and 24 to 64 random bytes in base64; empty: not
    signed. kinds: alarms, unless others are named."""

    url: str = secret()
    secret: str = secret()
    kinds: tuple[str, ...] = ("alarm",)
    batch_size: int = 20

    def __post_init__(self) -> None:
        HttpOptions.__post_init__(self)
        if self.secret:
            _key(self.secret)


class WebhookSink(BaseSink):
    """clock: Unix time in seconds, for the signature; receivers refuse one that is minutes off."""

    name = "webhook"

    def __init__(self, options: WebhookOptions, clock: Callable[[], float] = time.time) -> None:
        super().__init__(options)
        self._server = Server(options)
        self._secret = _key(options.secret) if options.secret else b""
        self._clock = clock
        self._sent: dict[str, None] = {}

    def write(self, batch: Sequence[Observation]) -> None:
        for index, observation in enumerate(batch):
            id_ = str(rows.identity(observation))
            if id_ in self._sent:
                continue  # before the one that failed, last time
            body = json.dumps(message(observation), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
            headers = {"Content-Type": "application/json", **self._signed(id_, body)}
            reply = self._server.post("", body, headers)
            if not reply.taken:
                raise Poisoned(index, refusal(self._server, reply))
            self._sent[id_] = None
            if len(self._sent) > _REMEMBERED:
                del self._sent[next(iter(self._sent))]

    def _signed(self, id_: str, body: bytes) -> dict[str, str]:
        at = str(int(self._clock()))
        headers = {"webhook-id": id_, "webhook-timestamp": at}
        if self._secret:
            digest = hmac.new(self._secret, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        return headers


def message(observation: Observation) -> dict[str, Any]:
    """The body. Of an alarm: type, reason, level, metric, value, limit, unit, axis, zone, since, and who; of another
    record: type and the row as NDJSON has it. since: when the level changed, as the node measured it, UTC."""
    record = observation.record
    body: dict[str, Any] = {"type": f"judder.{record.kind}", "timestamp": rows.iso(observation.at)}
    if not isinstance(record, Alarm):
        return body | {"data": rows.nested(observation)}
    uplink = observation.uplink
    body["data"] = {
        "reason": reason.sentence(observation, record),
        "node": uplink.node,
        "name": uplink.name,
        "tags": dict(uplink.tags),
        "level": record.alarm_level,
        "metric": record.metric,
        "axis": record.worst_axis,
        "value": record.value,
        "limit": record.limit,
        "unit": record.unit,
        "zone": record.zone,
        "not_running": record.not_running,
        "since": rows.iso(observation.at),
        "received_at": rows.iso(uplink.received_at),
        "sequence": record.sequence,
        "problems": list(observation.problems),
    }
    return body


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise InputError(
            "secret: whsec_ and 24 to 64 random bytes in base64 are expected, as whsec_ before the output of "
            "openssl rand -base64 32"
        )
    return key


PLUGIN = Plugin(WebhookOptions, WebhookSink)
