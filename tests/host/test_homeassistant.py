"""Discovery messages held against Home Assistant's documented format, and states read as Home Assistant reads them.

Keys, classes and units below are those of home-assistant.io/integrations/ mqtt, sensor.mqtt, binary_sensor.mqtt, sensor
and binary_sensor, as of 2025.4. Templates are rendered by Jinja, as there.
"""

import json
import re
from typing import Any

import jinja2
import pytest
from tests.host import sinks

from judder import decode
from judder.decode import columns
from judder.decode.records import Hello
from judder.flow import Observation
from judder.integrate import homeassistant as ha
from judder_core import codec, schema

TOPICS = ha.Topics("homeassistant", "judder-ha", "gateway-1")

DISCOVERY = {"device", "origin", "availability", "availability_mode", "components", "qos"}
DEVICE = {"identifiers", "name", "manufacturer", "model", "serial_number", "sw_version"}
BOTH = {"platform", "unique_id", "name", "state_topic", "value_template", "expire_after", "device_class", "icon"}
BOTH |= {"entity_category", "enabled_by_default", "json_attributes_topic"}
KEYS = {
    "sensor": BOTH | {"unit_of_measurement", "state_class", "options", "suggested_display_precision"},
    "binary_sensor": BOTH | {"payload_on", "payload_off"},
}
# Of the table of device classes: the units each takes.
SENSOR_UNITS = {
    "speed": {"ft/s", "in/d", "in/h", "in/s", "km/h", "kn", "m/s", "mph", "mm/d", "mm/s"},
    "temperature": {"°C", "°F", "K"},
    "voltage": {"V", "mV", "µV", "kV", "MV"},
    "frequency": {"Hz", "kHz", "MHz", "GHz"},
    "duration": {"d", "h", "min", "s", "ms", "µs"},
    "signal_strength": {"dB", "dBm"},
}
BINARY_CLASSES = {"problem", "running"}


def message(**said: Any) -> dict[str, Any]:
    made = ha.discovery(sinks.NODE, TOPICS, **{"expire_after_s": 3600, **said})
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


COMPONENTS: dict[str, dict[str, Any]] = message()["components"]


def test_topic_is_one_home_assistant_takes() -> None:
    # The object id is letters, digits, underscores and hyphens.
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", TOPICS.discovery(sinks.NODE))


def test_the_message_of_a_device() -> None:
    hello = sinks.hello().record
    assert isinstance(hello, Hello)
    found = message(name="Pump 3", hello=hello)
    assert set(found) == DISCOVERY and set(found["device"]) == DEVICE
    assert found["device"] == {
        "identifiers": [f"judder_{sinks.NODE}"],
        "name": "Pump 3",
        "manufacturer": "Judder",
        "model": f"Vibration node with {hello.vibration_sensor}",
        "serial_number": sinks.NODE,
        "sw_version": "1.2.3",
    }
    assert found["origin"]["name"] == "Judder"
    assert found["availability_mode"] == "all"
    assert [one["topic"] for one in found["availability"]] == [
        "judder-ha/gateway/gateway-1",
        f"judder-ha/{sinks.NODE}/availability",
    ]


def test_a_node_that_measures_nothing_says_so() -> None:
    hello = sinks.hello().record
    assert isinstance(hello, Hello)
    hello.flags = ("synthetic signal",)
    assert "nothing is measured" in message(hello=hello)["device"]["model"]


@pytest.mark.parametrize("key", COMPONENTS)
def test_a_component_is_what_its_platform_takes(key: str) -> None:
    found = COMPONENTS[key]
    platform = found["platform"]
    assert set(found) <= KEYS[platform], set(found) - KEYS[platform]
    assert found["unique_id"] == f"judder_{sinks.NODE}_{key}"
    assert found["state_topic"].startswith(f"judder-ha/{sinks.NODE}/")
    assert found.get("entity_category", "diagnostic") == "diagnostic"
    device_class, unit = found.get("device_class"), found.get("unit_of_measurement")
    if platform == "binary_sensor":
        assert device_class in BINARY_CLASSES
    elif device_class == "enum":
        # Not together with a unit or a state class.
        assert found["options"] and unit is None and "state_class" not in found
    elif device_class:
        assert unit in SENSOR_UNITS[device_class]
        assert found.get("state_class", "measurement") == "measurement"


def test_names_and_ids_are_there_once() -> None:
    for what in ("name", "unique_id"):
        found = [component[what] for component in COMPONENTS.values()]
        assert len(found) == len(set(found))


def test_keys_are_for_ever() -> None:
    """They are part of unique ids: one that changes is a second entity in every house, and a history cut in two."""
    assert list(COMPONENTS)[:12] == [
        "zone",
        "alarm_level",
        "worst_axis",
        "clipped",
        "lossy",
        "band_not_covered",
        "running",
        "clock_not_set",
        "sensor_fault",
        "velocity_rms_worst_mm_s",
        "temperature_c",
        "sequence",
    ]
    assert {"battery_mv", "kurtosis_z", "envelope_peak_z_mg", "rssi_dbm", "snr_db", "uptime_s", "boots"} <= set(
        COMPONENTS
    )


def test_every_number_of_a_reading_is_an_entity_with_its_unit() -> None:
    for column in columns.COLUMNS["reading"]:
        if column.row is not None:
            unit = {"": None, "degC": "°C"}.get(column.unit, column.unit)
            assert COMPONENTS[column.name].get("unit_of_measurement") == unit
            assert COMPONENTS[column.name]["expire_after"] == 3600
    assert "expire_after" not in message(expire_after_s=0)["components"]["temperature_c"]
    # The table's resolution: 0.01 mm/s, 0.1 degC, 1 mg.
    digits = {
        name: COMPONENTS[name]["suggested_display_precision"] for name in ("velocity_rms_worst_mm_s", "temperature_c")
    }
    assert digits == {"velocity_rms_worst_mm_s": 2, "temperature_c": 1}


def read(observation: Observation) -> dict[str, str]:
    """Key of an entity -> what its template makes of the states, as Home Assistant renders it: to text."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    found = {}
    for what, state in ha.states(observation).items():
        value_json = json.loads(json.dumps(state))
        for key, component in COMPONENTS.items():
            if component["state_topic"] == TOPICS.state(sinks.NODE, what):
                found[key] = environment.from_string(component["value_template"]).render(value_json=value_json)
    return found


def test_a_reading_as_home_assistant_reads_it() -> None:
    found = read(sinks.lorawan(sinks.reading(7)))
    expected = {
        "zone": "B",
        "alarm_level": "warning",
        "worst_axis": "y",
        "clipped": "False",
        "velocity_rms_worst_mm_s": "3.12",
        "temperature_c": "41.5",
        "acceleration_peak_z_mg": "300",
        "battery_mv": "3312",
        "rssi_dbm": "-101.0",
        "snr_db": "0.0",
        "data_rate": "SF7BW125",
    }
    assert {key: found[key] for key in expected} == expected
    running = COMPONENTS["running"]
    assert found["running"] == "False" == running["payload_on"]  # not_running is false
    assert COMPONENTS["clipped"]["payload_off"] == found["clipped"]


def test_what_was_not_sent_is_none_which_home_assistant_calls_unknown() -> None:
    found = read(sinks.observed(values=[0, 312]))
    assert found["velocity_rms_worst_mm_s"] == "3.12"
    assert {found[key] for key in ("zone", "temperature_c", "velocity_rms_x_mm_s", "battery_mv")} == {"None"}
    assert "rssi_dbm" not in found  # nobody said: over Wi-Fi there is none


def test_every_word_is_among_the_options() -> None:
    for state in (0x34, 0x4A, schema.STATE_NOT_RUNNING, 1, 2 | 3 << 5):
        record = decode(codec.encode(schema.READING, [state, 1]))
        found = read(Observation(sinks.reading(1).uplink, record))
        for key in ("zone", "alarm_level", "worst_axis"):
            assert found[key] in [*COMPONENTS[key]["options"], "None"]


def test_an_alarm_changes_the_status_and_is_its_attributes() -> None:
    found = ha.states(sinks.alarm())
    assert found["status"]["alarm_level"] == "danger" and found["status"]["zone"] == "D"
    assert found["alarm"] == {
        "alarm_level": "danger",
        "metric": "velocity_rms",
        "value": 7.52,
        "limit": 7.1,
        "unit": "mm/s",
        "worst_axis": "x",
    }
    assert COMPONENTS["alarm_level"]["json_attributes_topic"] == f"judder-ha/{sinks.NODE}/alarm"


def test_hello_and_other_kinds() -> None:
    assert read(sinks.hello())["uptime_s"] == "60"
    others = [one for one in sinks.one_of_each() if one.record.kind not in ("reading", "alarm", "hello")]
    assert [ha.states(one) for one in others] == [{}] * 4
