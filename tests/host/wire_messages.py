"""Random messages of every kind, and what goes wrong with them. Encoded by cbor2, canonically."""

from __future__ import annotations

import random
from typing import Any

import cbor2

from judder_core import schema, settings

_TEXTS = ("", "pump 3", "Süd", "泵 🛠", "\x00\x7f", "__proto__", "constructor", "7", "\ud7ff\ue000\U0010ffff")
_WIDE = (
    0,
    23,
    24,
    255,
    256,
    65535,
    65536,
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) - 1,
    1 << 53,
    (1 << 53) + 1,
    (1 << 64) - 1,
)
_HEADS = bytes.fromhex("18191a1b38393a3b40585f60787f8081989fa0a1b8bfc1f4f5f6f7f8f9fafbff")


def item(rng: random.Random, depth: int = 0) -> Any:
    """Anything the contract's CBOR carries, as an item of a newer node might be."""
    what = rng.randrange(9 if depth < 2 else 6)
    if what < 2:
        return rng.choice((rng.choice(_WIDE), rng.randrange(1 << 64)))
    if what == 2:
        return -1 - rng.choice((rng.choice(_WIDE), rng.randrange(1 << 64)))
    if what == 3:
        return rng.randbytes(rng.choice((0, 1, 4, 30)))
    if what == 4:
        return rng.choice(_TEXTS)
    if what == 5:
        return rng.choice((None, True, False))
    if what == 6:
        return [item(rng, depth + 1) for _ in range(rng.randrange(4))]
    keys = [rng.choice((rng.choice(_WIDE), rng.choice(_TEXTS))) for _ in range(rng.randrange(4))]
    return {key: item(rng, depth + 1) for key in keys}


def _value(rng: random.Random, row: tuple[Any, ...]) -> Any:
    name, type_, _unit, _divisor, low, high, meaning = row
    if rng.random() < 0.15:
        return None
    if type_ == "bytes":
        return rng.randbytes(2 * rng.choice((1, 2, 20)))
    if type_ == "map":
        known = [entry[0] for entry in settings.SETTINGS]
        keys = rng.sample([*known, 0, 300, 70000, 1 << 40], rng.randrange(6))
        return {key: rng.choice((rng.randrange(-5, 70000), "word", "", b"\x01\x02", 0)) for key in keys}
    if name == "state":
        return rng.choice((0, 0x21, 0x53, 0x48, 0x274, 0x1F80, 0x400, 0x4C))
    if meaning.startswith(("index into", "bits of")) or name in ("axis", "metric", "count", "index"):
        return rng.randint(low, min(high, rng.choice((3, 9, 40, high))))
    near = rng.choice(
        (low, high, 0, 1, 23, 24, 99, 255, 256, 1000, 10203, 65535, 65536, -1, -25, rng.randint(low, high))
    )
    return min(high, max(low, near))


def message(rng: random.Random) -> bytes:
    """One good message, of any length it may have; a kind of a newer node now and then. Captures may contradict
    themselves."""
    kind, _name, rows = rng.choice((*schema.KINDS, (rng.choice((6, 9, 200, 222)), "", ())))
    if not rows:
        return cbor2.dumps([kind, *(item(rng) for _ in range(rng.randrange(5)))], canonical=True)
    count = rng.choice((1, 4, len(rows), rng.randint(1, len(rows))))
    values = [_value(rng, row) for row in rows[:count]]
    while values[0] is None:
        values[0] = _value(rng, rows[0])
    if count == len(rows):
        values += [item(rng) for _ in range(rng.choice((0, 0, 0, 1, 3)))]
    return cbor2.dumps([kind, *values], canonical=True)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The same with one to three faults, some of which do no harm."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(out)) if out else 0
        fault = rng.randrange(6)
        if fault == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif fault == 1:
            del out[at:]
        elif fault == 2:
            del out[at : at + 1]
        elif fault == 3:
            out[at:at] = rng.randbytes(rng.randint(1, 3))
        elif fault == 4:
            out += rng.randbytes(rng.randint(1, 4))
        else:
            out[at : at + 1] = bytes([rng.choice(_HEADS)])
    return bytes(out)


def command(rng: random.Random) -> dict[str, Any]:
    """What encode_command() is given: good, or with something wrong."""
    wanted: dict[str, Any] = {
        "tag": rng.choice((0, 23, 24, 255, 256, 65536, (1 << 32) - 1, -1, 1 << 32, None, "1", True))
    }
    if rng.random() < 0.8:
        wanted["tag"] = rng.randrange(1 << 32)
    what = rng.randrange(8)
    if what < 5:
        rows = rng.sample(settings.SETTINGS, rng.choice((0, 1, 1, 2, 5)))
        wanted["settings"] = {row[1]: _setting(rng, row) for row in rows}
    if what in (5, 7):
        wanted["request"] = rng.choice((*schema.REQUESTS, "capture", "captures", "", 1))
        if wanted["request"] == "capture" or rng.random() < 0.1:
            wanted["axis"] = rng.choice(("x", "y", "z", "z", "none", "w", None))
    if what > 5:
        wanted["reboot"] = rng.choice((True, True, False))
    return wanted


def _setting(rng: random.Random, row: tuple[Any, ...]) -> Any:
    _key, _name, kind, low, high, _default, _secret, _meaning = row
    if rng.random() < 0.1:
        return rng.choice((None, True, False, 0, -1, 1.5, "", "on", "x" * 70, [1], {}, "1e3", "0x10", " 5", "+5"))
    if kind == "choice":
        name = rng.choice(low)
        return int(name) if name.isdigit() and rng.random() < 0.5 else name
    if kind == "int":
        value = rng.choice((low, high, low - 1, high + 1, rng.randint(low, high), rng.randint(low, high)))
        return str(value) if rng.random() < 0.3 else value
    return rng.choice(
        ("", "pump 3", "Süd 泵 🛠", "é" * 32, "é" * 32 + "x", "a\nb", "00" * 8, "\x7f", "a" * 64, "a" * 65)
    )
