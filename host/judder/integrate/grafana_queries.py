"""What the Grafana dashboards ask, of the tables of the sink postgres and of the measurements of the sink influx.

Name of a panel -> its queries: (letter, text). Columns are those of judder.sink.rows. What begins with $ is Grafana's:
macros of its PostgreSQL data source, $timeFilter of its InfluxDB one, variables of the dashboard.
"""

from __future__ import annotations

Queries = dict[str, tuple[tuple[str, str], ...]]

# Of a reading: why its numbers are not to be relied on.
DOUBTS = ("clipped", "lossy", "band_not_covered", "not_running", "clock_not_set", "sensor_fault")
AXES = ("x", "y", "z")
LIMITS = (("A/B", "zone_ab"), ("B/C", "zone_bc"), ("C/D", "zone_cd"))


def _doubts() -> str:
    return ", ".join(f"CASE WHEN {name} THEN '{name.replace('_', ' ')}' END" for name in DOUBTS)


_LATEST = f"""\
SELECT DISTINCT ON (node) coalesce(name, node) AS machine, node, zone, alarm_level, velocity_rms_worst_mm_s, worst_axis,
  temperature_c, battery_mv, uplink_rssi_dbm, uplink_snr_db, time AS measured, concat_ws(', ', {_doubts()}) AS doubts
FROM judder_reading WHERE $__timeFilter(time) ORDER BY node, time DESC"""

_BUCKETS = "FROM judder_reading WHERE $__timeFilter(time) AND node = ${node:sqlstring} GROUP BY 1 ORDER BY 1"


def _sql_trend(*values: tuple[str, str]) -> str:
    shown = ", ".join(f'{value} AS "{title}"' for title, value in values)
    return f"SELECT $__timeGroup(time, $__interval) AS time, {shown} {_BUCKETS}"


def _sql_axes(stem: str, unit: str = "") -> str:
    return _sql_trend(*((axis, f"max({stem}_{axis}{unit})") for axis in AXES))


def _sql_limits() -> str:
    lines = ", ".join(f'${{{name}:sqlstring}}::float8 AS "{title}"' for title, name in LIMITS)
    return f"SELECT at AS time, {lines} FROM (VALUES ($__timeFrom()::timestamptz), ($__timeTo()::timestamptz)) AS t(at)"


POSTGRES: Queries = {
    "zones": (
        (
            "A",
            "SELECT coalesce(zone, 'not rated') AS zone, count(*) AS nodes FROM (SELECT DISTINCT ON (node) node, zone "
            "FROM judder_reading WHERE $__timeFilter(time) ORDER BY node, time DESC) AS latest GROUP BY 1 ORDER BY 1",
        ),
    ),
    "fleet": (("A", f"SELECT * FROM ({_LATEST}) AS latest ORDER BY zone DESC NULLS LAST, machine"),),
    "alarms": (
        (
            "A",
            'SELECT time, coalesce(name, node) AS machine, node, alarm_level, metric, value, "limit", unit, '
            "worst_axis, zone FROM judder_alarm WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 200",
        ),
    ),
    "batteries": (
        (
            "A",
            "SELECT $__timeGroup(time, $__interval) AS time, coalesce(max(name), node) AS metric, min(battery_mv) AS "
            "battery_mv FROM judder_reading WHERE $__timeFilter(time) AND battery_mv > 0 GROUP BY 1, node ORDER BY 1",
        ),
    ),
    "links": (
        (
            "A",
            "SELECT coalesce(max(name), node) AS machine, node, count(*) AS readings, sum(missing) AS missing, "
            "avg(uplink_rssi_dbm) AS rssi_dbm, avg(uplink_snr_db) AS snr_db, max(age_s) AS longest_wait_s FROM "
            "(SELECT *, (SELECT coalesce(sum(split_part(word, ':', 2)::bigint), 0) FROM unnest(problems) AS word "
            "WHERE word LIKE 'gap:%') AS missing FROM judder_reading WHERE $__timeFilter(time)) AS heard "
            "GROUP BY node ORDER BY missing DESC, rssi_dbm",
        ),
    ),
    "velocity": (
        ("A", _sql_axes("velocity_rms", "_mm_s")),
        ("B", _sql_limits()),
        (
            "C",
            'SELECT time, value AS "alarm", "limit" AS "its limit" FROM judder_alarm WHERE $__timeFilter(time) '
            "AND node = ${node:sqlstring} AND metric = 'velocity_rms' ORDER BY time",
        ),
    ),
    "temperature": (("A", _sql_trend(("temperature", "max(temperature_c)"))),),
    "acceleration": (
        (
            "A",
            _sql_trend(
                *((f"peak {axis}", f"max(acceleration_peak_{axis}_mg)") for axis in AXES),
                *((f"RMS {axis}", f"max(acceleration_rms_{axis}_mg)") for axis in AXES),
            ),
        ),
    ),
    "envelope": (("A", _sql_axes("envelope_peak", "_mg")),),
    "kurtosis": (("A", _sql_axes("kurtosis")),),
    "battery": (("A", _sql_trend(("battery", "min(battery_mv)"))),),
    "link": (("A", _sql_trend(("RSSI", "avg(uplink_rssi_dbm)"), ("SNR", "avg(uplink_snr_db)"))),),
}
POSTGRES_NODES = (
    "SELECT coalesce(max(name), node) AS __text, node AS __value FROM judder_reading "
    "WHERE time > now() - interval '30 days' GROUP BY node ORDER BY 1"
)

_NODE = '"node" =~ /^${node:regex}$/'
_GROUPED = "GROUP BY time($__interval) fill(none)"


def _influx_trend(*values: tuple[str, str]) -> str:
    shown = ", ".join(f'{value} AS "{title}"' for title, value in values)
    return f'SELECT {shown} FROM "judder_reading" WHERE {_NODE} AND $timeFilter {_GROUPED}'


def _influx_axes(stem: str, unit: str = "") -> str:
    return _influx_trend(*((axis, f'max("{stem}_{axis}{unit}")') for axis in AXES))


_INFLUX_LATEST = (
    'SELECT "zone", "alarm_level", "velocity_rms_worst_mm_s", "worst_axis", "temperature_c", "battery_mv", '
    '"uplink_rssi_dbm", "uplink_snr_db" FROM "judder_reading" WHERE $timeFilter '
    'GROUP BY "node" ORDER BY time DESC LIMIT 1'
)
INFLUX: Queries = {
    # Grafana counts them: InfluxQL has no last row of each node to count over.
    "zones": (("A", _INFLUX_LATEST),),
    "fleet": (("A", _INFLUX_LATEST),),
    "alarms": (
        (
            "A",
            'SELECT "node", "alarm_level", "metric", "value", "limit", "unit", "worst_axis", "zone" '
            'FROM "judder_alarm" WHERE $timeFilter ORDER BY time DESC LIMIT 200',
        ),
    ),
    "batteries": (
        (
            "A",
            'SELECT min("battery_mv") FROM "judder_reading" WHERE "battery_mv" > 0 AND $timeFilter '
            'GROUP BY time($__interval), "node" fill(none)',
        ),
    ),
    "links": (
        (
            "A",
            'SELECT count("sequence") AS "readings", mean("uplink_rssi_dbm") AS "rssi_dbm", mean("uplink_snr_db") AS '
            '"snr_db", max("age_s") AS "longest_wait_s" FROM "judder_reading" WHERE $timeFilter GROUP BY "node"',
        ),
    ),
    "velocity": (
        ("A", _influx_axes("velocity_rms", "_mm_s")),
        ("B", _influx_trend(*((title, f'max("velocity_rms_worst_mm_s") * 0 + ${{{name}}}') for title, name in LIMITS))),
        (
            "C",
            'SELECT "value" AS "alarm", "limit" AS "its limit" FROM "judder_alarm" '
            f"WHERE {_NODE} AND \"metric\" = 'velocity_rms' AND $timeFilter",
        ),
    ),
    "temperature": (("A", _influx_trend(("temperature", 'max("temperature_c")'))),),
    "acceleration": (
        (
            "A",
            _influx_trend(
                *((f"peak {axis}", f'max("acceleration_peak_{axis}_mg")') for axis in AXES),
                *((f"RMS {axis}", f'max("acceleration_rms_{axis}_mg")') for axis in AXES),
            ),
        ),
    ),
    "envelope": (("A", _influx_axes("envelope_peak", "_mg")),),
    "kurtosis": (("A", _influx_axes("kurtosis")),),
    "battery": (("A", _influx_trend(("battery", 'min("battery_mv")'))),),
    "link": (("A", _influx_trend(("RSSI", 'mean("uplink_rssi_dbm")'), ("SNR", 'mean("uplink_snr_db")'))),),
}
INFLUX_NODES = 'SHOW TAG VALUES FROM "judder_reading" WITH KEY = "node"'
