"""Who listens at a broker in the tests of what is published there."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from judder.ingest.broker import Broker

_PATIENCE_S = 30
_MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(not _MOSQUITTO, reason="mosquitto is not installed")
BROKERS = ["amqtt", pytest.param("mosquitto", marks=needs_mosquitto)]


class Listener:
    """Keeps what comes on the topics, oldest first. say() publishes as somebody else would.

    session: a name by which the broker keeps for it what comes while it is away.
    """

    def __init__(self, broker: Broker, topics: Sequence[str] = ("#",), session: str = "") -> None:
        self._messages: list[mqtt.MQTTMessage] = []
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=session, clean_session=not session)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        assert self._ready.wait(_PATIENCE_S)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def wait(self, enough: Callable[[list[mqtt.MQTTMessage]], bool]) -> list[mqtt.MQTTMessage]:
        """Everything that came, as soon as that is enough."""
        deadline = time.monotonic() + _PATIENCE_S
        with self._changed:
            while not enough(self._messages):
                left = deadline - time.monotonic()
                assert left > 0, [(message.topic, message.payload) for message in self._messages]
                self._changed.wait(left)
            return list(self._messages)

    def first(self, count: int) -> list[mqtt.MQTTMessage]:
        return self.wait(lambda messages: len(messages) >= count)[:count]

    def say(self, topic: str, payload: bytes, retain: bool = False, qos: int = 1) -> None:
        self._client.publish(topic, payload, qos, retain).wait_for_publish(_PATIENCE_S)

    def forget(self) -> None:
        with self._changed:
            self._messages.clear()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
