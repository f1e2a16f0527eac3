"""Blocks of samples handed to a program on MicroPython: a file of int16 and a file of where each block is in it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.device.target import Target

LOW, HIGH = -32768, 32767


@dataclass(frozen=True)
class Case:
    """A block by name, and how many samples into a buffer it starts, which decides how it is aligned."""

    name: str
    block: np.ndarray
    offset: int = 0


def counts(signal: np.ndarray) -> np.ndarray:
    """A signal as a 16-bit sensor gives it: rounded and clipped."""
    return np.clip(np.round(signal), LOW, HIGH).astype(np.int16)


def answers(device: Target, program: str, modules: Path, cases: list[Case], folder: Path) -> list[list[int]]:
    """What a program prints for each case, as numbers."""
    first = 0
    lines = []
    for case in cases:
        lines.append(f"{first} {len(case.block)} {case.offset}\n")
        first += len(case.block)
    (folder / "samples").write_bytes(np.concatenate([case.block for case in cases]).astype("<i2").tobytes())
    (folder / "cases").write_text("".join(lines))
    printed = device.output(program, modules, folder / "samples", folder / "cases").splitlines()
    assert len(printed) == len(cases)
    return [[int(word) for word in line.split()] for line in printed]
