"""The node's frames and the network server's against npm's lora-packet: every byte made, every field read."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable

import oracle_cases
import pytest
from oracle_cases import Case
from tests.tools import npm_packages

FRAMES = 110_000 if os.environ.get("JUDDER_FULL") else 1500
BATCH = 10_000


@pytest.fixture(scope="module")
def lora_packet() -> Callable[[list[Case]], list[Case]]:
    """Cases -> answers of lora_packet.js."""
    try:
        npm_packages.run("lora_packet.js", [])
    except (npm_packages.Unavailable, OSError, subprocess.TimeoutExpired) as error:
        message = f"npm lora-packet not available: {error}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

    def ask(cases: list[Case]) -> list[Case]:
        answers = npm_packages.run("lora_packet.js", [json.dumps(case) for case in cases])
        assert len(answers) == len(cases)
        return [json.loads(answer) for answer in answers]

    return ask


def mismatches(rng: random.Random, cases: list[Case], ask: Callable[[list[Case]], list[Case]]) -> list[str]:
    """Where the node or the server disagrees with lora-packet; a line each. cases: those of uplinks get a `wire`."""
    for case in cases:
        if case["kind"] in ("up", "join"):
            case.setdefault("wire", oracle_cases.node_makes(case).hex())
    return [
        f"{what}: {case} {answer}"
        for case, answer in zip(cases, ask(cases), strict=True)
        for what in _wrong(rng, case, answer)
    ]


def _wrong(rng: random.Random, case: Case, answer: Case) -> list[str]:
    kind, made = case["kind"], answer["frame"]
    found = []
    if kind != "join" and oracle_cases.network_makes(case).hex() != made:
        found.append("the server makes another frame")
    if kind in ("up", "join"):
        if case["wire"] != made:
            found.append("the node makes another frame")
        expected = {name: case[name] for name in answer["read"] if name != "mic"} | {"mic": True}
        if kind == "up":
            expected["fcnt"] %= 0x10000
        if answer["read"] != expected:
            found.append("lora-packet reads another frame")
        return found
    # A downlink is told from its 16 bits: the newest one taken lies anywhere less than 65536 before it.
    last = max(case.get("fcnt", 0) - 1 - rng.choice((0, rng.randrange(0x10000))), -1)
    read = oracle_cases.node_reads(case, bytes.fromhex(made), last)
    names = ("join_nonce", "net_id", "addr", "settings", "delay", "cf_list")
    if kind == "down":
        names = ("fcnt", "confirmed", "fopts", "port", "payload")
    expected = {name: case[name] for name in names}
    expected |= {"control": oracle_cases.control(case)} if kind == "down" else {n: answer[n] for n in ("nwk", "app")}
    return found if read == expected else [*found, f"the node reads {read}"]


def test_random_frames(lora_packet: Callable[[list[Case]], list[Case]]) -> None:
    rng = random.Random(2026)
    seen: Counter[str] = Counter()
    for done in range(0, FRAMES, BATCH):
        cases = oracle_cases.mixed(rng, min(BATCH, FRAMES - done))
        found = mismatches(rng, cases, lora_packet)
        assert found == [], f"{len(found)} mismatches, the first: {found[0]}"
        for case in cases:
            seen[case["kind"]] += 1
            seen["without port"] += case.get("port", 1) is None
            seen["port 0"] += case.get("port") == 0
            seen["counter above 65535"] += case.get("fcnt", 0) > 0xFFFF
    print(f"\nlora-packet: {FRAMES} frames, 0 mismatches; {dict(seen)}")
    assert min(seen.values()) > FRAMES // 20


def test_the_comparison_sees_one_wrong_bit(lora_packet: Callable[[list[Case]], list[Case]]) -> None:
    """The control: any bit of an uplink, and a key that is another one, are found."""
    rng = random.Random(7)
    for case in (oracle_cases.make(rng, "up"), oracle_cases.make(rng, "join")):
        good = oracle_cases.node_makes(case)
        altered = []
        for bit in range(8 * len(good)):
            wire = bytearray(good)
            wire[bit // 8] ^= 1 << bit % 8
            # A frame that becomes another type lora-packet may not read at all.
            if bit >= 8 and not (case["kind"] == "up" and bit // 8 == 5):
                altered.append({**case, "wire": wire.hex()})
        assert len(mismatches(rng, altered, lora_packet)) == 2 * len(altered) > 100
    for kind in ("down", "accept"):
        case = oracle_cases.make(rng, kind)
        answer = lora_packet([case])[0]
        name = "nwk" if kind == "down" else "key"
        assert _wrong(rng, {**case, name: "00" * 16}, answer) != []
        assert _wrong(rng, case, answer) == []
