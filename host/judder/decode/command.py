"""COMMAND frames for nodes: settings, requests, a reboot. The other direction of `decode`.

    encode_command(7, settings={"interval_s": 300})           # names and values as in a profile
    encode_command(8, request="capture", axis="y")
    encode_command(9, reboot=True)

The frame goes to `judder/<node id>/down`, or over LoRaWAN to port COMMAND_PORT. The node answers each with an ACK that
carries the tag. `decode` reads the frame back as a Command.
"""

from __future__ import annotations

from collections.abc import Mapping

from judder.errors import EncodeError, SettingsError
from judder_core import codec, schema
from judder_core import settings as table

COMMAND_PORT = schema.COMMAND + schema.FPORT_OFFSET

# A request for a capture carries its axis above the low byte (judder_core.schema.COMMAND_FIELDS).
_AXIS_SHIFT = 8


def encode_command(
    tag: int,
    *,
    settings: Mapping[str, object] | None = None,
    request: str | None = None,
    axis: str | None = None,
    reboot: bool = False,
    limit: int | None = None,
) -> bytes:
    """The frame of one order: exactly one of settings, request and reboot.

    tag: 0..2^32-1, yours to choose; another for every command, so that answers can be told apart. settings: name ->
    value as people write it ("continuous", 300; byte strings in hex), at least one. request: one of schema.REQUESTS;
    axis: "x", "y" or "z", for a capture only. limit: most bytes the link takes.

    Raises SettingsError for a setting that is unknown, out of range, or that no node takes over the air (identity,
    keys, the way to the network); EncodeError for the rest, and for a command that does not fit `limit`: it is never
    shortened.
    """
    wanted = [name for name, given in (("settings", settings), ("request", request), ("reboot", reboot)) if given]
    if settings is not None and not settings:
        raise EncodeError("command: settings is empty; name at least one, as {'interval_s': 300}")
    if len(wanted) != 1:
        found = " and ".join(wanted) if wanted else "none of them"
        raise EncodeError(f"command: exactly one of settings, request and reboot is expected, not {found}")
    if axis is not None and request != "capture":
        raise EncodeError("command: an axis goes with request='capture' only")
    argument = None if request is None else _argument(request, axis)
    stored = None if settings is None else _stored(settings)
    action = schema.COMMAND_ACTIONS.index(wanted[0])
    return codec.encode(schema.COMMAND, [tag, action, argument, stored], limit)


def _argument(request: str, axis: str | None) -> int:
    if request not in schema.REQUESTS:
        raise EncodeError(f"command: {request!r} is not one of {', '.join(schema.REQUESTS)}")
    number = schema.REQUESTS.index(request)
    if request != "capture":
        return number
    if axis not in schema.AXES[1:]:
        given = "" if axis is None else f", not {axis!r}"
        raise EncodeError(f"command: a capture needs an axis, 'x', 'y' or 'z'{given}")
    return number | schema.AXES.index(axis) << _AXIS_SHIFT


def _stored(wanted: Mapping[str, object]) -> dict[int, int | str | bytes]:
    stored = {}
    for given, value in wanted.items():
        key, name = table.row(given)[:2]
        if key in table.OVER_THE_AIR_REFUSED:
            raise SettingsError(f"{name}: no node takes it over the air; use judder provision", name, key)
        stored[key] = table.from_text(name, value)
    return stored
