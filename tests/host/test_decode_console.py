"""Messages out of a noisy console and out of text, in every chunking."""

import random
from typing import Any

import pytest

from judder.errors import DecodeError, InputError, NoBoard
from judder.ingest import port, text
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
    found = list(
        port.messages(Port([NOISE, GOOD[0], b"@judder x\n", GOOD[1]]), seconds=8, clock=lambda: float(next(clock)))
    )
    assert [item if isinstance(item, tuple) else type(item) for item in found] == [
        (NODE.hex(), PAYLOADS[0]),
        DecodeError,
        (NODE.hex(), PAYLOADS[1]),
    ]


def test_port_that_goes_away_says_what_to_do() -> None:
    messages = port.messages(Port([GOOD[0]], OSError("device reports readiness but returned no data")))
    assert next(messages) == (NODE.hex(), PAYLOADS[0])
    with pytest.raises(NoBoard, match="plug the board in"):
        next(messages)


HEX = "86011828f619019f0700"
WANTED = bytes.fromhex(HEX)


@pytest.mark.parametrize(
    "written",
    [
        HEX,
        HEX.upper(),
        " " + HEX + "\n",
        "0x86, 0x01, 0x18,0x28,0xf6,0x19,0x01,0x9f,0x07,0x00",
        "86:01:18:28:f6:19:01:9f:07:00",
    ]
    + ["86 01 18 28 f6 19 01 9f 07 00", "86-01-18-28-f6-19-01-9f-07-00", "hgEYKPYZAZ8HAA==", "hgEYKPYZAZ8HAA"],
)
def test_spellings_of_one_payload(written: str) -> None:
    assert text.parse(written) == WANTED


def test_base64_of_a_message_is_never_taken_for_hex() -> None:
    import base64

    for first in range(0x80, 0xA0):
        for second in range(256):
            data = bytes([first, second, 0xAB, 0xCD, 0xEF, 0xAB])
            assert text.parse(base64.b64encode(data).decode()) == data
            assert text.parse(base64.urlsafe_b64encode(data).decode()) == data


@pytest.mark.parametrize("written", ["860", "8601zz!", "8", "=", "ä"])
def test_what_is_no_payload(written: str) -> None:
    with pytest.raises(InputError):
        text.parse(written)


def test_base64_by_order() -> None:
    assert text.parse("abcd") == b"\xab\xcd"
    assert text.parse("abcd", is_base64=True) == b"i\xb7\x1d"


def one(found: list[text.Found]) -> Any:
    assert len(found) == 1
    return found[0].payload if found[0].error is None else type(found[0].error)


def test_lines_of_every_form() -> None:
    mqtt = '{"node":"70b3d5fffe000001","payload":"' + HEX + '"}'
    chirpstack = '{"devEui":"70b3d5fffe000001","fPort":2,"data":"hgEYKPYZAZ8HAA=="}'
    for written in (HEX, mqtt, chirpstack, line.encode(NODE, WANTED), "noise " + line.encode(NODE, WANTED)):
        (found,) = text.from_lines(iter([written]))
        assert found.payload == WANTED and found.node in (None, NODE.hex())
    assert list(text.from_lines(iter(["", "  \n", "# comment"]))) == []
    for written in ('{"payload":5}', "{", "[1]", '{"kind":"reading"}', "Traceback"):
        assert one(list(text.from_lines(iter([written])))) is InputError
    assert one(list(text.from_lines(iter([line.encode(NODE, WANTED)[:-1]])))) is DecodeError


def test_files_are_one_raw_message_or_lines() -> None:
    assert one(list(text.from_file(WANTED))) == WANTED
    assert one(list(text.from_file(b"\xef\xbb\xbf" + HEX.encode() + b"\r\n"))) == WANTED
    assert one(list(text.from_file(b"\xff\xfe\x00"))) == b"\xff\xfe\x00"  # neither: the decoder says why
    numbers = [(found.number, found.error is None) for found in text.from_file(f"{HEX}\n\nzz!\n{HEX}\n".encode())]
    assert numbers == [(1, True), (3, False), (4, True)]
    assert list(text.from_file(b"")) == []


def test_arguments_of_one_byte_each_are_one_payload() -> None:
    assert one(list(text.from_arguments(tuple(HEX[i : i + 2] for i in range(0, len(HEX), 2))))) == WANTED
    assert len(list(text.from_arguments((HEX, HEX)))) == 2
