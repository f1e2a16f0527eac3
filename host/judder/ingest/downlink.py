"""A frame for a node -> what to publish, and where: at Judder's own broker, ChirpStack v4 or The Things Stack v3.

    topic, body = downlink.chirpstack(node, encode_command(7, reboot=True), application="17c82e96-...")
    subscriber.publish(topic, body)

Pure: (topic, body). The node's answer is an ACK with the command's tag; how far a downlink has come on its way, servers
tell as judder.ingest.events.Downlink.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

from judder import flow
from judder.errors import InputError
from judder_core import codec, schema

Publication = tuple[str, bytes]

# Of one level of a topic: anything but what MQTT gives a meaning.
_LEVEL = re.compile(r"[^/+#\x00]{1,200}")
PRIORITIES = ("LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST")


def mqtt(node: str, frame: bytes) -> Publication:
    """To a node over Wi-Fi. Raises InputError for a node id that is none."""
    return f"judder/{flow.node_id(node)}/down", frame


def chirpstack(
    node: str, frame: bytes, *, application: str, confirmed: bool = False, id: str | None = None
) -> Publication:
    """To the queue of a device of ChirpStack v4.

    application: its id, a UUID. confirmed: ask the device to acknowledge. id: a UUID of your own; it comes back as
    Downlink.ids. Raises InputError for ids that are none, DecodeError for a frame that is no message of Judder.
    """
    node, application = flow.node_id(node), _uuid(application, "an application of ChirpStack")
    body: dict[str, Any] = {"devEui": node, "confirmed": confirmed, "fPort": port(frame), "data": _base64(frame)}
    if id is not None:
        body["id"] = _uuid(id, "a downlink of ChirpStack")
    return f"application/{application}/device/{node}/command/down", _json(body)


def tts(
    device: str,
    frame: bytes,
    *,
    application: str,
    confirmed: bool = False,
    id: str | None = None,
    priority: str = "NORMAL",
    replace: bool = False,
) -> Publication:
    """To the queue of a device of The Things Stack v3.

    device: its id there, which is the `name` of its uplinks. application: its id, with @tenant where there are tenants.
    id: a text of your own; it comes back among Downlink.ids. replace: in place of all that is queued, else behind it.
    Raises InputError for words that cannot stand in a topic, DecodeError for a frame that is no message of Judder.
    """
    for word, what in ((device, "a device id"), (application, "an application id")):
        if not _LEVEL.fullmatch(word):
            raise InputError(f"{word!r:.60} is not {what} of The Things Stack")
    if priority not in PRIORITIES:
        raise InputError(f"{priority!r:.60} is no priority of The Things Stack; it has {', '.join(PRIORITIES)}")
    one: dict[str, Any] = {
        "f_port": port(frame),
        "frm_payload": _base64(frame),
        "priority": priority,
        "confirmed": confirmed,
    }
    if id is not None:
        one["correlation_ids"] = [id]
    return f"v3/{application}/devices/{device}/down/{'replace' if replace else 'push'}", _json({"downlinks": [one]})


def port(frame: bytes) -> int:
    """FPort of a frame: its kind + 1. Raises DecodeError for what is no message of Judder."""
    kind: int = codec.decode(frame)[0]
    return kind + schema.FPORT_OFFSET


def _uuid(text: str, what: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InputError(f"{text!r:.60} is no UUID, as the id of {what} is") from None


def _base64(frame: bytes) -> str:
    return base64.b64encode(frame).decode()


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
