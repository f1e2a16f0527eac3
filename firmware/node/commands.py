"""COMMAND downlinks: settings, requests, reboot. Whole or not at all, and always answered when there is a tag.

handle(payload) -> (values of the ACK or None, what the application is to do: a tuple, or None)
    ("hello",) ("reading",) ("capture", axis) ("spectrum",) ("restart",)
"""

from judder_core import cbor, codec, schema, settings
from judder_core.errors import JudderError, SettingsError

_DONE, _REFUSED, _UNKNOWN_ACTION, _OUT_OF_RANGE, _NOT_SETTABLE, _FAILED = range(6)
_SETTINGS, _REQUEST, _REBOOT = range(3)
# Positions in the message, as an ACK names them.
_ARGUMENT_AT = 3
_SETTINGS_AT = 4


class Commands:
    """config: node.config.Config. refused: downlinks that were no command, or one this node may not follow.

    can_capture: function of nothing, whether there is a waveform and the link carries one; None for always.
    """

    def __init__(self, config, refused: int = 0, can_capture=None):
        self._config = config
        self.refused = refused
        self._can_capture = can_capture

    def handle(self, payload: bytes) -> tuple:
        """See the module."""
        try:
            kind, values, _extra = codec.decode(payload)
        except JudderError:
            self.refused += 1
            return None, None
        if kind != schema.COMMAND:
            self.refused += 1
            return None, None
        tag, action, argument, changes = values
        status, detail, todo = _UNKNOWN_ACTION, 2, None
        if action == _SETTINGS:
            status, detail = self._settings(changes, 0 if tag is None else tag)
            if status == _DONE:
                todo = ("restart",)
        elif action == _REQUEST:
            status, detail, todo = self._request(argument)
        elif action == _REBOOT:
            status, detail, todo = _DONE, 0, ("restart",)
        if status != _DONE:
            self.refused += 1
        return (tag, status, detail, self._config.crc), todo

    def _request(self, argument) -> tuple:
        wanted = 0 if argument is None else argument & 0xFF
        axis = 0 if argument is None else argument >> 8
        if wanted >= len(schema.REQUESTS):
            return _OUT_OF_RANGE, _ARGUMENT_AT, None
        name = schema.REQUESTS[wanted]
        if name == "capture":
            if not 1 <= axis <= 3:
                return _OUT_OF_RANGE, _ARGUMENT_AT, None
            if self._can_capture is not None and not self._can_capture():
                return _REFUSED, 0, None
            return _DONE, 0, (name, axis)
        return _DONE, 0, (name,)

    def _settings(self, changes, tag: int) -> tuple:
        config = self._config
        if not config.provisioned:
            return _REFUSED, 0
        if not changes:
            return _OUT_OF_RANGE, _SETTINGS_AT
        # The record as it is, with what a newer host may have put there, and the changes on top.
        record = cbor.decode(config.payload)
        for key in sorted(changes):
            if key in settings.OVER_THE_AIR_REFUSED or key not in [row[0] for row in settings.SETTINGS]:
                return _NOT_SETTABLE, key
            try:
                record[key] = settings.check(key, changes[key])
            except SettingsError:
                return _OUT_OF_RANGE, key
        try:
            config.change(record, tag)
        except SettingsError as error:
            return _OUT_OF_RANGE, error.key
        except (OSError, ValueError):
            return _FAILED, 0
        return _DONE, 0
