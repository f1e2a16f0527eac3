"""MicroPython of either word size on this computer, with the kernels built for it as a board's would be."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.tools import micropython32

from judder.device.build import compile_file

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
PROGRAMS = Path(__file__).with_name("programs")

# What the programs import; the rest of the firmware is the business of other rings.
MODULES = (
    "judder_core/__init__.py",
    "judder_core/errors.py",
    "judder_core/record.py",
    "node/__init__.py",
    "node/alarm/__init__.py",
    "node/alarm/threshold.py",
    # Every kernel and twin, so that a new one needs no line here.
    *(f"node/dsp/{path.name}" for path in sorted((FIRMWARE / "node" / "dsp").glob("*.py"))),
    # Drivers too, all but what touches pins.
    *(
        f"node/sensors/{path.name}"
        for path in sorted((FIRMWARE / "node" / "sensors").glob("*.py"))
        if path.name != "bus.py"
    ),
    "node/link/__init__.py",
    "node/link/lorawan/__init__.py",
    "node/link/lorawan/airtime.py",
    *(
        f"node/link/radio/{path.name}"
        for path in sorted((FIRMWARE / "node" / "link" / "radio").glob("*.py"))
        if path.name != "spi.py"
    ),
    "node/store/__init__.py",
    "node/store/outbox.py",
    "node/store/records.py",
)


@dataclass(frozen=True)
class Target:
    """One interpreter. bits: its word. arch: what mpy-cross calls it. argv: how to start it."""

    bits: int
    arch: str
    argv: tuple[str, ...]

    def build(self, folder: Path) -> Path:
        """Compile MODULES into a folder the programs can put on their path."""
        for module in MODULES:
            compile_file(FIRMWARE / module, folder / Path(module).with_suffix(".mpy"), self.arch)
        return folder

    def run(self, program: str, *arguments: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run programs/<program> with arguments. Nothing of this process's environment reaches it."""
        argv = [*self.argv, str(PROGRAMS / program), *map(str, arguments)]
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, env={"PATH": os.environ.get("PATH", "")}
        )

    def output(self, program: str, *arguments: object) -> str:
        """Standard output of a program that must end well."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, f"{program} on {self.bits} bit: {done.stdout[-500:]}{done.stderr[-2000:]}"
        return done.stdout


def target(bits: int) -> tuple[Target | None, str]:
    """The interpreter of a word size, or None and why it can't be had."""
    if bits == 32:
        argv = micropython32.command()
        return (Target(32, "x86", tuple(argv)), "") if argv else (None, micropython32.why())
    beside = Path(sys.executable).with_name("micropython")
    if beside.exists():
        return Target(64, "x64", (str(beside),)), ""
    return None, f"no micropython beside {sys.executable}: run make setup"
