"""Events from an MQTT broker: Judder's own topics, and those of the network servers (judder.ingest.topics)."""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from judder.errors import DeviceError, InputError, Timeout
from judder.flow import Poison, Uplink
from judder.ingest import downlink, events, topics

# Messages with QoS 0 that wait to be taken. Those with QoS 1 are bounded by the broker: it sends some, commonly 20, and
# waits for acknowledgements.
_WAITING = 100_000


@dataclass(slots=True)
class Received:
    """A message that the broker keeps until Subscriber.ack. event: a Poison where it is malformed. repeated: the broker
    says that it has sent it before (DUP). connection: number of the connection it came over, from 1."""

    event: events.Event | Poison
    topic: str
    repeated: bool
    connection: int
    _mid: int
    _qos: int


class Subscriber:
    """Receives from a broker with QoS 1, with a persistent session when a client_id is given.

    get() takes the next event and acknowledges it. receive() leaves that to ack(), for whoever has to store it first: a
    message that was not acknowledged comes again after a reconnect, so it may come twice. Neither ever raises for what
    is in a message: a malformed one is a Poison with its text.

    subscriptions: topics, also of servers: topics.OWN, topics.CHIRPSTACK, topics.of_tts("app@tenant"). tls: True, or a
    context of your own. dropped: messages with QoS 0 that nobody took in time.
    Raises DeviceError when the broker refuses or cannot be reached at the start; later it reconnects by itself.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        subscriptions: Sequence[str] = topics.OWN,
        client_id: str = "",
        user: str = "",
        password: str = "",
        tls: bool | ssl.SSLContext = False,
        timeout_s: float = 10,
    ) -> None:
        self.dropped = 0
        self._subscriptions = [(topic, 1) for topic in subscriptions]
        self._waiting: queue.Queue[Received] = queue.Queue()
        self._subscribed: queue.Queue[str] = queue.Queue()
        self._connection = 0
        self._acknowledging = threading.Lock()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not client_id,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        if user:
            self._client.username_pw_set(user, password)
        if tls:
            self._client.tls_set_context(tls if isinstance(tls, ssl.SSLContext) else ssl.create_default_context())
        self._client.on_pre_connect = self._on_pre_connect
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        try:
            self._client.connect(host, port, keepalive=30)
        except OSError as error:
            raise DeviceError(f"no broker at {host}:{port} ({error}); is it running?") from error
        self._client.loop_start()
        try:
            outcome = self._subscribed.get(timeout=timeout_s)
        except queue.Empty:
            outcome = f"no answer within {timeout_s:g} s"
        if outcome:
            self.close()
            raise DeviceError(f"broker at {host}:{port}: {outcome}")

    def _on_pre_connect(self, _client: mqtt.Client, _data: Any) -> None:
        # The numbers of messages count anew with every connection; an acknowledgement of the last one must not hit a
        # message of this one.
        with self._acknowledging:
            self._connection += 1

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._subscribed.put(str(reason))
            return
        # Again after every reconnect: without a client_id the broker forgets the session.
        client.subscribe(self._subscriptions)

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._subscribed.put(refused[0] if refused else "")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.qos == 0 and self._waiting.qsize() >= _WAITING:
            self.dropped += 1
            return
        now = time.time()
        topic, body = _topic(message), bytes(message.payload)
        event: events.Event | Poison
        try:
            event = topics.parse(topic, body, received_at=now)
        except InputError as error:
            event = Poison(Uplink(topics.node_of(topic), body, now, "mqtt"), error)
        self._waiting.put(Received(event, topic, message.dup, self._connection, message.mid, message.qos))

    @property
    def connected(self) -> bool:
        """Subscribed, as far as this side knows; it reconnects by itself."""
        return self._client.is_connected()

    def receive(self, timeout_s: float) -> Received | None:
        """The next message, None when there is none in that time. Acknowledge it when it is safe with you."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def ack(self, message: Received) -> None:
        """Tell the broker that a message is taken. After a reconnect it comes again and this one is void."""
        if message._qos:
            with self._acknowledging:
                if message.connection == self._connection:
                    self._client.ack(message._mid, message._qos)

    def get(self, timeout_s: float) -> events.Event | Poison | None:
        """The next event, acknowledged; None when there is none in that time."""
        message = self.receive(timeout_s)
        if message is None:
            return None
        self.ack(message)
        return message.event

    def publish(self, topic: str, body: bytes, timeout_s: float = 10) -> None:
        """Publish with QoS 1 what judder.ingest.downlink makes. Raises Timeout when the broker does not acknowledge."""
        info = self._client.publish(topic, body, qos=1)
        try:
            info.wait_for_publish(timeout_s)
        except (ValueError, RuntimeError) as error:
            raise DeviceError(f"the broker connection is down ({error}); nothing was sent to {topic}") from error
        if not info.is_published():
            raise Timeout(f"the broker did not acknowledge {topic} within {timeout_s:g} s")

    def send(self, node: str, frame: bytes, timeout_s: float = 10) -> None:
        """Publish a COMMAND for a node over Wi-Fi."""
        self.publish(*downlink.mqtt(node, frame), timeout_s)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _topic(message: mqtt.MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:  # MQTT forbids it; some brokers pass it on
        return ""
