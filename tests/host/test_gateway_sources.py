"""Sources that are no broker: a packet forwarder over UDP, a console. The test is the gateway's desk."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.host.test_semtech import NODE, READING, WANTED, push, rxpk, sessions
from tests.host.test_semtech import PHY as FRAME

from judder.errors import InputError, NoBoard
from judder.flow import Poison, Uplink
from judder.gateway import source
from judder.gateway.intake import Arrival
from judder.gateway.source import Stopped
from judder.ingest import semtech
from judder.ingest.broker import free_port
from judder.ingest.events import Other
from judder.virtual.lorawan import frames
from judder_core import line


class TestDesk:
    """Keeps what is taken. full: what take() waits for first."""

    __test__ = False
    origin, identity = "test", "0000"

    def __init__(self, port: Any = None) -> None:
        self.stopping = False
        self.taken: list[Arrival] = []
        self.up: list[bool] = []
        self.full = threading.Event()
        self.full.set()
        self.open_port = lambda _name: port
        self.open_frames = lambda _path: sessions().open

    def take(self, arrivals: Sequence[Arrival], position: str | None = None) -> None:
        assert position is None
        self.full.wait(60)
        if self.stopping:
            raise Stopped
        self.taken += arrivals

    def position(self) -> None:
        return None

    def connected(self, is_up: bool, why: str = "") -> None:  # noqa: ARG002
        self.up.append(is_up)

    def missed(self, total: int) -> None: ...

    def note(self, message: str, level: str = "info") -> None: ...

    def pause(self, seconds: float) -> bool:
        time.sleep(min(seconds, 0.01))
        return self.stopping


@contextmanager
def running(made: Any, desk: TestDesk) -> Iterator[None]:
    thread = threading.Thread(target=made.run, args=(desk,))
    thread.start()
    try:
        wait_for(lambda: desk.up)
        yield
    finally:
        desk.stopping = True
        desk.full.set()
        thread.join(60)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def forwarder(port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect(("127.0.0.1", port))
    udp.settimeout(60)
    return udp


def semtech_source(port: int) -> Any:
    plugin = source.load("semtech")
    return plugin.make(plugin.options(sessions=Path("sessions.toml"), port=port))


def test_a_datagram_is_answered_when_its_frames_are_stored() -> None:
    port, desk = free_port(), TestDesk()
    with running(semtech_source(port), desk), forwarder(port) as udp:
        udp.send(bytes((2, 0x56, 0x78, 2)) + bytes(8))  # PULL_DATA
        assert udp.recv(100) == bytes((2, 0x56, 0x78, 4))  # PROTOCOL.TXT section 5.3
        desk.full.clear()
        udp.send(push(rxpk(FRAME)))
        udp.settimeout(1.0)
        with pytest.raises(TimeoutError):
            udp.recv(100)
        desk.full.set()
        udp.settimeout(60)
        assert udp.recv(100) == bytes((2, 0x12, 0x34, 1))  # section 3.3
        assert [arrival.event for arrival in desk.taken] == [WANTED]


def test_what_else_is_in_the_air_and_on_the_port() -> None:
    other = frames.DataFrame(frames.CONFIRMED_UP, 0x26000001, 5, port=2, payload=READING).build(bytes(16), bytes(16))
    port, desk = free_port(), TestDesk()
    with running(semtech_source(port), desk), forwarder(port) as udp:
        udp.send(b"GET / HTTP/1.0\r\n\r\n")
        udp.send(push(rxpk(other), rxpk(FRAME)))
        assert udp.recv(100) == bytes((2, 0x12, 0x34, 1))
        wait_for(lambda: len(desk.taken) == 3)
        nonsense, foreign, ours = (arrival.event for arrival in desk.taken)
        assert isinstance(nonsense, Poison) and "no datagram of Semtech's protocol" in str(nonsense.error)
        # Not poison: a gateway in a town hears thousands of these.
        assert isinstance(foreign, Other) and foreign.what == "frame of another network"
        assert ours == WANTED


def test_answers() -> None:
    assert semtech.answer(b"\x01\xaa\xbb\x00" + bytes(8)) == b"\x01\xaa\xbb\x01"
    for silent in (b"", b"\x02\xaa\xbb\x00", b"\x02\xaa\xbb\x05" + bytes(8), b"\x07\xaa\xbb\x00" + bytes(8)):
        assert semtech.answer(silent) is None


class Console:
    """As pyserial's, with these bytes; then the cable is pulled, or there is silence."""

    def __init__(self, data: bytes, pulled: bool) -> None:
        self.data, self.pulled, self.closed, self.timeout = data, pulled, False, 0.0

    @property
    def in_waiting(self) -> int:
        return len(self.data)

    def read(self, size: int) -> bytes:
        if not self.data and self.pulled:
            raise OSError("device disconnected")
        data, self.data = self.data[:size], self.data[size:]
        if not data:
            time.sleep(0.01)
        return data

    def close(self) -> None:
        self.closed = True


LINE = (line.encode(bytes.fromhex(NODE), READING) + "\r\n").encode()


def console(port: Console) -> tuple[Any, TestDesk]:
    plugin = source.load("console")
    return plugin.make(plugin.options(port="/dev/ttyUSB0")), TestDesk(port)


def test_a_console() -> None:
    port = Console(b"boot noise\r\n" + LINE + LINE[:-8] + b"\r\n" + LINE, pulled=False)
    made, desk = console(port)
    with running(made, desk):
        wait_for(lambda: len(desk.taken) == 3)
    assert sum(isinstance(arrival.event, Poison) for arrival in desk.taken) == 1
    ups = [arrival.event for arrival in desk.taken if isinstance(arrival.event, Uplink)]
    assert [(up.node, up.payload, up.source) for up in ups] == [(NODE, READING, "console")] * 2
    assert port.closed and made.where() == "/dev/ttyUSB0"


def test_a_cable_that_is_pulled() -> None:
    port = Console(LINE, pulled=True)
    made, desk = console(port)
    with pytest.raises(NoBoard, match="the port went away"):
        made.run(desk)
    assert len(desk.taken) == 1 and port.closed


def test_a_source_there_is_not() -> None:
    with pytest.raises(InputError, match="no source 'mqqt'; did you mean 'mqtt'"):
        source.load("mqqt")
    with pytest.raises(InputError, match="port: name one"):
        source.load("console").options(port=" ")
    with pytest.raises(InputError, match="is no address and UDP port"):
        source.load("semtech").options(sessions=Path("x"), port=70000)
