"""The virtual board's UARTs: who is at which pins, what a full buffer loses."""

from __future__ import annotations

import struct

from judder.virtual.pins import UartPins
from judder.virtual.standin import _wire as wire
from judder.virtual.uart import Uarts


class Talker:
    """Says everything at once; remembers what it heard, and when."""

    def __init__(self) -> None:
        self.says = b""
        self.heard: list[tuple[bytes, float, int]] = []

    def power_on(self) -> None:
        self.heard.clear()

    def hear(self, data: bytes, start_us: float, baudrate: int) -> None:
        self.heard.append((data, start_us, baudrate))

    def speak(self, _now_us: int, _baudrate: int) -> bytes:
        said, self.says = self.says, b""
        return said


def opened(device: Talker, tx: int = 17, rx: int = 16, room: int = 256) -> Uarts:
    uarts = Uarts({UartPins(17, 16): device})
    uarts.handle(wire.UART_INIT, struct.pack("<BIBBH", 2, 9600, tx, rx, room), 0)
    return uarts


def read(uarts: Uarts, most: int) -> bytes:
    return uarts.handle(wire.UART_READ, struct.pack("<BH", 2, most), 0)


def waiting(uarts: Uarts) -> int:
    return struct.unpack("<H", uarts.handle(wire.UART_ANY, b"\x02", 0))[0]


def test_bytes_both_ways() -> None:
    device = Talker()
    uarts = opened(device)
    device.says = b"hello"
    assert waiting(uarts) == 5
    assert (read(uarts, 2), read(uarts, 100), read(uarts, 100)) == (b"he", b"llo", b"")
    uarts.handle(wire.UART_WRITE, b"\x02AT", 1000)
    assert device.heard == [(b"AT", 1000.0, 9600)]


def test_what_is_written_while_the_wire_is_busy_waits() -> None:
    device = Talker()
    uarts = opened(device)
    uarts.handle(wire.UART_WRITE, b"\x02" + bytes(96), 0)
    uarts.handle(wire.UART_WRITE, b"\x02A", 10)
    assert [start_us for _data, start_us, _baudrate in device.heard] == [0, 100_000], "96 characters of 10 bits at 9600"


def test_a_full_buffer_loses_what_comes_then() -> None:
    device = Talker()
    uarts = opened(device, room=8)
    device.says = bytes(range(20))
    assert waiting(uarts) == 8
    device.says = b"late"
    assert read(uarts, 100) == bytes(range(8))
    device.says = b"new"
    assert read(uarts, 100) == b"new"


def test_crossed_wires_reach_nobody() -> None:
    device = Talker()
    uarts = opened(device, tx=16, rx=17)
    device.says = b"hello"
    uarts.handle(wire.UART_WRITE, b"\x02AT", 0)
    assert (waiting(uarts), device.heard) == (0, [])


def test_what_was_said_before_anybody_listened_is_gone() -> None:
    device = Talker()
    device.says = b"early"
    uarts = opened(device)
    assert waiting(uarts) == 0


def test_a_uart_that_was_not_set_up_is_silent() -> None:
    uarts = Uarts({})
    uarts.handle(wire.UART_WRITE, b"\x01AT", 0)
    assert uarts.handle(wire.UART_READ, struct.pack("<BH", 1, 9), 0) == b""
