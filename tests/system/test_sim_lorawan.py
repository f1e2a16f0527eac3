"""judder sim --link lorawan: the real firmware over radio models, an air, gateways and a network server."""

from __future__ import annotations

import base64
import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "host" / "lorawan"))
from test_forwarder import TXPK, Server

from judder.cli.main import cli
from judder.decode import decode
from judder.virtual.lorawan import crypto, frames
from judder.virtual.lorawan.frames import DataFrame, JoinAccept, JoinRequest


def sim(*options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["sim", "--link", "lorawan", "--json", *options])
    assert result.exit_code == 0, (result.exception, result.output[-2000:])
    return [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_nodes_join_report_and_keep_the_rules() -> None:
    lines = sim("--region", "EU868", "--nodes", "2", "--minutes", "6", "--interval", "60", "--gateways", "2")
    report = lines[-1]
    assert report["event"] == "report"
    assert report["violations"] == []
    assert report["set_aside"] == []
    assert report["bad_payloads"] == 0
    assert [node["node"] for node in report["nodes"]] == ["node-000", "node-001"]
    for node in report["nodes"]:
        assert node["joins"] == 1
        assert node["uplinks"] >= 4
        assert 0 < node["airtime_s"] < 60
    kinds = {line["kind"] for line in lines if line["event"] == "message"}
    assert {"hello", "reading"} <= kinds
    assert report["messages"] == sum(line["event"] == "message" for line in lines)
    assert sum(line["event"] == "join" for line in lines) == 2
    assert sum(gateway["received"] for gateway in report["gateways"]) > 0


class Lns:
    """A network server for several nodes, by the devices.csv of the simulation; acknowledges what is confirmed."""

    def __init__(self, server: Server, devices: Path) -> None:
        self.server = server
        self.devices = devices
        self.sessions: dict[int, tuple[bytes, bytes]] = {}
        self.nonces: dict[bytes, list[int]] = {}
        self.counters: list[tuple[int, int]] = []
        self.kinds: list[str] = []
        self._down = 0
        server.on_rxpk = self.take

    def app_key(self, dev_eui: bytes) -> bytes:
        with self.devices.open(newline="") as file:
            return next(
                bytes.fromhex(row["app_key"]) for row in csv.DictReader(file) if row["dev_eui"] == dev_eui.hex()
            )

    def take(self, packet: dict[str, Any]) -> None:
        phy = base64.b64decode(packet["data"])
        if frames.message_type(phy) == frames.JOIN_REQUEST:
            request = JoinRequest.parse(phy)
            key = self.app_key(request.dev_eui)
            assert request.is_authentic(key)
            self.nonces.setdefault(request.dev_eui, []).append(request.dev_nonce)
            number = sum(len(nonces) for nonces in self.nonces.values())
            self.sessions[number] = crypto.session_keys(key, number, 0, request.dev_nonce)
            self.send(packet, 5_000_000, JoinAccept(number, 0, number, 0, 1).build(key))
            return
        frame = DataFrame.parse(phy)
        keys = self.sessions[frame.dev_addr]
        assert frame.is_authentic(keys[0], frame.fcnt)
        self.counters.append((frame.dev_addr, frame.fcnt))
        if frame.port:
            self.kinds.append(decode(frame.plain(*keys, frame.fcnt)).kind)
        if frame.confirmed:
            self._down += 1
            down = DataFrame(frames.DOWN, frame.dev_addr, self._down, ack=True)
            self.send(packet, 1_000_000, down.build(*keys))

    def send(self, packet: dict[str, Any], later_us: int, phy: bytes) -> None:
        txpk = TXPK | {"tmst": (packet["tmst"] + later_us) % (1 << 32), "freq": packet["freq"], "datr": packet["datr"]}
        self.server.pull_resp({"txpk": txpk | {"size": len(phy), "data": base64.b64encode(phy).decode()}})


@pytest.mark.slow
def test_nodes_behind_a_forwarder_keep_their_session_from_run_to_run(tmp_path: Path) -> None:
    server = Server()
    try:
        lns = Lns(server, tmp_path / "devices.csv")
        options = ["--nodes", "1", "--minutes", "0.5", "--interval", "10", "--forward", f"127.0.0.1:{server.port}"]
        options += ["--state", str(tmp_path), "--scenario", "healthy"]
        first = sim(*options)
        assert {line["event"] for line in first} >= {
            "register",
            "forwarder connected",
            "join-request",
            "join",
            "uplink",
        }
        assert [node["joins"] for node in first[-1]["nodes"]] == [1]
        assert {"hello", "reading"} <= set(lns.kinds)
        joined, counters = {eui: list(nonces) for eui, nonces in lns.nonces.items()}, set(lns.counters)
        again = sim(*options)
        assert lns.nonces == joined, "no node had to join again"
        assert len(lns.counters) == len(set(lns.counters)) > len(counters), "no counter was used twice"
        assert again[-1]["violations"] == []
    finally:
        server.close()
