"""A gateway's packet forwarder: virtual nodes behind a real network server that speaks Semtech's UDP protocol.

ChirpStack's Gateway Bridge and The Things Stack do, on UDP port 1700. The air must run in real time.

    with Forwarder(gateway, "127.0.0.1", 1700): ...
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from judder.errors import InputError
from judder.virtual.lorawan import gateway as gw
from judder.virtual.lorawan import semtech_udp as udp
from judder.virtual.lorawan.gateway import Gateway, Uplink

KEEPALIVE_S = 10.0
STATUS_S = 30.0
_SILENT_AFTER = 3  # keepalives without an answer: look the server's address up again
_LARGEST = 65536
_log = logging.getLogger(__name__)

OnEvent = Callable[[str, dict[str, Any]], None]


@dataclass
class Counts:
    """Of the whole run, as "stat" reports them. refused: downlinks by the error of their TX_ACK."""

    received: int = 0
    received_right: int = 0
    forwarded: int = 0
    acknowledged: int = 0
    downlinks: int = 0
    sent: int = 0
    invalid: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Forwarder:
    """Connects a gateway with host:port. keepalive_s, status_s: how often PULL_DATA and "stat" are sent.

    on_event(kind, details): "connected", "silent" (no answer any more), "downlink" (accepted or not); from a thread of
    its own. connected: the server has answered lately. Raises InputError for a host there is none of.
    """

    def __init__(
        self,
        gateway: Gateway,
        host: str,
        port: int,
        *,
        keepalive_s: float = KEEPALIVE_S,
        status_s: float = STATUS_S,
        on_event: OnEvent = lambda _kind, _details: None,
        seed: int | None = None,
    ) -> None:
        self.gateway = gateway
        self.counts = Counts()
        self.connected = False
        self._server = host, port
        self._keepalive_s, self._status_s = keepalive_s, status_s
        self._on_event = on_event
        self._random = random.Random(seed)
        self._offset_us = self._random.getrandbits(32)
        self._token = self._random.getrandbits(16)
        self._unanswered = 0
        self._lock = threading.Lock()
        self._pushed: dict[int, float] = {}
        self._socket = self._connect()
        self._wake_receive, self._wake_send = socket.socketpair()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="judder packet forwarder", daemon=True)

    def __enter__(self) -> Forwarder:
        self.gateway.forward = self._uplink
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._wake_send.send(b"x")
        self._thread.join(5)
        for one in (self._socket, self._wake_receive, self._wake_send):
            one.close()

    def _connect(self) -> socket.socket:
        host, port = self._server
        try:
            family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise InputError(f"no network server at {host}:{port} ({error}): check the name") from error
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        made.connect(address)
        return made

    # --- to the server

    def _uplink(self, uplink: Uplink) -> None:
        """From the air, holding its lock: send and return."""
        self.counts.received += 1
        if uplink.damaged:
            return  # forward_crc_error is off, as in the usual configuration
        self.counts.received_right += 1
        self.counts.forwarded += 1
        self._push({"rxpk": [udp.rxpk(uplink, self._offset_us)]})

    def _push(self, body: dict[str, Any]) -> None:
        with self._lock:
            token = self._next_token()
            self._pushed[token] = time.monotonic()
            while len(self._pushed) > 1000:
                del self._pushed[next(iter(self._pushed))]
        self._send(udp.PUSH_DATA, token, body)

    def _next_token(self) -> int:
        self._token = (self._token + 1) & 0xFFFF
        return self._token

    def _send(self, kind: int, token: int, body: dict[str, Any] | None = None) -> None:
        with contextlib.suppress(OSError):  # no route, nobody listens: it is UDP, the keepalive finds out
            self._socket.send(udp.from_gateway(kind, token, self.gateway.eui, body))

    def _status(self) -> dict[str, Any]:
        counts = self.counts
        pushed = counts.acknowledged + len(self._pushed)
        return {
            "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S GMT"),
            "rxnb": counts.received,
            "rxok": counts.received_right,
            "rxfw": counts.forwarded,
            "ackr": round(100 * counts.acknowledged / pushed, 1) if pushed else 0.0,
            "dwnb": counts.downlinks,
            "txnb": counts.sent,
        }

    # --- the thread

    def _run(self) -> None:
        pull_s = status_s = time.monotonic()
        while not self._stopping:
            now_s = time.monotonic()
            if now_s >= pull_s:
                pull_s = now_s + self._keepalive_s
                self._pull()
            if now_s >= status_s:
                status_s = now_s + self._status_s
                self._push({"stat": self._status()})
            timeout_s = max(0.0, min(pull_s, status_s) - time.monotonic())
            ready, _, _ = select.select([self._socket, self._wake_receive], [], [], timeout_s)
            if self._socket in ready:
                self._receive()

    def _pull(self) -> None:
        if self._unanswered >= _SILENT_AFTER:
            if self.connected:
                self.connected = False
                self._on_event("silent", {"server": "{}:{}".format(*self._server)})
            # Its address may have changed, and so may have the way back through a NAT.
            with contextlib.suppress(InputError):
                old, self._socket = self._socket, self._connect()
                old.close()
        self._unanswered += 1
        self._send(udp.PULL_DATA, self._next_token())

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_LARGEST)
        except OSError:
            return  # refused: nobody listens there yet
        try:
            datagram = udp.FromServer.parse(data)
            if datagram.kind == udp.PULL_RESP:
                self._downlink(datagram)
                return
        except udp.DatagramError as error:
            # As the packet forwarder does: what it cannot read gets no TX_ACK.
            self.counts.invalid += 1
            _log.warning("from the network server: %s", error)
            return
        if datagram.kind == udp.PUSH_ACK:
            with self._lock:
                self.counts.acknowledged += self._pushed.pop(datagram.token, None) is not None
            return
        self._unanswered = 0
        if not self.connected:
            self.connected = True
            self._on_event("connected", {"server": "{}:{}".format(*self._server)})

    def _downlink(self, datagram: udp.FromServer) -> None:
        self.counts.downlinks += 1
        with self.gateway.air.lock:
            now_us = self.gateway.air.timeline.now_us
            wish = udp.parse_txpk(datagram.body, now_us, self._offset_us)
            if wish.when == "tmms":
                error = udp.GPS_UNLOCKED
            elif wish.when == "imme":
                error = self.gateway.send_soon(wish.downlink)
            else:
                error = self.gateway.send(wish.downlink)
        downlink = replace(wish.downlink, power_dbm=self.gateway.power_for(wish.downlink.power_dbm))
        if error == gw.OK:
            self.counts.sent += 1
        else:
            self.counts.refused[error] = self.counts.refused.get(error, 0) + 1
        reduced = downlink.power_dbm if downlink.power_dbm != wish.downlink.power_dbm else None
        self._send(udp.TX_ACK, datagram.token, udp.tx_ack(error, reduced))
        details = {"error": error, "frequency_hz": downlink.frequency_hz, "rate": str(downlink.rate)}
        self._on_event("downlink", details | {"bytes": len(downlink.payload), "airtime_us": downlink.airtime_us})
