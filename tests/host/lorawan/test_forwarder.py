"""The packet forwarder against a server end of Semtech's UDP protocol on loopback.

Expected bytes: Lora-net/packet_forwarder, PROTOCOL.TXT v1.4.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from device_double import APP_KEY, DeviceDouble

from judder.errors import InputError
from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import crypto, frames, network_plan, regions
from judder.virtual.lorawan import semtech_udp as udp
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.forwarder import Forwarder
from judder.virtual.lorawan.frames import DataFrame, JoinAccept, JoinRequest
from judder.virtual.lorawan.medium import Air

EUI = bytes.fromhex("aa555a0000000101")
PLAN = regions.find("EU868")


class Server:
    """A network server's end: acknowledges what comes, keeps it, sends what it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]
        self.received: list[bytes] = []
        self.silent = False
        self.on_rxpk: Callable[[dict[str, Any]], None] = lambda _packet: None
        self._news = threading.Condition()
        self._down: tuple[str, int] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self.socket.close()

    def _run(self) -> None:
        while True:
            data, address = self.socket.recvfrom(65536)
            if not data:
                return
            with self._news:
                self.received.append(data)
                self._news.notify_all()
            kind = data[3]
            if self.silent:
                continue
            if kind == 2:  # PULL_DATA: this is the way back
                self._down = address
                self.socket.sendto(b"\x02" + data[1:3] + b"\x04", address)
            elif kind == 0:
                self.socket.sendto(b"\x02" + data[1:3] + b"\x01", address)
                for packet in json.loads(data[12:]).get("rxpk", []):
                    self.on_rxpk(packet)

    def pull_resp(self, body: dict[str, Any] | bytes, token: int = 0x1234) -> None:
        assert self._down is not None
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.sendto(b"\x02" + token.to_bytes(2, "big") + b"\x03" + text, self._down)

    def wait(self, kind: int, count: int = 1, timeout_s: float = 30.0) -> list[bytes]:
        """The first `count` datagrams of a kind."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                found = [data for data in self.received if data[3] == kind]
                if len(found) >= count:
                    return found
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"{len(found)} of {count} datagrams of kind {kind} in {timeout_s} s"
                self._news.wait(left_s)

    def rxpk(self, count: int = 1) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 5
        while True:
            pushed = [json.loads(data[12:]) for data in list(self.received) if data[3] == 0]
            found: list[dict[str, Any]] = [packet for body in pushed for packet in body.get("rxpk", [])]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline
            time.sleep(0.01)


class Scene:
    def __init__(self, **options: Any) -> None:
        self.server = Server()
        self.air = Air(100.0, real=True)
        self.gateway = network_plan.make_gateway(self.air, EUI, PLAN)
        self.ear = self.air.station("ear")
        self.node = self.air.station("node")
        self.events: list[tuple[str, dict[str, Any]]] = []
        options.setdefault("keepalive_s", 0.2)
        self.forwarder = Forwarder(
            self.gateway,
            "127.0.0.1",
            self.server.port,
            on_event=lambda *event: self.events.append(event),
            seed=1,
            **options,
        )

    def __enter__(self) -> Scene:
        self.air.start()
        self.forwarder.__enter__()
        self.server.wait(udp.PULL_DATA)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.forwarder.__exit__(None, None, None)
        self.air.close()
        self.server.close()

    def uplink(self, payload: bytes = b"\x40" + bytes(12), power_dbm: float = 14.0) -> int:
        """Returns its end, time of the air."""
        start_us = self.air.timeline.now_us + 1000
        end_us = start_us + airtime_us(len(payload), 7, 125_000)
        tuning = Tuning(868_300_000, 7, 125_000)
        self.air.transmit(Emission(self.node, start_us, end_us, tuning, power_dbm, payload))
        return end_us

    def sent(self) -> list[Emission]:
        with self.air.lock:
            return [one for one in self.air._live if one.sender is self.gateway.station]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made


TXPK = {
    "freq": 869.525, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF9BW125", "codr": "4/5", "ipol": True,
    "size": 4, "data": "AQIDBA==", "ncrc": True,
}  # fmt: skip


# --- upstream


def test_push_data(scene: Scene) -> None:
    scene.uplink(b"\x40" + bytes(range(12)))
    (packet,) = scene.server.rxpk()
    assert packet["data"] == base64.b64encode(b"\x40" + bytes(range(12))).decode()
    expected = {"chan": 1, "rfch": 0, "freq": 868.3, "stat": 1, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5"}
    # 14 - 100 + 3 dBm over -117 dBm.
    expected |= {"rssi": -83, "lsnr": 34.0, "size": 13}
    assert {name: packet[name] for name in expected} == expected
    assert 0 <= packet["tmst"] < 1 << 32
    data = next(data for data in scene.server.received if data[3] == 0 and b"rxpk" in data)
    assert (data[0], data[3], data[4:12]) == (2, 0, EUI)


def test_damaged_frames_are_not_forwarded(scene: Scene) -> None:
    start_us = scene.air.timeline.now_us + 1000
    for n in range(2):
        other = scene.air.station(f"n{n}")
        tuning = Tuning(868_100_000, 7, 125_000)
        scene.air.transmit(Emission(other, start_us, start_us + 50_000, tuning, 14.0, bytes((n,)) * 13))
    time.sleep(0.1)
    scene.uplink()
    assert len(scene.server.rxpk()) == 1
    assert (scene.forwarder.counts.received, scene.forwarder.counts.forwarded) == (3, 1)


def test_status() -> None:
    with Scene(status_s=0.3) as scene:
        scene.uplink()
        scene.server.rxpk()
        # The first goes out at the start, then the uplink, then the next one.
        bodies = [json.loads(data[12:]) for data in scene.server.wait(udp.PUSH_DATA, 3)]
    first, last = [body["stat"] for body in bodies if "stat" in body]
    assert set(first) == {"time", "rxnb", "rxok", "rxfw", "ackr", "dwnb", "txnb"}
    time.strptime(first["time"], "%Y-%m-%d %H:%M:%S GMT")
    assert (first["rxnb"], last["rxnb"], last["rxok"], last["rxfw"]) == (0, 1, 1, 1)
    assert last["ackr"] == 100.0


# --- downstream


def test_keepalive_and_its_answer(scene: Scene) -> None:
    pulls = scene.server.wait(udp.PULL_DATA, 4)
    assert all(len(data) == 12 and data[0] == 2 and data[4:] == EUI for data in pulls)
    assert len({data[1:3] for data in pulls}) == len(pulls)
    assert scene.forwarder.connected
    assert scene.events[0][0] == "connected"


def test_a_timed_downlink_leaves_to_the_microsecond(scene: Scene) -> None:
    end_us = scene.uplink()
    (packet,) = scene.server.rxpk()
    scene.server.pull_resp({"txpk": TXPK | {"tmst": (packet["tmst"] + 1_000_000) % (1 << 32)}}, token=0xBEEF)
    (ack,) = scene.server.wait(udp.TX_ACK)
    assert ack == b"\x02\xbe\xef\x05" + EUI, "no JSON: no error"
    (emission,) = scene.sent()
    assert emission.start_us == end_us + 1_000_000
    assert emission.tuning == Tuning(869_525_000, 9, 125_000, inverted_iq=True)
    assert (emission.payload, emission.crc, emission.power_dbm) == (b"\1\2\3\4", False, 14.0)
    assert emission.end_us - emission.start_us == airtime_us(4, 9, 125_000, crc=False)
    time.sleep(1.3)
    window = Tuning(869_525_000, 9, 125_000, inverted_iq=True)
    found = scene.air.heard(scene.ear, window, emission.start_us - 1000, 8, scene.air.timeline.now_us)
    assert found is not None


def test_an_immediate_downlink(scene: Scene) -> None:
    before_us = scene.air.timeline.now_us
    for _ in range(2):  # the second waits for the first to end
        scene.server.pull_resp({"txpk": TXPK | {"imme": True}})
    scene.server.wait(udp.TX_ACK, 2)
    first, second = scene.sent()
    assert 30_000 <= first.start_us - before_us < 500_000
    assert second.start_us > first.end_us
    assert scene.forwarder.counts.sent == 2


def ack_of(scene: Scene, txpk: dict[str, Any]) -> dict[str, Any]:
    before = len([data for data in scene.server.received if data[3] == udp.TX_ACK])
    scene.server.pull_resp({"txpk": txpk})
    data = scene.server.wait(udp.TX_ACK, before + 1)[-1]
    body: dict[str, Any] = json.loads(data[12:] or b"{}")
    return body


def test_errors_of_a_downlink(scene: Scene) -> None:
    scene.uplink()
    (packet,) = scene.server.rxpk()
    now = packet["tmst"]

    def at(later_us: int, **changes: Any) -> dict[str, Any]:
        return ack_of(scene, TXPK | {"tmst": (now + later_us) % (1 << 32)} | changes)

    assert at(0) == {"txpk_ack": {"error": "TOO_LATE"}}
    assert at(-1_000_000) == {"txpk_ack": {"error": "TOO_LATE"}}
    assert at(600_000_000) == {"txpk_ack": {"error": "TOO_EARLY"}}
    assert at(3_000_000) == {}
    assert at(3_010_000) == {"txpk_ack": {"error": "COLLISION_PACKET"}}
    assert at(4_000_000, freq=902.3) == {"txpk_ack": {"error": "TX_FREQ"}}
    assert at(5_000_000, powe=30) == {"txpk_ack": {"warn": "TX_POWER", "value": 27}}
    assert ack_of(scene, TXPK | {"tmms": 1}) == {"txpk_ack": {"error": "GPS_UNLOCKED"}}
    assert [one.power_dbm for one in scene.sent()] == [14.0, 27.0]
    assert scene.forwarder.counts.refused == {
        "TOO_LATE": 2, "TOO_EARLY": 1, "COLLISION_PACKET": 1, "TX_FREQ": 1, "GPS_UNLOCKED": 1,
    }  # fmt: skip
    refused = [details["error"] for kind, details in scene.events if kind == "downlink"]
    assert refused.count("NONE") == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        {"txpk": 1},
        {"txpk": {}},
        {"txpk": TXPK | {"imme": True, "size": 5}},
        {"txpk": TXPK | {"imme": True, "data": "!"}},
        {"txpk": TXPK | {"imme": True, "data": "", "size": 0}},
        {"txpk": TXPK | {"imme": True, "datr": "SF9"}},
        {"txpk": TXPK | {"imme": True, "modu": "FSK", "datr": 50000}},
        {"txpk": TXPK | {"imme": True, "freq": "x"}},
        {"txpk": TXPK | {"tmst": None}},
        {"txpk": TXPK | {"codr": "4/8", "imme": True}},
        {"txpk": TXPK},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_counted_and_not_acknowledged(scene: Scene, body: Any) -> None:
    scene.server.pull_resp(body)
    # The next good one is still served.
    assert ack_of(scene, TXPK | {"imme": True}) == {}
    assert scene.forwarder.counts.invalid == 1
    assert len(scene.sent()) == 1


@pytest.mark.parametrize("data", [b"\x02", b"\x07\0\0\x01", b"\x02\0\0\x09", b"\x02\0\0\x00"])
def test_strange_datagrams(scene: Scene, data: bytes) -> None:
    assert scene.server._down is not None
    scene.server.socket.sendto(data, scene.server._down)
    assert ack_of(scene, TXPK | {"imme": True}) == {}
    assert scene.forwarder.counts.invalid == 1


def test_the_counter_wraps() -> None:
    offset = (1 << 32) - 500_000
    assert udp.counter(499_999, offset) == (1 << 32) - 1
    assert udp.counter(500_000, offset) == 0
    body = json.dumps({"txpk": TXPK | {"tmst": 600_000}}).encode()
    assert udp.parse_txpk(body, 100_000, offset).downlink.time_us == 1_100_000
    body = json.dumps({"txpk": TXPK | {"tmst": (1 << 32) - 1_000}}).encode()
    assert udp.parse_txpk(body, 600_000, offset).downlink.time_us == 499_000


# --- a server that is not there


def test_a_server_that_goes_and_comes_back() -> None:
    with Scene(keepalive_s=0.05) as scene:
        scene.server.wait(udp.PULL_DATA, 2)
        scene.server.silent = True
        deadline = time.monotonic() + 5
        while scene.forwarder.connected:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        scene.uplink()  # lost, as nobody is there; nothing breaks
        old = scene.server._down
        scene.server.silent = False
        while not scene.forwarder.connected:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert scene.server._down != old, "a new way through the NAT"
        assert [kind for kind, _details in scene.events] == ["connected", "silent", "connected"]
        assert ack_of(scene, TXPK | {"imme": True}) == {}


def test_a_server_that_starts_later() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    air = Air(100.0, real=True)
    gateway = network_plan.make_gateway(air, EUI, PLAN)
    with air, Forwarder(gateway, "127.0.0.1", port, keepalive_s=0.05) as forwarder:
        time.sleep(0.3)
        assert not forwarder.connected
        server = Server(port)
        server.wait(udp.PULL_DATA)
        deadline = time.monotonic() + 5
        while not forwarder.connected:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    server.close()


def test_a_name_that_does_not_exist() -> None:
    air = Air(100.0, real=True)
    gateway = network_plan.make_gateway(air, EUI, PLAN)
    with pytest.raises(InputError, match=r"no network server at no-such-host\.invalid:1700"):
        Forwarder(gateway, "no-such-host.invalid", 1700)


# --- all of it: a device joins and talks through UDP


class SleepingClock(BoardClock):
    """A real clock for the test double: moving it means waiting."""

    def observe(self, node_us: int) -> None:
        left_s = (node_us - self.now_us) / 1e6
        if left_s > 0:
            time.sleep(left_s)


class Lns:
    """Just enough of a network server behind the protocol: accepts joins, acknowledges confirmed uplinks."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.keys = b"", b""
        self.data: list[bytes] = []
        self.fcnt = 0
        server.on_rxpk = self.take

    def take(self, packet: dict[str, Any]) -> None:
        phy = base64.b64decode(packet["data"])
        if frames.message_type(phy) == frames.JOIN_REQUEST:
            request = JoinRequest.parse(phy)
            assert request.is_authentic(APP_KEY)
            self.keys = crypto.session_keys(APP_KEY, 1, 0, request.dev_nonce)
            self.send(packet, 5_000_000, JoinAccept(1, 0, 0x00ABCDEF, 0, 1).build(APP_KEY))
            return
        frame = DataFrame.parse(phy)
        assert frame.is_authentic(self.keys[0], frame.fcnt)
        self.data.append(frame.plain(*self.keys, frame.fcnt))
        down = DataFrame(frames.DOWN, 0x00ABCDEF, self.fcnt, ack=frame.confirmed, port=9, payload=b"hi")
        self.fcnt += 1
        self.send(packet, 1_000_000, down.build(*self.keys))

    def send(self, packet: dict[str, Any], later_us: int, phy: bytes) -> None:
        txpk = TXPK | {"tmst": (packet["tmst"] + later_us) % (1 << 32), "freq": packet["freq"], "datr": packet["datr"]}
        self.server.pull_resp({"txpk": txpk | {"size": len(phy), "data": base64.b64encode(phy).decode().rstrip("=")}})


def test_a_device_joins_and_talks_through_the_forwarder(scene: Scene) -> None:
    lns = Lns(scene.server)
    device = DeviceDouble(scene.air, PLAN, 1, dr=5)
    device.clock = SleepingClock("real")
    device.station = scene.air.station("real node", device.clock)
    assert device.join_once()
    assert device.address == 0x00ABCDEF
    assert device.send(b"temperature", confirmed=True)
    assert lns.data == [b"temperature"]
    assert device.downlinks == [(9, b"hi")]
    assert scene.forwarder.counts.refused == {}
