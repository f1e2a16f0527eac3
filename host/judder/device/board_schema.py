"""What may stand in a board.toml: one table, which the reader checks against and the error messages quote."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from judder.device import radio_parts, sensor_parts
from judder.device.chips import CHIPS
from judder_core import schema

MPY_ARCHITECTURES = ("xtensawin", "rv32imc", "x64", "x86", "armv6m", "armv7m", "armv7emsp", "armv7emdp")


@dataclass(frozen=True)
class Key:
    """One key. check(value) -> is it allowed; allowed: the same in words, for people who got it wrong."""

    check: Callable[[Any], bool]
    allowed: str
    required: bool = False


def _integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: type(value) is not bool and value in values


def _match(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _words(values: tuple[Any, ...]) -> str:
    return ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)


_SIZES = (4, 8, 16, 32)
_PIN_NAMES = (
    *("led", "boot_button", "spi_sck", "spi_mosi", "spi_miso", "spi_cs"),
    *("i2c_scl", "i2c_sda", "battery_adc", "onewire", "temperature_cs"),
)
_PIN = Key(_integer(0, 48), "a GPIO number, 0 to 48")
_TEXT = Key(lambda value: isinstance(value, str) and bool(value.strip()), "a text that is not empty")
_RATIO = Key(_integer(1, 1000), "an integer from 1 to 1000", required=True)


def _choice(values: tuple[Any, ...], required: bool = False) -> Key:
    return Key(_one_of(*values), "one of " + _words(values), required)


def _enable(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict) and set(row) == {"pin", "level"} and _PIN.check(row["pin"]) and _LEVEL.check(row["level"])
        for row in value
    )


_FLAG = Key(lambda value: type(value) is bool, "true or false")
_LEVEL = _choice((0, 1))


TABLES: dict[str, dict[str, Key]] = {
    "board": {
        "name": Key(_match(r"[a-z0-9]+(-[a-z0-9]+)*"), "small letters, digits and single dashes", required=True),
        "number": Key(_integer(1, 65535), "an integer from 1 to 65535, different for every board", required=True),
        "title": Key(_TEXT.check, _TEXT.allowed, required=True),
        "chip": _choice(tuple(CHIPS), required=True),
        "mcu": _TEXT,
        "notes": _TEXT,
    },
    "flash": {"size_mb": _choice(_SIZES, required=True)},
    "build": {"mpy_arch": _choice(MPY_ARCHITECTURES)},
    "micropython": {
        "minimum": Key(_match(r"1\.\d+(\.\d+)?"), 'a release such as "1.24"'),
        "page": Key(_match(r"https?://\S+"), "a web address"),
        "url": Key(_match(r"https?://\S+"), "a web address"),
        "sha256": Key(_match(r"[0-9a-f]{64}"), "64 hexadecimal digits, small letters"),
        "synthetic": _FLAG,
    },
    "pins": dict.fromkeys(_PIN_NAMES, _PIN),
    "sensors": {
        "vibration": _choice(schema.VIBRATION_SENSORS, required=True),
        "temperature": _choice(schema.TEMPERATURE_SENSORS, required=True),
        "spi_id": _choice((1, 2)),
        "i2c_id": _choice((0, 1)),
        "i2c_tmp117": Key(_integer(0x48, 0x4B), "an address from 0x48 to 0x4b (the ADD0 pin decides)"),
        "vibration_bus": _choice(sensor_parts.BUSES),
        "vibration_address": Key(
            _one_of(*sensor_parts.ADDRESSES), "one of " + ", ".join(f"0x{one:02x}" for one in sensor_parts.ADDRESSES)
        ),
        "rtd": _choice(("pt100", "pt1000")),
        "rtd_wires": _choice((2, 3, 4)),
        "rtd_reference_ohm": Key(
            _integer(100, 10000), "the resistor beside the chip, 100 to 10000 (often 430 or 4300)"
        ),
        "mains_hz": _choice((50, 60)),
    },
    "radio": {
        "chip": _choice(tuple(radio_parts.PARTS), required=True),
        "spi_id": _choice((1, 2)),
        **dict.fromkeys(radio_parts.PIN_KEYS, _PIN),
        "tcxo_mv": _choice(radio_parts.TCXO_MV),
        "dio2_switch": _FLAG,
        "enable": Key(_enable, "a list such as [{ pin = 21, level = 0 }]: pins to set, and the level that switches on"),
        "pmu": _choice(("axp",)),
        "pa_gain_db": Key(_integer(0, 30), "an integer from 0 to 30"),
        "uart_id": _choice((1, 2)),
        "baudrate": _choice((4800, 9600, 14400, 19200, 38400, 57600, 76800, 115200, 230400)),
    },
    "battery": {"numerator": _RATIO, "denominator": _RATIO},
}
REQUIRED_TABLES = ("board", "flash", "sensors")


def nearest(word: str, words: Any) -> str:
    """ "; did you mean 'x'?" or nothing."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def problems(document: dict[str, Any]) -> list[str]:
    """Everything wrong with a parsed board.toml by itself, in the order of the table; empty when it is sound."""
    found = []
    for table, rows in document.items():
        if table not in TABLES:
            found.append(f"[{table}]: unknown table{nearest(table, TABLES)} (there are {', '.join(TABLES)})")
        elif not isinstance(rows, dict):
            found.append(f"[{table}]: must be a table of keys")
        else:
            found += _row_problems(table, rows)
    for table in REQUIRED_TABLES:
        if table not in document:
            found.append(f"[{table}]: missing")
    return found


def _row_problems(table: str, rows: dict[str, Any]) -> list[str]:
    keys = TABLES[table]
    found = []
    for name, value in rows.items():
        if name not in keys:
            found.append(f"[{table}] {name}: unknown key{nearest(name, keys)} (there are {', '.join(keys)})")
        elif not keys[name].check(value):
            found.append(f"[{table}] {name} = {value!r}: must be {keys[name].allowed}")
    for name, key in keys.items():
        if key.required and name not in rows:
            found.append(f"[{table}] {name}: missing, must be {key.allowed}")
    return found
