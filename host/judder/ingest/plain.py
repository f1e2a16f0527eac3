"""An Uplink as plain values: lines of NDJSON, rows of Parquet.

    {"node": "70b3d57ed0000001", "payload": "86011828f619019f0700", "received_at": 1784367255.98, "fcnt": 4711}

Names are those of judder.flow.Uplink; only the payload has to be there. Times may also be RFC 3339 texts. Rows that
sinks wrote have the record's own fields beside it, and what the carrier said under "uplink", or in columns uplink_*.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import envelope, events

# The first that is there counts. Beside ours: what servers call the same, for events somebody has flattened.
_PAYLOAD = ("payload", "data", "frm_payload")
_NODE = ("node", "devEui", "dev_eui")
_TIME = ("received_at", "time")
_PORT = ("port", "fPort", "f_port")
_FCNT = ("fcnt", "fCnt", "f_cnt")
_NAME = ("name", "deviceName", "device_id")


def to_dict(uplink: Uplink) -> dict[str, Any]:
    """As JSON carries it, the payload in hex; what was not said is left out."""
    found: dict[str, Any] = {}
    for name in Uplink.__slots__:
        value = getattr(uplink, name)
        if value is not None and value != "" and value != {} and value is not False:
            found[name] = value
    found["payload"] = uplink.payload.hex()
    if math.isnan(uplink.received_at):
        del found["received_at"]
    else:
        found["received_at"] = uplink.received_at
    if uplink.tags:
        found["tags"] = dict(uplink.tags)
    return found


def from_dict(
    row: Mapping[str, Any], *, received_at: float | None = None, is_base64: bool = False
) -> Uplink | events.Other | events.Foreign:
    """The uplink a row holds.

    payload: bytes, or a text in hex or base64. received_at: Unix time in seconds, for a row that says none. A node that
    is no EUI-64 becomes the name. Raises InputError for a row without payload, a payload or counter that is none, and
    where no time is known.
    """
    row = _carrier(row)
    payload = _payload(_first(row, _PAYLOAD), is_base64)
    told, name = _first(row, _NODE), envelope.word(_first(row, _NAME))
    try:
        node = envelope.node_id(told) if isinstance(told, str) else ""
    except InputError:
        node, name = "", name or envelope.word(told)
    port, fcnt = _first(row, _PORT), _first(row, _FCNT)
    return events.sort(
        Uplink(
            node,
            payload,
            time_of(row, received_at),
            envelope.word(row.get("source")) or "file",
            None if port is None else envelope.port(port, "port"),
            None if fcnt is None else envelope.counter(fcnt, "fcnt"),
            envelope.word(row.get("session")),
            row.get("confirmed") is True,
            envelope.number(row.get("rssi_dbm")),
            envelope.number(row.get("snr_db")),
            envelope.word(row.get("gateway")),
            envelope.word(row.get("data_rate")),
            envelope.hertz(row.get("frequency_hz")),
            name,
            # Parquet gives a map as pairs.
            envelope.tags(dict(tags) if isinstance(tags := row.get("tags"), list) else tags),
            envelope.word(row.get("dedup")),
        )
    )


# Of a row of a sink, beside what is marked as the carrier's.
_OWN = ("node", "payload", "received_at", "name", "tags")
_PREFIX = "uplink_"


def _carrier(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the record's fields: a HELLO has an RSSI of its own."""
    nested = row.get("uplink")
    if isinstance(nested, Mapping):
        said = dict(nested)
    elif _PREFIX + "source" in row:
        said = {name.removeprefix(_PREFIX): value for name, value in row.items() if name.startswith(_PREFIX)}
    else:
        return row
    found = {name: row[name] for name in _OWN if name in row} | said
    if isinstance(found.get("tags"), str):
        try:
            found["tags"] = json.loads(found["tags"])
        except ValueError:
            del found["tags"]
    return found


def holds_payload(row: Mapping[str, Any]) -> bool:
    return _first(row, _PAYLOAD) is not None


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _payload(value: object, is_base64: bool) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return envelope.from_base64(value) if is_base64 else envelope.hex_or_base64(value)
    raise InputError(f"a row needs a text or bytes under {' or '.join(map(repr, _PAYLOAD))}")


def time_of(row: Mapping[str, Any], received_at: float | None) -> float:
    """Unix time in seconds, received_at for a row that says none. Raises InputError where neither does."""
    for name in _TIME:
        value = row.get(name)
        if isinstance(value, datetime):  # of Parquet: one without a zone is UTC
            return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
        seconds = envelope.number(value)
        if seconds is not None:
            return seconds
    return envelope.arrival(tuple(row.get(name) for name in _TIME), received_at)
