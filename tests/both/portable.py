"""What tests that run on CPython and MicroPython need: no pytest, plain functions and asserts."""

import json


def root() -> str:
    """Folder of the repository."""
    path = __file__.replace("\\", "/")
    folder = path.rsplit("/", 1)[0] if "/" in path else "."
    return folder + "/../.."


class Skipped(Exception):
    """This test cannot run here; the message says why."""


def skip(reason: str) -> None:
    """Leave the test, under pytest or under run.py."""
    try:
        import pytest
    except ImportError:
        raise Skipped(reason)
    pytest.skip(reason)


def raises(kind, function, *arguments):
    """Call it; the error it must raise, which must be of this kind."""
    try:
        result = function(*arguments)
    except kind as error:
        return error
    raise AssertionError("expected %s, got %r" % (kind.__name__, result))


def load_json(path: str):
    """A JSON file below the repository, or None where it is absent."""
    try:
        with open(root() + "/" + path, encoding="utf-8") as file:
            return json.load(file)
    except OSError:
        return None


class Random:
    """Same numbers on every runtime: xorshift32 (Marsaglia 2003, shifts 13, 17, 5)."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        """An integer of 0..limit - 1, limit up to 2^32."""
        x = self._state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._state = x
        return x % limit

    def choose(self, options):
        return options[self.below(len(options))]

    def bytes(self, length: int) -> bytes:
        return bytes([self.below(256) for _ in range(length)])


def mutate(rng: Random, frame: bytes) -> bytes:
    """A frame with one to three faults: bytes changed, bits flipped, cut, inserted, repeated."""
    data = bytearray(frame)
    for _ in range(1 + rng.below(3)):
        if not data:
            return rng.bytes(1 + rng.below(8))
        at = rng.below(len(data))
        fault = rng.below(6)
        if fault == 0:
            data[at] = rng.below(256)
        elif fault == 1:
            data[at] ^= 1 << rng.below(8)
        elif fault == 2:
            data = data[:at]
        elif fault == 3:
            data = data[:at] + rng.bytes(1 + rng.below(3)) + data[at:]
        elif fault == 4:
            data = data[:at] + data[at + 1 :]
        else:
            # Heads are where a decoder goes wrong: any length form, tags, floats, breaks.
            data[at] = rng.choose((0x18, 0x19, 0x1A, 0x1B, 0x38, 0x5F, 0x7F, 0x9F, 0xBF, 0x98, 0xC1, 0xF9, 0xFB, 0xFF))
    return bytes(data)
