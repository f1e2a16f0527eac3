"""MQTT 3.1.1 client that never blocks: `step` does what can be done now and returns.

    closed --open(transport)--> connecting --CONNACK 0--> ready
    any wait that lasts longer than timeout_ms, anything malformed, a closed stream: MqttError or OSError from step;
    the owner then drops the transport and calls `lost()`, and may open() again on a new one.

One PUBLISH of QoS 1 is under way at a time. If the connection is lost before its PUBACK, publishing it again with
repeat=True uses the same packet identifier and the DUP flag (4.4).

transport: write(bytes) -> bytes taken or None, readinto(buffer) -> bytes, 0 when closed, None when there is nothing
yet; both may raise OSError. clock: ticks_ms(), ticks_diff(a, b). Pure otherwise, so tests play the broker byte by byte.
"""

from node.link import mqtt_packets as packets
from node.link.mqtt_packets import MqttError

CLOSED = 0
CONNECTING = 1
READY = 2

# A downlink is a COMMAND: tens of bytes. What is longer is skipped as it comes in, and counted.
LIMIT_IN = 1024
_QUEUE = 8
# What a step receives at most, so that a flood of downlinks cannot keep the node from measuring.
_CHUNKS_A_STEP = 16


class Client:
    """node: 16 hex digits, also the MQTT client identifier. topic_up, topic_down, topic_status: str."""

    def __init__(self, clock, node: str, topics: tuple, keepalive_s: int, timeout_ms: int, user="", password=""):
        self._clock = clock
        self._node = node
        self._up, self._down, self._status = topics
        self._keepalive_s = keepalive_s
        self._timeout_ms = timeout_ms
        self._user = user
        self._password = password
        self._reader = packets.Reader(LIMIT_IN)
        self._chunk = bytearray(256)
        self._transport = None
        self._packet_id = 0
        self._inflight = 0
        self._unanswered = 0
        self.state = CLOSED
        self.received = []
        self.refused = 0
        self.ignored = 0
        self._reset()

    def _reset(self) -> None:
        self._reader.reset()
        self._out = b""
        self._subscribe_id = 0
        # What is being waited for: name -> since when, in ticks. Few entries, looked at each step.
        self._waits = {}

    # --- life of a connection

    def open(self, transport) -> None:
        """Start a session on a connected transport."""
        self._reset()
        self._transport = transport
        self.state = CONNECTING
        self._last_sent = self._clock.ticks_ms()
        self._wait("CONNACK")
        self._send(
            packets.connect(
                self._node, self._keepalive_s, self._status, b"offline", user=self._user, password=self._password
            )
        )

    def lost(self) -> None:
        """The transport is gone. A message under way stays unanswered: publish it again with repeat=True."""
        if self._inflight:
            self._unanswered = self._inflight
        self._inflight = 0
        self._transport = None
        self.state = CLOSED
        self._reset()

    def disconnect(self) -> None:
        """Say goodbye, so that the broker does not publish the will. Best effort."""
        if self.state != CLOSED:
            try:
                self._send(packets.DISCONNECT)
            except OSError:
                pass
        self.lost()

    # --- messages

    def publish(self, payload: bytes, repeat: bool = False) -> None:
        """QoS 1 to the uplink topic. repeat: the message that was under way when the connection was lost."""
        if self.state != READY or self._inflight:
            raise MqttError("not ready to publish")
        again = repeat and self._unanswered
        self._inflight = self._unanswered if again else self._next_id()
        self._unanswered = 0
        self._wait("PUBACK")
        self._send(packets.publish(self._up, payload, self._inflight, qos=1, dup=bool(again)))

    def pending(self) -> bool:
        """A PUBLISH waits for its PUBACK."""
        return self._inflight != 0

    def step(self) -> None:
        """Receive, answer, keep alive, watch the waits. Raises MqttError or OSError when the connection is done for."""
        if self.state == CLOSED:
            return
        self._flush()
        for _ in range(_CHUNKS_A_STEP):
            count = self._transport.readinto(self._chunk)
            if count is None:
                break
            if count == 0:
                raise MqttError("broker closed the connection")
            for first, body, length in self._reader.feed(self._chunk, count):
                self._handle(first, body, length)
        now = self._clock.ticks_ms()
        for name in self._waits:
            if self._clock.ticks_diff(now, self._waits[name]) > self._timeout_ms:
                raise MqttError("no %s within %d s" % (name, self._timeout_ms // 1000))
        # A quarter early: the broker counts the silence at its own end (3.1.2.10).
        quiet_ms = self._clock.ticks_diff(now, self._last_sent)
        if self.state == READY and "PINGRESP" not in self._waits and quiet_ms >= self._keepalive_s * 750:
            self._wait("PINGRESP")
            self._send(packets.PINGREQ)

    # --- inside

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id

    def _wait(self, name: str) -> None:
        self._waits[name] = self._clock.ticks_ms()

    def _send(self, packet: bytes) -> None:
        self._out += packet
        self._last_sent = self._clock.ticks_ms()
        self._flush()

    def _flush(self) -> None:
        while self._out:
            taken = self._transport.write(self._out)
            if not taken:
                if "write" not in self._waits:
                    self._wait("write")
                return
            self._out = self._out[taken:]
            self._waits.pop("write", None)

    def _handle(self, first: int, body: bytes, length: int) -> None:
        kind = first >> 4
        if self.state == CONNECTING:
            if kind != packets.CONNACK or length != 2 or body[0] > 1:
                raise MqttError("not an MQTT broker: answer to CONNECT was 0x%02x" % first)
            if body[1]:
                known = body[1] < len(packets.CONNACK_REASONS)
                reason = packets.CONNACK_REASONS[body[1]] if known else "reason %d" % body[1]
                raise MqttError("broker refused the node: " + reason)
            self._waits.pop("CONNACK")
            self.state = READY
            self._subscribe_id = self._next_id()
            self._wait("SUBACK")
            self._send(packets.subscribe(self._subscribe_id, self._down))
            self._send(packets.publish(self._status, b"online", retain=True))
        elif kind == packets.PUBLISH:
            self._downlink(first, body, length)
        elif kind == packets.PUBACK and length == 2:
            # Matched by identifier: a late one of an earlier session must not acknowledge what is under way now.
            if body[0] << 8 | body[1] == self._inflight and self._inflight:
                self._inflight = 0
                self._waits.pop("PUBACK", None)
            else:
                self.ignored += 1
        elif kind == packets.SUBACK and length == 3 and body[0] << 8 | body[1] == self._subscribe_id:
            self._waits.pop("SUBACK", None)
            if body[2] > 1:
                # Uplinks are worth having without downlinks.
                self.refused += 1
        elif kind == packets.PINGRESP and length == 0:
            self._waits.pop("PINGRESP", None)
        else:
            raise MqttError("broker sent packet 0x%02x of %d bytes" % (first, length))

    def _downlink(self, first: int, body: bytes, length: int) -> None:
        topic, payload, packet_id = packets.parse_publish(first, body, length)
        if len(body) < length:
            # Acknowledged all the same: otherwise the broker sends it again at every connection, for ever.
            self.refused += 1
        elif topic != self._down.encode():
            self.ignored += 1
        elif len(self.received) >= _QUEUE:
            # Not acknowledged: the broker keeps it until there is room.
            self.refused += 1
            return
        else:
            self.received.append(payload)
        if packet_id:
            self._send(packets.puback(packet_id))
