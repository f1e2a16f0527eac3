"""The Grafana dashboards, one over the tables of the sink postgres, one over the measurements of the sink influx.

Both show the same: the fleet by zone, alarms, batteries and links; then the trends of one node, with the limits of its
zones. Grafana's JSON model: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from judder.integrate.grafana_queries import INFLUX, INFLUX_NODES, LIMITS, POSTGRES, POSTGRES_NODES, Queries
from judder_core import zones

# Grafana 10 and newer migrate what is older than their own.
SCHEMA_VERSION = 38
_HEIGHT = 8
_WIDTH = 24
_ZONE_COLOURS = {"A": "green", "B": "yellow", "C": "orange", "D": "red"}
_LEVEL_COLOURS = {"none": "green", "warning": "orange", "danger": "red"}


@dataclass(frozen=True)
class Panel:
    """unit: as Grafana names it; what it has no name for is a suffix. width: of 24. decimals: shown. points, lines:
    series drawn as points, as dashes."""

    name: str
    title: str
    type: str = "timeseries"
    unit: str = "none"
    width: int = 12
    description: str = ""
    decimals: int | None = None
    points: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


_TABLE = {"showHeader": True, "cellHeight": "sm"}
FLEET = (
    Panel(
        "zones",
        "Nodes by zone, latest reading",
        "barchart",
        width=8,
        description="Zones after ISO 20816-3, where the node has a machine profile.",
        options={"xField": "zone", "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"}},
    ),
    Panel("fleet", "Latest reading of every node, worst zone first", "table", width=16, options=_TABLE),
    Panel("alarms", "Alarms", "table", width=14, description="Each change of a level, up and down.", options=_TABLE),
    Panel("links", "Link quality", "table", width=10, options=_TABLE),
    Panel("batteries", "Batteries", unit="mvolt", width=24),
)
NODE = (
    Panel(
        "velocity",
        "Velocity RMS, boundaries of its zones, alarms",
        unit="suffix: mm/s",
        width=24,
        decimals=2,
        description="Largest in each interval. Boundaries are those of the variables above: set them for the machine.",
        points=("alarm", "its limit"),
        lines=tuple(title for title, _name in LIMITS),
    ),
    Panel("temperature", "Temperature", unit="celsius", decimals=1),
    Panel("acceleration", "Acceleration: peak, RMS", unit="suffix: mg"),
    Panel("envelope", "Envelope, peak", unit="suffix: mg", description="Rises early where a bearing begins to fail."),
    Panel("kurtosis", "Kurtosis", decimals=2, description="3 for noise; shocks raise it."),
    Panel("battery", "Battery", unit="mvolt"),
    Panel("link", "Link: RSSI in dBm, SNR in dB", description="LoRaWAN; what the gateway that heard best measured."),
)


@dataclass(frozen=True)
class Source:
    """Which database. plugin: id of Grafana's data source. nodes: query of the node's variable."""

    name: str
    title: str
    plugin: str
    queries: Queries
    nodes: str

    @property
    def reference(self) -> dict[str, str]:
        return {"type": self.plugin, "uid": "${datasource}"}


SOURCES = (
    Source("postgres", "Judder (PostgreSQL, TimescaleDB)", "grafana-postgresql-datasource", POSTGRES, POSTGRES_NODES),
    Source("influx", "Judder (InfluxDB, InfluxQL)", "influxdb", INFLUX, INFLUX_NODES),
)


def page(source: Source) -> str:
    """The dashboard as the file has it."""
    return json.dumps(dashboard(source), indent=1, ensure_ascii=False) + "\n"


def dashboard(source: Source) -> dict[str, Any]:
    return {
        "uid": f"judder-{source.name}",
        "title": source.title,
        "description": "Machine vibration: fleet state by zone, alarms, batteries, links, trends of one node.",
        "tags": ["judder", "vibration"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": _variables(source)},
        "annotations": {"list": []},
        "panels": _panels(source),
    }


def _variables(source: Source) -> list[dict[str, Any]]:
    query: Any = source.nodes
    if source.name == "influx":
        query = {"query": source.nodes, "refId": "nodes"}
    # Group 1, rigid: the machines most are asked about; any other is a matter of three numbers.
    defaults = [f"{boundary / 100:g}" for boundary in zones.boundaries(zones.GROUP_1, zones.RIGID)]
    return [
        {"type": "datasource", "name": "datasource", "label": "Database", "query": source.plugin, "refresh": 1},
        {
            "type": "query",
            "name": "node",
            "label": "Node",
            "datasource": source.reference,
            "query": query,
            "refresh": 2,
            "sort": 1,
            "multi": False,
            "includeAll": False,
        },
        *(
            {
                "type": "textbox",
                "name": name,
                "label": f"{title} at mm/s",
                "query": value,
                "current": {"text": value, "value": value},
            }
            for (title, name), value in zip(LIMITS, defaults, strict=True)
        ),
    ]


def _panels(source: Source) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    x = y = 0
    for title, group in (("Fleet", FLEET), ("Node $node", NODE)):
        found.append(
            {
                "id": len(found) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
            }
        )
        y += 1
        for panel in group:
            if x + panel.width > _WIDTH:
                x, y = 0, y + _HEIGHT
            place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
            found.append({"id": len(found) + 1, **_panel(panel, source), "gridPos": place})
            x += panel.width
        x, y = 0, y + _HEIGHT
    return found


def _panel(panel: Panel, source: Source) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "mappings": []}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    options = dict(panel.options)
    if panel.type == "timeseries":
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "showPoints": "auto", "spanNulls": True}
        options = {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    made: dict[str, Any] = {
        "type": panel.type,
        "title": panel.title,
        "datasource": source.reference,
        "targets": [_target(panel, letter, text, source) for letter, text in source.queries[panel.name]],
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel)},
        "options": options,
    }
    if panel.description:
        made["description"] = panel.description
    if panel.name == "zones" and source.name == "influx":
        grouped = {"zone": {"operation": "groupby", "aggregations": []}}
        grouped["node"] = {"operation": "aggregate", "aggregations": ["count"]}
        made["transformations"] = [{"id": "groupBy", "options": {"fields": grouped}}]
    return made


def _target(panel: Panel, letter: str, text: str, source: Source) -> dict[str, Any]:
    as_table = panel.type != "timeseries"
    common = {"refId": letter, "datasource": source.reference}
    if source.name == "postgres":
        return {**common, "format": "table" if as_table else "time_series", "rawQuery": True, "rawSql": text}
    found = {**common, "query": text, "rawQuery": True, "resultFormat": "table" if as_table else "time_series"}
    if not as_table:
        found["alias"] = "$tag_node" if panel.name == "batteries" else "$col"
    return found


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    found = []
    for name in panel.points:
        properties = [("custom.drawStyle", "points"), ("custom.pointSize", 8), ("custom.showPoints", "always")]
        found.append(_override(name, properties))
    for name in panel.lines:
        dashes = {"fill": "dash", "dash": [10, 10]}
        colour = {"mode": "fixed", "fixedColor": _ZONE_COLOURS[name[-1]]}
        found.append(_override(name, [("custom.lineStyle", dashes), ("color", colour), ("custom.showPoints", "never")]))
    if panel.type == "table":
        for name, colours in (("zone", _ZONE_COLOURS), ("alarm_level", _LEVEL_COLOURS)):
            mapping = {text: {"color": colour, "index": n} for n, (text, colour) in enumerate(colours.items())}
            properties = [
                ("mappings", [{"type": "value", "options": mapping}]),
                ("custom.cellOptions", {"type": "color-background"}),
            ]
            found.append(_override(name, properties))
        for name, unit in (("battery_mv", "mvolt"), ("temperature_c", "celsius"), ("longest_wait_s", "s")):
            found.append(_override(name, [("unit", unit)]))
        for name in ("rssi_dbm", "snr_db", "uplink_rssi_dbm", "uplink_snr_db"):
            found.append(_override(name, [("decimals", 1)]))
        for name in ("measured", "time"):
            found.append(_override(name, [("unit", "dateTimeAsIso")]))
    return found


def _override(name: str, properties: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties],
    }
