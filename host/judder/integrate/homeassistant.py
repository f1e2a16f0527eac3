"""Home Assistant: a node as a device of its MQTT integration, and the states of that device's entities.

    topics = Topics("homeassistant", "judder-ha", "gateway-1")
    topics.discovery(node), discovery(node, topics, expire_after_s=3600)
    topics.state(node, "reading"), reading(record)

Pure. The format is that of home-assistant.io/integrations/mqtt (device discovery, since 2024.11); units and classes are
those of its sensor and binary sensor integrations. Entities come from the columns of the contract, so a new row of that
is a new entity. What a reading did not bring is null in its state, and unknown in Home Assistant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from judder.decode import build, columns
from judder.decode.records import Alarm, Hello, Reading, Record
from judder.decode.words import STATE_ATTRIBUTES, STATE_FLAGS_AT
from judder.flow import Observation, Uplink
from judder_core import schema

ONLINE, OFFLINE = b"online", b"offline"


class Topics(NamedTuple):
    """prefix: Home Assistant's discovery prefix. states: what the other topics begin with. gateway: who publishes."""

    prefix: str
    states: str
    gateway: str

    def discovery(self, node: str) -> str:
        return f"{self.prefix}/device/judder_{node}/config"

    def state(self, node: str, what: str) -> str:
        """what: "status", "reading", "alarm", "hello" or "link"."""
        return f"{self.states}/{node}/{what}"

    def availability(self, node: str) -> str:
        return f"{self.states}/{node}/availability"

    @property
    def gateway_availability(self) -> str:
        return f"{self.states}/gateway/{self.gateway}"


# --- states: JSON objects with every key every time, for a template cannot tell absent from misspelt


def status(record: Reading | Alarm) -> dict[str, Any]:
    """Zone, alarm level, worst axis and flags, of whichever came last: a reading or an alarm."""
    return {name: getattr(record, name) for name in STATE_ATTRIBUTES}


def reading(record: Reading) -> dict[str, Any]:
    return _values(record, _READING)


def alarm(record: Alarm) -> dict[str, Any]:
    """Attributes of the alarm entity: what the level changed for."""
    return {name: getattr(record, name) for name in ("alarm_level", "metric", "value", "limit", "unit", "worst_axis")}


def hello(record: Hello) -> dict[str, Any]:
    return _values(record, _HELLO)


def link(uplink: Uplink) -> dict[str, Any]:
    return {name: getattr(uplink, name) for name in _LINK}


def states(observation: Observation) -> dict[str, dict[str, Any]]:
    """What an observation says, by the last level of its topic. Empty for kinds that have no entity."""
    record, found = observation.record, {}
    if isinstance(record, Reading):
        found = {"status": status(record), "reading": reading(record)}
    elif isinstance(record, Alarm):
        found = {"status": status(record), "alarm": alarm(record)}
    elif isinstance(record, Hello):
        found = {"hello": hello(record)}
    if found and observation.uplink.rssi_dbm is not None:
        found["link"] = link(observation.uplink)
    return found


def _values(record: Record, wanted: dict[str, columns.Column]) -> dict[str, Any]:
    row = columns.flat(record)
    return {name: row[name] for name in wanted}


# --- discovery


def discovery(
    node: str, topics: Topics, *, expire_after_s: int, name: str | None = None, hello: Hello | None = None
) -> dict[str, Any]:
    """The message that makes a node a device. expire_after_s: a state that old is unknown, 0: never. name: what people
    call it. hello: its latest, for versions and sensors."""
    return {
        "device": _device(node, name, hello),
        "origin": {"name": "Judder"},
        "availability": [{"topic": topics.gateway_availability}, {"topic": topics.availability(node)}],
        "availability_mode": "all",
        "qos": 1,
        "components": {
            key: {
                "unique_id": f"judder_{node}_{key}",
                "state_topic": topics.state(node, what),
                **({"expire_after": expire_after_s} if expire_after_s and what in ("status", "reading") else {}),
                **found,
                **({"json_attributes_topic": topics.state(node, "alarm")} if key == "alarm_level" else {}),
            }
            for key, (what, found) in _COMPONENTS.items()
        },
    }


def _device(node: str, name: str | None, hello: Hello | None) -> dict[str, Any]:
    model, firmware = "Vibration node", None
    if hello is not None:
        firmware = hello.firmware
        if hello.vibration_sensor:
            model += f" with {hello.vibration_sensor}"
        if hello.synthetic_signal:
            model += " (synthetic signal: nothing is measured)"
    return {
        "identifiers": [f"judder_{node}"],
        "name": name or f"Judder {node}",
        "manufacturer": "Judder",
        "model": model,
        "serial_number": node,
        **({"sw_version": firmware} if firmware else {}),
    }


# Unit of the contract -> unit, device class and icon there. Home Assistant has no class for acceleration, and its
# energy is that of a meter, which counts on.
_UNITS = {
    "mm/s": ("mm/s", "speed", "mdi:vibrate"),
    "mg": ("mg", None, "mdi:vibrate"),
    "degC": ("°C", "temperature", None),
    "mV": ("mV", "voltage", None),
    "Hz": ("Hz", "frequency", None),
    "s": ("s", "duration", None),
    "mJ": ("mJ", None, "mdi:flash"),
}
# Shown at once; the others wait in the list of the device until somebody enables them.
_SHOWN = {
    "zone",
    "alarm_level",
    "running",
    "sensor_fault",
    "velocity_rms_worst_mm_s",
    "velocity_rms_x_mm_s",
    "velocity_rms_y_mm_s",
    "velocity_rms_z_mm_s",
    "temperature_c",
    "battery_mv",
    "rssi_dbm",
}
# Numbers of which a mean says nothing.
_COUNTS = {"sequence", "age_s", "samples_lost"}
_DIAGNOSTIC = {"battery_mv", "sequence", "age_s", "sample_rate_hz", "samples_lost", "energy_spent_mj"}
_DIAGNOSTIC |= {"band_low_hz", "band_high_hz"}
_OPTIONS = {
    "zone": list("ABCD"),
    "alarm_level": ["none", "warning", "danger"],
    "worst_axis": list("xyz"),
}
_LINK = {"rssi_dbm": ("RSSI", "dBm"), "snr_db": ("SNR", "dB"), "data_rate": ("Data rate", None)}

_READING = {column.name: column for column in columns.COLUMNS["reading"] if column.row is not None}
_HELLO_SAID = ("uptime_s", "reset_cause", "queue_depth", "dropped", "boots", "link_failures", "tls_library")
_HELLO = {column.name: column for column in columns.COLUMNS["hello"] if column.name in _HELLO_SAID}


def _label(name: str, unit: str = "") -> str:
    """ "velocity_rms_x_mm_s" -> "Velocity RMS x"."""
    words = name.removesuffix(build.UNIT_SUFFIX.get(unit, "")).replace("_", " ").replace("rms", "RMS")
    return words[0].upper() + words[1:]


def _sensor(key: str, label: str, **said: Any) -> dict[str, Any]:
    found = {"platform": "sensor", "name": label, "value_template": f"{{{{ value_json.{key} }}}}", **said}
    return {name: value for name, value in found.items() if value is not None}


def _number(column: columns.Column) -> dict[str, Any]:
    unit, device_class, icon = _UNITS.get(column.unit, (None, None, None))
    assert column.row is not None
    divisor = schema.READING_FIELDS[column.row][3]
    return _sensor(
        column.name,
        _label(column.name, column.unit),
        unit_of_measurement=unit,
        device_class=device_class,
        icon=icon,
        state_class=None if column.name in _COUNTS else "measurement",
        # The contract's own resolution: no digit is lost, none is made up.
        suggested_display_precision=len(str(divisor)) - 1,
        entity_category="diagnostic" if column.name in _DIAGNOSTIC else None,
    )


def _word(name: str) -> dict[str, Any]:
    return _sensor(name, _label(name), device_class="enum", options=_OPTIONS[name])


def _flag(name: str) -> dict[str, Any]:
    # What a template makes of true and false. Null is "None" there, which is unknown.
    on, off = "True", "False"
    found = {"platform": "binary_sensor", "value_template": f"{{{{ value_json.{name} }}}}"}
    if name == "not_running":
        return found | {"name": "Running", "device_class": "running", "payload_on": off, "payload_off": on}
    found |= {"name": _label(name), "device_class": "problem", "payload_on": on, "payload_off": off}
    return found | {"entity_category": "diagnostic"}


def _components() -> dict[str, tuple[str, dict[str, Any]]]:
    """Key of an entity -> (last level of its topic, what discovery says of it). Keys are for ever: they are in ids."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for i, name in enumerate(STATE_ATTRIBUTES):
        key = "running" if name == "not_running" else name
        found[key] = "status", _flag(name) if i >= STATE_FLAGS_AT else _word(name)
    for name, column in _READING.items():
        found[name] = "reading", _number(column)
    for name, (label, unit) in _LINK.items():
        more = {"unit_of_measurement": unit, "device_class": "signal_strength", "state_class": "measurement"}
        found[name] = "link", _sensor(name, label, **(more if unit else {}), entity_category="diagnostic")
    for name in _HELLO:
        more = {"unit_of_measurement": "s", "device_class": "duration"} if name == "uptime_s" else {}
        label = "TLS library" if name == "tls_library" else _label(name.removesuffix("_s"))
        found[name] = "hello", _sensor(name, label, **more, entity_category="diagnostic")
    for key, (_what, component) in found.items():
        if key not in _SHOWN:
            component["enabled_by_default"] = False
    return found


_COMPONENTS = _components()
