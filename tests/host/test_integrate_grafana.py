"""The Grafana dashboards, as files: whole, without loose ends, and read by Grafana's own types."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import barchart, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from judder.integrate import grafana
from judder.sink import rows

FOLDER = Path(__file__).parents[2] / "host" / "integrations" / "grafana"
NAMES = [f"judder-{source.name}" for source in grafana.SOURCES]
FIELD_OPTIONS = {"barchart": barchart, "table": table, "timeseries": timeseries}


@pytest.fixture(params=NAMES)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_grafanas_types_know_all_that_is_in_it(board: dict[str, Any]) -> None:
    """The classes Grafana generates from its own schema (10.1) keep every key: what they do not know they drop."""
    kept = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    assert _lost(board, kept, "") == []
    for panel in panels(board):
        known = FIELD_OPTIONS[panel["type"]]
        options = json.loads(JSONEncoder().encode(known.Options.from_json(panel["options"])))
        assert _lost(panel["options"], options, panel["title"]) == []
        custom = panel["fieldConfig"]["defaults"].get("custom")
        if custom:
            read = known.FieldConfig if hasattr(known, "FieldConfig") else timeseries.FieldConfig
            assert _lost(custom, json.loads(JSONEncoder().encode(read.from_json(custom))), panel["title"]) == []


def test_a_key_grafana_does_not_know_would_be_seen(board: dict[str, Any]) -> None:
    board["panels"][1]["titel"] = "x"
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert _lost(board, kept, "") == [".panels[1].titel"]


def _lost(given: Any, kept: Any, where: str) -> list[str]:
    if isinstance(given, dict) and isinstance(kept, dict):
        gone = [f"{where}.{key}" for key in given if key not in kept]
        return gone + [one for key in given if key in kept for one in _lost(given[key], kept[key], f"{where}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        pairs = zip(given, kept, strict=True)
        return [one for n, (a, b) in enumerate(pairs) for one in _lost(a, b, f"{where}[{n}]")]
    return [] if given == kept else [f"{where}: {given!r} became {kept!r}"]


def test_ids_are_unique_and_nothing_overlaps(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and all(isinstance(one, int) and one > 0 for one in ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken
        taken |= cells


def test_every_variable_is_there_and_used(board: dict[str, Any]) -> None:
    defined = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps([board["panels"], [one.get("datasource") for one in board["templating"]["list"]]])
    used = set(re.findall(r"\$\{(\w+)(?::\w+)?\}", text)) | set(re.findall(r"Node \$(\w+)", text))
    assert used == defined == {"datasource", "node", "zone_ab", "zone_bc", "zone_cd"}
    # Whatever else begins with $ is Grafana's own.
    others = set(re.findall(r"\$(__\w+|timeFilter|tag_node|col\b)", text))
    known = {"__timeFilter", "__timeGroup", "__interval", "__timeFrom", "__timeTo", "timeFilter", "tag_node", "col"}
    assert others <= known
    assert set(re.findall(r"\$(\w+)", text)) == others | {"node"}


def test_every_query_says_where_and_has_a_letter_of_its_own(board: dict[str, Any]) -> None:
    (variable,) = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
    reference = {"type": variable["query"], "uid": "${datasource}"}
    for panel in panels(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)) and letters
        assert all(target["datasource"] == reference for target in panel["targets"])
        assert panel["datasource"] == reference


def test_overrides_name_columns_that_are_asked_for(board: dict[str, Any]) -> None:
    for panel in panels(board):
        asked = json.dumps(panel["targets"])
        for override in panel["fieldConfig"]["overrides"]:
            name = override["matcher"]["options"]
            tables = panel["type"] == "table"
            assert tables or f'AS \\"{name}\\"' in asked, (panel["title"], name)


def test_names_in_influx_are_columns_of_the_sink() -> None:
    """PostgreSQL refuses a column it has not; InfluxDB is silent about it."""
    known = {name for kind in ("reading", "alarm") for name, _type in rows.COLUMNS[kind]}
    for queries in grafana.INFLUX.values():
        for _letter, text in queries:
            named = re.sub(r'AS "[^"]*"', "", text)
            assert set(re.findall(r'"(\w+)"', named)) <= known | {"judder_reading", "judder_alarm"}


def test_both_dashboards_show_the_same() -> None:
    first, second = (json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES)
    assert [panel["title"] for panel in first["panels"]] == [panel["title"] for panel in second["panels"]]
    assert grafana.POSTGRES.keys() == grafana.INFLUX.keys() == {panel.name for panel in grafana.FLEET + grafana.NODE}
