"""explain(): every byte of any payload in exactly one part, and the words people need."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.host.test_decode_fast import mutated

from judder import decode, explain
from judder.errors import DecodeError
from judder_core import schema

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire_v1.json").read_text())


def covers(payload: bytes) -> bool:
    """Parts in order, without gap or overlap; says whether one is an error."""
    parts = explain(payload)
    assert "".join(part.hex for part in parts) == payload.hex()
    at = 0
    for part in parts:
        if part.hex:
            assert part.offset == at
        at += len(part.hex) // 2
        assert part.path and part.meaning and "\n" not in part.meaning
    return any(part.path == "error" for part in parts)


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda v: v["description"])
def test_good_messages_are_explained_to_the_last_byte(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if vector.get("extra"):  # of a decoder older than the node: with the table as short as it was then
        rows = len(vector["values"])
        kinds = [(kind, name, table[:rows] if kind == vector["kind"] else table) for kind, name, table in schema.KINDS]
        monkeypatch.setattr(schema, "KINDS", tuple(kinds))
    assert not covers(bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize("vector", VECTORS["errors"], ids=lambda v: v["description"])
def test_bad_messages_are_explained_up_to_the_error(vector: dict[str, str]) -> None:
    payload = bytes.fromhex(vector["hex"])
    assert covers(payload)
    assert explain(payload)[-1].path == "error"


def test_an_error_is_shown_exactly_when_decode_refuses() -> None:
    for payload in mutated(random.Random(12), 6000):
        try:
            decode(payload)
        except DecodeError:
            assert covers(payload), payload.hex()
        else:
            assert not covers(payload), payload.hex()


def test_words() -> None:
    parts = {part.path: part for part in explain(bytes.fromhex("86011828f619019f0700"))}
    assert parts["kind"].meaning == "1: reading, LoRaWAN port 2"
    assert parts["state"].meaning == "0x0028: zone not rated, alarm warning, worst axis x"
    assert parts["temperature"] == (5, "19019f", "temperature", "41.5 degC: temperature at the machine")
    assert parts["velocity_rms_worst"].meaning.startswith("absent")
    parts = {part.path: part for part in explain(bytes.fromhex("86020c011904602319"))}
    assert parts["error"].meaning == "the frame ends early"
    assert parts["value"].meaning.startswith("11.2 mm/s")


def test_secrets_are_not_shown() -> None:
    payload = bytes.fromhex("85100100f6a1025820") + b"\x5a" * 32
    assert any(part.path == "settings.node_key" and part.meaning.startswith("(set)") for part in explain(payload))


@pytest.mark.parametrize("wrong", [5, "820100", None, [130, 1, 0]])
def test_what_is_not_bytes_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a payload is bytes"):
        explain(wrong)
