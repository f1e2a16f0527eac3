"""The wire contract: one table per message kind.

A message is a flat CBOR array `[kind, field, field, ...]` in deterministic encoding (RFC 8949 section 4.2).
Row i of a table describes position i + 1 of the array; position 0 is the kind. Positions are for ever: new rows go
at the end, a changed meaning takes a new kind. Rows stand in order of importance, because a message may end early
to fit its link; what is absent at the end decodes as None, and so does a null in the middle.

Row: (name, type, unit, divisor, low, high, meaning). type is "int", "bytes" or "map"; the value on air is
value_in_unit * divisor, an integer within low..high (for "bytes": length within low..high; for "map": number of
entries). A divisor of 1 and the unit "1" mean a plain number. Iterate these tuples, never a dict: MicroPython dicts
have no order.

Runs on CPython and MicroPython; imports nothing.
"""

HELLO = 0
READING = 1
ALARM = 2
CAPTURE = 3
ACK = 4
SPECTRUM = 5
COMMAND = 16

# LoRaWAN FPort of a kind is kind + 1 (port 0 belongs to the MAC).
FPORT_OFFSET = 1

# A frame longer than this is refused before it is parsed: the longest honest one is a CAPTURE fragment.
MAX_FRAME_BYTES = 4096

_U8 = 0xFF
_U16 = 0xFFFF
_U32 = 0xFFFFFFFF
_I16 = 0x7FFF
_I32 = 0x7FFFFFFF

# fmt: off
HELLO_FIELDS = (
    ("firmware",         "int", "1",    1, 0, _U32, "Judder firmware, major * 10000 + minor * 100 + patch"),
    ("micropython",      "int", "1",    1, 0, _U32, "MicroPython, major * 10000 + minor * 100 + patch"),
    ("board",            "int", "1",    1, 0, _U16, "board number, from board.toml"),
    ("reset_cause",      "int", "1",    1, 0, _U8,  "index into RESET_CAUSES"),
    ("uptime",           "int", "s",    1, 0, _U32, "since the last reset that was not a wake from deep sleep"),
    ("battery",          "int", "mV",   1, 0, _U16, "supply or battery voltage"),
    ("queue_depth",      "int", "1",    1, 0, _U32, "messages waiting in the outbox"),
    ("dropped",          "int", "1",    1, 0, _U32, "messages dropped because the outbox was full, since power-on"),
    ("settings_crc",     "int", "1",    1, 0, _U32, "CRC-32 of the settings record in force, 0 when not provisioned"),
    ("tls_library",      "int", "1",    1, 0, _U32, "mbed TLS, major * 10000 + minor * 100 + patch, 0 when absent"),
    ("flags",            "int", "bits", 1, 0, _U16, "bits of HELLO_FLAGS"),
    ("vibration_sensor", "int", "1",    1, 0, _U8,  "index into VIBRATION_SENSORS"),
    ("temperature_sensor", "int", "1",  1, 0, _U8,  "index into TEMPERATURE_SENSORS"),
    ("link",             "int", "1",    1, 0, _U8,  "index into LINKS"),
    ("boots",            "int", "1",    1, 0, _U32, "starts since power-on, wakes from deep sleep included"),
    ("link_failures",    "int", "1",    1, 0, _U32, "failed connections or sends since power-on"),
    ("downlinks_refused", "int", "1",   1, 0, _U32, "downlinks that did not decode or were not allowed, since power-on"),
    ("joins",            "int", "1",    1, 0, _U16, "times it joined a LoRaWAN network, since power-on"),
    ("join_failures",    "int", "1",    1, 0, _U16, "join requests that were not answered, since power-on"),
    ("uplinks",          "int", "1",    1, 0, _U32, "LoRaWAN frame counter of the next uplink"),
    ("downlinks",        "int", "1",    1, 0, _U32, "LoRaWAN downlinks taken, since power-on"),
    ("data_rate",        "int", "1",    1, 0, 15,   "LoRaWAN data rate, DR"),
    ("rssi",             "int", "dBm",  1, -200, 50, "of the last downlink"),
    ("snr",              "int", "dB",   4, -128, 127, "of the last downlink"),
)

READING_FIELDS = (
    ("state",               "int", "bits", 1,   0, 0x1FFF, "zone, alarm, worst axis and quality bits: STATE_*"),
    ("velocity_rms_worst",  "int", "mm/s", 100, 0, _U16, "velocity RMS of the worst axis"),
    ("temperature",         "int", "degC", 10,  -2731, 32767, "temperature at the machine"),
    ("sequence",            "int", "1",    1,   0, _U32, "number of this reading, from 0 at power-on"),
    ("age",                 "int", "s",    1,   0, _U32, "time from measurement to sending"),
    ("velocity_rms_x",      "int", "mm/s", 100, 0, _U16, "velocity RMS, x"),
    ("velocity_rms_y",      "int", "mm/s", 100, 0, _U16, "velocity RMS, y"),
    ("velocity_rms_z",      "int", "mm/s", 100, 0, _U16, "velocity RMS, z"),
    ("acceleration_rms_x",  "int", "mg",   1,   0, _U16, "acceleration RMS with the mean removed, x"),
    ("acceleration_rms_y",  "int", "mg",   1,   0, _U16, "acceleration RMS with the mean removed, y"),
    ("acceleration_rms_z",  "int", "mg",   1,   0, _U16, "acceleration RMS with the mean removed, z"),
    ("acceleration_peak_x", "int", "mg",   1,   0, _U16, "largest distance from the mean, x"),
    ("acceleration_peak_y", "int", "mg",   1,   0, _U16, "largest distance from the mean, y"),
    ("acceleration_peak_z", "int", "mg",   1,   0, _U16, "largest distance from the mean, z"),
    ("battery",             "int", "mV",   1,   0, _U16, "supply or battery voltage"),
    ("kurtosis_x",          "int", "1",    100, 0, _U16, "kurtosis, Gaussian = 3, x"),
    ("kurtosis_y",          "int", "1",    100, 0, _U16, "kurtosis, Gaussian = 3, y"),
    ("kurtosis_z",          "int", "1",    100, 0, _U16, "kurtosis, Gaussian = 3, z"),
    ("envelope_rms_x",      "int", "mg",   1,   0, _U16, "envelope RMS, x"),
    ("envelope_rms_y",      "int", "mg",   1,   0, _U16, "envelope RMS, y"),
    ("envelope_rms_z",      "int", "mg",   1,   0, _U16, "envelope RMS, z"),
    ("line_frequency_x",    "int", "Hz",   10,  0, _U32, "frequency of the strongest line, x"),
    ("line_velocity_rms_x", "int", "mm/s", 100, 0, _U16, "velocity RMS of that line, x"),
    ("line_frequency_y",    "int", "Hz",   10,  0, _U32, "frequency of the strongest line, y"),
    ("line_velocity_rms_y", "int", "mm/s", 100, 0, _U16, "velocity RMS of that line, y"),
    ("line_frequency_z",    "int", "Hz",   10,  0, _U32, "frequency of the strongest line, z"),
    ("line_velocity_rms_z", "int", "mm/s", 100, 0, _U16, "velocity RMS of that line, z"),
    ("sample_rate",         "int", "Hz",   10,  0, _U32, "measured sample rate"),
    ("samples_lost",        "int", "1",    1,   0, _U32, "samples made and not got, this reading; null: not known how many"),
    ("energy_spent",        "int", "mJ",   1,   0, _U32, "energy of this cycle"),
    ("band_low",            "int", "Hz",   10,  0, _U16, "lower end of the band that velocity really covers"),
    ("band_high",           "int", "Hz",   1,   0, _U16, "upper end of the band that velocity really covers"),
    ("skewness_x",          "int", "1",    100, -_I16 - 1, _I16, "skewness, symmetric = 0, x"),
    ("skewness_y",          "int", "1",    100, -_I16 - 1, _I16, "skewness, symmetric = 0, y"),
    ("skewness_z",          "int", "1",    100, -_I16 - 1, _I16, "skewness, symmetric = 0, z"),
    ("envelope_peak_x",     "int", "mg",   1,   0, _U16, "largest value of the envelope, x"),
    ("envelope_peak_y",     "int", "mg",   1,   0, _U16, "largest value of the envelope, y"),
    ("envelope_peak_z",     "int", "mg",   1,   0, _U16, "largest value of the envelope, z"),
)

ALARM_FIELDS = (
    ("state",    "int", "bits",   1, 0, 0x1FFF, "as in a READING; the alarm bits are the level now in force"),
    ("metric",   "int", "1",      1, 1, 23,   "which quantity: METRICS"),
    ("value",    "int", "metric", 1, -_I32 - 1, _I32, "value that decided, in the metric's unit on air"),
    ("limit",    "int", "metric", 1, -_I32 - 1, _I32, "limit it was held against, same unit"),
    ("sequence", "int", "1",      1, 0, _U32, "number of the reading it was found in"),
    ("age",      "int", "s",      1, 0, _U32, "time from measurement to sending"),
)

CAPTURE_FIELDS = (
    ("capture",     "int", "1",    1,  0, _U16, "number of this capture"),
    ("index",       "int", "1",    1,  0, _U16, "number of this fragment, from 0"),
    ("count",       "int", "1",    1,  1, _U16, "fragments in the capture"),
    ("content",     "int", "1",    1,  0, _U8,  "index into CAPTURE_CONTENTS"),
    ("axis",        "int", "1",    1,  1, 3,    "1 x, 2 y, 3 z"),
    ("sequence",    "int", "1",    1,  0, _U32, "number of the reading the block belongs to"),
    ("sample_rate", "int", "Hz",   10, 1, _U32, "measured sample rate"),
    ("scale",       "int", "ug",   1,  1, _U32, "acceleration of one count"),
    ("samples",     "int", "1",    1,  1, _U32, "samples in the whole capture"),
    ("first",       "int", "1",    1,  0, _U32, "index of this fragment's first sample"),
    ("data",        "bytes", "int16 little-endian", 1, 2, 2048, "this fragment's samples"),
)

ACK_FIELDS = (
    ("tag",          "int", "1", 1, 0, _U32, "tag of the COMMAND answered"),
    ("status",       "int", "1", 1, 0, _U8,  "index into ACK_STATUSES"),
    ("detail",       "int", "1", 1, 0, _U32, "the setting's key or the field's position that was refused"),
    ("settings_crc", "int", "1", 1, 0, _U32, "CRC-32 of the settings record now in force"),
)

SPECTRUM_FIELDS = (
    ("axis",       "int", "1",    1,    1, 3,    "1 x, 2 y, 3 z"),
    ("sequence",   "int", "1",    1,    0, _U32, "number of the reading it belongs to"),
    ("resolution", "int", "Hz",   1000, 0, _U32, "spacing of the spectrum's bins"),
    ("line1_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the strongest line"),
    ("line1_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line2_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the second strongest line"),
    ("line2_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line3_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the third line"),
    ("line3_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line4_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the fourth line"),
    ("line4_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line5_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the fifth line"),
    ("line5_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line6_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the sixth line"),
    ("line6_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line7_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the seventh line"),
    ("line7_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("line8_frequency",    "int", "Hz",   10,   0, _U32, "frequency of the eighth line"),
    ("line8_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS of that line"),
    ("band1_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS within the band of settings band1_low_hz and band1_high_hz"),
    ("band2_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS within the band of settings band2_low_hz and band2_high_hz"),
    ("band3_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS within the band of settings band3_low_hz and band3_high_hz"),
    ("band4_velocity_rms", "int", "mm/s", 100,  0, _U16, "velocity RMS within the band of settings band4_low_hz and band4_high_hz"),
)

COMMAND_FIELDS = (
    ("tag",      "int", "1", 1, 0, _U32, "chosen by the sender, echoed in the ACK"),
    ("action",   "int", "1", 1, 0, _U8,  "index into COMMAND_ACTIONS"),
    ("argument", "int", "1", 1, 0, _U32, "of a request: index into REQUESTS, axis * 256 added for a capture"),
    ("settings", "map", "1", 1, 0, 64,   "setting key number -> value"),
)
# fmt: on

# In order of kind.
KINDS = (
    (HELLO, "hello", HELLO_FIELDS),
    (READING, "reading", READING_FIELDS),
    (ALARM, "alarm", ALARM_FIELDS),
    (CAPTURE, "capture", CAPTURE_FIELDS),
    (ACK, "ack", ACK_FIELDS),
    (SPECTRUM, "spectrum", SPECTRUM_FIELDS),
    (COMMAND, "command", COMMAND_FIELDS),
)

# --- state bits of READING and ALARM
STATE_ZONE_MASK = 0x7  # 0 not rated, 1-4 = A-D
STATE_ALARM_SHIFT = 3
STATE_ALARM_MASK = 0x3  # 0 none, 1 warning, 2 danger
STATE_AXIS_SHIFT = 5
STATE_AXIS_MASK = 0x3  # 0 none, 1 x, 2 y, 3 z
STATE_CLIPPED = 1 << 7
STATE_LOST = 1 << 8
STATE_BAND_NOT_COVERED = 1 << 9
STATE_NOT_RUNNING = 1 << 10
STATE_CLOCK_NOT_SET = 1 << 11
STATE_SENSOR_FAULT = 1 << 12

ZONES = ("not rated", "A", "B", "C", "D")
ALARM_LEVELS = ("none", "warning", "danger")
AXES = ("none", "x", "y", "z")

# Metric number -> (name, unit, divisor). Number 0 is never sent.
METRICS = (
    (1, "velocity_rms", "mm/s", 100),
    (2, "acceleration_rms", "mg", 1),
    (3, "acceleration_peak", "mg", 1),
    (4, "envelope_rms", "mg", 1),
    (5, "kurtosis", "1", 100),
    (6, "temperature", "degC", 10),
    (7, "temperature_rise", "degC", 10),
    (8, "velocity_rms_change", "mm/s", 100),
)

RESET_CAUSES = ("unknown", "power-on", "hard reset", "watchdog", "deep sleep", "soft reset")
HELLO_FLAGS = ("synthetic signal", "not provisioned", "clock not set", "sensor fault", "safe mode", "radio fault")
HELLO_SYNTHETIC = 1 << 0
HELLO_NOT_PROVISIONED = 1 << 1
HELLO_CLOCK_NOT_SET = 1 << 2
HELLO_SENSOR_FAULT = 1 << 3
HELLO_SAFE_MODE = 1 << 4
HELLO_RADIO_FAULT = 1 << 5

# Index 0 of the sensor tables: none fitted. In settings, index 0 reads "board": take what board.toml names.
VIBRATION_SENSORS = ("none", "synthetic", "iis3dwb", "adxl345", "adxl355", "lis2dw12", "lis3dh", "mpu6050")
TEMPERATURE_SENSORS = ("none", "synthetic", "tmp117", "ds18b20", "max31865")
LINKS = ("serial", "wifi", "lorawan")

SPECTRUM_LINES = 8
SPECTRUM_BANDS = 4

CAPTURE_CONTENTS = ("waveform",)
ACK_STATUSES = ("done", "refused", "unknown action", "out of range", "not settable", "failed", "taken back")
COMMAND_ACTIONS = ("settings", "request", "reboot")
REQUESTS = ("hello", "reading", "capture", "spectrum")


def fields(kind: int) -> "tuple[tuple[str, str, str, int, int, int, str], ...] | None":
    """Rows of a kind, or None for a kind this version does not know."""
    for number, _name, rows in KINDS:
        if number == kind:
            return rows
    return None
