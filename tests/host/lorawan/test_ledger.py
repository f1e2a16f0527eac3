"""The account of a run: what is counted, what is told while it runs, what is printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from device_double import DeviceDouble, eui, run_all
from network import Network

from judder.cli import lorawan_table, sim_lorawan
from judder.cli.main import cli
from judder.errors import InputError
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import fleet, regions
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.ledger import Ledger


class Kept:
    def __init__(self, network: Network) -> None:
        self.lines: list[dict[str, Any]] = []
        self.ledger = Ledger(network.air, network.gateways, self.lines.append)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == kind]


def test_joins_uplinks_repetitions_and_downlinks() -> None:
    network = Network(gateways=2, dr=5)
    kept = Kept(network)
    device = network.device
    assert device.join()
    network.server.request(eui(1), mac.link_adr(15, 15, 0xFF, 0, 3))
    network.server.enqueue(eui(1), 9, b"down")
    for _ in range(3):
        device.sleep(60)
        device.send(b"hello", confirmed=True)
    device.sins.add("deaf")
    device.sleep(60)
    device.send(b"again")
    network.settle()
    network.assert_clean()
    account = kept.ledger.accounts["node-1"]
    row = account.to_dict()
    assert (row["joins"], row["join_requests"], row["uplinks"], row["lost"]) == (1, 1, 4, 0)
    assert row["transmissions"] == 1 + 3 + 3
    assert (row["downlinks"], row["acknowledged"]) == (3, 3)
    assert row["data_rates"] == {"SF7BW125": 7}
    sizes = [one["bytes"] for one in kept.lines if one["event"] in ("uplink", "join-request")]
    assert row["airtime_s"] == pytest.approx(sum(airtime_us(size, 7, 125_000) for size in sizes) / 1e6, abs=0.001)
    assert [one["event"] for one in kept.lines[:3]] == ["join-request", "join", "uplink"]
    assert [one.get("repeated", False) for one in kept.events("uplink")] == [False] * 4 + [True] * 2
    assert all(one["gateways"] == 2 for one in kept.events("uplink"))
    json.dumps(kept.lines)


def test_what_nobody_heard_is_lost_unless_a_repetition_was() -> None:
    network = Network(dr=5, adr=False)
    kept = Kept(network)
    device = network.device
    assert device.join()
    device.settings.nb_trans = 2
    near = network.air.path_loss
    for far in (True, False, True):
        device.sleep(60)
        network.air.path_loss = (lambda _a, _b: 300.0) if far else near
        device.send(b"x")
    assert kept.ledger.accounts["node-1"].to_dict()["lost"] == 2
    assert [one["gateways"] for one in kept.events("uplink")] == [0, 0, 1, 1, 0, 0]
    assert "rssi_dbm" not in kept.events("uplink")[0]


def test_others_downlinks_are_not_counted() -> None:
    network = Network(dr=5)
    kept = Kept(network)
    other = network.add(2, dr=5)

    def script(device: DeviceDouble) -> None:
        assert device.join(pause_s=7.0 * device.number)
        for _ in range(10):
            device.sleep(20)
            device.send(b"x", confirmed=True)

    run_all([(network.device, script), (other, script)])
    network.air.finish()
    for number, device in ((1, network.device), (2, other)):
        account = kept.ledger.accounts[f"node-{number}"]
        assert account.joins == 1, "another node's join-accept is not its own"
        assert account.downlinks <= 10
        assert account.acknowledged == account.downlinks
        assert device.fcnt_down + 1 >= account.downlinks > 0


def test_lines_and_table_for_people() -> None:
    network = Network(dr=5)
    kept = Kept(network)
    kept.ledger.add("node-9")
    device = network.device
    assert device.join()
    device.sleep(60)
    device.send(b"hello", confirmed=True)
    network.air.path_loss = lambda _a, _b: 300.0
    device.sleep(60)
    device.send(b"hello")
    lines = [lorawan_table.line(one) for one in kept.lines]
    assert all(lines)
    assert "join-request" in (lines[0] or "")
    assert "not heard" in (lines[-1] or "")
    assert lorawan_table.line({"event": "something new"}) is None
    outcome = fleet.Outcome(kept.ledger, [fleet._report(network.gateways[0])], violations=["12.000 s node: mask: off"])
    text = "\n".join(lorawan_table.table(outcome))
    assert "node-1" in text
    assert "node-9" in text
    assert "1 received" in text or "2 received" in text
    assert "against the rules: 12.000 s node: mask: off" in text
    quiet = {"event": "message", "node": "n", "time": "t", "kind": "reading"}
    assert lorawan_table.line(quiet) is None
    refused = {"event": "forwarder downlink", "gateway": "ab", "error": "TOO_LATE", "rate": "SF7BW125"}
    assert "refuses" in (lorawan_table.line(refused | {"frequency_hz": 868_100_000, "bytes": 9}) or "")


# --- identities and options


def test_identities_stay_and_no_key_is_shared(tmp_path: Any) -> None:
    first = fleet.keep_identities(tmp_path, ["node-000", "node-001"], 0)
    again = fleet.keep_identities(tmp_path, ["node-001", "node-002"], 1)
    assert again[0] == first[1]
    assert len({one.app_key for one in (*first, *again)}) == 3
    assert {len(one.app_key) for one in first} == {32}
    assert fleet.keep_identities(tmp_path, ["node-000"], 0) == first[:1]
    assert (tmp_path / "devices.csv").stat().st_mode & 0o077 == 0
    (tmp_path / "devices.csv").write_text("nonsense\n1,2\n")
    with pytest.raises(InputError, match=r"devices\.csv: cannot be used"):
        fleet.keep_identities(tmp_path, ["node-000"], 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--region", "EU433"], "there is no region 'EU433'"),
        (["--scenario", "x"], "there is no scenario 'x'"),
        (["--forward", "127.0.0.1:1700"], "--forward needs --state FOLDER"),
        (["--forward", "localhost", "--state", "s"], "give HOST:PORT"),
        (["--forward", "localhost:99999", "--state", "s"], "give HOST:PORT"),
        (["--to", "mqtt://127.0.0.1"], "--link lorawan takes no --to"),
        (["--pace", "2"], "--link lorawan takes no --to and no --pace"),
    ],
)
def test_options_that_do_not_fit(options: list[str], words: str) -> None:
    result = CliRunner().invoke(cli, ["sim", "--link", "lorawan", "--nodes", "1", *options])
    assert result.exit_code != 0
    assert words in str(result.exception) + result.output


def test_options_of_other_links() -> None:
    for options in (["--forward", "a:1"], ["--link", "mqtt"], ["--link", "console", "--to", "mqtt://127.0.0.1"]):
        result = CliRunner().invoke(cli, ["sim", *options])
        assert isinstance(result.exception, InputError), options


def test_an_address_may_be_ipv6() -> None:
    assert sim_lorawan._address("[::1]:1700") == ("::1", 1700)


def test_every_region_can_be_asked_for() -> None:
    for name in regions.PLANS:
        asked = sim_lorawan.request(2, "healthy", 1, None, name, 1, 2, 0.0, 1, 0, None, None)
        assert (asked.region, asked.values["interval_s"]) == (name, 300)
