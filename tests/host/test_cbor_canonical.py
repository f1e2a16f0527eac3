"""Our encoder writes what cbor2 writes in canonical mode, byte for byte."""

import os
import random
from typing import Any

import cbor2

from judder_core import cbor, codec, schema

MESSAGES = 200_000 if os.environ.get("JUDDER_FULL") else 12_000
_EDGES = [0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, (1 << 64) - 1]


def integer(rng: random.Random) -> int:
    kind = rng.random()
    value = rng.choice(_EDGES) if kind < 0.3 else rng.randrange(1 << rng.randint(1, 64))
    return -1 - value if rng.random() < 0.4 else value


def text(rng: random.Random) -> str:
    return "".join(rng.choice("aZ09 é水𐅑\n") for _ in range(rng.choice((0, 1, 5, 23, 24, 30))))


def value(rng: random.Random, depth: int) -> Any:
    """A random value of the subset, at most `depth` containers deep."""
    pick = rng.randrange(9 if depth else 6)
    if pick <= 2:
        return integer(rng)
    if pick == 3:
        return rng.choice([None, True, False])
    if pick == 4:
        return rng.randbytes(rng.choice((0, 1, 23, 24, 40)))
    if pick == 5:
        return text(rng)
    if pick == 6:
        # Keys of one type: with both, cbor2 still sorts by length first, as RFC 7049 did.
        key = rng.choice([text, lambda rng: abs(integer(rng)) % (1 << 64), lambda rng: rng.randrange(300)])
        return {key(rng): value(rng, depth - 1) for _ in range(rng.randrange(6))}
    return [value(rng, depth - 1) for _ in range(rng.choice((0, 1, 3, 7)))]


def test_random_values_encode_as_cbor2_does() -> None:
    rng = random.Random(8949)
    for _ in range(MESSAGES):
        wanted = value(rng, 3)
        data = cbor.encode(wanted)
        assert data == cbor2.dumps(wanted, canonical=True), wanted
        assert cbor.decode(data, max_items=1000) == wanted


def test_random_messages_encode_as_cbor2_does() -> None:
    rng = random.Random(77)
    for _ in range(MESSAGES):
        kind, _name, rows = rng.choice([entry for entry in schema.KINDS if entry[0] not in (3, 16)])
        values: list[int | None] = [
            rng.choice([None, low, high, rng.randint(low, high), min(high, max(low, rng.randint(-30, 300)))])
            for _name, _type, _unit, _divisor, low, high, _meaning in rows[: rng.randint(1, len(rows))]
        ]
        values[0] = 0 if kind in (1, 2) else rng.randint(rows[0][4], rows[0][5])
        sent = values[: max(i for i, v in enumerate(values) if v is not None) + 1]
        assert codec.encode(kind, values) == cbor2.dumps([kind, *sent], canonical=True)


def test_mixed_map_keys_are_in_the_order_of_rfc8949() -> None:
    """Section 4.2.1: bytewise order of the keys' own encodings, here made by cbor2."""
    keys: dict[Any, int] = {100: 1, 10: 2, "aa": 3, "z": 4, 0: 5, 65536: 6, "": 7}
    ordered = dict(sorted(keys.items(), key=lambda entry: cbor2.dumps(entry[0])))
    assert cbor.encode(keys) == cbor2.dumps(ordered)
