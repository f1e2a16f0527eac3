"""judder.cddl, read by cddl-verifier: takes what the decoder takes, and no more but for what its head names."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import wire_messages
from cddl_verifier import Validator

from judder import decode
from judder.errors import DecodeError
from judder.integrate import generate

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "wire_v1.json").read_text())
# Reasons of the decoder that CDDL has no words for; the file's head names them.
BEYOND_CDDL = (
    "more than 256 items",
    "nested deeper than 4",
    "longer than 4096 bytes",
    "state: zone",
    "state: alarm level",
    "state: a clipped",
    "index: fragment",
    "data: reaches beyond",
    "no whole number of samples",
)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(ROOT / generate.CDDL, unique_choices=True)


def agree(validator: Validator, data: bytes) -> bool:
    """Whether both say the same of it, or CDDL cannot know."""
    taken = validator.validate(data, "message", require_deterministic=True).valid
    try:
        decode(data)
    except DecodeError as error:
        return not taken or any(words in error.reason for words in BEYOND_CDDL)
    return bool(taken)


@pytest.mark.parametrize("group", ["messages", "errors", "shortened"])
def test_vectors(validator: Validator, group: str) -> None:
    for vector in VECTORS[group]:
        if vector["hex"]:
            assert agree(validator, bytes.fromhex(vector["hex"])), vector["description"]


def test_most_errors_are_refused(validator: Validator) -> None:
    taken = [
        vector["description"]
        for vector in VECTORS["errors"]
        if vector["hex"]
        and validator.validate(bytes.fromhex(vector["hex"]), "message", require_deterministic=True).valid
    ]
    assert len(taken) <= 11, taken


def test_random_messages(validator: Validator) -> None:
    rng = random.Random(9)
    for _ in range(300):
        data = wire_messages.message(rng)
        assert agree(validator, data), data.hex()
        # Of damage, that which leaves well-formed CBOR.
        other = wire_messages.damaged(rng, data)
        assert not other or agree(validator, other), other.hex()
