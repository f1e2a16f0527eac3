"""Board descriptions: boards/<name>/board.toml -> Board, validated whole."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.device import assets, board_schema, sensor_parts
from judder.device.chips import CHIPS, Chip
from judder.errors import BoardError

DEFAULT = "virtual-esp32s3"


@dataclass(frozen=True)
class MicroPython:
    """Where the MicroPython image comes from.

    minimum: oldest release that works. page: where people download it. url, sha256: what `judder flash` may fetch by
    itself, only ever together. synthetic: a virtual board, which runs no code from the image.
    """

    minimum: str = "1.24"
    page: str = "https://micropython.org/download/"
    url: str | None = None
    sha256: str | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Pins:
    """GPIO numbers, None where the board has no such connection."""

    led: int | None = None
    boot_button: int | None = None
    spi_sck: int | None = None
    spi_mosi: int | None = None
    spi_miso: int | None = None
    spi_cs: int | None = None
    i2c_scl: int | None = None
    i2c_sda: int | None = None
    battery_adc: int | None = None
    onewire: int | None = None
    temperature_cs: int | None = None


@dataclass(frozen=True)
class Sensors:
    """What is wired. vibration, temperature: names from judder_core.schema. i2c_tmp117, vibration_address: 7 bits.

    vibration_bus: "spi" or "i2c", None for the part's usual one. rtd: "pt100" or "pt1000" behind a MAX31865, with
    rtd_wires leads and a reference resistor. mains_hz: which hum it filters out.
    """

    vibration: str
    temperature: str
    spi_id: int | None = None
    i2c_id: int | None = None
    i2c_tmp117: int | None = None
    vibration_bus: str | None = None
    vibration_address: int | None = None
    rtd: str | None = None
    rtd_wires: int | None = None
    rtd_reference_ohm: int | None = None
    mains_hz: int = 50


@dataclass(frozen=True)
class Battery:
    """Voltage divider in front of the ADC: battery voltage = pin voltage * numerator / denominator."""

    numerator: int
    denominator: int


@dataclass(frozen=True)
class Board:
    """One board.toml. number: what HELLO carries. flash_bytes: size the layout is made for."""

    name: str
    number: int
    title: str
    chip: Chip
    flash_bytes: int
    mpy_arch: str
    micropython: MicroPython
    pins: Pins
    sensors: Sensors
    battery: Battery | None
    path: Path
    mcu: str = ""
    notes: str = ""


def names() -> list[str]:
    """Boards that come with Judder."""
    return sorted(path.parent.name for path in assets.boards().glob("*/board.toml"))


def load(name_or_path: str | Path) -> Board:
    """Board by name, or by the path of a board.toml or of its folder.

    Raises BoardError naming file, key and allowed values; of several mistakes the first is named, the rest counted.
    """
    path = _locate(name_or_path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"{path}: is not valid TOML: {error}") from error
    found = board_schema.problems(document) or _wiring_problems(document)
    if found:
        more = f" (and {len(found) - 1} more in this file)" if len(found) > 1 else ""
        raise BoardError(f"{path}: {found[0]}{more}")
    return _board(document, path)


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(name_or_path)
        path = path / "board.toml" if path.is_dir() else path
        if not path.is_file():
            raise BoardError(f"{path}: no such file")
        return path
    known = names()
    if text not in known:
        hint = board_schema.nearest(text, known)
        raise BoardError(f"no board '{text}'{hint} (there are {', '.join(known)}; a path to a board.toml works too)")
    return assets.boards() / text / "board.toml"


def _board(document: dict[str, Any], path: Path) -> Board:
    board = document["board"]
    chip = CHIPS[board["chip"]]
    battery = document.get("battery")
    return Board(
        name=board["name"],
        number=board["number"],
        title=board["title"],
        chip=chip,
        flash_bytes=document["flash"]["size_mb"] << 20,
        mpy_arch=document.get("build", {}).get("mpy_arch", chip.mpy_arch),
        micropython=MicroPython(**document.get("micropython", {})),
        pins=Pins(**document.get("pins", {})),
        sensors=Sensors(**document["sensors"]),
        battery=Battery(**battery) if battery else None,
        path=path,
        mcu=board.get("mcu", ""),
        notes=board.get("notes", ""),
    )


def _wiring_problems(document: dict[str, Any]) -> list[str]:
    """What is wrong between keys that are each allowed by themselves."""
    chip = CHIPS[document["board"]["chip"]]
    pins: dict[str, int] = document.get("pins", {})
    sensors = document["sensors"]
    micropython = document.get("micropython", {})
    found = []
    for name, pin in pins.items():
        where = f"[pins] {name} = {pin}"
        if pin not in chip.pins:
            found.append(f"{where}: the {chip.title} has no such pin to offer (allowed: {_spans(chip.pins)})")
        elif pin in chip.input_only_pins and name not in ("battery_adc", "boot_button", "spi_miso"):
            found.append(f"{where}: that pin of the {chip.title} is an input only")
        elif name == "battery_adc" and pin not in chip.adc_pins:
            found.append(f"{where}: no ADC that works beside Wi-Fi (allowed: {_spans(chip.adc_pins)})")
    for name, pin in pins.items():
        other = next((other for other in pins if other != name and pins[other] == pin), None)
        if other is not None:
            found.append(f"[pins] {name} = {pin}: {other} is on the same pin")
            break
    found += sensor_parts.problems(sensors)
    bus = sensor_parts.vibration_bus(sensors["vibration"], sensors.get("vibration_bus"))
    needs = sensor_parts.needs(bus, sensors["temperature"])
    if "battery" in document:
        needs.append(("pins", "battery_adc"))
    for table, key in needs:
        if key not in document.get(table, {}):
            allowed = board_schema.TABLES[table][key].allowed
            found.append(f"[{table}] {key}: missing, needed by what the board has; must be {allowed}")
    if "battery_adc" in pins and "battery" not in document:
        found.append("[battery]: missing, battery_adc needs its divider (numerator and denominator)")
    if sensors.get("spi_id") not in (None, *chip.spi_ids):
        found.append(
            f"[sensors] spi_id = {sensors['spi_id']}: the {chip.title} has {', '.join(map(str, chip.spi_ids))}"
        )
    if ("url" in micropython) != ("sha256" in micropython):
        found.append("[micropython] url and sha256: only ever together, a download without its hash is not trusted")
    return found


def _spans(numbers: frozenset[int]) -> str:
    """{0,1,2,5} -> "0-2, 5"."""
    ordered = sorted(numbers)
    spans: list[list[int]] = []
    for number in ordered:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
