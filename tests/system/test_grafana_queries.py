"""Every query of the Grafana dashboards against a real PostgreSQL and a real InfluxDB, filled by the sinks.

Grafana's macros are put in as its documentation says (data sources PostgreSQL and InfluxDB, "Macros"; variables'
formats sqlstring and regex): Grafana itself has not run them.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from tests.host import sinks
from tests.system.postgres import Postgres
from tests.system.test_sink_influxd import Influx

from judder.flow import Observation
from judder.sink.influx import InfluxOptions, InfluxSink
from judder.sink.postgres import PostgresOptions, PostgresSink
from judder_core import schema

FOLDER = Path(__file__).parents[2] / "host" / "integrations" / "grafana"
NODE, OTHER = sinks.NODE, sinks.OTHER
SILENT = "70b3d57ed0000003"
PUMP = "Pump 3, drive end"
BEGIN, END = sinks.T0, sinks.T0 + 3600
VARIABLES = {"node": NODE, "zone_ab": "2.3", "zone_bc": "4.5", "zone_cd": "7.1"}


def fleet() -> list[Observation]:
    """One over LoRaWAN, 20 readings, the last without a zone (clipped) and with a gap; one over Wi-Fi in zone D; one
    that was silent in the hour that is shown."""
    found = [sinks.lorawan(sinks.reading(number)) for number in range(20)]
    found[7].uplink.rssi_dbm = -121.0
    values = list(sinks.READING)
    values[0], values[1], values[3], values[14] = schema.STATE_CLIPPED, 1234, 24, 3100
    found.append(sinks.lorawan(sinks.observed(values=values, received_at=BEGIN + 1500, problems=("gap:4", "late"))))
    values = list(sinks.READING)
    values[0], values[1], values[14] = 0x04 | 2 << 3, 801, 0  # zone D, danger, no battery
    found += [sinks.observed(values=values, node=OTHER, received_at=BEGIN + 60 * n) for n in (1, 2, 3)]
    found.append(sinks.reading(1, node=SILENT, received_at=BEGIN - 86400))
    found.append(sinks.alarm(received_at=BEGIN + 482))
    found.append(sinks.alarm(received_at=BEGIN + 700, node=OTHER))
    return found


def queries(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(panel's title, letter) -> target."""
    board = json.loads((FOLDER / f"judder-{name}.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    return {(panel["title"], target["refId"]): target for panel in panels for target in panel["targets"]}


def variable(name: str) -> Any:
    board = json.loads((FOLDER / f"judder-{name}.json").read_text(encoding="utf-8"))
    return next(one["query"] for one in board["templating"]["list"] if one["name"] == "node")


# --- PostgreSQL


def as_sql(text: str) -> str:
    begin, end = (f"'{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}'" for at in (BEGIN, END))
    text = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {begin} AND {end}", text)
    text = re.sub(r"\$__timeGroup\((\w+), \$__interval\)", r"floor(extract(epoch from \1)/300)*300", text)
    text = text.replace("$__timeFrom()", begin).replace("$__timeTo()", end)
    return re.sub(r"\$\{(\w+):sqlstring\}", lambda found: "'" + VARIABLES[found[1]].replace("'", "''") + "'", text)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    made = Postgres()
    try:
        made.server.start()
        made.anew()
        with PostgresSink(PostgresOptions(dsn=made.dsn())) as sink:
            sink.write(fleet())
        yield made
    finally:
        made.remove()


@pytest.fixture
def ask_sql(postgres: Postgres) -> Any:
    def ask(title: str, letter: str = "A") -> list[dict[str, Any]]:
        text = as_sql(queries("postgres")[title, letter]["rawSql"])
        assert "$" not in text
        with psycopg.connect(postgres.dsn(), row_factory=dict_row) as connection:
            return connection.execute(text).fetchall()

    return ask


@pytest.mark.parametrize("key", queries("postgres"), ids=" ".join)
def test_postgres_answers_every_query(key: tuple[str, str], ask_sql: Any) -> None:
    rows = ask_sql(*key)
    assert rows
    if queries("postgres")[key]["format"] == "time_series":
        times = [row["time"] for row in rows]
        assert times == sorted(times)
        values = [value for row in rows for name, value in row.items() if name not in ("time", "metric")]
        assert all(isinstance(value, float | int) for value in values)


def test_postgres_fleet(ask_sql: Any) -> None:
    assert {row["zone"]: row["nodes"] for row in ask_sql("Nodes by zone, latest reading")} == {"D": 1, "not rated": 1}
    first, second = ask_sql("Latest reading of every node, worst zone first")
    assert (first["node"], first["machine"], first["zone"], first["alarm_level"]) == (OTHER, OTHER, "D", "danger")
    assert (first["velocity_rms_worst_mm_s"], first["doubts"]) == (8.01, "")
    assert (second["node"], second["machine"], second["zone"]) == (NODE, PUMP, None)
    assert (second["velocity_rms_worst_mm_s"], second["doubts"], second["battery_mv"]) == (12.34, "clipped", 3100)


def test_postgres_alarms_and_links(ask_sql: Any) -> None:
    rows = ask_sql("Alarms")
    assert [(row["node"], row["metric"], row["value"], row["limit"]) for row in rows] == [
        (OTHER, "velocity_rms", 7.52, 7.1),
        (NODE, "velocity_rms", 7.52, 7.1),
    ]
    worst, other = ask_sql("Link quality")
    assert (worst["machine"], worst["readings"], worst["missing"], worst["snr_db"]) == (PUMP, 20, 4, 0.0)
    assert worst["rssi_dbm"] == pytest.approx((-101 * 19 - 121) / 20)
    assert (other["node"], other["readings"], other["missing"], other["rssi_dbm"]) == (OTHER, 3, 0, None)


def test_postgres_trends(ask_sql: Any) -> None:
    title = "Velocity RMS, boundaries of its zones, alarms"
    rows = ask_sql(title)
    # Five minutes each. The first reading is true five seconds before the hour, and not shown.
    assert [float(row["time"]) - BEGIN for row in rows] == [0, 300, 600, 900, 1200]
    assert {(row["x"], row["y"], row["z"]) for row in rows} == {(3.01, 3.12, 1.55)}
    ends = ask_sql(title, "B")
    assert [(row["time"].timestamp(), row["A/B"], row["B/C"], row["C/D"]) for row in ends] == [
        (BEGIN, 2.3, 4.5, 7.1),
        (END, 2.3, 4.5, 7.1),
    ]
    (alarm,) = ask_sql(title, "C")
    assert (alarm["time"].timestamp(), alarm["alarm"], alarm["its limit"]) == (BEGIN + 480, 7.52, 7.1)
    assert [row["battery"] for row in ask_sql("Battery")] == [3312, 3312, 3312, 3312, 3100]
    assert {row["metric"] for row in ask_sql("Batteries")} == {PUMP}  # the other has none
    assert min(row["RSSI"] for row in ask_sql("Link: RSSI in dBm, SNR in dB")) < -103


def test_postgres_names_its_nodes(postgres: Postgres) -> None:
    asked = variable("postgres").replace("now()", f"to_timestamp({END})")
    assert set(postgres.run(asked)) == {(PUMP, NODE), (OTHER, OTHER), (SILENT, SILENT)}


def test_a_role_that_may_only_read_is_enough(postgres: Postgres) -> None:
    """As docs/dashboards.md says."""
    (statements,) = re.findall(r"```sql\n(.*?)```", (FOLDER.parents[2] / "docs" / "dashboards.md").read_text(), re.S)
    postgres.run(statements)
    with psycopg.connect(postgres.dsn(user="grafana")) as connection:
        for target in queries("postgres").values():
            connection.execute(as_sql(target["rawSql"]))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM judder_reading")


# --- InfluxDB


def as_influxql(text: str) -> str:
    text = text.replace("$timeFilter", f"time >= {BEGIN:.0f}s and time <= {END:.0f}s").replace("$__interval", "5m")
    text = text.replace("${node:regex}", re.escape(NODE))
    return re.sub(r"\$\{(\w+)\}", lambda found: VARIABLES[found[1]], text)


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    made = Influx(tmp_path_factory.mktemp("influx"))
    made.server.start()
    try:
        made.query("CREATE DATABASE judder", "POST")
        InfluxSink(InfluxOptions(url=made.url, api="v1")).write(fleet())
        yield made
    finally:
        made.server.stop()


@pytest.fixture
def ask_influx(influx: Influx) -> Any:
    def ask(title: str, letter: str = "A") -> list[dict[str, Any]]:
        text = as_influxql(queries("influx")[title, letter]["query"])
        assert "$" not in text.replace("$/", "")
        return influx.query(text)

    return ask


@pytest.mark.parametrize("key", queries("influx"), ids=" ".join)
def test_influx_answers_every_query(key: tuple[str, str], ask_influx: Any) -> None:
    rows = ask_influx(*key)
    assert rows
    assert any(value is not None for row in rows for name, value in row.items() if name != "time")


def test_influx_fleet(ask_influx: Any) -> None:
    rows = ask_influx("Latest reading of every node, worst zone first")
    assert {(row["node"], row["zone"], row["velocity_rms_worst_mm_s"]) for row in rows} == {
        (NODE, None, 12.34),  # not the zone of an earlier reading
        (OTHER, "D", 8.01),
    }
    assert ask_influx("Nodes by zone, latest reading") == rows
    alarms = ask_influx("Alarms")
    assert [(row["node"], row["metric"], row["value"], row["limit"]) for row in alarms] == [
        (OTHER, "velocity_rms", 7.52, 7.1),
        (NODE, "velocity_rms", 7.52, 7.1),
    ]
    links = {row["node"]: row for row in ask_influx("Link quality")}
    assert (links[NODE]["readings"], links[OTHER]["readings"], links[OTHER]["rssi_dbm"]) == (20, 3, None)
    assert links[NODE]["rssi_dbm"] == pytest.approx((-101 * 19 - 121) / 20)


def test_influx_trends(ask_influx: Any) -> None:
    title = "Velocity RMS, boundaries of its zones, alarms"
    rows = ask_influx(title)
    assert [(row["time"] / 10**9 - BEGIN, row["x"], row["y"], row["z"]) for row in rows] == [
        (at, 3.01, 3.12, 1.55) for at in (0, 300, 600, 900, 1200)
    ]
    assert {(row["A/B"], row["B/C"], row["C/D"]) for row in ask_influx(title, "B")} == {(2.3, 4.5, 7.1)}
    (alarm,) = ask_influx(title, "C")
    assert (alarm["time"] / 10**9, alarm["alarm"], alarm["its limit"]) == (BEGIN + 480, 7.52, 7.1)
    assert [row["battery"] for row in ask_influx("Battery")] == [3312, 3312, 3312, 3312, 3100]
    assert {row["node"] for row in ask_influx("Batteries")} == {NODE}


def test_influx_names_its_nodes(influx: Influx) -> None:
    found = influx.query(variable("influx")["query"])
    assert {row["value"] for row in found} == {NODE, OTHER, SILENT}
