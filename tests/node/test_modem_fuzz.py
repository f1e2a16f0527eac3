"""Whatever comes out of the UART, damaged or made up: nothing is raised, nothing is believed that is not so, no key is
told, and a modem that is well again is used again."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from modem_bench import APP_KEY, KINDS, Bench, message

from judder_core import schema

KEY = APP_KEY.hex().upper()
both = pytest.mark.parametrize("kind", list(KINDS))
# Pieces of what modems say, to be put together wrongly.
PIECES = {
    "rak3172": (
        "OK", "AT_BUSY_ERROR", "AT_PARAM_ERROR", "AT_NO_NETWORK_JOINED", "AT_MODE_NO_SUPPORT", "AT_COMMAND_NOT_FOUND",
        "AT_", "AT_ERROR", "+EVT:", "+EVT:JOINED", "+EVT:TX_DONE", "+EVT:SEND_CONFIRMED_FAILED(4)",
        "+EVT:RX_1:-70:8:UNICAST:17:82100A", "+EVT:RX_1:::::", "Restricted_Wait_30_ms", "Current Work Mode: LoRaWAN.",
        "AT+NJS=1", "AT+NJS=0", "AT+DR=", "AT+DR=15", "AT+VER=", "AT+NWM=0", "AT+=", f"AT+APPKEY={KEY}",
        "=", ":", "> ", "\r", "\n\n",
    ),
    "wioe5": (
        "+AT: OK", "+AT: ERROR(-1)", "+AT: ERROR(", "+JOIN: Done", "+JOIN: Network joined", "+JOIN: Join failed",
        "+JOIN: Joined already", "+CMSGHEX: Start", "+CMSGHEX: Length error 0", "+CMSGHEX: FPENDING",
        '+CMSGHEX: PORT: 17; RX: "82100A"', "+CMSGHEX: PORT: ; RX:", "+CMSGHEX: RXWIN1, RSSI", "+MSGHEX: Done",
        "+DR: DR", "+DR: ", "+DR: EU868", "+LW: LEN, ", "+LW: LEN, 0", "+LW: LEN, 999", "+LOWPOWER: WAKEUP", "+PORT: 8",
        "+ID: DevEui, ", f"+KEY: APPKEY {KEY}", "+: ", ": ", "\r", "\n\n", "+CMSGHEX: No band in 99ms",
    ),
}  # fmt: skip


def damaging(draw: random.Random, share: float) -> Callable[[bytes], bytes]:
    """Bits flip, characters go missing, appear, and come twice."""

    def damage(data: bytes) -> bytes:
        out = bytearray()
        for value in data:
            if draw.random() >= share:
                out.append(value)
                continue
            what = draw.randrange(4)
            if what == 0:
                out.append(value ^ 1 << draw.randrange(8))
            elif what == 1:
                out += bytes((value, draw.randrange(256)))
            elif what == 2:
                out += bytes((value, value))
        return bytes(out)

    return damage


def believed(bench: Bench, told: list[tuple[bytes, bool]]) -> None:
    """Acknowledged means that the network has it, unless noise said so itself."""
    has = [payload for _, payload in bench.network.messages]
    assert all(one in has for one, acknowledged in told if acknowledged)
    assert not any(KEY in line.upper() or repr(APP_KEY) in line for line in bench.said)
    assert all(line.isprintable() and len(line) < 250 for line in bench.said)


def use(bench: Bench, seconds: float, told: list[tuple[bytes, bool]]) -> None:
    """Send whenever it can, for so long."""
    end_us = bench.time.now_us + seconds * 1e6
    under_way = None
    while bench.time.now_us < end_us:
        bench.link.step(20)
        bench.link.poll()
        if under_way is not None and bench.link.outcome() is not None:
            told.append((under_way, bench.link.outcome()))
            under_way = None
        if under_way is None and bench.link.ready() and bench.link.limit() >= 20:
            under_way = message(schema.READING, 20)[:-2] + bench.time.now_us.to_bytes(8, "big")[-4:-2]
            if bench.link.send(under_way, True) is not None:
                under_way = None


@both
@pytest.mark.parametrize("share", [0.0005, 0.005, 0.05, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_characters(kind: str, share: float, seed: int) -> None:
    bench = Bench(kind, {"lorawan_data_rate": 3, "lorawan_region": 1})
    bench.model.damage = damaging(random.Random(f"{kind} {share} {seed}"), share)
    told: list[tuple[bytes, bool]] = []
    use(bench, 120, told)
    believed(bench, told)
    assert share > 0.01 or any(acknowledged for _, acknowledged in told)
    bench.model.damage = None
    bench.deliver(message())


@both
@pytest.mark.parametrize("seed", range(6))
def test_lines_it_never_said(kind: str, seed: int) -> None:
    draw = random.Random(f"{kind} {seed}")
    bench = Bench(kind, {"lorawan_data_rate": 3, "lorawan_region": 1})

    def invent() -> None:
        pieces = "".join(draw.choice(PIECES[kind]) for _ in range(draw.randrange(1, 4)))
        bench.model.say(pieces + draw.choice(("\r\n", "\r\n", "\n", "")))
        bench.model.after(draw.randrange(10_000, 3_000_000), invent)

    bench.model.at(draw.randrange(2_000_000), invent)
    use(bench, 200, [])
    believed(bench, [])
    bench.model._queue.clear()
    bench.model.reset(bench.time.now_us)
    bench.deliver(message())


@both
def test_a_flood_neither_holds_the_node_up_nor_fills_its_memory(kind: str) -> None:
    bench = Bench(kind)
    bench.wire.readinto = lambda buffer: len(buffer)  # type: ignore[method-assign]
    for _ in range(100):
        began_us = bench.time.now_us
        bench.link.step(20)
        assert bench.time.now_us - began_us <= 25_000
    assert len(bench.link._at._line) == 640
