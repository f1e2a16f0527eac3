"""The node's MQTT client against scripted brokers: every chunking, every loss, every silence. On CPython.

Packet layouts are read back by amqtt, or come from the OASIS standard "MQTT Version 3.1.1" (section numbers below).
"""

from __future__ import annotations

import asyncio
import random

import pytest
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import MQTTFixedHeader
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket
from scripted import Clock, Transport, cut

from node.link import mqtt, mqtt_packets
from node.link.mqtt_packets import MqttError

NODE = "0011223344556677"
TOPICS = (f"judder/{NODE}/up", f"judder/{NODE}/down", f"judder/{NODE}/status")
TIMEOUT_MS = 5000

# 3.2: CONNACK, accepted. 3.9: SUBACK for packet 1, granted QoS 1.
CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


def puback(number: int) -> bytes:
    return b"\x40\x02" + number.to_bytes(2, "big")


def downlink(payload: bytes, number: int = 9, topic: str = TOPICS[1], qos: int = 1) -> bytes:
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (number.to_bytes(2, "big") if qos else b"") + payload
    length = bytearray()
    rest = len(body)
    while True:
        length.append(rest % 128 | (0x80 if rest >= 128 else 0))
        rest //= 128
        if not rest:
            break
    return bytes((0x30 | qos << 1,)) + bytes(length) + body


def client(clock: Clock, **options: object) -> mqtt.Client:
    return mqtt.Client(clock, NODE, TOPICS, 60, TIMEOUT_MS, **options)


def ready(clock: Clock, transport: Transport, made: mqtt.Client | None = None) -> mqtt.Client:
    made = made or client(clock)
    made.open(transport)
    transport.say(CONNACK)
    for _ in range(20):
        made.step()
    subscribe = [body for head, body in cut(transport.heard) if head == 0x82]
    transport.say(b"\x90\x03" + subscribe[0][:2] + b"\x01")
    for _ in range(20):
        made.step()
    assert made.state == mqtt.READY
    return made


def by_amqtt(packet_class: type, data: bytes):
    """The packet as amqtt understands it; everything must be consumed."""

    class Reader:
        def __init__(self) -> None:
            self.at = 0

        async def read(self, count: int = -1) -> bytes:
            end = len(data) if count < 0 else self.at + count
            part = data[self.at : end]
            self.at += len(part)
            return part

        def feed_eof(self) -> None:
            pass

    async def parse():
        reader = Reader()
        header = await MQTTFixedHeader.from_stream(reader)
        packet = await packet_class.from_stream(reader, header)
        assert reader.at == len(data)
        return packet

    return asyncio.run(parse())


# --- packets


def test_connect_says_what_amqtt_hears() -> None:
    packet = by_amqtt(
        ConnectPacket, mqtt_packets.connect(NODE, 300, TOPICS[2], b"offline", user="u", password="p\u00e4ss")
    )
    assert packet.variable_header.proto_name == "MQTT"
    assert packet.variable_header.proto_level == 4
    assert packet.variable_header.keep_alive == 300
    assert not packet.variable_header.clean_session_flag
    assert (packet.variable_header.will_retain_flag, packet.variable_header.will_qos) == (True, 1)
    assert packet.payload.client_id == NODE
    assert (packet.payload.will_topic, packet.payload.will_message) == (TOPICS[2], b"offline")
    assert (packet.payload.username, packet.payload.password) == ("u", "p\u00e4ss")


def test_connect_without_user() -> None:
    packet = by_amqtt(ConnectPacket, mqtt_packets.connect(NODE, 60, TOPICS[2], b"offline"))
    assert not packet.variable_header.username_flag
    assert not packet.variable_header.password_flag


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 2000, 16_400])
def test_publish_says_what_amqtt_hears(size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    packet = by_amqtt(PublishPacket, mqtt_packets.publish(TOPICS[0], payload, 4711, qos=1, dup=True))
    assert (packet.topic_name, bytes(packet.data), packet.packet_id) == (TOPICS[0], payload, 4711)
    assert (packet.qos, packet.dup_flag, packet.retain_flag) == (1, True, False)


def test_subscribe_says_what_amqtt_hears() -> None:
    packet = by_amqtt(SubscribePacket, mqtt_packets.subscribe(77, TOPICS[1]))
    assert packet.variable_header.packet_id == 77
    assert [(topic, int(qos)) for topic, qos in packet.payload.topics] == [(TOPICS[1], 1)]


# 2.2.3, table 2.4: smallest and largest values of each length of the length.
@pytest.mark.parametrize(
    ("length", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (2_097_151, "ffff7f")],
)
def test_remaining_length_at_its_boundaries(length: int, encoded: str) -> None:
    reader = mqtt_packets.Reader(64)
    stream = b"\x30" + bytes.fromhex(encoded)
    assert reader.feed(stream, len(stream)) == ([(0x30, b"", 0)] if length == 0 else [])
    # Then exactly that many bytes make the packet, of which the reader keeps 64.
    found = []
    left = length
    while left:
        part = bytes(min(left, 4096))
        assert not found
        found = reader.feed(part, len(part))
        left -= len(part)
    if length:
        assert found == [(0x30, bytes(min(length, 64)), length)]


def test_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(MqttError, match="four bytes"):
        mqtt_packets.Reader(64).feed(b"\x30\x80\x80\x80\x80\x01", 6)


# --- a session, cut in every way

SESSION = [CONNACK, SUBACK, puback(2), downlink(b"one"), downlink(b"", 10), b"\xd0\x00", downlink(b"zero", qos=0)]


def _play(transport: Transport) -> mqtt.Client:
    clock = Clock()
    made = client(clock)
    made.open(transport)
    transport.say(*SESSION[:2])
    for _ in range(40):
        made.step()
    made.publish(b"reading")
    transport.say(b"".join(SESSION[2:]))
    for _ in range(200):
        made.step()
    assert not made.pending()
    return made


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 64, 1000])
@pytest.mark.parametrize("take", [1, 3, 1000])
def test_any_chunking_of_a_session_means_the_same(chunk: int, take: int) -> None:
    reference = Transport()
    whole = _play(reference)
    transport = Transport(chunk, take)
    made = _play(transport)
    assert made.received == whole.received == [b"one", b"", b"zero"]
    assert cut(transport.heard) == cut(reference.heard)
    assert [first >> 4 for first, _body in cut(transport.heard)] == [1, 8, 3, 3, 4, 4]


def test_topics_will_and_birth() -> None:
    transport = Transport()
    ready(Clock(), transport)
    connect, subscribe, birth = cut(transport.heard)
    assert TOPICS[2].encode() + b"\x00\x07offline" in connect[1]
    assert TOPICS[1].encode() in subscribe[1]
    assert birth[0] == 0x31, "retained"
    assert birth[1].endswith(b"online")


# 3.2.2.3, table 3.1
@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "version"), (2, "identifier"), (3, "unavailable"), (4, "password"), (5, "authorised"), (9, "9")],
)
def test_refused_connections_say_why(code: int, words: str) -> None:
    transport = Transport()
    made = client(Clock())
    made.open(transport)
    transport.say(bytes((0x20, 2, 0, code)))
    with pytest.raises(MqttError, match=words):
        made.step()


def test_a_session_the_broker_remembers_is_fine() -> None:
    transport = Transport()
    made = client(Clock())
    made.open(transport)
    transport.say(b"\x20\x02\x01\x00")
    made.step()
    assert made.state == mqtt.READY


def test_broker_closing_during_the_handshake() -> None:
    script = CONNACK + SUBACK
    for cut_at in range(len(script) + 1):
        made = client(Clock())
        transport = Transport()
        made.open(transport)
        transport.say(script[:cut_at], None)
        with pytest.raises(MqttError, match="closed"):
            made.step()
        made.lost()
        ready(Clock(), Transport(), made)


@pytest.mark.parametrize("cut_at", range(5))
def test_broker_closing_within_the_puback_loses_nothing(cut_at: int) -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    made.publish(b"reading")
    head, first = cut(transport.heard)[-1]
    assert head == 0x32
    transport.say(puback(2)[:cut_at], None)
    with pytest.raises(MqttError, match="closed"):
        made.step()
    assert made.pending() == (cut_at < 4)
    made.lost()
    assert not made.pending()
    if cut_at == 4:
        return
    # The same message again: same identifier, DUP set (4.4), and now it is acknowledged.
    again = Transport()
    ready(clock, again, made)
    made.publish(b"reading", repeat=True)
    head, body = cut(again.heard)[-1]
    assert head == 0x3A, "PUBLISH, DUP, QoS 1"
    assert body == first
    again.say(puback(2))
    made.step()
    assert not made.pending()


def test_another_message_after_a_loss_is_no_duplicate() -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    made.publish(b"reading")
    made.lost()
    again = Transport()
    ready(clock, again, made)
    made.publish(b"alarm")
    assert cut(again.heard)[-1][0] == 0x32


def test_puback_counts_only_for_its_own_identifier() -> None:
    transport = Transport()
    made = ready(Clock(), transport)
    made.publish(b"one")
    transport.say(puback(99))
    made.step()
    assert made.pending()
    assert made.ignored == 1
    transport.say(puback(2), puback(2))
    made.step()
    assert not made.pending()
    assert made.ignored == 2


def test_identifiers_go_round_without_zero() -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    seen = set()
    for _ in range(65_540):
        made.publish(b"")
        number = int.from_bytes(transport.heard[-2:], "big")
        seen.add(number)
        transport.heard = b""
        transport.say(puback(number))
        made.step()
        assert not made.pending()
    assert seen == set(range(1, 65_536))


# --- silence


@pytest.mark.parametrize("answers", [[], [CONNACK]])
def test_no_answer_in_time_ends_the_connection(answers: list[bytes]) -> None:
    clock, transport = Clock(), Transport()
    made = client(clock)
    made.open(transport)
    transport.say(*answers)
    made.step()
    clock.now_ms += TIMEOUT_MS
    made.step()
    clock.now_ms += 1
    with pytest.raises(MqttError, match="no SUBACK" if answers else "no CONNACK"):
        made.step()


def test_no_puback_in_time_ends_the_connection() -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    made.publish(b"reading")
    clock.now_ms += TIMEOUT_MS + 1
    with pytest.raises(MqttError, match="no PUBACK within 5 s"):
        made.step()


def test_a_peer_that_takes_nothing_ends_the_connection() -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    transport.take = 0
    made.publish(b"reading")
    clock.now_ms += TIMEOUT_MS + 1
    with pytest.raises(MqttError, match="within 5 s"):
        made.step()


def test_keep_alive_asks_before_the_time_is_over_and_needs_the_answer() -> None:
    clock, transport = Clock(), Transport()
    made = ready(clock, transport)
    transport.heard = b""
    clock.now_ms += 44_999
    made.step()
    assert transport.heard == b""
    clock.now_ms += 1
    made.step()
    made.step()
    assert transport.heard == b"\xc0\x00", "one PINGREQ (3.12), at three quarters of 60 s"
    transport.say(b"\xd0\x00")
    made.step()
    clock.now_ms += 45_000
    made.step()
    assert transport.heard == b"\xc0\x00\xc0\x00"
    clock.now_ms += TIMEOUT_MS + 1
    with pytest.raises(MqttError, match="no PINGRESP"):
        made.step()


# --- what a broker should not send


def test_oversize_downlink_is_skipped_acknowledged_and_counted() -> None:
    transport = Transport(chunk=100)
    made = ready(Clock(), transport)
    transport.heard = b""
    transport.say(downlink(bytes(50_000), 21), downlink(b"small", 22))
    for _ in range(100):
        made.step()
    assert made.received == [b"small"]
    assert made.refused == 1
    assert transport.heard == puback(21) + puback(22)


def test_downlinks_nobody_fetches_stay_with_the_broker() -> None:
    transport = Transport()
    made = ready(Clock(), transport)
    transport.heard = b""
    transport.say(*[downlink(b"%d" % i, i) for i in range(1, 12)])
    made.step()
    made.step()
    assert len(made.received) == 8
    assert made.refused == 3
    assert transport.heard == b"".join([puback(i) for i in range(1, 9)])


def test_a_flood_does_not_keep_the_node_from_measuring() -> None:
    transport = Transport(chunk=64)
    made = ready(Clock(), transport)
    transport.say(downlink(bytes(100_000), qos=0))
    made.step()
    assert transport.readinto(bytearray(1)) == 1, "one step left most of it unread"


@pytest.mark.parametrize(
    "packet",
    [
        downlink(b"x", qos=2),  # more than was asked for
        downlink(b"x", number=0),  # 2.3.1: non-zero
        b"\x32\x01\x00",  # shorter than its topic length
        b"\x32\x04\x00\x09ab",  # topic reaches beyond the packet
        b"\x10\x00",  # CONNECT from a server
        b"\x00\x00",
        b"\xf0\x00",
        b"\x40\x01\x00",  # PUBACK of one byte
        CONNACK,  # a second one
    ],
)
def test_nonsense_ends_the_connection(packet: bytes) -> None:
    transport = Transport()
    made = ready(Clock(), transport)
    transport.say(packet)
    with pytest.raises(MqttError):
        made.step()


def test_garbage_of_any_kind_raises_nothing_else() -> None:
    draw = random.Random(20)
    outcomes = set()
    for _ in range(20_000):
        transport = Transport(chunk=draw.choice([1, 7, 300]))
        made = client(Clock())
        made.open(transport)
        prefix = draw.choice([b"", CONNACK, CONNACK + SUBACK])
        good = bytearray(prefix + downlink(b"payload", draw.randrange(1, 65_536)))
        for _ in range(draw.randrange(4)):
            good[draw.randrange(len(good))] = draw.randrange(256)
        transport.say(bytes(good) if draw.random() < 0.7 else prefix + draw.randbytes(draw.randrange(40)))
        try:
            for _ in range(10):
                made.step()
            outcomes.add("went on")
        except MqttError:
            outcomes.add("refused")
    assert outcomes == {"went on", "refused"}


def test_goodbye_is_said_and_the_will_is_not() -> None:
    transport = Transport()
    made = ready(Clock(), transport)
    transport.heard = b""
    made.disconnect()
    assert transport.heard == b"\xe0\x00"
    assert made.state == mqtt.CLOSED
    made.step()
