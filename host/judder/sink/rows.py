"""An observation as one flat or nested row, and the id by which two writings of it are known to be one."""

from __future__ import annotations

import math
import uuid
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from judder.flow import Observation, Uplink

# Namespace of the ids below (RFC 9562, version 5).
_NAMESPACE = uuid.UUID("5f8c1f0e-2d0b-5b7e-9d35-6b1c8a1d7f40")

# What the carrier said, as far as it is not the row's own.
_LINK = tuple(f.name for f in fields(Uplink) if f.name not in ("node", "payload", "received_at", "tags"))


def identity(observation: Observation) -> uuid.UUID:
    """The same for the same uplink whenever it is written, another for any other.

    Version 5 UUID of "node|received_at|session|fcnt|payload in hex". The time of receipt is part of it: a node that
    starts anew may well send the same bytes under the same numbers.
    """
    uplink = observation.uplink
    text = f"{uplink.node}|{uplink.received_at!r}|{uplink.session}|{uplink.fcnt}|{uplink.payload.hex()}"
    return uuid.uuid5(_NAMESPACE, text)


def nested(observation: Observation) -> dict[str, Any]:
    """As JSON carries it: who and when, the record's own fields, the carrier's words in "uplink", the payload in hex.

    `judder decode` reads such lines again, by "payload". What the carrier did not say is left out.
    """
    uplink = observation.uplink
    said = {name: getattr(uplink, name) for name in _LINK}
    row: dict[str, Any] = {
        "id": str(identity(observation)),
        "node": uplink.node,
        "received_at": uplink.received_at if math.isfinite(uplink.received_at) else None,
        "measured_at": observation.measured_at,
        "problems": list(observation.problems),
        **observation.record.to_dict(),
    }
    row["uplink"] = {name: value for name, value in said.items() if value is not None and value is not False}
    if uplink.tags:
        row["uplink"]["tags"] = dict(uplink.tags)
    row["payload"] = uplink.payload.hex()
    return row


def iso(seconds: float) -> str:
    """Unix time -> "2026-03-01T12:00:00.250Z"."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
