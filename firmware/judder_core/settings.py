"""The settings table: host TOML, the node's record and COMMAND all share it.

Row: (key, name, type, low, high, default, secret, meaning).
- "int": low..high inclusive. "choice": low is the tuple of names, high is unused; stored and sent as the index.
- "text": UTF-8 length in bytes within low..high. "bytes": length within low..high; in TOML it is written as hex.
Key numbers are for ever, like positions in the schema: a key is never given a second meaning.

Runs on CPython and MicroPython.
"""

from judder_core import cbor, schema, zones
from judder_core.errors import SettingsError

_ON_OFF = ("off", "on")
REGIONS = ("eu868", "us915", "au915", "as923-1", "as923-2", "as923-3", "as923-4", "in865")
# Quantities with a warning and a danger limit, and the unit in the limits' names.
_LIMITS = (
    ("acceleration_rms", "mg"),
    ("temperature", "dc"),
    ("velocity_rms", "cmm_s"),
    ("envelope_rms", "mg"),
    ("kurtosis", "c"),
    ("temperature_rise", "dc"),
    ("baseline", "percent"),
)

# fmt: off
SETTINGS = (
    # who the node is
    (1,  "node_id",    "bytes", 8, 8,   b"", False, "EUI-64 of the node; empty: made from the chip's MAC"),
    (2,  "node_key",   "bytes", 32, 32, b"", True,  "random secret of this node alone, made at provisioning"),
    (3,  "label",      "text",  0, 64,  "",  False, "what people call the place it watches"),
    # how it works
    (10, "mode",          "choice", ("duty", "continuous"), 0, 1, False, "duty: deep sleep between readings; continuous: always measuring"),
    (11, "interval_s",    "int", 0, 86400, 60, False, "time between readings; 0: a reading for every block"),
    (12, "block_samples", "int", 256, 4096, 4096, False, "samples per axis in a block, a multiple of 8"),
    (13, "vibration_sensor",   "choice", ("board",) + schema.VIBRATION_SENSORS[1:], 0, 0, False, "board: the one board.toml names"),
    (14, "temperature_sensor", "choice", ("board",) + schema.TEMPERATURE_SENSORS[1:], 0, 0, False, "board: the one board.toml names"),
    (15, "range_g",       "choice", ("2", "4", "8", "16"), 0, 3, False, "full scale of the accelerometer, in g"),
    (16, "watchdog_s",    "int", 10, 3600, 120, False, "a node that hangs this long restarts itself"),
    (17, "sample_rate_hz", "int", 0, 32000, 0, False, "asked of the accelerometer, which takes the nearest it has; 0: its usual one"),
    # how it talks
    (20, "link",          "choice", schema.LINKS, 0, 0, False, "serial: framed lines on the console; wifi: MQTT; lorawan: radio or modem of the board"),
    (21, "wifi_ssid",     "text", 0, 32, "", False, "name of the wireless network"),
    (22, "wifi_password", "text", 0, 63, "", True,  "its password; empty: an open network"),
    (23, "mqtt_host",     "text", 0, 128, "", False, "broker: name or address"),
    (24, "mqtt_port",     "int", 1, 65535, 1883, False, "broker's port; 8883 is usual with TLS"),
    (25, "mqtt_user",     "text", 0, 64, "", False, "empty: connect without user name"),
    (26, "mqtt_password", "text", 0, 128, "", True,  "password of mqtt_user"),
    (27, "mqtt_tls",      "choice", ("off", "on"), 0, 0, False, "on: TLS, the broker's certificate checked against mqtt_ca"),
    (28, "mqtt_ca",       "bytes", 0, 2048, b"", False, "certificate (DER) of the authority that signed the broker's"),
    (29, "mqtt_keepalive_s", "int", 5, 3600, 60, False, "the broker calls the node lost after 1.5 times this silence"),
    (30, "timeout_s",     "int", 1, 120, 10, False, "longest wait for an answer from the network"),
    # when it warns; a limit of 0 switches that alarm off
    (40, "acceleration_rms_warning_mg", "int", 0, 65535, 0, False, "worst axis, mean removed"),
    (41, "acceleration_rms_danger_mg",  "int", 0, 65535, 0, False, "worst axis, mean removed"),
    (42, "temperature_warning_dc", "int", 0, 32767, 0, False, "in 0.1 degC"),
    (43, "temperature_danger_dc",  "int", 0, 32767, 0, False, "in 0.1 degC"),
    (44, "hysteresis_percent",     "int", 0, 50, 10, False, "an alarm clears this far below its limit"),
    # what it says of the spectrum. A band is off while both its ends are 0
    (50, "spectrum",      "choice", _ON_OFF, 0, 0, False, "on: the strongest lines and the bands below follow each reading, an axis a message"),
    (51, "band1_low_hz",  "int", 0, 2000, 0, False, "band 1: velocity RMS from here"),
    (52, "band1_high_hz", "int", 0, 2000, 0, False, "band 1: to here"),
    (53, "band2_low_hz",  "int", 0, 2000, 0, False, "band 2: velocity RMS from here"),
    (54, "band2_high_hz", "int", 0, 2000, 0, False, "band 2: to here"),
    (55, "band3_low_hz",  "int", 0, 2000, 0, False, "band 3: velocity RMS from here"),
    (56, "band3_high_hz", "int", 0, 2000, 0, False, "band 3: to here"),
    (57, "band4_low_hz",  "int", 0, 2000, 0, False, "band 4: velocity RMS from here"),
    (58, "band4_high_hz", "int", 0, 2000, 0, False, "band 4: to here"),
    # the machine it watches: zones after ISO 20816-3 (zones.py). 0.01 mm/s is written _cmm_s, so 4.5 mm/s is 450
    (60, "machine_group",   "choice", zones.GROUP_NAMES, 0, 0, False, "none: not rated; 1, 2: the standard's groups; size: by power or shaft height; user: by zone_ab, zone_bc, zone_cd"),
    (61, "machine_support", "choice", zones.SUPPORT_NAMES, 0, 0, False, "flexible unless it is known to be rigid: its lowest resonance 25 % above the main excitation"),
    (62, "machine_power_w", "int", 0, 2000000000, 0, False, "rated power in W; 0: not known; 15 kW or less is not rated"),
    (63, "machine_shaft_height_mm", "int", 0, 10000, 0, False, "of an electrical machine; 0: not one, or not known"),
    (64, "machine_speed_rpm", "int", 0, 1000000, 0, False, "rated speed; up to 600 the velocity band begins at 2 Hz; outside 120..30000 is not rated"),
    (65, "zone_ab_cmm_s",   "int", 0, 65535, 0, False, "machine_group = user: boundary of zones A and B"),
    (66, "zone_bc_cmm_s",   "int", 0, 65535, 0, False, "machine_group = user: boundary of zones B and C"),
    (67, "zone_cd_cmm_s",   "int", 0, 65535, 0, False, "machine_group = user: boundary of zones C and D"),
    # when the machine runs, and what is usual for it
    (70, "running_floor_mg",    "int", 0, 65535, 0, False, "acceleration RMS below which the machine stands still; 0: not asked"),
    (71, "running_floor_cmm_s", "int", 0, 65535, 0, False, "velocity RMS below which the machine stands still; 0: not asked"),
    (72, "baseline_readings",   "int", 0, 1000, 20, False, "readings the usual values are learned from; 0: not learned"),
    (73, "baseline_number",     "int", 0, 65535, 0, False, "another number than before: learn again, after a repair for instance"),
    (74, "velocity_baseline_cmm_s", "int", 0, 65535, 0, False, "usual velocity RMS where it is known; 0: learned"),
    (75, "ambient_dc", "int", -2731, 2000, -2731, False, "temperature a rise is counted from, in 0.1 degC; -2731: from the learned temperature"),
    # how alarms are confirmed and held
    (76, "confirm_readings", "int", 1, 8, 1, False, "a level changes when so many of the last confirm_of say so"),
    (77, "confirm_of",       "int", 1, 8, 1, False, "readings looked back on"),
    (78, "hold_off_s",       "int", 0, 604800, 0, False, "a level that was reached stays at least this long while the machine runs"),
    (79, "hysteresis_cmm_s", "int", 0, 1000, 20, False, "a velocity alarm clears this far below its limit, at most at half of it"),
    # more limits; 0: off, or for velocity, acceleration and envelope what profile and baseline say
    (80, "velocity_rms_warning_cmm_s", "int", 0, 65535, 0, False, "0, machine rated: baseline + 0.25 x B/C, at most 1.25 x B/C"),
    (81, "velocity_rms_danger_cmm_s",  "int", 0, 65535, 0, False, "0, machine rated: 1.25 x C/D"),
    (82, "envelope_rms_warning_mg", "int", 0, 65535, 0, False, "worst axis"),
    (83, "envelope_rms_danger_mg",  "int", 0, 65535, 0, False, "worst axis"),
    (84, "kurtosis_warning_c", "int", 0, 65535, 0, False, "worst axis, in 0.01; a Gaussian has 300"),
    (85, "kurtosis_danger_c",  "int", 0, 65535, 0, False, "worst axis, in 0.01"),
    (86, "temperature_rise_warning_dc", "int", 0, 32767, 0, False, "above ambient_dc or the learned temperature, in 0.1 degC"),
    (87, "temperature_rise_danger_dc",  "int", 0, 32767, 0, False, "in 0.1 degC"),
    (88, "baseline_warning_percent", "int", 0, 10000, 0, False, "acceleration and envelope RMS with no limit of their own: of the baseline"),
    (89, "baseline_danger_percent",  "int", 0, 10000, 0, False, "the same; 0: off"),
    (90, "change_rule", "choice", _ON_OFF, 0, 1, False, "machine rated: warn when velocity is 0.25 x B/C above or below its baseline"),
    # LoRaWAN; join_eui and what follows of identity and keys are what the network server knows the node by
    (100, "lorawan_region",     "choice", REGIONS, 0, 0, False, "frequency plan of the place"),
    (101, "lorawan_activation", "choice", ("otaa", "abp"), 0, 0, False, "otaa: the node joins; abp: dev_addr and session keys are given"),
    (102, "join_eui",    "bytes", 8, 8,   b"", False, "of the join server; empty: all zeros, as ChirpStack takes it"),
    (103, "dev_eui",     "bytes", 8, 8,   b"", False, "empty: the node's id"),
    (104, "app_key",     "bytes", 16, 16, b"", True,  "otaa: root key of this node alone, made at provisioning"),
    (105, "dev_addr",    "bytes", 4, 4,   b"", False, "abp: address the network gave"),
    (106, "nwk_s_key",   "bytes", 16, 16, b"", True,  "abp: network session key of this node alone"),
    (107, "app_s_key",   "bytes", 16, 16, b"", True,  "abp: application session key of this node alone"),
    (108, "lorawan_sub_band",  "int", 0, 8, 0, False, "us915, au915: the eight channels the gateways listen on, 1 to 8; 0: all"),
    (109, "lorawan_adr",       "choice", _ON_OFF, 0, 1, False, "on: the network chooses data rate and power"),
    (110, "lorawan_data_rate", "int", 0, 7, 0, False, "DR the node begins with; without ADR the one it keeps"),
    (111, "lorawan_confirm",   "choice", ("none", "alarms", "all"), 0, 1, False, "what the network server has to acknowledge; each answer costs a gateway air-time"),
    (112, "lorawan_max_eirp_dbm", "int", 0, 36, 0, False, "most the node radiates; 0: what the region allows"),
    (113, "antenna_gain_db",   "int", -20, 20, 2, False, "of the antenna, losses of its cable deducted"),
    (114, "lorawan_rx1_delay_s",   "int", 1, 15, 1, False, "abp: first receive window; otaa: the network says"),
    (115, "lorawan_rx2_data_rate", "int", 0, 15, 15, False, "abp: DR of the second window; 15: the region's"),
    (116, "lorawan_rx2_hz",        "int", 0, 1020000000, 0, False, "abp: frequency of the second window; 0: the region's"),
    (117, "revert_after", "int", 0, 64, 8, False, "settings that came over the air are taken back after so many failures to deliver; 0: never"),
)
# fmt: on

# Key of a record and no setting: its settings came over the air with this tag and have not proved themselves yet.
ON_TRIAL = 0

# COMMAND may not touch these over the air: identity, secrets, and which network the node is in, go in at provisioning
# only.
OVER_THE_AIR_REFUSED = (1, 2, 20, 21, 22, 23, 24, 25, 26, 27, 28, 100, 101, 102, 103, 104, 105, 106, 107)


def row(key_or_name: "int | str") -> "tuple[int, str, str, object, int, object, bool, str]":
    """Table row of a setting, by its number or its name. Raises SettingsError, offering the nearest name."""
    for entry in SETTINGS:
        if entry[0] == key_or_name or entry[1] == key_or_name:
            return entry
    if isinstance(key_or_name, str):
        nearest = min([(_distance(key_or_name, entry[1]), entry[1]) for entry in SETTINGS])
        hint = "; did you mean %s?" % nearest[1] if nearest[0] <= 4 else "; judder_core/settings.py lists them"
        raise SettingsError("there is no setting %s%s" % (key_or_name, hint), key_or_name)
    raise SettingsError("there is no setting number %s" % (key_or_name,), None)


def check(key_or_name: "int | str", value: object) -> "int | str | bytes":
    """The value as it is stored. A choice may be given by name or as the index it is stored as.

    Raises SettingsError naming the setting, what it was given and what is allowed.
    """
    key, name, kind, low, high, default, secret, _meaning = row(key_or_name)
    fault = ""
    if kind == "choice":
        names = _names(low)
        if isinstance(value, str) and value in names:
            return names.index(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return value
        fault = "%s is not one of %s" % (_quote(value, secret), ", ".join(names))
    elif kind == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            if _number(low) <= value <= high:
                return value
            fault = "%d is outside %d..%d" % (value, _number(low), high)
        else:
            fault = "%s is not a whole number of %d..%d" % (_quote(value, secret), _number(low), high)
    elif kind == "text":
        if not isinstance(value, str):
            fault = "%s is not a text" % _quote(value, secret)
        elif not _number(low) <= _utf8_bytes(value) <= high:
            fault = "%d bytes, %d..%d are allowed" % (_utf8_bytes(value), _number(low), high)
        elif [letter for letter in value if ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) < 0xE000]:
            fault = "control characters are not allowed"
        else:
            return value
    elif isinstance(value, (bytes, bytearray)):
        if _number(low) <= len(value) <= high or bytes(value) == default:
            return bytes(value)
        fault = "%d bytes, %s are allowed" % (len(value), low if low == high else "%d..%d" % (_number(low), high))
    else:
        fault = "%s is not a byte string" % _quote(value, secret)
    raise SettingsError("%s: %s" % (name, fault), name, key)


def defaults() -> "dict[str, int | str | bytes]":
    """Every setting by name with its default."""
    values = {}
    for entry in SETTINGS:
        values[entry[1]] = _stored(entry[5])
    return values


def check_together(values: "dict[str, int | str | bytes]") -> None:
    """Refuse settings that are each in range and contradict one another. values: all of them, by name.

    Raises SettingsError for the first contradiction.
    """
    if _number(values["block_samples"]) % 8:
        _clash("block_samples", "%d is not a multiple of 8" % _number(values["block_samples"]))
    for stem, unit in _LIMITS:
        warning = _number(values["%s_warning_%s" % (stem, unit)])
        danger = _number(values["%s_danger_%s" % (stem, unit)])
        if warning and danger and danger < warning:
            _clash("%s_danger_%s" % (stem, unit), "%d is below the warning limit %d" % (danger, warning))
    if _number(values["confirm_readings"]) > _number(values["confirm_of"]):
        _clash("confirm_readings", "more than confirm_of, %d" % _number(values["confirm_of"]))
    at_fault = zones.contradiction(values)
    if at_fault is not None:
        _clash(at_fault[0], at_fault[1])
    for band in range(1, schema.SPECTRUM_BANDS + 1):
        low, high = _number(values["band%d_low_hz" % band]), _number(values["band%d_high_hz" % band])
        if (low or high) and high <= low:
            _clash("band%d_high_hz" % band, "%d is not above band%d_low_hz, %d" % (high, band, low))
    password = values["wifi_password"]
    if isinstance(password, str) and 0 < len(password.encode()) < 8:
        _clash("wifi_password", "8 to 63 characters (WPA), or empty for an open network")
    if values["link"] == schema.LINKS.index("lorawan"):
        needed = ("dev_addr", "nwk_s_key", "app_s_key") if values["lorawan_activation"] else ("app_key",)
        for name in needed:
            if not values[name]:
                _clash(name, "link lorawan needs it with this activation")
    if values["link"] == schema.LINKS.index("wifi"):
        if not values["wifi_ssid"]:
            _clash("wifi_ssid", "link wifi needs the name of the network")
        if not values["mqtt_host"]:
            _clash("mqtt_host", "link wifi needs the broker's name or address")
    if values["mqtt_tls"] and not values["mqtt_ca"]:
        _clash("mqtt_ca", "mqtt_tls on needs the certificate to check the broker against")
    if values["mqtt_password"] and not values["mqtt_user"]:
        _clash("mqtt_user", "mqtt_password needs a user name (MQTT 3.1.1, 3.1.2.9)")


def pack(values: "dict[str, int | str | bytes]") -> bytes:
    """Settings by name -> the bytes of a settings record: a CBOR map of key number to value.

    What is not given is not written and keeps its default. Raises SettingsError for an unknown name, a value out of
    range or a contradiction.
    """
    by_key = {}
    everything = defaults()
    for name in values:
        stored = check(name, values[name])
        by_key[row(name)[0]] = stored
        everything[row(name)[1]] = stored
    check_together(everything)
    return cbor.encode(by_key)


def unpack(data: bytes) -> "tuple[dict[str, int | str | bytes], dict[int, object]]":
    """Bytes of a settings record -> (every setting by name, defaults filled in; unknown key number -> its value).

    Unknown numbers come from a newer host and are kept, not refused. Raises DecodeError for damaged bytes,
    SettingsError for a value out of range or a contradiction.
    """
    stored = cbor.decode(data)
    if not isinstance(stored, dict):
        raise SettingsError("a settings record is a map of key numbers")
    known = [entry[0] for entry in SETTINGS]
    values = defaults()
    unknown = {}
    for key in stored:
        if not isinstance(key, int):
            raise SettingsError("a settings record has key numbers, not the name %s" % key)
        if key in known:
            entry = row(key)
            if entry[2] == "choice" and not isinstance(stored[key], int):
                raise SettingsError("%s: a choice is stored as its index" % entry[1], entry[1], key)
            values[entry[1]] = check(key, stored[key])
        else:
            unknown[key] = stored[key]
    check_together(values)
    return values, unknown


def from_text(name: str, value: object) -> "int | str | bytes":
    """A value as people write it (TOML, command line) -> as it is stored.

    Choices by name (numbers and true/false count as their names), byte strings in hex, integers also as digits.
    Raises SettingsError.
    """
    key, name, kind, low, _high, _default, secret, _meaning = row(name)
    if kind == "choice":
        names = _names(low)
        if isinstance(value, bool) and names == _ON_OFF:
            return int(value)
        # An integer is what the name says (range_g = 8), never the index.
        value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(value, str):
            raise SettingsError("%s: %s is not one of %s" % (name, _quote(value, secret), ", ".join(names)), name, key)
    elif kind == "int" and isinstance(value, str):
        digits = value[1:] if value.startswith("-") else value
        if digits and not [letter for letter in digits if letter not in "0123456789"]:
            value = int(value)
    elif kind == "bytes" and isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            raise SettingsError("%s: %s is not hex digits" % (name, _quote(value, secret)), name, key)
    return check(name, value)


def to_text(name: str, value: object) -> str:
    """A stored value as people read it; of a secret only whether it is set."""
    _key, _name, kind, low, _high, _default, secret, _meaning = row(name)
    if secret:
        return "(set)" if value else "(not set)"
    if kind == "choice":
        return _names(low)[_number(value)]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)


def _clash(name: str, fault: str) -> None:
    raise SettingsError("%s: %s" % (name, fault), name, row(name)[0])


def _utf8_bytes(text: str) -> int:
    """Length in UTF-8. Bytes of a command line that are no text count as one each and fail as control characters do."""
    try:
        return len(text.encode())
    except UnicodeError:
        return len(text)


def _quote(value: object, secret: bool) -> str:
    return "what was given" if secret else repr(value)


# The table mixes types by design; these three say which one a place holds.
def _number(value: object) -> int:
    if not isinstance(value, int):
        raise SettingsError("%r is not a number" % (value,))
    return value


def _names(value: object) -> "tuple[str, ...]":
    if not isinstance(value, tuple):
        raise SettingsError("%r is not a list of names" % (value,))
    return value


def _stored(value: object) -> "int | str | bytes":
    if not isinstance(value, (int, str, bytes)):
        raise SettingsError("%r cannot be stored" % (value,))
    return value


def _distance(a: str, b: str) -> int:
    """Edit distance (Levenshtein): letters to insert, delete or replace."""
    previous = list(range(len(b) + 1))
    for i in range(len(a)):
        current = [i + 1]
        for j in range(len(b)):
            same = previous[j] + (0 if a[i] == b[j] else 1)
            current.append(min(previous[j + 1] + 1, current[j] + 1, same))
        previous = current
    return previous[-1]
