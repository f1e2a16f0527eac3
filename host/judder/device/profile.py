"""A profile: the settings a technician gives a node, as a TOML file.

    [settings]
    mode = "continuous"
    interval_s = 60
    link = "wifi"
    wifi_ssid = "plant"

`node_id`, `node_key` and `app_key` do not belong in it: the first comes from the chip, the keys are made for each node.
Session keys of LoRaWAN's ABP are the network's; a profile that holds them is for one node.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from judder.errors import InputError, SettingsError
from judder.zones import Machine
from judder_core import settings

Value = int | str | bytes
_MADE_HERE = ("node_id", "node_key", "app_key")


def from_table(table: Mapping[str, object]) -> dict[str, Value]:
    """Checked settings from names and TOML values. Raises SettingsError naming the setting and what it allows."""
    for name in _MADE_HERE:
        if name in table:
            raise SettingsError(f"'{name}' is made at provisioning and differs on every node; take it out", name)
    return {name: settings.from_text(name, value) for name, value in table.items()}


def load(path: Path) -> dict[str, Value]:
    """Settings of a profile file. Raises InputError (file, TOML, sections) and SettingsError (one setting, or two
    that contradict each other)."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the profile {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    unknown = sorted(set(document) - {"settings"})
    if unknown:
        raise InputError(f"{path}: unknown section or key '{unknown[0]}'; a profile has one section, [settings]")
    table = document.get("settings", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: [settings] must be a section with a line for each setting")
    try:
        values = from_table(table)
        made_later: dict[str, Value] = {"node_key": bytes(32), "app_key": bytes(16)}
        settings.check_together({**settings.defaults(), **made_later, **values})
        return values
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}", error.name) from error


def machine(values: Mapping[str, Value]) -> Machine:
    """The machine a profile describes; its `reason` says why it cannot be rated, where that is so."""
    return Machine.from_settings({**settings.defaults(), **values})


def describe() -> list[dict[str, str]]:
    """Every setting a profile may hold: name, what it allows (default included) and meaning, as text."""
    rows = []
    for _key, name, kind, low, high, default, _secret, meaning in settings.SETTINGS:
        if name in _MADE_HERE:
            continue
        if kind == "choice":
            assert isinstance(low, tuple) and isinstance(default, int)
            allowed = f"{', '.join(low)} [{low[default]}]"
        elif kind == "int":
            allowed = f"{low!r} to {high} [{default!r}]"
        elif kind == "text":
            allowed = f"text of {low!r} to {high} bytes"
        else:
            allowed = f"hex of {low!r} to {high} bytes"
        rows.append({"name": name, "allowed": allowed, "meaning": meaning})
    return rows
