"""Board descriptions: boards/<name>/board.toml -> Board, validated whole."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.device import assets, board_schema, radio_parts, sensor_parts
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
class Radio:
    """LoRa radio or modem. chip: a name from radio_parts.PARTS; pins are GPIO numbers.

    tcxo_mv: a TCXO on DIO3 and its supply (SX1262), or one that drives the chip (SX1276). dio2_switch, switch_rx,
    switch_tx: who turns the antenna switch. enable: (pin, level that switches on). pmu: "axp", an AXP192 or AXP2101 on
    the sensors' I2C bus feeds the radio. pa_gain_db: of an amplifier behind the chip. baudrate: of a modem.
    """

    chip: str
    spi_id: int | None = None
    sck: int | None = None
    mosi: int | None = None
    miso: int | None = None
    cs: int | None = None
    reset: int | None = None
    busy: int | None = None
    dio0: int | None = None
    dio1: int | None = None
    tcxo_mv: int | None = None
    dio2_switch: bool = False
    switch_rx: int | None = None
    switch_tx: int | None = None
    enable: tuple[tuple[int, int], ...] = ()
    pmu: str | None = None
    pa_gain_db: int = 0
    uart_id: int | None = None
    tx: int | None = None
    rx: int | None = None
    baudrate: int | None = None


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
    radio: Radio | None = None
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
        radio=_radio(document["radio"]) if "radio" in document else None,
        mcu=board.get("mcu", ""),
        notes=board.get("notes", ""),
    )


def _radio(table: dict[str, Any]) -> Radio:
    """A modem's speed is its maker's unless the board says otherwise."""
    enable = tuple((row["pin"], row["level"]) for row in table.get("enable", ()))
    baudrate = radio_parts.PARTS[table["chip"]].baudrate
    return Radio(**{"baudrate": baudrate, **table, "enable": enable})


def _wiring_problems(document: dict[str, Any]) -> list[str]:
    """What is wrong between keys that are each allowed by themselves."""
    chip = CHIPS[document["board"]["chip"]]
    pins: dict[str, int] = document.get("pins", {})
    sensors = document["sensors"]
    radio = document.get("radio")
    micropython = document.get("micropython", {})
    found = _pin_problems(chip, pins, {} if radio is None else radio_parts.pins(radio))
    found += sensor_parts.problems(sensors)
    bus = sensor_parts.vibration_bus(sensors["vibration"], sensors.get("vibration_bus"))
    needs = sensor_parts.needs(bus, sensors["temperature"])
    if "battery" in document:
        needs.append(("pins", "battery_adc"))
    if radio is not None:
        found += radio_parts.problems(radio, sensors)
        needs += radio_parts.needs(radio)
    for table, key in dict.fromkeys(needs):
        if key not in document.get(table, {}):
            allowed = board_schema.TABLES[table][key].allowed
            found.append(f"[{table}] {key}: missing, needed by what the board has; must be {allowed}")
    if "battery_adc" in pins and "battery" not in document:
        found.append("[battery]: missing, battery_adc needs its divider (numerator and denominator)")
    for table, rows in (("sensors", sensors), ("radio", radio or {})):
        for key, ids in (("spi_id", chip.spi_ids), ("uart_id", chip.uart_ids)):
            if rows.get(key) not in (None, *ids):
                found.append(f"[{table}] {key} = {rows[key]}: the {chip.title} has {', '.join(map(str, ids))}")
    if ("url" in micropython) != ("sha256" in micropython):
        found.append("[micropython] url and sha256: only ever together, a download without its hash is not trusted")
    return found


_MAY_BE_INPUT_ONLY = ("battery_adc", "boot_button", "spi_miso", *radio_parts.INPUTS)


def _pin_problems(chip: Chip, pins: dict[str, int], radio: dict[str, int]) -> list[str]:
    """Pins the chip has not, that cannot do what is asked of them, or that are used twice."""
    rows = [(f"[pins] {name}", name, pin) for name, pin in pins.items()]
    rows += [(f"[radio] {name}", name, pin) for name, pin in radio.items()]
    found = []
    for where, name, pin in rows:
        if pin not in chip.pins:
            found.append(f"{where} = {pin}: the {chip.title} has no such pin to offer (allowed: {_spans(chip.pins)})")
        elif pin in chip.input_only_pins and name not in _MAY_BE_INPUT_ONLY:
            found.append(f"{where} = {pin}: that pin of the {chip.title} is an input only")
        elif name == "battery_adc" and pin not in chip.adc_pins:
            found.append(f"{where} = {pin}: no ADC that works beside Wi-Fi (allowed: {_spans(chip.adc_pins)})")
    for where, _name, pin in rows:
        other = next((other for other, _, taken in rows if other != where and taken == pin), None)
        if other is not None:
            short = other.removeprefix("[pins] ") if where.startswith("[pins]") else other
            found.append(f"{where} = {pin}: {short} is on the same pin")
            break
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
