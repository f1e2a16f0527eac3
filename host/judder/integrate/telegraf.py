"""Telegraf's configuration that takes the CBOR of nodes over Wi-Fi as it is, by XPath 1.0.

Its parser xpath_cbor (Telegraf 1.28 and newer) shows an array as `<element>` nodes in a row, so position n of a message
is /element[n+1]. Names of measurements and fields are those the sink influx writes. What a message leaves out is
not a number, which Telegraf's outputs for InfluxDB leave out too.
https://docs.influxdata.com/telegraf/v1/data_formats/input/xpath_cbor/
"""

from __future__ import annotations

from collections.abc import Sequence

from judder.decode import columns, words
from judder.integrate import layout
from judder_core import schema

_HEAD = """\
# Made from the contract (make generate). Telegraf 1.28 or newer: nodes' own messages from an MQTT broker to InfluxDB.
# docs/dashboards.md says what this does not do that `judder gateway` does.

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:1883"]
  topics = ["judder/+/up"]
  # What comes while Telegraf is away waits at the broker; it is acknowledged when an output has it.
  qos = 1
  persistent_session = true
  client_id = "telegraf-judder"
  # username = "telegraf"
  # password = "${MQTT_PASSWORD}"
  topic_tag = ""
  data_format = "xpath_cbor"
  # Kinds that are none of those below give nothing.
  xpath_allow_empty_selection = true

  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "judder/+/up"
    tags = "_/node/_"
"""
_TAIL = """
# [[outputs.influxdb_v2]]
#   urls = ["http://127.0.0.1:8086"]
#   organization = "plant"
#   bucket = "telegraf"
#   token = "${INFLUX_TOKEN}"
"""
_HELLO = (
    *("uptime", "battery", "queue_depth", "dropped", "boots", "link_failures", "joins", "join_failures"),
    *("uplinks", "downlinks", "data_rate", "rssi", "snr"),
)
_STATE = "number(/element[2])"

Fields = dict[str, str]


def sections() -> dict[int, tuple[str, Fields, Fields]]:
    """Kind -> measurement, tags, fields; each of these a name and its XPath."""
    return {
        schema.READING: ("judder_reading", {}, {**_state(), **_reading()}),
        schema.ALARM: ("judder_alarm", {"metric": _of_metric(0)}, {**_state(), **_alarm()}),
        schema.HELLO: ("judder_hello", {}, _hello()),
    }


def page() -> str:
    parts = [_HEAD]
    for kind, (measurement, tags, fields) in sections().items():
        parts.append(
            f'\n  [[inputs.mqtt_consumer.xpath]]\n    metric_selection = "{selection(kind)}"\n'
            f"    metric_name = \"'{measurement}'\"\n"
        )
        parts += [_table("tags", tags), _table("fields", fields)]
    return "".join(parts) + _TAIL


def selection(kind: int) -> str:
    return f"/element[1][. = '{kind}']"


def _table(name: str, rows: Fields) -> str:
    if not rows:
        return ""
    lines = "".join(f'      {key} = "{path}"\n' for key, path in rows.items())
    return f"    [inputs.mqtt_consumer.xpath.{name}]\n{lines}"


def _number(row: int, divisor: int) -> str:
    path = f"number(/element[{row + 2}])"
    return path if divisor == 1 else f"{path} div {divisor}"


def _bits(shift: int, count: int) -> str:
    """Of the state, as a number."""
    moved = f"floor({_STATE} div {1 << shift})" if shift else _STATE
    return f"{moved} mod {1 << count}"


def _word(table: Sequence[str], index: str) -> str:
    """XPath 1.0 has no tables: a text in which each word has the same room. index: from 0; beyond it is ''."""
    room = max(map(len, table))
    text = "".join(word.ljust(room) for word in table)
    return f"normalize-space(substring('{text}', 1 + {room} * ({index}), {room}))"


def _state() -> Fields:
    zone, level, axis = schema.STATE_ZONE_MASK, schema.STATE_ALARM_MASK, schema.STATE_AXIS_MASK
    found = {
        "zone": _word(("-", *schema.ZONES[1:]), _bits(0, zone.bit_length())),
        "alarm_level": _word(schema.ALARM_LEVELS, _bits(schema.STATE_ALARM_SHIFT, level.bit_length())),
        "worst_axis": _word(("-", *schema.AXES[1:]), _bits(schema.STATE_AXIS_SHIFT, axis.bit_length())),
    }
    flags = (
        *(schema.STATE_CLIPPED, schema.STATE_LOST, schema.STATE_BAND_NOT_COVERED, schema.STATE_NOT_RUNNING),
        *(schema.STATE_CLOCK_NOT_SET, schema.STATE_SENSOR_FAULT),
    )
    for name, flag in zip(words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :], flags, strict=True):
        found[name] = f"{_bits(flag.bit_length() - 1, 1)} = 1"
    return found


def _reading() -> Fields:
    rows = schema.READING_FIELDS
    return {
        column.name: _number(column.row, rows[column.row][3])
        for column in columns.COLUMNS["reading"]
        if column.row is not None
    }


def _of_metric(part: int) -> str:
    """Its name (0), unit (1) or divisor (2)."""
    table = [""] * (1 + max(words.METRICS))
    for number, described in words.METRICS.items():
        table[number] = str(described[part])
    return _word(table, "number(/element[3])")


def _alarm() -> Fields:
    divisor = f"number({_of_metric(2)})"
    return {
        "unit": _of_metric(1),
        "value": f"number(/element[4]) div {divisor}",
        "limit": f"number(/element[5]) div {divisor}",
        "sequence": _number(4, 1),
        "age_s": _number(5, 1),
    }


def _hello() -> Fields:
    found = {}
    for row, (name, _type, unit, divisor, *_rest) in enumerate(schema.HELLO_FIELDS):
        if name in _HELLO:
            found[name + layout.SUFFIX[unit]] = _number(row, divisor)
    return found
