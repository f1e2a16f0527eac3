#!/usr/bin/env python3
"""What flashing and provisioning cost on the wire: bytes each way and turns (round trips), counted by the board itself.

Counts, not times: they are the same on every computer. The last columns are arithmetic (10 bits a byte), to compare
with a real port; a USB bridge adds its latency once a turn.
    python tests/bench/bench_wire.py
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from judder.device import boards, images, profile
from judder.device.flash import flash
from judder.device.provision import provision
from judder.virtual import factory
from judder.virtual.board import VirtualBoard

BAUDS = (115_200, 460_800, 921_600)


@dataclass(frozen=True)
class Budget:
    """Most a run may cost."""

    bytes_out: int
    turns: int


# esptool alone, same size of firmware, as measured for the design: with the stub 1 069 816 B and 77 turns, nothing to
# write 9.3 KB. The application slot, the stub's upload and one MD5 a region come on top; the ROM takes 1 KB a turn.
FIRST = Budget(1_250_000, 260)
AGAIN = Budget(13_000, 120)
ROM = Budget(1_250_000, 1_450)
# Six calls of two or three turns each; a settings record of 60 bytes, in hex, and the calls' own text.
PROVISION = Budget(1_200, 40)


def measure(board: VirtualBoard, work: Callable[[], object]) -> dict[str, int]:
    """Difference of the board's counters over `work`."""
    before = board.counters.snapshot()
    work()
    after = board.counters.snapshot()
    return {name: after[name] - before[name] for name in after}


def main() -> int:
    board = boards.load(boards.DEFAULT)
    made = images.build(board)
    print(f"{'run':34} {'to board':>10} {'from board':>10} {'turns':>6} {'sectors':>8}  " + _headings())
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, stub, file, budget in (
            ("flash, blank chip", True, "a", FIRST),
            ("flash again, nothing changed", True, "a", AGAIN),
            ("flash, blank chip, no stub", False, "b", ROM),
        ):
            with VirtualBoard(Path(folder) / file) as virtual:

                def run(port: str = virtual.port, stub: bool = stub) -> None:
                    flash(port, board, images=made, stub=stub, wait_hello=False)

                counts = measure(virtual, run)
            failed += _row(name, counts, budget)
        ready = factory.make_flash(Path(folder) / "c", board, made, None)
        with VirtualBoard(ready) as virtual:
            wanted = profile.from_table({"mode": "continuous", "label": "pump 3"})
            counts = measure(virtual, lambda: provision(virtual.port, wanted, keys=None))
        failed += _row("provision, self-test included", counts, PROVISION)
    for text in failed:
        print(text, file=sys.stderr)
    return 1 if failed else 0


def _headings() -> str:
    return "".join(f"{f's at {baud}':>13}" for baud in BAUDS)


def _row(name: str, counts: dict[str, int], budget: Budget) -> list[str]:
    """Print it; what is over budget."""
    total = counts["bytes_in"] + counts["bytes_out"]
    times = "".join(f"{10 * total / baud:13.1f}" for baud in BAUDS)
    row = (counts["bytes_in"], counts["bytes_out"], counts["turns"], counts["sectors_erased"])
    print(f"{name:34} {row[0]:10} {row[1]:10} {row[2]:6} {row[3]:8}  {times}")
    if counts["bytes_in"] <= budget.bytes_out and counts["turns"] <= budget.turns:
        return []
    return [f"{name}: more than {budget.bytes_out} bytes or {budget.turns} turns"]


if __name__ == "__main__":
    sys.exit(main())
