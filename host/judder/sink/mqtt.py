"""Publishing to an MQTT broker: one connection, kept up in the background, and write() that knows what arrived.

Messages with QoS 1 are safe when the broker has acknowledged them. Those with QoS 0, which some protocols insist on,
are when it has answered a request sent after them: a broker takes what a client sends in its order (MQTT 3.1.1 section
4.6). What is said at every connection, on what others say and at the end is a Role's, which does no I/O.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from judder import tls
from judder.errors import InputError
from judder.sink import SinkDown, SinkOptions, needs, secret

if TYPE_CHECKING:
    import paho.mqtt.client as paho
    from paho.mqtt.reasoncodes import ReasonCode

_KEEPALIVE_S = 30
# Messages on their way at once; services count those without an acknowledgement and cut who sends more (AWS IoT: 100).
_IN_FLIGHT = 50
_TICK_S = 2.0
_STEP_S = 0.1
_GOODBYE_STEPS = 20
_RETRY_S = (1.0, 60.0)


@dataclass(slots=True, kw_only=True)
class MqttOptions(SinkOptions):
    """host, port: the broker; port 0: 1883, with tls 8883. user, password: where it asks for them. tls: encrypted, the
    broker's certificate verified; ca_file: certificates to trust in place of the system's, PEM; cert_file, key_file:
    our own, where the broker wants one; each of them implies tls. client_id: what the broker knows us by; empty: one
    that fits. protocol: "3.1.1", or "5", in which a broker says when a topic is not ours to publish to. timeout_s: for
    an answer."""

    host: str = "127.0.0.1"
    port: int = 0
    user: str = ""
    password: str = secret()
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    client_id: str = ""
    protocol: str = "3.1.1"
    timeout_s: float = 10.0
    batch_size: int = 200

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        if not self.host or "/" in self.host:
            raise InputError(f"host: a name or address is expected, as broker.example, not {self.host!r}")
        if not 0 <= self.port < 1 << 16:
            raise InputError(f"port: {self.port} is no port")
        if self.protocol not in ("3.1.1", "5"):
            raise InputError(f"protocol: {self.protocol!r} is not 3.1.1 or 5")
        if self.timeout_s <= 0:
            raise InputError(f"timeout_s: {self.timeout_s:g} is not above 0")
        if self.password and not self.user:
            raise InputError("user: MQTT has no password without a user")
        tls.check(self)
        self.port = self.port or (8883 if self.tls else 1883)


class Message(NamedTuple):
    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1


class Leave(Exception):
    """Raised by Role.heard: say farewell, disconnect, and connect anew."""


class Role:
    """What a client says beside what it is told to. This one says nothing. All of it is asked one at a time, by
    whichever thread; times and state are the role's."""

    subscriptions: Sequence[str] = ()

    def will(self) -> Message | None:
        """Asked before every connection: what the broker says for us when we are gone."""
        return None

    def greet(self) -> Iterable[Message]:
        """After every connection, before anything else."""
        return ()

    def heard(self, message: Message) -> Iterable[Message]:  # noqa: ARG002
        """On a message of the subscriptions; raises Leave. retain: the broker had kept it."""
        return ()

    def tick(self) -> Iterable[Message]:
        """Every few seconds while connected."""
        return ()

    def farewell(self) -> Iterable[Message]:
        """Before the connection is ended in order."""
        return ()


class Publisher:
    """Connects when something is first sent; from then on stays connected, or tries to, until close().

    Raises InputError when paho is missing or a certificate cannot be used.
    """

    def __init__(self, options: MqttOptions, role: Role | None = None, client_id: str = "") -> None:
        try:
            import paho.mqtt.client as _found  # noqa: F401
        except ImportError as error:
            raise needs("paho-mqtt", "gateway", error) from error
        self._options = options
        self._role = role or Role()
        self._client_id = options.client_id or client_id
        self._context = tls.context(options)
        self._lock = threading.RLock()
        self._client: paho.Client | None = None
        # What was heard, with who heard it; None: look whether all is well.
        self._news: queue.SimpleQueue[tuple[paho.Client, Message] | None] = queue.SimpleQueue()
        self._refused: dict[int, str] = {}  # number of a message -> why the broker does not take it
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def shown(self) -> str:
        return f"the broker at {self._options.host}:{self._options.port}"

    def send(self, make: Callable[[], Iterable[Message]]) -> None:
        """Publish what make() gives, asked once connected. Returns when the broker has all of it; raises SinkDown."""
        with self._lock:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="mqtt sink", daemon=True)
                self._keeper.start()
            self._connect()
            self._publish(make())

    def close(self) -> None:
        self._closing.set()
        self._news.put(None)
        if self._keeper is not None:
            self._keeper.join()
        with self._lock:
            self._leave()

    # --- the rest holds the lock

    def _connect(self) -> None:
        if self._client is not None:
            if self._client.is_connected():
                return
            self._drop()
        client, answers = self._new_client()
        options = self._options
        try:
            client.connect(options.host, options.port, keepalive=_KEEPALIVE_S)
            client.loop_start()
            refused = answers.get(timeout=options.timeout_s)
        except queue.Empty:
            refused = f"no answer within {options.timeout_s:g} s"
        except (OSError, ValueError) as error:
            raise SinkDown(f"cannot reach {self.shown}: {error}") from error
        if refused:
            _end(client)
            raise SinkDown(f"{self.shown}: {refused}")
        self._client = client
        try:
            self._publish(self._role.greet())
        except BaseException:
            self._drop()  # one that has not greeted must not be taken for connected
            raise

    def _new_client(self) -> tuple[paho.Client, queue.SimpleQueue[str]]:
        """A client for one connection: what one left unsaid must not be said by the next. The queue gets "" when it is
        connected and subscribed, else why not."""
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        options = self._options
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if options.protocol == "5" else True,
            protocol=paho.MQTTv5 if options.protocol == "5" else paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.connect_timeout = options.timeout_s
        if options.user:
            client.username_pw_set(options.user, options.password or None)
        if self._context:
            client.tls_set_context(self._context)
        will = self._role.will()
        if will:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        answers: queue.SimpleQueue[str] = queue.SimpleQueue()

        def on_connect(client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                hint = "; look at user and password" if "uthor" in str(reason) or "assword" in str(reason) else ""
                answers.put(f"{reason}{hint}")
            elif self._role.subscriptions:
                client.subscribe([(topic, 1) for topic in self._role.subscriptions])
            else:
                answers.put("")

        def on_subscribe(_client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
            refused = [reason for reason in reasons if reason.is_failure]
            answers.put(f"may not subscribe: {refused[0]}" if refused else "")

        def on_disconnect(_client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            answers.put(f"{reason}")
            self._news.put(None)

        def on_message(client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
            with contextlib.suppress(UnicodeDecodeError):  # MQTT forbids such a topic; some brokers pass it on
                heard = Message(message.topic, bytes(message.payload), message.retain, message.qos)
                self._news.put((client, heard))

        def on_publish(_client: paho.Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                self._refused[mid] = str(reason)

        self._refused = {}
        client.on_connect, client.on_subscribe, client.on_publish = on_connect, on_subscribe, on_publish
        client.on_disconnect, client.on_message = on_disconnect, on_message
        return client, answers

    def _publish(self, messages: Iterable[Message]) -> None:
        client = self._client
        assert client is not None
        messages = list(messages)
        waiting = []
        try:
            for message in messages:
                info = client.publish(message.topic, message.payload, message.qos, message.retain)
                waiting.append((message, info))
            for message, info in waiting:
                # One with QoS 0 counts as published when it is on its way.
                self._wait(client, info.wait_for_publish, info.is_published)
                if info.mid in self._refused:
                    raise SinkDown(f"{self.shown} refuses {message.topic}: {self._refused[info.mid]}")
            if any(not message.qos for message in messages):
                self._fence(client)
        except (ValueError, RuntimeError) as error:  # paho's words for a connection that is gone
            self._drop()
            raise SinkDown(f"lost {self.shown}: {error}") from error
        except SinkDown:
            self._drop()
            raise

    def _fence(self, client: paho.Client) -> None:
        """Wait until the broker has taken everything sent before. It answers an UNSUBSCRIBE of what was never
        subscribed too (MQTT 3.1.1, MQTT-3.10.4-5)."""
        answered = threading.Event()
        client.on_unsubscribe = lambda *_: answered.set()
        client.unsubscribe("judder/fence")
        self._wait(client, answered.wait, answered.is_set)

    def _wait(self, client: paho.Client, wait: Callable[[float], object], done: Callable[[], bool]) -> None:
        """For one message, so that many take as long as they take. In steps, for a lost connection answers nothing."""
        for _ in range(max(1, round(self._options.timeout_s / _STEP_S))):
            wait(_STEP_S)
            if done():
                return
            if not client.is_connected():
                raise SinkDown(f"lost {self.shown}")
        raise SinkDown(f"{self.shown} did not answer within {self._options.timeout_s:g} s")

    def _leave(self) -> None:
        if self._client is not None and self._client.is_connected():
            with contextlib.suppress(SinkDown):
                self._publish(self._role.farewell())
        client, self._client = self._client, None
        if client is not None:
            client.disconnect(_goodbye(client))
            for _ in range(_GOODBYE_STEPS):
                if client.socket() is None:
                    break
                time.sleep(_STEP_S)
            _end(client)

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _end(client)

    # --- the keeper's thread

    def _keep(self) -> None:
        pause_s = _RETRY_S[0]
        while not self._closing.is_set():
            news = None
            with contextlib.suppress(queue.Empty):
                news = self._news.get(timeout=_TICK_S)
            if self._closing.is_set():
                return
            try:
                with self._lock:
                    self._connect()
                    if news is None:
                        self._publish(self._role.tick())
                    elif news[0] is self._client:  # not of the connection before
                        self._publish(self._role.heard(news[1]))
                pause_s = _RETRY_S[0]
            except Leave:
                with self._lock:
                    self._leave()
            except SinkDown:
                # Whoever writes hears of it; this only brings the connection back.
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _RETRY_S[1])


def _end(client: paho.Client) -> None:
    """Without a DISCONNECT: after that the broker would not say our will, and others took us for connected."""
    client.on_message = None
    found = client.socket()
    if isinstance(found, socket.socket):
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)
    client.loop_stop()


def _goodbye(client: paho.Client) -> ReasonCode | None:
    """In MQTT 5 the broker says the will all the same, as Sparkplug wants it (payloads-ndeath-*-disconnect-mqtt50)."""
    from paho.mqtt.enums import MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return None
    return ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
