"""LoRaWAN modems on their models: commands and board time until a node may talk, after a start and after deep sleep.

Nothing here is measured on a modem: characters take what the speed says, an answer is assumed to begin 2 ms (RAK3172)
or 3 ms (Wio-E5) after its command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "firmware"), str(ROOT / "tests" / "node")]

from modem_bench import KINDS, Bench, message  # noqa: E402

from judder_core import schema  # noqa: E402


def step(bench: Bench, what: Callable[[], object], until: Callable[[], object]) -> str:
    """Commands and ms from `what` until something is so."""
    commands, began_us = len(bench.wire.commands()), bench.time.now_us
    what()
    bench.run(until)
    return f"{len(bench.wire.commands()) - commands:>5} {(bench.time.now_us - began_us) / 1000:>8.0f}"


def rows(kind: str) -> dict[str, str]:
    """By what happens."""
    bench = Bench(kind, {"lorawan_data_rate": 5, "mode": 0})
    found = {}

    def start(session: bytes = b"", asleep_ms: int = 0) -> None:
        bench.link = bench.make(session, asleep_ms)

    found["first start, until it joins"] = step(bench, start, lambda: bench.network.joins)
    bench.join()
    bench.idle(30)
    found["start with everything set before"] = step(bench, start, lambda: bench.link.known.configured)
    bench.join()
    bench.idle(30)
    bench.link.close()
    session = bench.link.session()
    bench.time.sleep_ms(60_000)
    found["wake from deep sleep, until ready"] = step(bench, lambda: start(session, 60_000), lambda: bench.link.ready())
    one = message(schema.READING, 51)
    found["message of 51 bytes, until on the air"] = step(
        bench, lambda: bench.link.send(one, False), lambda: bench.network.uplinks
    )
    return found


def main() -> None:
    found = {kind: rows(kind) for kind in KINDS}
    print(f"  {'commands, ms of board time':<40}" + "".join(f"{kind:>16}" for kind in found))
    for what in next(iter(found.values())):
        print(f"  {what:<40}" + "".join(f"{cells[what]:>16}" for cells in found.values()))


if __name__ == "__main__":
    main()
