"""Payloads from an MQTT broker: Judder's own topics `judder/<node id>/up`, `/status` and `/down`."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from judder.errors import DeviceError, Timeout

UP = "judder/+/up"
STATUS = "judder/+/status"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a node. node: EUI-64 as 16 hex digits. received_at: Unix time in seconds, of this computer."""

    node: str
    payload: bytes
    received_at: float
    is_status: bool = False


def topic_down(node: str) -> str:
    """Where a COMMAND for a node goes."""
    return f"judder/{node}/down"


class Subscriber:
    """Receives from a broker with QoS 1 and a persistent session when a client_id is given.

    get(timeout_s) returns a Message or None. send(node, payload) publishes a COMMAND and waits for the broker.
    Raises DeviceError when the broker refuses or cannot be reached at the start; later it reconnects by itself.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        client_id: str = "",
        user: str = "",
        password: str = "",
        timeout_s: float = 10,
    ) -> None:
        self._messages: queue.Queue[Message] = queue.Queue()
        self._subscribed: queue.Queue[str] = queue.Queue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not client_id, protocol=mqtt.MQTTv311
        )
        if user:
            self._client.username_pw_set(user, password)
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

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._subscribed.put(str(reason))
            return
        # Again after every reconnect: without a client_id the broker forgets the session.
        client.subscribe([(UP, 1), (STATUS, 1)])

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._subscribed.put(refused[0] if refused else "")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        parts = message.topic.split("/")
        if len(parts) == 3:
            self._messages.put(Message(parts[1], bytes(message.payload), time.time(), parts[2] == "status"))

    def get(self, timeout_s: float) -> Message | None:
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def send(self, node: str, payload: bytes, timeout_s: float = 10) -> None:
        """Publish a COMMAND with QoS 1. Raises Timeout when the broker does not acknowledge it."""
        info = self._client.publish(topic_down(node), payload, qos=1)
        try:
            info.wait_for_publish(timeout_s)
        except (ValueError, RuntimeError) as error:
            raise DeviceError(f"the broker connection is down ({error}); the command was not sent") from error
        if not info.is_published():
            raise Timeout(f"the broker did not acknowledge the command for {node} within {timeout_s:g} s")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
