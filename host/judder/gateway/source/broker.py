"""A broker brought along, for nodes over Wi-Fi where there is none: mosquitto if it is installed, else amqtt.

It runs as long as the gateway does. Only mosquitto keeps what a gateway that went away has not taken.
"""

from __future__ import annotations

import importlib.util
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from judder.errors import DeviceError, InputError
from judder.gateway.source import Desk, Plugin
from judder.gateway.source.mqtt import MqttOptions, MqttSource
from judder.ingest import broker, topics

_PORT, _TLS_PORT = 1883, 8883


@dataclass(slots=True, kw_only=True)
class BrokerOptions:
    """host: address to listen at; nodes reach it at another than 127.0.0.1 only. port: 0: 1883 (with TLS 8883), or any
    other that is free where that is taken. users: name -> password; needed where others may reach it. cert_file,
    key_file: PEM, for TLS. kind: "mosquitto" or "amqtt"; by default whichever is installed. topics: what is taken from
    it. folder: where mosquitto keeps what waits."""

    host: str = "127.0.0.1"
    port: int = 0
    users: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"secret": True})
    cert_file: Path | None = None
    key_file: Path | None = None
    kind: str = ""
    topics: tuple[str, ...] = topics.OWN
    folder: Path = field(default=Path("broker"), metadata={"written": True})

    def __post_init__(self) -> None:
        if self.kind not in ("", "mosquitto", "amqtt"):
            raise InputError(f"kind: {self.kind!r:.40} is not mosquitto or amqtt")
        if (self.cert_file is None) != (self.key_file is None):
            raise InputError("cert_file, key_file: these two go together")
        for name, password in self.users.items():
            if not name or ":" in name or not name.isprintable() or not password:
                raise InputError(f"users: {name!r:.40}: a name without colon, and a password, are expected")
        if not self.users and not self.host.startswith(("127.", "::1", "localhost")):
            raise InputError(f"users: {self.host} can be reached by others; give the nodes a name and a password")


class BrokerSource:
    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        self._port = options.port or (_TLS_PORT if options.cert_file else _PORT)
        try:
            kind = self._broker(self._port, options.users).kind
        except DeviceError as error:
            raise InputError(str(error)) from error
        if kind == "amqtt" and importlib.util.find_spec("amqtt") is None:
            raise InputError("there is no broker to bring along; on Debian or Ubuntu: apt install mosquitto")
        MqttSource(self._mine("127.0.0.1", self._port, "", ""))  # raises where its package is not there

    def where(self) -> str:
        options = self._options
        scheme = "mqtts" if options.cert_file else "mqtt"
        return f"{scheme}://{options.host}:{self._port}{' or another port' if not options.port else ''}"

    def run(self, desk: Desk) -> None:
        # Our own way in, with a password nobody else has.
        name, password = f"judder-{desk.identity}", secrets.token_hex(16)
        users = {**self._options.users, name: password} if self._options.users else {}
        own = self._start(desk, users)
        try:
            mine = self._mine(own.local, own.port, name if users else "", password if users else "")
            desk.note(f"nodes publish to {own.host}:{own.port}, topic judder/<node id>/up ({own.kind})")
            if own.kind == "amqtt":
                desk.note(
                    "amqtt forgets what is under way when the gateway stops; with mosquitto nothing is lost", "warning"
                )
            MqttSource(mine, _pinned(self._options.cert_file), lambda: _alive(own)).run(desk)
        finally:
            own.stop()

    def _start(self, desk: Desk, users: Mapping[str, str]) -> broker.Broker:
        try:
            return self._broker(self._port, users).start()
        except broker.AddressTaken as error:
            if self._options.port:
                raise
            desk.note(f'{error}; to take from that one, name it: [[source]] type = "mqtt"', "warning")
            return self._broker(broker.free_port(), users).start()

    def _broker(self, port: int, users: Mapping[str, str]) -> broker.Broker:
        options = self._options
        tls = (options.cert_file, options.key_file) if options.cert_file and options.key_file else None
        kind = options.kind or None
        return broker.Broker(kind, host=options.host, port=port, tls=tls, folder=options.folder, users=users)

    def _mine(self, host: str, port: int, user: str, password: str) -> MqttOptions:
        return MqttOptions(host=host, port=port, user=user, password=password, topics=self._options.topics)


def _alive(own: broker.Broker) -> None:
    if not own.running():
        raise DeviceError(f"the broker at {own.host}:{own.port} ended; {own.log} may say why")


def _pinned(certificate: Path | None) -> ssl.SSLContext | None:
    """Trusts that certificate alone, whatever name is in it: we reach it by its address."""
    if certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=certificate)
    except (OSError, ValueError) as error:
        raise InputError(f"cert_file: cannot use {certificate}: {error}") from error
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


PLUGIN = Plugin(BrokerOptions, BrokerSource)
