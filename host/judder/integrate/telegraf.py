"""Telegraf's configuration that takes the CBOR of nodes over Wi-Fi as it is: an XPath for each field, and Starlark.

Its parser xpath_cbor (Telegraf 1.28 and newer) shows an array as `<element>` nodes in a row, so position n of a message
is /element[n+1]. A path alone, with native types, gives no field where there is no such node, or null; XPath's number()
is 0 there in Telegraf's library, so nothing is reckoned in XPath. The processor starlark divides, and puts words.
Names, types and units are those of the sink influx.
https://docs.influxdata.com/telegraf/v1/data_formats/input/xpath_cbor/ and .../processor-plugins/starlark/
"""

from __future__ import annotations

from collections.abc import Iterable

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
  xpath_native_types = true
  # Kinds that are none of those below give nothing.
  xpath_allow_empty_selection = true

  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "judder/+/up"
    tags = "_/node/_"
"""
_SCRIPT = """
def reckon(fields, tags):
    for name in fields.keys():
        value = fields[name]
        fields[name] = value / DIVISORS[name] if name in DIVISORS else int(value)
    if "state" in fields:
        state = fields.pop("state")
        for name, shift, table in WORDS:
            word = table[(state >> shift) % len(table)]
            if word:
                fields[name] = word
        for name, bit in FLAGS:
            fields[name] = state & bit != 0
    if "metric" in fields:
        number = fields.pop("metric")
        name, unit, divisor = METRICS.get(number, ("metric %d" % number, "raw", 1))
        tags["metric"] = name
        fields["unit"] = unit
        for name in ("value", "limit"):
            if name in fields:
                fields[name] = fields[name] / divisor
    return fields.get("age_s")

def apply(metric):
    # When it was measured: a node may have waited for its network.
    age_s = reckon(metric.fields, metric.tags)
    if age_s != None:
        metric.time = metric.time - age_s * 1000000000
    return metric
"""
_TAIL = """
# [[outputs.influxdb_v2]]
#   urls = ["http://127.0.0.1:8086"]
#   organization = "plant"
#   bucket = "telegraf"
#   token = "${INFLUX_TOKEN}"
"""
_HELLO = (
    *("uptime", "battery", "queue_depth", "dropped", "boots", "link_failures", "downlinks_refused", "joins"),
    *("join_failures", "uplinks", "downlinks", "data_rate", "rssi", "snr"),
)
_FLAGS = (
    *(schema.STATE_CLIPPED, schema.STATE_LOST, schema.STATE_BAND_NOT_COVERED, schema.STATE_NOT_RUNNING),
    *(schema.STATE_CLOCK_NOT_SET, schema.STATE_SENSOR_FAULT),
)

# Field -> (row of the contract's table, divisor).
Fields = dict[str, tuple[int, int]]


def sections() -> dict[int, tuple[str, Fields]]:
    """Kind -> measurement, and its fields as they come: state and metric are numbers there."""
    rows = schema.READING_FIELDS
    reading = {one.name: (one.row, rows[one.row][3]) for one in columns.COLUMNS["reading"] if one.row is not None}
    alarm = {name + layout.SUFFIX[unit]: (i, 1) for i, (name, _type, unit, *_) in enumerate(schema.ALARM_FIELDS)}
    hello = {
        name + layout.SUFFIX[unit]: (i, divisor)
        for i, (name, _type, unit, divisor, *_) in enumerate(schema.HELLO_FIELDS)
        if name in _HELLO
    }
    return {
        schema.READING: ("judder_reading", {"state": (0, 1), **reading}),
        schema.ALARM: ("judder_alarm", alarm),
        schema.HELLO: ("judder_hello", hello),
    }


def page() -> str:
    parts = [_HEAD]
    for kind, (measurement, fields) in sections().items():
        lines = "".join(f'      {name} = "/element[{row + 2}]"\n' for name, (row, _divisor) in fields.items())
        parts.append(
            f"\n  [[inputs.mqtt_consumer.xpath]]\n    metric_selection = \"/element[1][. = '{kind}']\"\n"
            f"    metric_name = \"'{measurement}'\"\n    [inputs.mqtt_consumer.xpath.fields]\n{lines}"
        )
    parts.append(f"\n[[processors.starlark]]\n  namepass = [\"judder_*\"]\n  source = '''\n{script()}'''\n")
    return "".join(parts) + _TAIL


def script() -> str:
    """The Starlark, with the contract's tables in front."""
    divisors = {name: by for _m, fields in sections().values() for name, (_row, by) in fields.items() if by != 1}
    flags = zip(words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :], _FLAGS, strict=True)
    tables = (
        ("zone", 0, ("", *schema.ZONES[1:], "", "", "")),
        ("alarm_level", schema.STATE_ALARM_SHIFT, (*schema.ALARM_LEVELS, "")),
        ("worst_axis", schema.STATE_AXIS_SHIFT, ("", *schema.AXES[1:])),
    )
    parts = [
        _dict("DIVISORS", divisors.items()),
        _dict("METRICS", words.METRICS.items()),
        _tuple("WORDS", tables),
        _tuple("FLAGS", flags),
    ]
    return "".join(parts) + _SCRIPT


def _dict(name: str, items: Iterable[tuple[object, object]]) -> str:
    lines = "".join(f"    {_literal(key)}: {_literal(value)},\n" for key, value in items)
    return f"{name} = {{\n{lines}}}\n"


def _tuple(name: str, items: Iterable[object]) -> str:
    return f"{name} = (\n" + "".join(f"    {_literal(one)},\n" for one in items) + ")\n"


def _literal(value: object) -> str:
    return repr(value).replace("'", '"')
