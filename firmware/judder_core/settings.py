"""The settings table: host TOML, the node's record and COMMAND all share it.

Row: (key, name, type, low, high, default, secret, meaning).
- "int": low..high inclusive. "choice": low is the tuple of names, high is unused; stored and sent as the index.
- "text": UTF-8 length in bytes within low..high. "bytes": length within low..high; in TOML it is written as hex.
Key numbers are for ever, like positions in the schema: a key is never given a second meaning.

Runs on CPython and MicroPython.
"""

from judder_core import schema

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
    # how it talks
    (20, "link",          "choice", schema.LINKS, 0, 0, False, "serial: framed lines on the console; wifi: MQTT"),
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
)
# fmt: on

# COMMAND may not touch these over the air: identity and secrets go in at provisioning only.
OVER_THE_AIR_REFUSED = (1, 2, 20, 21, 22, 23, 24, 25, 26, 27, 28)
