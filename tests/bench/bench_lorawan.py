#!/usr/bin/env python3
"""The LoRaWAN MAC: size of its .mpy, bytes of its state, air-time and receive windows, what a frame costs on 32 bits.

    python tests/bench/bench_lorawan.py

Exits with 1 when a budget is broken: 24 KiB of .mpy for the MAC and one region, 256 bytes of state.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "host"), str(ROOT / "firmware"), str(ROOT / "tests" / "both")]

import lorawan_states  # noqa: E402
from tests.tools import micropython32  # noqa: E402

from judder.device import build  # noqa: E402
from node.link.lorawan import airtime, regions  # noqa: E402

MAC = ROOT / "firmware" / "node" / "link" / "lorawan"
MPY_BYTES = 24 * 1024
STATE_BYTES = 256
ERROR_US = 20_000


# What of regions.py a node of one region needs; the file holds all of them, because a file takes whole 4 KB blocks.
MAKERS = {"eu868": ("_eu868",), "us915": ("_fixed", "_us915"), "au915": ("_fixed", "_au915")}
MAKERS |= {"as923-1": ("_as923",), "in865": ("_in865",)}


def with_one_region(source: str, region: str) -> str:
    """regions.py without the functions that make other regions."""
    tree = ast.parse(source)
    others = {name for makers in MAKERS.values() for name in makers} - set(MAKERS[region])
    tree.body = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name in others)]
    find = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "find")
    argument = "0" if region == "as923-1" else ""
    find.body = ast.parse(f"return {MAKERS[region][-1]}({argument})").body
    return ast.unparse(tree)


def sizes() -> int:
    print(".mpy for Xtensa, bytes (link.py, the shell around the MAC, is not counted):")
    total = tables = 0
    single = {}
    with tempfile.TemporaryDirectory(prefix="judder-bench-") as folder:

        def compiled(path: Path, name: str) -> int:
            return build.compile_file(path, Path(folder) / "x.mpy", "xtensawin", name)

        for path in sorted(MAC.glob("*.py")):
            if path.name == "link.py":
                continue
            name = path.relative_to(ROOT / "firmware").as_posix()
            size = compiled(path, name)
            total += size
            print(f"  {path.stem:12} {size:6}" + ("   all eight regions" if path.stem == "regions" else ""))
            if path.stem == "regions":
                tables = size
                for region in MAKERS:
                    alone = Path(folder) / "regions.py"
                    alone.write_text(with_one_region(path.read_text(), region))
                    single[region] = compiled(alone, name)
    print(f"  {'together':12} {total:6}")
    for region, size in single.items():
        print(f"  with {region:7} {total - tables + size:6}   at most {MPY_BYTES}")
    return total - tables + max(single.values())


def states() -> int:
    print("\nState in RTC memory at its fullest, bytes:")
    most = 0
    for name in regions.NAMES:
        rig = lorawan_states.worst(name)
        size = len(rig.mac.state(rig.now_ms))
        most = max(most, size)
        print(f"  {name:9} {size:4}")
    print(f"  {'':9} at most {STATE_BYTES}")
    return most


def air() -> None:
    print(
        "\nAir-time of an uplink (11 bytes, and the longest allowed at the start), and how long the radio listens\n"
        "afterwards when nobody answers, +-20 ms of clock error, ms:"
    )
    print("  region   DR  SF/kHz    11 bytes  longest          window 1     window 2    listens")
    for name in regions.NAMES:
        region = regions.find(name)
        if name in ("as923-2", "as923-3", "as923-4"):
            continue
        for number in range(len(region.up)):
            sf, hz = region.rate(region.up, number)
            longest = region.longest(number, region.dwell)
            if not longest:
                continue
            times = [airtime.time_on_air_us(sf, hz, size + 13) / 1000 for size in (11, longest)]
            rates = (region.rx1(number, 0, region.dwell), region.rx2_data_rate)
            shown, listens = [], 0.0
            for rate in rates:
                down_sf, down_hz = region.rate(region.down, rate)
                symbols, _ = airtime.window(down_sf, down_hz, ERROR_US)
                ms = symbols * airtime.symbol_us(down_sf, down_hz) / 1000
                listens += ms
                shown.append(f"SF{down_sf}/{down_hz // 1000} {ms:5.1f}")
            print(
                f"  {name:8} {number:2}  {sf:2}/{hz // 1000}  {times[0]:10.1f} {times[1]:8.1f} ({longest:3} B)"
                f"  {shown[0]:>13} {shown[1]:>13} {listens:8.1f}"
            )


def work() -> None:
    command = micropython32.command()
    if command is None:
        print(f"\nskipped: what a frame costs on 32 bits: {micropython32.why()}")
        return
    environment = {**os.environ, "MICROPYPATH": f"{ROOT / 'tests' / 'both'}:{ROOT / 'firmware'}"}
    script = str(ROOT / "tests" / "bench" / "lorawan_work.py")
    out = subprocess.run([*command, script], capture_output=True, text=True, check=True, env=environment).stdout
    print("\n32-bit MicroPython on this computer; time in loops of 1000 turns of `n += i`:")
    print(f"  {'':42} {'AES blocks':>10} {'heap, B':>8} {'loops':>6}")
    for line in out.splitlines():
        name, blocks, heap, loops = line.split("|")
        print(f"  {name:42} {blocks:>10} {heap:>8} {loops:>6}")


def main() -> int:
    broken = [
        f"{what}: {value}, at most {most}"
        for what, value, most in ((".mpy", sizes(), MPY_BYTES), ("state", states(), STATE_BYTES))
        if value > most
    ]
    air()
    work()
    for line in broken:
        print("over budget:", line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
