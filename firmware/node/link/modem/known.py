"""What a node knows of its modem, and remembers over a deep sleep: a few bytes for RTC memory, no key in them."""

import binascii
import struct

# Version, flags, unheard, join_tries, CRC-32 of the settings, pause in ms, joins, join_failures, downlinks.
_FORMAT = "<BBBBIIHHI"
_VERSION = 1
_CONFIGURED = 1
_JOINED = 2
_FORCE = 4
# Settings the modem is set to, or that decide what it is asked.
_NAMES = (
    "mode",
    "lorawan_region",
    "lorawan_activation",
    "join_eui",
    "app_key",
    "dev_addr",
    "nwk_s_key",
    "app_s_key",
    "lorawan_sub_band",
    "lorawan_adr",
    "lorawan_data_rate",
    "lorawan_max_eirp_dbm",
    "antenna_gain_db",
    "lorawan_rx1_delay_s",
    "lorawan_rx2_data_rate",
    "lorawan_rx2_hz",
)


class Known:
    """chip, dev_eui: texts. values: settings by name.

    configured: it is set to these settings. joined: and in a network. force: its session belongs to another identity,
    or is lost. unheard: confirmed uplinks in a row that nobody answered. join_tries: join requests in vain since.
    joins, join_failures, downlinks: counts since power-on of the node.
    """

    def __init__(self, chip: str, dev_eui: str, values: dict):
        parts = [chip, dev_eui]
        for name in _NAMES:
            parts.append(str(values[name]))
        self._settings_crc = binascii.crc32(" ".join(parts).encode()) & 0xFFFFFFFF
        self.configured = self.joined = self.force = False
        self.unheard = self.join_tries = 0
        self.joins = self.join_failures = self.downlinks = 0

    def freeze(self, pause_ms: int) -> bytes:
        """pause_ms: what is left of the pause."""
        return struct.pack(
            _FORMAT,
            _VERSION,
            self.configured * _CONFIGURED | self.joined * _JOINED | self.force * _FORCE,
            min(self.unheard, 0xFF),
            min(self.join_tries, 0xFF),
            self._settings_crc,
            pause_ms,
            self.joins & 0xFFFF,
            self.join_failures & 0xFFFF,
            self.downlinks,
        )

    def thaw(self, frozen: bytes) -> int:
        """pause_ms of that time. What does not fit, or belongs to other settings, changes nothing: 0."""
        if len(frozen) != struct.calcsize(_FORMAT):
            return 0
        fields = struct.unpack(_FORMAT, frozen)
        if fields[0] != _VERSION or fields[4] != self._settings_crc:
            return 0
        self.configured = bool(fields[1] & _CONFIGURED)
        self.joined = bool(fields[1] & _JOINED)
        self.force = bool(fields[1] & _FORCE)
        self.unheard, self.join_tries = fields[2:4]
        self.joins, self.join_failures, self.downlinks = fields[6:]
        return fields[5]
