"""The files for The Things Network's device repository: by its rules, their examples true, their figures ours.

Rules: github.com/TheThingsNetwork/lorawan-devices, README.md, lib/draft/schema.json, lib/payload.json, bin/validate.js;
put into our own words here, for that repository's contents are not free to copy.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.tools import javascript, npm_packages

import judder
from judder.integrate import generate
from node.link.lorawan import regions

FOLDER = Path(__file__).parents[2] / generate.TTN_FOLDER
VENDOR = FOLDER.name
# What an identifier is, in that repository.
IDENTIFIER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,}")
REGIONS = {
    "EU863-870": "eu868",
    "US902-928": "us915",
    "AU915-928": "au915",
    "AS923": "as923-1",
    "AS923-2": "as923-2",
    "AS923-3": "as923-3",
    "AS923-4": "as923-4",
    "IN865-867": "in865",
}
SENSORS = {"accelerometer", "battery", "surface temperature", "temperature", "velocity", "vibration", "voltage"}

TEXT = {"type": "string", "minLength": 1}
BYTES = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": 255},
    "minItems": 1,
    "maxItems": 256,
}
PORT = {"type": "integer", "minimum": 1, "maximum": 255}


def closed(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def choice(*words: str) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(words)}, "minItems": 1, "uniqueItems": True}


RULES = {
    "vendors": closed({"vendors": {"type": "array", "items": closed({"id": TEXT, "name": TEXT, "description": TEXT})}}),
    "vendor": closed(
        {
            "endDevices": {"type": "array", "items": TEXT, "minItems": 1},
            "profileIDs": {
                "type": "object",
                "propertyNames": {"pattern": r"^[0-9]+$"},
                "additionalProperties": closed({"id": TEXT, "codec": TEXT}),
            },
        }
    ),
    "device": closed(
        {
            "name": TEXT,
            "description": TEXT,
            "firmwareVersions": {
                "type": "array",
                "minItems": 1,
                "items": closed(
                    {
                        "version": TEXT,
                        "numeric": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF},
                        "features": choice("remote rejoin", "transmission interval"),
                        "profiles": {
                            "type": "object",
                            "propertyNames": {"enum": list(REGIONS)},
                            "additionalProperties": closed(
                                {"id": TEXT, "lorawanCertified": {"type": "boolean"}, "codec": TEXT}
                            ),
                        },
                    }
                ),
            },
            "sensors": choice(*SENSORS),
            "additionalRadios": choice("ble", "nfc", "wifi", "cellular"),
            "keyProvisioning": choice("custom", "join server", "manifest"),
            "keyProgramming": choice("bluetooth", "nfc", "wifi", "serial", "firmware"),
            "keySecurity": {"enum": ["none", "read protected", "secure element"]},
            "firmwareProgramming": choice("serial", "fuota lorawan", "fuota other"),
        }
    ),
    "profile": closed(
        {
            "macVersion": {"const": "1.0.4"},
            "regionalParametersVersion": {"enum": [f"RP002-1.0.{n}" for n in range(5)]},
            "supportsJoin": {"const": True},  # false asks for more fields
            "maxEIRP": {"type": "integer", "minimum": 0},
            "supports32bitFCnt": {"type": "boolean"},
            "supportsClassB": {"const": False},
            "supportsClassC": {"const": False},
        }
    ),
}
DECODED = {
    "type": "object",
    "properties": {"data": {"type": "object"}, "errors": {"type": "array", "items": TEXT}},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
DATA = closed({"data": {"type": "object"}})
SENT = closed({"fPort": PORT, "bytes": BYTES})


def examples(given: dict[str, Any], output: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    each = closed({"description": TEXT, "input": given, "output": output, **more}, *more)
    return closed(
        {"fileName": {"pattern": r"^[a-z0-9_-]+\.js$"}, "examples": {"type": "array", "items": each, "minItems": 1}}
    )


NORMALIZED = closed({"data": {"type": "array", "items": closed({"battery": {"type": "number", "minimum": 0}})}})
RULES["codec"] = closed(
    {
        "uplinkDecoder": examples(SENT, DECODED, normalizedOutput=NORMALIZED),
        "downlinkEncoder": examples(DATA, SENT),
        "downlinkDecoder": examples(SENT, DATA),
    }
)


def load(name: str, rule: str) -> Any:
    """A file of the folder; it keeps the rule of its kind."""
    path = FOLDER / name
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert not [error.message for error in Draft202012Validator(RULES[rule]).iter_errors(found)], name
    return found


def device() -> Any:
    return load(f"{load('index.yaml', 'vendor')['endDevices'][0]}.yaml", "device")


def test_index_names_what_is_there() -> None:
    assert [entry["id"] for entry in load("../index.yaml", "vendors")["vendors"]] == [VENDOR]
    index = load("index.yaml", "vendor")
    used = {profile["id"] for version in device()["firmwareVersions"] for profile in version["profiles"].values()}
    numbered = {entry["id"] for entry in index["profileIDs"].values()}
    assert used == numbered and len(index["profileIDs"]) == len(numbered)
    files = {path.name for path in FOLDER.iterdir()}
    wanted = {"index.yaml", "judder-codec.js", "judder-codec.yaml", *(f"{name}.yaml" for name in index["endDevices"])}
    assert files == wanted | {f"{name}.yaml" for name in used}
    for name in (VENDOR, *index["endDevices"], *used, "judder-codec"):
        assert IDENTIFIER.fullmatch(name) and len(name) <= 36
    # The repository's rule: a device's name is without its vendor's.
    assert VENDOR not in device()["name"].lower()


def test_versions_are_this_one() -> None:
    version = device()["firmwareVersions"][-1]
    major, minor, patch = (int(part) for part in judder.__version__.split("."))
    assert (version["version"], version["numeric"]) == (judder.__version__, major * 10000 + minor * 100 + patch)


def test_profiles_are_the_regions_of_the_firmware() -> None:
    profiles = device()["firmwareVersions"][-1]["profiles"]
    assert {REGIONS[name] for name in profiles} == set(regions.NAMES)
    for name, entry in profiles.items():
        profile = load(f"{entry['id']}.yaml", "profile")
        assert profile["maxEIRP"] == regions.find(REGIONS[name]).eirp_dbm, name
        assert entry["id"].rpartition("-")[2] == REGIONS[name].partition("-")[0]


@pytest.mark.parametrize("engine", javascript.ENGINES)
def test_examples_are_what_the_codec_says(engine: str) -> None:
    definition = load("judder-codec.yaml", "codec")
    calls: list[javascript.Call] = []
    expected = []
    routines = {
        "uplinkDecoder": "decodeUplink",
        "downlinkEncoder": "encodeDownlink",
        "downlinkDecoder": "decodeDownlink",
    }
    for part, routine in routines.items():
        assert (FOLDER / definition[part]["fileName"]).is_file()
        for example in definition[part]["examples"]:
            calls.append((routine, example["input"]))
            expected.append(example["output"])
            if "normalizedOutput" in example:
                calls.append(("normalizeUplink", example["output"]))
                expected.append(example["normalizedOutput"])
    try:
        answers = javascript.ENGINES[engine]((FOLDER / "judder-codec.js").read_text(encoding="utf-8"), calls)
    except npm_packages.Unavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    assert answers == expected
    kinds = {output["data"].get("kind") for output in expected if isinstance(output.get("data"), dict)}
    assert kinds >= {"reading", "alarm", "hello", "ack", "spectrum", "unknown"}


def test_a_file_that_breaks_a_rule_is_found() -> None:
    good = yaml.safe_load((FOLDER / "vibration-node.yaml").read_text(encoding="utf-8"))
    rule = Draft202012Validator(RULES["device"])
    for wrong in ({"sensors": ["noise"]}, {"name": ""}, {"colour": "red"}, {"firmwareVersions": []}):
        assert not rule.is_valid(good | wrong), wrong
