"""The Prometheus sink and Debian's Prometheus: its linter, and a server that fetches."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.host import sinks
from tests.host.test_sink_prometheus import Shown
from tests.host.test_sinks_page import block, section
from tests.system import daemon

from judder.ingest.broker import free_port

_WAIT_S = 60.0


def test_promtool_finds_nothing_to_say() -> None:
    promtool = daemon.program("promtool", "/usr/bin")
    shown = Shown()
    shown.sink.write([*sinks.one_of_each(), sinks.reading(1, node=sinks.OTHER, problems=("late", "gap:2"))])
    text = shown.text()
    shown.sink.close()
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def query(url: str, text: str) -> dict[str, str]:
    """Labels that tell them apart -> value."""
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': text})}", timeout=10) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return {one["metric"].get("axis", ""): one["value"][1] for one in found}


def until(url: str, text: str, expected: dict[str, str]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while (found := query(url, text)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_prometheus_fetches_and_forgets(tmp_path: Path) -> None:
    program = daemon.program("prometheus", "/usr/bin")
    shown = Shown()
    shown.sink.write([sinks.reading(1)])
    config = tmp_path / "prometheus.yml"
    target = f"127.0.0.1:{shown.sink._exporter.port}"
    config.write_text(
        "global: {scrape_interval: 250ms}\n"
        f"scrape_configs: [{{job_name: judder, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    url = f"http://127.0.0.1:{free_port()}"

    def ready() -> bool:
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
        except OSError:
            return False
        return True

    command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    server = daemon.Daemon([*command, f"--web.listen-address={url.removeprefix('http://')}"], tmp_path, ready)
    server.start()
    try:
        until(url, "judder_velocity_rms_mm_per_second", {"x": "3.01", "y": "3.12", "z": "1.55"})
        shown.now += 3 * 7200  # the node says nothing any more
        until(url, "judder_velocity_rms_mm_per_second", {})
        until(url, 'judder_messages_total{kind="reading"}', {"": "1"})
    finally:
        server.stop()
        shown.sink.close()


def test_the_rules_of_the_page_are_rules(tmp_path: Path) -> None:
    promtool = daemon.program("promtool", "/usr/bin")
    rules = tmp_path / "rules.yml"
    rules.write_text(block("prometheus:", "yaml"))
    done = subprocess.run([promtool, "check", "rules", str(rules)], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 and "2 rules found" in done.stdout, done.stdout + done.stderr
    shown = Shown()
    shown.sink.write(sinks.one_of_each())
    names = {name for name, _labels, _value in shown.all()}
    shown.sink.close()
    assert set(re.findall(r"judder_\w+", section("prometheus:"))) <= names
