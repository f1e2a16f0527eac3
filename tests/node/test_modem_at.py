"""AT commands over a UART that gives and takes what it likes: pieces, noise, silence. On CPython."""

from __future__ import annotations

import random
from typing import Any

import pytest
from chips import Time

from node.link.modem.at import MORE, At


class Uart:
    """Gives out `said`, at most `chunk` bytes a read; takes at most `take` bytes a write, 0 for a full buffer."""

    def __init__(self, chunk: int = 1000, take: int = 1000) -> None:
        self.said = b""
        self.heard = b""
        self.chunk = chunk
        self.take = take
        self.reads = 0

    def readinto(self, buffer: bytearray) -> int | None:
        self.reads += 1
        part = self.said[: min(self.chunk, len(buffer))]
        self.said = self.said[len(part) :]
        buffer[: len(part)] = part
        return len(part) or None

    def write(self, data: bytes) -> int | None:
        part = bytes(data[: self.take])
        self.heard += part
        return len(part) or None


def judge(text: str) -> Any:
    if text in ("OK", "ERROR"):
        return text
    return MORE if text.startswith("AT+X=") else None


def engine(uart: Uart, time: Time | None = None) -> tuple[At, list[str]]:
    others: list[str] = []
    return At(uart, time or Time(), others.append), others


def work(at: At, times: int = 1) -> None:
    for _ in range(times):
        at.work()


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 64, 1000])
@pytest.mark.parametrize("take", [1, 4, 1000])
def test_a_command_in_pieces(chunk: int, take: int) -> None:
    uart = Uart(chunk, take)
    at, others = engine(uart)
    at.start("AT+X=?", judge, 1000)
    work(at, 20)
    assert uart.heard == b"AT+X=?\r\n"
    assert at.waiting()
    uart.said = b"\r\n+EVT:TX_DONE\r\nAT+X=5\r\n\r\nOK\r\n+EVT:JOINED\r\n"
    work(at, 60)
    assert (at.reply, at.waiting()) == ("OK", False)
    assert others == ["+EVT:TX_DONE", "+EVT:JOINED"]


def test_every_place_to_cut_an_answer() -> None:
    answer = b"+EVT:RX_1:-70:8:UNICAST:17:01\r\nAT+X=5\r\nOK\r\n"
    for cut in range(len(answer) + 1):
        uart = Uart()
        at, others = engine(uart)
        at.start("AT+X=?", judge, 1000)
        uart.said = answer[:cut]
        work(at, 3)
        uart.said = answer[cut:]
        work(at, 3)
        assert at.reply == "OK"
        assert others == ["+EVT:RX_1:-70:8:UNICAST:17:01"]


def test_the_echo_of_the_command_is_no_answer() -> None:
    uart = Uart()
    at, others = engine(uart)
    at.start("OK", lambda text: text, 1000)
    uart.said = b"OK\n\rDONE\r\n"
    work(at)
    assert at.reply == "DONE"
    assert others == []


def test_silence_ends_when_its_time_is_over() -> None:
    time = Time()
    at, _ = engine(Uart(), time)
    at.start("AT", judge, 400)
    while at.waiting():
        assert time.now_us < 450_000
        at.work()
        time.sleep_ms(10)
    assert at.reply is None
    assert time.now_us >= 400_000


def test_what_comes_too_late_is_nobodys_answer() -> None:
    time, uart = Time(), Uart()
    at, others = engine(uart, time)
    at.start("AT", judge, 100)
    time.sleep_ms(101)
    work(at)
    assert not at.waiting()
    uart.said = b"OK\r\n"
    work(at)
    assert (at.reply, others) == (None, ["OK"])


def test_a_command_that_is_stopped_sends_no_more() -> None:
    uart = Uart(take=2)
    at, _ = engine(uart)
    at.start("AT+X=?", judge, 1000)
    work(at)
    at.stop()
    work(at, 5)
    assert uart.heard == b"AT"


def test_a_full_send_buffer_waits() -> None:
    uart = Uart(take=0)
    at, _ = engine(uart)
    at.start("AT", judge, 1000)
    work(at, 3)
    assert uart.heard == b""
    uart.take = 10
    work(at)
    assert uart.heard == b"AT\r\n"


@pytest.mark.parametrize("noise", [b"\x00", b"\xff\xfe\x00", b"\x80\xc1"])
def test_noise_in_front_of_a_line_is_skipped(noise: bytes) -> None:
    uart = Uart()
    at, _ = engine(uart)
    at.start("AT", judge, 1000)
    uart.said = noise + b"OK\r\n"
    work(at)
    assert (at.reply, at.garbled) == ("OK", 0)


@pytest.mark.parametrize("line", [b"O\xffK", b"OK\x01", b"+EVT:RX_1:-70:8:UNICAST:17:\x9201"])
def test_a_line_with_noise_in_it_is_dropped_whole(line: bytes) -> None:
    uart = Uart()
    at, others = engine(uart)
    at.start("AT", judge, 1000)
    uart.said = line + b"\r\n"
    work(at)
    assert at.waiting()
    assert (others, at.garbled) == ([], 1)
    uart.said = b"OK\r\n"
    work(at)
    assert at.reply == "OK"


def test_half_a_line_goes_stale_and_spoils_nothing() -> None:
    time, uart = Time(), Uart()
    at, others = engine(uart, time)
    uart.said = b"+EVT:TX_"
    work(at)
    time.sleep_ms(250)
    work(at)
    at.start("AT", judge, 1000)
    uart.said = b"OK\r\n"
    work(at)
    assert (at.reply, others, at.garbled) == ("OK", [], 1)


def test_half_a_line_whose_rest_waits_in_the_uart_is_whole() -> None:
    time, uart = Time(), Uart()
    at, others = engine(uart, time)
    uart.said = b"+EVT:"
    work(at)
    # The node measures for seconds; meanwhile the rest has come into the UART's buffer.
    uart.said = b"TX_DONE\r\n"
    time.sleep_ms(5000)
    work(at)
    assert others == ["+EVT:TX_DONE"]


def test_lines_longer_than_the_longest_are_dropped() -> None:
    uart = Uart()
    at, others = engine(uart)
    uart.said = b"x" * 5000 + b"\r\n" + b"y" * 640 + b"\r\nz\r\n"
    work(at, 10)
    assert others == ["y" * 640, "z"]
    assert at.garbled == 1


def test_a_flood_does_not_keep_the_node() -> None:
    uart = Uart()
    at, _ = engine(uart)
    uart.said = bytes(range(256)) * 400
    at.work()
    assert 0 < at.heard <= 2048 + 64


def test_nothing_that_comes_raises() -> None:
    rng = random.Random(7)
    uart = Uart()
    at, others = engine(uart)
    for _ in range(2000):
        at.start("AT", judge, 1000)
        uart.said = rng.randbytes(rng.randrange(80)) + rng.choice((b"", b"\r", b"\n", b"OK\r\n", b"\r\nOK\r\n"))
        work(at, 2)
        assert at.reply in (None, "OK")
    assert all(text.isascii() and text.isprintable() for text in others)
