"""Log, metrics, sd_notify: small parts that only watch."""

import io
import json
import os
import socket
from pathlib import Path

import pytest
from tests.host.gateways import T0

from judder.gateway.log import Log
from judder.gateway.metrics import METRICS, Metrics
from judder.gateway.notify import Notifier

EVIL = 'a "b" \\ c\nd\x1b[31m'


def test_a_line_for_machines_and_one_for_people() -> None:
    for as_json in (True, False):
        out = io.StringIO()
        log = Log(out, as_json=as_json, clock=lambda: T0 + 0.25)
        log.warning("sink-down", EVIL, sink="influx", waiting=120)
        (line,) = out.getvalue().splitlines()
        if as_json:
            assert json.loads(line) == {
                "time": "2025-11-24T16:00:00.250Z",
                "level": "warning",
                "event": "sink-down",
                "message": EVIL,
                "sink": "influx",
                "waiting": 120,
            }
        else:
            assert line == '16:00:00 warning a "b" \\ c\\nd\\x1b[31m sink=influx waiting=120'


def test_the_level_and_a_clock_that_is_off() -> None:
    out = io.StringIO()
    log = Log(out, as_json=True, level="warning", clock=lambda: 1e18)
    log.info("x", "y")
    log.error("x", "y")
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["time"] == "?"


def test_what_happens_often_is_said_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("judder.gateway.log.time.monotonic", lambda: now[0])
    out = io.StringIO()
    log = Log(out, as_json=True)
    for _ in range(100):
        log.seldom("warning", "set-aside", "no", "node 1")
        log.seldom("warning", "set-aside", "no", "node 2")
    now[0] += 61
    log.seldom("warning", "set-aside", "no", "node 1")
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(rows) == 3 and rows[2]["held_back"] == 99


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    Log(Full(), as_json=True).error("x", "y")
    closed = io.StringIO()
    closed.close()
    Log(closed, as_json=False).error("x", "y")


def test_the_text_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.add("received_total", 2, source="plant")
    metrics.add("received_total", source='a"\\\nb')
    metrics.set("spool_bytes", 12345678901)
    text = metrics.text()
    assert text.splitlines() == [
        "# HELP judder_gateway_received_total Uplinks taken from a source.",
        "# TYPE judder_gateway_received_total counter",
        'judder_gateway_received_total{source="plant"} 2',
        'judder_gateway_received_total{source="a\\"\\\\\\nb"} 1',
        "# HELP judder_gateway_spool_bytes Bytes in use in the spool.",
        "# TYPE judder_gateway_spool_bytes gauge",
        "judder_gateway_spool_bytes 12345678901",
    ]
    assert metrics.get("received_total") == 3 and metrics.get("received_total", source="plant") == 2
    assert metrics.table("received_total", "source") == {"plant": 2, 'a"\\\nb': 1}
    with pytest.raises(KeyError):
        metrics.add("recieved_total")
    assert all(name.endswith("_total") == (kind == "counter") for name, (kind, _help) in METRICS.items())


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    address = f"@judder-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if abstract else address)
        manager.settimeout(10)
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
        notifier = Notifier(environ)
        assert notifier.watchdog_s == 30 and environ == {"A": "b"}  # a broker we start must not speak for us
        notifier.ready("2 sources")
        notifier.alive()
        notifier.status("all is well")
        notifier.stopping()
        said = [manager.recv(4096).decode() for _ in range(4)]
    assert said == ["READY=1\nSTATUS=2 sources", "WATCHDOG=1", "STATUS=all is well", "STOPPING=1"]
    notifier.alive()  # nobody listens any more


def test_without_systemd_nothing_is_said() -> None:
    notifier = Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"})
    assert notifier.watchdog_s is None
    assert Notifier({"WATCHDOG_USEC": "x"}).watchdog_s is None
    notifier.ready("x")
