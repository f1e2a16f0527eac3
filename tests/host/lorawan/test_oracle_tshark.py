"""Frames through Wireshark's dissector: every MIC good, every payload and MAC command as it was put in.

Uplinks, join requests and join accepts (in clear, as the node deciphers them) are the node's; downlinks the network
server's, and the node has to read in them what tshark reads.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import oracle_cases
import pytest
from oracle_cases import Case
from tests.tools import tshark

from node.link.lorawan import frames

RUNS = 56 if os.environ.get("JUDDER_FULL") else 10
PER_RUN = 200
FIELDS = (
    "lorawan.mic.status",
    "lorawan.mhdr.mtype",
    "lorawan.fhdr.fcnt",
    "lorawan.fport",
    "lorawan.frmpayload_decrypted",
    "lorawan.mac_command_uplink",
    "lorawan.mac_command_downlink",
)
GOOD = "1"
# MAC commands that tshark 4.0 knows, L2 1.0.4 section 5: CID and bytes after it.
UP = {0x02: 0, 0x03: 1, 0x04: 0, 0x05: 1, 0x06: 2, 0x07: 1, 0x08: 0}
DOWN = {0x02: 2, 0x03: 4, 0x04: 1, 0x05: 4, 0x06: 0, 0x07: 5, 0x08: 1}


@pytest.fixture(autouse=True)
def there() -> None:
    if tshark.find() is None:
        message = "tshark not available: apt install tshark"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


class Run:
    """Frames of one identity: `wires`, and of each what tshark should print, `wanted`. port_0: all are on port 0."""

    def __init__(self, rng: random.Random, port_0: bool) -> None:
        self.rng = rng
        self.port_0 = port_0
        self.addr, self.join_eui = rng.randbytes(4), rng.randbytes(8)
        self.nwk, self.app = rng.randbytes(16), rng.randbytes(16)
        self.cases: list[Case] = []
        self.wires: list[bytes] = []
        self.wanted: list[list[str]] = []
        for _ in range(PER_RUN):
            kind = "up" if port_0 else rng.choice(("up", "up", "up", "down", "down", "join", "accept"))
            self._add(rng.choice(("up", "down")) if port_0 else kind)

    def _add(self, kind: str) -> None:
        rng = self.rng
        if kind in ("join", "accept"):
            case = oracle_cases.make(rng, kind)
            case |= {"key": self.app.hex(), "join_eui": self.join_eui.hex(), "addr": self.addr.hex()}
            self._put(case, [GOOD, "0" if kind == "join" else "1", "", "", "", "", ""])
            return
        case = oracle_cases.data(rng, kind, 0x10000)
        case |= {"nwk": self.nwk.hex(), "app": self.app.hex(), "addr": self.addr.hex()}
        known = UP if kind == "up" else DOWN
        fopts = b"" if self.port_0 else self._commands(known, 15)
        payload = self._commands(known, tshark.LONGEST) if self.port_0 else bytes.fromhex(case["payload"])
        payload = payload[: tshark.LONGEST - len(fopts)]
        case |= {"fopts": fopts.hex(), "payload": payload.hex()}
        case["port"] = 0 if self.port_0 else case["port"] or 9
        kinds = ("2", "4") if kind == "up" else ("3", "5")
        listed = ",".join(str(cid) for cid in self._cids(known, payload if self.port_0 else fopts))
        self._put(
            case,
            [
                GOOD,
                kinds[case["confirmed"]],
                str(case["fcnt"]),
                f"0x{case['port']:02x}",
                "" if self.port_0 else payload.hex() or "<MISSING>",
                listed if kind == "up" else "",
                listed if kind == "down" else "",
            ],
        )

    def _put(self, case: Case, wanted: list[str]) -> None:
        kind = case["kind"]
        wire = oracle_cases.node_makes(case) if kind in ("up", "join") else oracle_cases.network_makes(case)
        if kind == "accept":
            key = oracle_cases.key(case["key"])
            assert not isinstance(frames.join_accept(key, wire), int)
            wire = wire[:1] + b"".join(bytes(key.encrypt(wire[at : at + 16])) for at in range(1, len(wire), 16))
        self.cases.append(case)
        self.wires.append(wire)
        self.wanted.append(wanted)

    def _commands(self, known: dict[int, int], most: int) -> bytes:
        """Whole ones; on port 0 at least one."""
        out = b""
        for _ in range(self.rng.randrange(1 if self.port_0 else 0, 12)):
            cid = self.rng.choice(list(known))
            if len(out) + 1 + known[cid] <= most:
                out += bytes((cid,)) + self.rng.randbytes(known[cid])
        return out

    @staticmethod
    def _cids(known: dict[int, int], data: bytes) -> list[int]:
        found, at = [], 0
        while at < len(data):
            found.append(data[at])
            at += 1 + known[data[at]]
        return found

    def read(self, folder: Path) -> list[list[str]]:
        app = self.nwk if self.port_0 else self.app
        return tshark.read(folder, self.wires, self.addr, self.nwk, app, self.join_eui, FIELDS)


def test_every_mic_is_good_and_every_payload_as_it_was(tmp_path: Path) -> None:
    rng = random.Random(270)
    seen: Counter[str] = Counter()
    for number in range(RUNS):
        run = Run(rng, port_0=number % 4 == 3)
        for case, wanted, found in zip(run.cases, run.wanted, run.read(tmp_path), strict=True):
            assert found == wanted, case
            seen["port 0" if run.port_0 else case["kind"]] += 1
        for case, wire in zip(run.cases, run.wires, strict=True):
            if case["kind"] == "down":
                got = oracle_cases.node_reads(case, wire, case["fcnt"] - 1)
                assert isinstance(got, dict)
                assert (got["port"], got["payload"], got["fopts"]) == (case["port"], case["payload"], case["fopts"])
    print(f"\ntshark: {RUNS * PER_RUN} frames, MIC good in every one; {dict(seen)}")
    assert min(seen.values()) > RUNS * PER_RUN // 20


def test_tshark_sees_a_wrong_mic_and_a_wrong_key(tmp_path: Path) -> None:
    """The control: not everything is good to it."""
    run = Run(random.Random(5), port_0=False)
    run.wires = [wire[:-1] + bytes((wire[-1] ^ 1,)) for wire in run.wires]
    assert {found[0] for found in run.read(tmp_path)} == {"0"}
    run = Run(random.Random(6), port_0=False)
    run.app = bytes(16)
    wrong = [found != wanted for found, wanted in zip(run.read(tmp_path), run.wanted, strict=True)]
    assert sum(wrong) > PER_RUN * 3 // 4, "all but data frames without a payload"
