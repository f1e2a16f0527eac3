"""An observation as one row, flat or nested, and the id by which two writings of it are known to be one."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from judder.decode import columns
from judder.flow import Observation, Uplink
from judder.sink import Poisoned

# Namespace of the ids below (RFC 9562, version 5).
NAMESPACE = uuid.UUID("5f8c1f0e-2d0b-5b7e-9d35-6b1c8a1d7f40")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Column types beside those of judder.decode.columns: Unix seconds; JSON as text.
TIME, JSON, UUID = "time", "json", "uuid"


def identity(observation: Observation) -> uuid.UUID:
    """The same for the same uplink whenever it is written, another for any other.

    Version 5 UUID of "node|received_at|session|fcnt|payload in hex". The time of receipt is part of it: a node that
    starts anew may well send the same bytes under the same numbers.
    """
    uplink = observation.uplink
    text = f"{uplink.node}|{uplink.received_at!r}|{uplink.session}|{uplink.fcnt}|{uplink.payload.hex()}"
    return uuid.uuid5(NAMESPACE, text.encode("utf-8", "backslashreplace").decode())


def moment(seconds: float | None) -> datetime | None:
    """Unix time -> UTC, to the microsecond; None for a time no calendar has."""
    if seconds is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=round(seconds * 1e6))
    except (ValueError, OverflowError):
        return None


def iso(seconds: float | None) -> str | None:
    """Unix time -> "2026-03-01T12:00:00.250Z"; None for a time no calendar has."""
    at = moment(seconds)
    return None if at is None else at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


# What no text file, database or protocol takes: control characters, halves of a pair.
_UNSAYABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


def line(text: str) -> str:
    """A text of somebody else's on one line: runs of white space as one space, what cannot be said as U+FFFD."""
    return _UNSAYABLE.sub("\ufffd", " ".join(text.split()))


_NO_TEXT = re.compile("[\\x00\\ud800-\\udfff]")


def sayable(text: str) -> str:
    """A text with U+FFFD for the two things no database has: NUL, halves of a pair."""
    return _NO_TEXT.sub("\ufffd", text)


# --- nested, for JSON

# What the carrier said, as far as it is not the row's own.
_LINK = tuple(f.name for f in fields(Uplink) if f.name not in ("node", "payload", "received_at", "tags"))


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


def json_line(index: int, observation: Observation) -> tuple[str, bytes]:
    """(id, the nested row as JSON). Raises Poisoned with that index for a number JSON has no way to write."""
    row = nested(observation)
    try:
        return row["id"], json.dumps(row, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise Poisoned(index, f"JSON has no way to write it: {error}") from error


# --- flat, for tables


@dataclass(frozen=True, slots=True)
class About:
    """A column that is not of the record. get: its value in an observation, None when it was not said."""

    name: str
    type: str
    get: Callable[[Observation], Any]


def _uplink(name: str, type_: str, column: str | None = None) -> About:
    return About(column or f"uplink_{name}", type_, lambda observation: getattr(observation.uplink, name))


def _tags(observation: Observation) -> str | None:
    tags = observation.uplink.tags
    return json.dumps(dict(tags), separators=(",", ":")) if tags else None


# In front of every kind's own columns. New ones come at the end only.
ABOUT = (
    About("id", UUID, identity),
    About("node", columns.TEXT, lambda observation: observation.node),
    About("time", TIME, lambda observation: observation.at),
    About("measured_at", TIME, lambda observation: observation.measured_at),
    About("received_at", TIME, lambda observation: observation.received_at),
    About("problems", columns.TEXTS, lambda observation: list(observation.problems)),
    _uplink("name", columns.TEXT, "name"),
    About("tags", JSON, _tags),
    _uplink("source", columns.TEXT),
    _uplink("port", columns.INT32),
    _uplink("fcnt", columns.INT64),
    _uplink("session", columns.TEXT),
    _uplink("confirmed", columns.BOOL),
    _uplink("rssi_dbm", columns.FLOAT64),
    _uplink("snr_db", columns.FLOAT64),
    _uplink("gateway", columns.TEXT),
    _uplink("data_rate", columns.TEXT),
    _uplink("frequency_hz", columns.INT64),
    _uplink("dedup", columns.TEXT),
    _uplink("payload", columns.BINARY, "payload"),
)
NAMES = frozenset(about.name for about in ABOUT)

# Kind -> (name, type) of each column of a row.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    kind: (
        *((about.name, about.type) for about in ABOUT),
        *((column.name, column.type) for column in found if column.name not in NAMES),
    )
    for kind, found in columns.COLUMNS.items()
}
# Kind -> which of its values, behind the kind itself, have no column above.
_OWN = {
    kind: [i for i, column in enumerate(found, 1) if column.name not in NAMES]
    for kind, found in columns.COLUMNS.items()
}


def flat(observation: Observation, made: Mapping[str, Callable[[Any], Any]] = {}) -> tuple[Any, ...]:
    """Values of the columns of its kind, in their order. made: by column type, what turns a value into another."""
    record = observation.record
    own = columns.values(record)
    row = (*(about.get(observation) for about in ABOUT), *(own[i] for i in _OWN[record.kind]))
    if not made:
        return row
    makers = [made.get(type_) for _name, type_ in COLUMNS[record.kind]]
    return tuple(make(value) if make and value is not None else value for make, value in zip(makers, row, strict=True))
