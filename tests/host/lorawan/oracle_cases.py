"""Random LoRaWAN 1.0 frames as fields, and what the node's MAC and the network server make of them.

A case is what tests/tools/lora_packet.js takes: hex as printed, frames as on the air.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from mac_on_air import Aes

from judder.virtual.lorawan.frames import CONFIRMED_DOWN, CONFIRMED_UP, DOWN, UP, DataFrame, JoinAccept
from node.link.lorawan import crypto, frames

Case = dict[str, Any]

_LONGEST = 242  # FOpts and payload together


def data(rng: random.Random, kind: str, counters: int = 1 << 32) -> Case:
    """A data frame: kind "up" or "down", of every shape there may be, FCnt below `counters`."""
    fopts = rng.randbytes(rng.choice((0, 0, 1, 5, 14, 15, rng.randrange(16))))
    port = rng.choice((None, 0, 1, 2, 223, rng.randrange(1, 224)))
    if port == 0:
        fopts = b""
    most = _LONGEST - len(fopts)
    size = 0 if port is None else min(most, rng.choice((0, 1, 11, 15, 16, 17, 51, most, rng.randrange(most + 1))))
    # Small counters, those beside a turn of the 16 bits, and any.
    near = rng.choice((0, 0x10000, 0x7FFF0000, 0xFFFF0000)) + rng.randrange(-3, 4)
    counter = rng.choice((rng.randrange(300), near % (1 << 32), rng.randrange(1 << 32))) % counters
    return {
        "kind": kind,
        "confirmed": rng.random() < 0.3,
        "nwk": rng.randbytes(16).hex(),
        "app": rng.randbytes(16).hex(),
        "addr": rng.randbytes(4).hex(),
        "fcnt": counter,
        "adr": rng.random() < 0.5,
        # The bit is ADRACKReq upwards only, FPending downwards only.
        "adr_ack_req": kind == "up" and rng.random() < 0.2,
        "ack": rng.random() < 0.3,
        "pending": kind == "down" and rng.random() < 0.3,
        "fopts": fopts.hex(),
        "port": port,
        "payload": rng.randbytes(size).hex(),
    }


def join(rng: random.Random) -> Case:
    """A join request."""
    return {
        "kind": "join",
        "key": rng.randbytes(16).hex(),
        "join_eui": rng.randbytes(8).hex(),
        "dev_eui": rng.randbytes(8).hex(),
        "dev_nonce": rng.choice((0, 1, 0xFF, 0x100, 0xFFFF, rng.randrange(0x10000))),
    }


def accept(rng: random.Random) -> Case:
    """A join accept, without OptNeg: with it the frame is one of LoRaWAN 1.1."""
    return {
        "kind": "accept",
        "key": rng.randbytes(16).hex(),
        "join_nonce": rng.choice((0, 1, 0xFFFFFF, rng.randrange(1 << 24))),
        "net_id": rng.randbytes(3).hex(),
        "addr": rng.randbytes(4).hex(),
        "settings": rng.randrange(0x80),
        "delay": rng.randrange(16),
        "cf_list": rng.choice((b"", rng.randbytes(16))).hex(),
        "dev_nonce": rng.randrange(0x10000),
    }


def mixed(rng: random.Random, count: int) -> list[Case]:
    """Of everything, data frames most."""
    return [make(rng, kind) for kind in rng.choices(("up", "down", "join", "accept"), (4, 4, 1, 1), k=count)]


def make(rng: random.Random, kind: str) -> Case:
    """Of that kind."""
    if kind == "join":
        return join(rng)
    return accept(rng) if kind == "accept" else data(rng, kind)


# --- the node


@lru_cache(maxsize=64)
def key(given: str) -> crypto.Key:
    return crypto.Key(Aes, bytes.fromhex(given))


def control(case: Case) -> int:
    """FCtrl without the length, L2 1.0.4 section 4.3.1."""
    return case["adr"] << 7 | case["adr_ack_req"] << 6 | case["ack"] << 5 | case["pending"] << 4


def node_makes(case: Case) -> bytes:
    """The frame of an uplink or join request, by the node's code."""
    if case["kind"] == "join":
        euis = bytes.fromhex(case["join_eui"]), bytes.fromhex(case["dev_eui"])
        return frames.join_request(key(case["key"]), *euis, case["dev_nonce"])
    into = bytearray(frames.PHY_BYTES)
    size = frames.uplink(
        into,
        key(case["nwk"]),
        key(case["app"]),
        bytes.fromhex(case["addr"]),
        case["fcnt"],
        case["confirmed"],
        control(case),
        bytes.fromhex(case["fopts"]),
        case["port"],
        bytes.fromhex(case["payload"]),
    )
    return bytes(into[:size])


def node_reads(case: Case, wire: bytes, last: int) -> Case | int:
    """What the node's code finds in a downlink or join accept; a reason where it takes none of it."""
    if case["kind"] == "accept":
        got = frames.join_accept(key(case["key"]), wire)
        if isinstance(got, int):
            return got
        nwk, app = frames.session_keys(key(case["key"]), got[0], got[1], case["dev_nonce"])
        names = ("join_nonce", "net_id", "addr", "settings", "delay", "cf_list")
        return {**dict(zip(names, map(_hex, got), strict=True)), "nwk": nwk.hex(), "app": app.hex()}
    address = bytes.fromhex(case["addr"])
    got = frames.downlink(wire, key(case["nwk"]), key(case["app"]), address, last, _LONGEST + 8)
    if isinstance(got, int):
        return got
    return dict(zip(("fcnt", "confirmed", "control", "fopts", "port", "payload"), map(_hex, got), strict=True))


def _hex(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


# --- the network server


def network_makes(case: Case) -> bytes:
    """The frame of a case, by the network server's code; of a join request none."""
    address = int(case["addr"], 16)
    if case["kind"] == "accept":
        cf_list = bytes.fromhex(case["cf_list"])
        made = JoinAccept(
            case["join_nonce"], int(case["net_id"], 16), address, case["settings"], case["delay"], cf_list
        )
        return made.build(bytes.fromhex(case["key"]))
    plain, confirmed = (UP, CONFIRMED_UP) if case["kind"] == "up" else (DOWN, CONFIRMED_DOWN)
    frame = DataFrame(
        confirmed if case["confirmed"] else plain,
        address,
        case["fcnt"],
        case["adr"],
        case["adr_ack_req"],
        case["ack"],
        case["pending"],
        bytes.fromhex(case["fopts"]),
        case["port"],
        bytes.fromhex(case["payload"]),
    )
    return frame.build(bytes.fromhex(case["nwk"]), bytes.fromhex(case["app"]))
