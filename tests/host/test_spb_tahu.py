"""What the Sparkplug sink says, read by Eclipse Tahu's own library (JavaScript, sparkplug-payload)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks
from tests.host.test_spb_edge import Line
from tests.tools import npm_packages

from judder.sink.spb import metrics


def read(*payloads: bytes) -> list[dict[str, Any]]:
    try:
        lines = npm_packages.run("sparkplug.cjs", [payload.hex() for payload in payloads])
    except npm_packages.Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"sparkplug-payload: {error}")
    return [json.loads(line) for line in lines]


def test_births_data_and_death(tmp_path: Path) -> None:
    line = Line(tmp_path)
    will = line.edge.will()
    messages = [*line.edge.greet(), *line.edge.data([sinks.lorawan(sinks.observed())])]
    values = [0, 333, -55, 2**32 - 1]
    messages += line.edge.data([sinks.observed(values=values, received_at=sinks.T0 + 60)])
    messages += line.edge.data([sinks.observed(values=[0, 1], problems=("late",), received_at=sinks.T0 + 90)])
    death, node, device, data, late = read(will.payload, *(message.payload for message in messages))
    assert "seq" not in death and [node["seq"], device["seq"], data["seq"], late["seq"]] == [0, 1, 2, 3]
    (bdseq,) = death["metrics"]
    assert (bdseq["name"], bdseq["value"], bdseq["type"]) == ("bdSeq", 0, "Int64")
    rebirth = next(metric for metric in node["metrics"] if metric["name"] == "Node Control/Rebirth")
    assert (rebirth["value"], rebirth["type"]) == (False, "Boolean")

    born = {metric["name"]: metric for metric in device["metrics"]}
    assert len(born) == len(metrics.DEFINITIONS)
    velocity = born["reading/velocity_rms_worst_mm_s"]
    assert (velocity["value"], velocity["type"], velocity["unit"]) == (3.12, "Double", "mm/s")
    assert velocity["at"] == int(sinks.T0 - 5) * 1000
    assert (born["reading/zone"]["value"], born["reading/clipped"]["value"]) == ("B", False)
    assert (born["reading/battery_mv"]["value"], born["link/rssi_dbm"]["value"]) == (3312, -101.0)
    assert born["hello/firmware"]["value"] is None

    names = {metric["alias"]: name for name, metric in born.items()}
    said = {names[metric["alias"]]: metric["value"] for metric in data["metrics"]}
    assert said["reading/velocity_rms_worst_mm_s"] == 3.33 and said["reading/temperature_c"] == -5.5
    assert said["reading/sequence"] == 2**32 - 1 and said["reading/zone"] is None
    history = {names[metric["alias"]] for metric in late["metrics"] if metric.get("historical")}
    assert "reading/velocity_rms_worst_mm_s" in history and "link/problems" not in history


def test_without_types_in_data_it_reads_nothing(tmp_path: Path) -> None:
    """Why typed_data is on, against the advice of the specification."""
    for typed in (True, False):
        line = Line(tmp_path, typed_data=typed)
        line.connect()
        line.write(sinks.observed())
        (message,) = line.edge.data([sinks.observed(values=[0, 333], received_at=sinks.T0 + 60)])
        (found,) = read(message.payload)
        assert (3.33 in [metric["value"] for metric in found["metrics"]]) is typed
