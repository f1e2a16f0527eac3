"""Mutated events: an event or an InputError, never anything else, and the same with msgspec and without."""

import contextlib
import copy
import json
import os
import random
from typing import Any

import pytest
from tests.host import servers

from judder import decode
from judder.errors import DecodeError, InputError
from judder.flow import Uplink
from judder.ingest import chirpstack, envelope, events, tts

COUNT = 200_000 if os.environ.get("JUDDER_FULL") else 8_000
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    1e308,
    -0.0,
    2**31,
    2**32,
    2**64,
    10**400,
    "",
    "0",
    "x",
    "\x00",
    "é",
]
ODD += ["\ud800", "70b3d57ed0000001", "kAE=", "2026-07-18T09:34:15.9999999Z", "0001-01-01T00:00:00Z", "9" * 20]
ODD += [[], {}, [[]], {"": None}, [None], [5], {"lora": None}, {"lora": {}}, {"fsk": {"datarate": "x"}}]
ODD += ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-07-18"]
CORPUS = [vector["body"] for vector in servers.VECTORS]
KEYS = sorted({key for body in CORPUS for key in body} | {"devEUI", "result", "data", "error", "downlink"})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value within."""
    found = [path] if path else []
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


PLACES = [places(body) for body in CORPUS]


def reshaped(rng: random.Random) -> bytes:
    """An event with values replaced, taken away or added."""
    i = rng.randrange(len(CORPUS))
    body = copy.deepcopy(CORPUS[i])
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        path = rng.choice(PLACES[i])
        part = body
        try:
            for step in path[:-1]:
                part = part[step]
            choice = rng.randrange(4)
            if choice == 0:
                del part[path[-1]]
            elif choice == 1 and isinstance(part, dict):
                part[rng.choice(KEYS)] = copy.deepcopy(rng.choice(ODD))
            else:
                part[path[-1]] = copy.deepcopy(rng.choice(ODD))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    return json.dumps(body, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


PIECES = (b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\xff", b"1e9", b"null")
TEXTS = [servers.body(vector) for vector in servers.VECTORS]


def damaged(rng: random.Random) -> bytes:
    """The text of an event with bytes changed, lost, doubled or cut off."""
    text = bytearray(rng.choice(TEXTS))
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(text) + 1)
        choice = rng.randrange(5)
        if choice == 0:
            del text[at : at + rng.randrange(1, 9)]
        elif choice == 1:
            text[at:at] = rng.choice(PIECES)
        elif choice == 2:
            del text[at:]
        elif choice == 3:
            text[at:at] = text[at : at + rng.randrange(1, 60)]
        elif at < len(text):
            text[at] ^= 1 << rng.randrange(8)
    return bytes(text)


def outcome(parse: Any, body: bytes) -> Any:
    """The event, or the text of the InputError."""
    try:
        return parse(body)
    except InputError as error:
        assert "\n" not in str(error)
        return str(error)


def check(event: Any) -> None:
    """What everybody behind a parser relies on."""
    if isinstance(event, events.Foreign):
        event = event.uplink
    assert event.node == "" or (len(event.node) == 16 and event.node == event.node.lower())
    assert isinstance(event.received_at, float)
    if isinstance(event, Uplink):
        json.dumps(vars_of(event), allow_nan=False, ensure_ascii=False).encode()
        with contextlib.suppress(DecodeError):
            decode(event.payload)
    else:
        json.dumps(event.to_dict(), allow_nan=False, ensure_ascii=False).encode()


def vars_of(uplink: Uplink) -> dict[str, Any]:
    found = {name: getattr(uplink, name) for name in Uplink.__slots__}
    return found | {"payload": uplink.payload.hex()}


@pytest.mark.parametrize("mutate", [reshaped, damaged])
def test_mutated_events(mutate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(11)
    quick = chirpstack._quick
    assert quick is not None and envelope._quick is not None
    kinds: dict[str, int] = {}
    taken = 0
    for _ in range(COUNT):
        body = mutate(rng)
        found = [outcome(parse, body) for parse in (chirpstack.parse, tts.parse)]
        with monkeypatch.context() as without:
            without.setattr(chirpstack, "_quick", None)
            without.setattr(envelope, "_quick", None)
            assert [outcome(parse, body) for parse in (chirpstack.parse, tts.parse)] == found, body
        taken += quick(body) is not None
        for event in found:
            if isinstance(event, str):
                kinds["refused"] = kinds.get("refused", 0) + 1
            else:
                kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
                check(event)
    # The mutations reach every branch: nothing here is vacuous.
    assert taken > COUNT // 50
    assert set(kinds) == {"refused", "Uplink", "Join", "Status", "Downlink", "Log", "Other", "Foreign"}, kinds
