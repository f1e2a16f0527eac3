"""MQTT 3.1.1 (OASIS standard, 29 October 2014) packets: bytes out, and a reader for bytes in any chunking.

Pure: no sockets, no clock. Only what a node needs: QoS 0 and 1.
"""

from judder_core.errors import JudderError

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

CONNACK_REASONS = (
    "accepted",
    "protocol version refused",
    "client identifier refused",
    "server unavailable",
    "bad user name or password",
    "not authorised",
)

# A packet's remaining length takes at most four bytes of seven bits (2.2.3).
_LENGTH_BYTES_MAX = 4


class MqttError(JudderError):
    """The broker said no, said nonsense, or said nothing in time."""


def _text(value) -> bytes:
    data = value.encode() if isinstance(value, str) else bytes(value)
    return bytes((len(data) >> 8, len(data) & 0xFF)) + data


def _packet(first: int, body: bytes) -> bytes:
    head = bytearray((first,))
    length = len(body)
    while True:
        digit = length & 0x7F
        length >>= 7
        head.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(head) + body


def connect(client_id: str, keepalive_s: int, will_topic: str, will: bytes, user="", password="") -> bytes:
    """CONNECT (3.1) with a retained QoS 1 will. Clean session off: the broker keeps downlinks for a sleeping node."""
    flags = 0x04 | 0x08 | 0x20
    payload = _text(client_id) + _text(will_topic) + _text(will)
    if user:
        flags |= 0x80
        payload += _text(user)
        if password:
            flags |= 0x40
            payload += _text(password)
    variable = b"\x00\x04MQTT\x04" + bytes((flags, keepalive_s >> 8 & 0xFF, keepalive_s & 0xFF))
    return _packet(0x10, variable + payload)


def publish(
    topic: str, payload: bytes, packet_id: int = 0, qos: int = 0, retain: bool = False, dup: bool = False
) -> bytes:
    """PUBLISH (3.3). packet_id counts for QoS 1 only."""
    first = 0x30 | (0x08 if dup else 0) | qos << 1 | (1 if retain else 0)
    number = bytes((packet_id >> 8, packet_id & 0xFF)) if qos else b""
    return _packet(first, _text(topic) + number + payload)


def subscribe(packet_id: int, topic: str, qos: int = 1) -> bytes:
    """SUBSCRIBE (3.8) to one topic."""
    return _packet(0x82, bytes((packet_id >> 8, packet_id & 0xFF)) + _text(topic) + bytes((qos,)))


def puback(packet_id: int) -> bytes:
    """PUBACK (3.4)."""
    return bytes((0x40, 0x02, packet_id >> 8, packet_id & 0xFF))


def parse_publish(first: int, body, total: int) -> tuple:
    """(topic bytes, payload bytes, packet id or 0). body may be the head of a longer packet of `total` bytes.

    Raises MqttError for what 3.3 does not allow.
    """
    qos = first >> 1 & 3
    if qos > 1:
        raise MqttError("broker sent QoS %d, the node asked for 1" % qos)
    if len(body) < 2:
        raise MqttError("PUBLISH without a topic")
    end = 2 + (body[0] << 8 | body[1])
    at = end + 2 if qos else end
    if at > total:
        raise MqttError("PUBLISH shorter than its topic")
    if at > len(body):
        raise MqttError("PUBLISH topic of %d bytes" % (end - 2))
    packet_id = body[end] << 8 | body[end + 1] if qos else 0
    if qos and not packet_id:
        raise MqttError("PUBLISH with packet identifier 0")
    return bytes(body[2:end]), bytes(body[at:]), packet_id


class Reader:
    """Cuts a byte stream into packets. Of a packet longer than the buffer only the head is kept, the rest is skipped.

    limit: bytes of body kept; the buffer is made once.
    """

    def __init__(self, limit: int):
        self._buffer = bytearray(limit)
        self.reset()

    def reset(self) -> None:
        """A new connection: forget the packet begun."""
        self._first = -1
        self._length = 0
        self._shift = 0
        self._in_body = False
        self._got = 0

    def feed(self, data, count: int) -> list:
        """Packets completed by data[:count]: list of (first byte, body bytes, length on the wire).

        The body is shorter than the length when it did not fit. Raises MqttError for a malformed length (2.2.3).
        """
        packets = []
        at = 0
        while at < count:
            if self._first < 0:
                self._first = data[at]
                self._length = self._shift = self._got = 0
                self._in_body = False
                at += 1
            elif not self._in_body:
                digit = data[at]
                at += 1
                self._length |= (digit & 0x7F) << self._shift
                self._shift += 7
                if digit & 0x80:
                    if self._shift >= 7 * _LENGTH_BYTES_MAX:
                        raise MqttError("packet length of more than four bytes")
                    continue
                self._in_body = True
            else:
                span = min(count - at, self._length - self._got)
                keep = min(span, max(0, len(self._buffer) - self._got))
                self._buffer[self._got : self._got + keep] = data[at : at + keep]
                self._got += span
                at += span
            if self._in_body and self._got == self._length:
                packets.append((self._first, bytes(self._buffer[: min(self._length, len(self._buffer))]), self._length))
                self._first = -1
        return packets
