"""An MQTT broker, or the one of a network server: taken with QoS 1, acknowledged when it is in the spool."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from judder import tls
from judder.errors import InputError
from judder.gateway.intake import Arrival
from judder.gateway.source import Desk, Plugin, Source
from judder.ingest import topics
from judder.sink import needs, secret

if TYPE_CHECKING:
    from judder.ingest.mqtt import Received, Subscriber

# Stored in one transaction at most; a broker seldom has more under way than 20.
_BATCH = 1000
_WAIT_S = 0.5
_PORT, _TLS_PORT = 1883, 8883


@dataclass(slots=True, kw_only=True)
class MqttOptions:
    """host, port: of the broker; port 0: 1883, with TLS 8883. user, password: none by default. tls: with the system's
    authorities, or those in ca_file; cert_file, key_file: of this client. topics: what to subscribe to. client_id: by
    which the broker keeps what comes while the gateway is away; by default one that no other gateway has."""

    host: str = "127.0.0.1"
    port: int = 0
    user: str = ""
    password: str = secret()
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    topics: tuple[str, ...] = topics.OWN
    client_id: str = ""

    def __post_init__(self) -> None:
        if not self.host:
            raise InputError("host: name the broker")
        if not 0 <= self.port <= 65535:
            raise InputError(f"port: {self.port} is not one of 1 to 65535")
        if not self.topics:
            raise InputError("topics: name at least one")
        for topic in self.topics:
            if not topic or len(topic) > 65535 or "\0" in topic:
                raise InputError(f"topics: {topic!r:.40} is none")
        tls.check(self)
        if self.password and not self.user:
            raise InputError("user: a password needs one")


@dataclass(slots=True, kw_only=True)
class ChirpStackOptions(MqttOptions):
    """As mqtt. application: id of one application, by default all the account may see."""

    application: str = "+"
    topics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _level("application", self.application)
        self.topics = self.topics or (f"application/{self.application}/device/+/event/+",)
        MqttOptions.__post_init__(self)


@dataclass(slots=True, kw_only=True)
class TtsOptions(MqttOptions):
    """As mqtt, with TLS. application: its id, with @tenant where there are tenants (@ttn); it is also the user.
    password: an API key with the right to read application traffic."""

    application: str
    tls: bool = True
    topics: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        _level("application", self.application)
        self.user = self.user or self.application
        self.topics = self.topics or topics.of_tts(self.application)
        MqttOptions.__post_init__(self)


def _level(key: str, text: str) -> None:
    if not text or "/" in text or "#" in text or (text != "+" and "+" in text):
        raise InputError(f"{key}: {text!r:.40} is no id of one")


class MqttSource:
    """secure: in place of what the options say. watch: called again and again; what it raises ends run()."""

    def __init__(
        self, options: MqttOptions, secure: ssl.SSLContext | None = None, watch: Callable[[], object] = lambda: None
    ) -> None:
        try:
            from judder.ingest.mqtt import Subscriber
        except ImportError as error:
            raise needs("paho-mqtt", "gateway", error) from error
        self._subscriber = Subscriber
        self._options = options
        self._port = options.port or (_TLS_PORT if options.tls else _PORT)
        self._tls = secure or tls.context(options)
        self._watch = watch

    def where(self) -> str:
        scheme = "mqtts" if self._options.tls else "mqtt"
        return f"{scheme}://{self._options.host}:{self._port} {', '.join(self._options.topics)}"

    def run(self, desk: Desk) -> None:
        options = self._options
        with self._subscriber(
            options.host,
            self._port,
            subscriptions=options.topics,
            client_id=options.client_id or f"judder-{desk.identity}-{desk.origin}",
            user=options.user,
            password=options.password,
            tls=self._tls or False,
        ) as subscriber:
            while not desk.stopping:
                self._watch()
                desk.connected(subscriber.connected, "the broker went away")
                desk.missed(subscriber.dropped)
                batch = _collect(subscriber)
                if batch:
                    desk.take([Arrival(m.event, m.connection if m.repeated else None) for m in batch])
                    for message in batch:
                        subscriber.ack(message)


def _collect(subscriber: Subscriber) -> list[Received]:
    """What is there, after waiting a moment for the first."""
    batch: list[Received] = []
    message = subscriber.receive(_WAIT_S)
    while message is not None:
        batch.append(message)
        message = subscriber.receive(0) if len(batch) < _BATCH else None
    return batch


def _make(options: MqttOptions) -> Source:
    return MqttSource(options)


MQTT = Plugin(MqttOptions, _make)
CHIRPSTACK = Plugin(ChirpStackOptions, _make)
TTS = Plugin(TtsOptions, _make)
