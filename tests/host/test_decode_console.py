"""Messages out of a noisy console, in every chunking."""

import random

import pytest

from judder.errors import DecodeError, NoBoard
from judder.flow import Poison, Uplink
from judder.ingest import port
from judder.ingest.console import MAX_LINE_BYTES, ConsoleReader
from judder_core import line

NODE = bytes.fromhex("70b3d5fffe000001")
PAYLOADS = [
    bytes.fromhex("86011828f619019f0700"),
    bytes.fromhex("820100"),
    bytes.fromhex("85022802190460") + bytes(2000),
]
GOOD = [(line.encode(NODE, payload) + "\r\n").encode() for payload in PAYLOADS]
NOISE = b"ets Jul 29 2019\r\nrst:0x1 (POWERON_RESET)\r\n\xff\xfe\x00\r\nMicroPython\n"


def fed(data: bytes, sizes: list[int]) -> tuple[list[bytes], ConsoleReader]:
    reader = ConsoleReader()
    found, at, i = [], 0, 0
    while at < len(data):
        size = sizes[i % len(sizes)]
        found += reader.feed(data[at : at + size])
        at, i = at + size, i + 1
    assert all(node == NODE for node, _payload in found)
    return [payload for _node, payload in found], reader


@pytest.mark.parametrize("sizes", [[1], [2, 3], [7], [64], [1 << 20]])
def test_messages_among_noise_in_any_chunking(sizes: list[int]) -> None:
    found, reader = fed(NOISE + GOOD[0] + NOISE + GOOD[1] + GOOD[2] + NOISE, sizes)
    assert found == PAYLOADS
    assert (reader.messages, reader.errors) == (3, 0)


@pytest.mark.parametrize("sizes", [[1], [64], [1 << 20]])
def test_a_damaged_line_costs_only_itself(sizes: list[int]) -> None:
    for damage in (GOOD[0].replace(b"f6", b"f7"), GOOD[0][:20] + b"\n", GOOD[0][:-6] + b"\r\n", b"@judder\n"):
        found, reader = fed(GOOD[1] + damage + GOOD[1], sizes)
        assert found == [PAYLOADS[1]] * 2 and reader.errors == 1
        assert isinstance(reader.last_error, DecodeError)


def test_a_line_cut_off_by_a_reset_does_not_take_the_next_one_with_it() -> None:
    found, reader = fed(GOOD[0][:25] + GOOD[1], [9])
    assert found == [PAYLOADS[1]] and reader.errors == 1
    # Text without a line end before the mark is no error.
    found, reader = fed(b">>> " + GOOD[1], [9])
    assert found == [PAYLOADS[1]] and reader.errors == 0


@pytest.mark.parametrize("sizes", [[1000], [1 << 20]])
def test_endless_lines_are_let_go(sizes: list[int]) -> None:
    found, reader = fed(b"x" * (5 * MAX_LINE_BYTES) + b"\n" + GOOD[0], sizes)
    assert found == [PAYLOADS[0]] and reader.errors == 0
    found, reader = fed(b"@judder " + b"0" * (5 * MAX_LINE_BYTES) + b"\n" + GOOD[0], sizes)
    assert found == [PAYLOADS[0]] and reader.errors == 1
    reader.feed(b"x" * (20 * MAX_LINE_BYTES))
    assert len(reader._rest) <= 2 * MAX_LINE_BYTES


def test_callbacks_hear_of_text_and_errors() -> None:
    texts: list[str] = []
    errors: list[DecodeError] = []
    reader = ConsoleReader(on_error=errors.append, on_text=texts.append)
    reader.feed(b"boot\r\n\xff\n@judder 1 2 3\n" + GOOD[0])
    assert texts == ["boot", "\ufffd"] and len(errors) == 1


def test_random_noise_never_raises_and_never_invents_a_message() -> None:
    rng = random.Random(5)
    reader = ConsoleReader()
    for _ in range(3000):
        noise = bytearray(rng.choice(GOOD[:2]) + rng.randbytes(rng.randrange(30)))
        noise[rng.randrange(8, 30)] ^= 1 << rng.randrange(8)
        assert reader.feed(bytes(noise).replace(b"\n", b"") + b"\n") == []
    assert reader.errors > 0 and reader.messages == 0


class Port:
    """A pyserial-like object that gives these pieces, then nothing, then (where told) fails."""

    def __init__(self, pieces: list[bytes], failure: OSError | None = None) -> None:
        self._pieces = pieces
        self._failure = failure
        self.timeout: float | None = None

    @property
    def in_waiting(self) -> int:
        return len(self._pieces[0]) if self._pieces else 0

    def read(self, _size: int) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._failure is not None:
            raise self._failure
        return b""


def test_port_gives_messages_and_errors_until_the_time_is_up() -> None:
    clock = iter(range(100))
    pieces = [NOISE, GOOD[0], b"@judder x\n", GOOD[1]]
    found = list(port.uplinks(Port(pieces), seconds=8, clock=lambda: float(next(clock)), now=lambda: 1784367300.0))
    assert found[::2] == [Uplink(NODE.hex(), payload, 1784367300.0, "console") for payload in PAYLOADS[:2]]
    assert isinstance(found[1], Poison) and isinstance(found[1].error, DecodeError)


def test_port_that_goes_away_says_what_to_do() -> None:
    uplinks = port.uplinks(Port([GOOD[0]], OSError("device reports readiness but returned no data")))
    first = next(uplinks)
    assert isinstance(first, Uplink) and first.payload == PAYLOADS[0]
    with pytest.raises(NoBoard, match="plug the board in"):
        next(uplinks)
