"""Messages of The Things Stack v3 as JSON: MQTT `v3/<application>/devices/<device>/...`, webhooks, its storage.

    event = tts.parse(body)
    if isinstance(event, Uplink): reading = decode(event.payload)

Shapes: "Data Formats" in the documentation of The Things Stack. Zero, empty and false fields are left out. A device's
own id there (`device_id`) becomes `name`: downlinks are addressed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from judder import flow
from judder.errors import InputError
from judder.flow import Uplink
from judder.ingest import envelope, events
from judder.ingest.envelope import Body

SOURCE = "tts"
# Which of the correlation ids is one uplink's own.
_OF_UPLINK = ("as:up:", "gs:uplink:")


def parse(body: Body, *, received_at: float | None = None) -> events.Event:
    """One message. A payload of ours is an Uplink, of others a Foreign; an uplink without payload is an Other.

    body: the message, or one as the storage integration ({"result": ...}) or the console ({"data": ...}) wrap it.
    received_at: Unix time in seconds, for a message that says none. A device registered without DevEUI has node "".
    An uplink somebody simulated carries the tag simulated = "true". Raises InputError for what is no such message.
    """
    found = envelope.load(body)
    for wrap in ("result", "data"):
        inner = found.get(wrap)
        if "end_device_ids" not in found and isinstance(inner, dict):
            found = inner
    ids = found.get("end_device_ids")
    if not isinstance(ids, dict):
        raise InputError("no message of The Things Stack v3: end_device_ids is missing")
    for key, maker in _MAKERS.items():
        if key in found:
            part = envelope.table(found[key])
            times = (part.get("received_at"), found.get("received_at"))
            name = envelope.word(ids.get("device_id"))
            return maker(found, part, (_node(ids, name), envelope.arrival(times, received_at), SOURCE, name))
    raise InputError("no message of The Things Stack v3 that is known here")


def _node(ids: Mapping[str, Any], name: str | None) -> str:
    text = envelope.word(ids.get("dev_eui"))
    if text is not None:
        return envelope.node_id(text)
    # The console's proposal for a device id.
    if name is not None and name.startswith("eui-") and len(name) == 20:
        try:
            return flow.node_id(name[4:])
        except InputError:
            pass
    return ""


_Head = tuple[str, float, str, str | None]


def _up(found: Mapping[str, Any], part: Mapping[str, Any], head: _Head) -> events.Event:
    settings = envelope.table(part.get("settings"))
    rate = envelope.table(settings.get("data_rate"))
    lora = envelope.table(rate.get("lora"))
    best = envelope.best(part.get("rx_metadata"))
    rssi_dbm, snr_db = envelope.link(best, is_lora="fsk" not in rate)
    tags = envelope.tags(part.get("attributes"))
    if found.get("simulated") is True:
        tags["simulated"] = "true"
    uplink = Uplink(
        head[0],
        envelope.payload(part.get("frm_payload"), "frm_payload"),
        head[1],
        SOURCE,
        envelope.port(part.get("f_port"), "f_port"),
        envelope.counter(part.get("f_cnt"), "f_cnt"),
        envelope.word(part.get("session_key_id")) or _address(found),
        part.get("confirmed") is True,
        rssi_dbm,
        snr_db,
        _gateway(best),
        envelope.lora(lora.get("spreading_factor"), lora.get("bandwidth"))
        or envelope.fsk(envelope.table(rate.get("fsk")).get("bit_rate")),
        envelope.hertz(settings.get("frequency")),
        head[3],
        tags,
        _dedup(found),
    )
    if part.get("app_s_key") is not None and uplink.payload:
        return events.Foreign(uplink, "the payload is still encrypted: the application skips payload crypto")
    return events.sort(uplink)


def _address(found: Mapping[str, Any]) -> str | None:
    return envelope.word(envelope.table(found.get("end_device_ids")).get("dev_addr"))


def _gateway(copy: Mapping[str, Any]) -> str | None:
    """Its EUI as 16 lower-case hex digits, else its id."""
    ids = envelope.table(copy.get("gateway_ids"))
    eui = envelope.word(ids.get("eui"))
    return envelope.word(ids.get("gateway_id")) if eui is None else eui.lower()


def _dedup(found: Mapping[str, Any]) -> str | None:
    ids = _texts(found.get("correlation_ids"))
    return next((text for start in _OF_UPLINK for text in ids if text.startswith(start)), None)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _join(found: Mapping[str, Any], part: Mapping[str, Any], head: _Head) -> events.Event:
    session = envelope.word(part.get("session_key_id")) or _address(found)
    return events.Join(*head, session, envelope.tags(part.get("attributes")), _dedup(found))


def _downlink(state: str) -> Callable[[Mapping[str, Any], Mapping[str, Any], _Head], events.Event]:
    def make(found: Mapping[str, Any], part: Mapping[str, Any], head: _Head) -> events.Event:
        error = envelope.table(part.get("error"))
        reason = envelope.word(error.get("message_format")) or envelope.word(error.get("name"))
        frame = envelope.table(part.get("downlink")) if state == "failed" else part
        ids = dict.fromkeys(_texts(frame.get("correlation_ids")) + _texts(found.get("correlation_ids")))
        fcnt, port = frame.get("f_cnt"), frame.get("f_port")
        return events.Downlink(
            *head,
            state,
            tuple(ids),
            None if state in ("failed", "invalidated") and fcnt is None else envelope.counter(fcnt, "f_cnt"),
            None if port is None else envelope.port(port, "f_port"),
            reason,
        )

    return make


def _other(what: str) -> Callable[[Mapping[str, Any], Mapping[str, Any], _Head], events.Event]:
    return lambda _found, _part, head: events.Other(*head, what)


_MAKERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], _Head], events.Event]] = {
    "uplink_message": _up,
    "join_accept": _join,
    "downlink_queued": _downlink("queued"),
    "downlink_sent": _downlink("sent"),
    "downlink_ack": _downlink("acknowledged"),
    "downlink_nack": _downlink("not-acknowledged"),
    "downlink_failed": _downlink("failed"),
    "downlink_queue_invalidated": _downlink("invalidated"),
    "uplink_normalized": _other("uplink_normalized"),
    "location_solved": _other("location_solved"),
    "service_data": _other("service_data"),
}
