"""A quick rfc2217:// client for pyserial.

pyserial's own renegotiates every setting, with 50 ms polls, each time `timeout` is touched, and esptool touches it
twice per command: 0.1 to 0.2 s a command. This one sends only what changed, waits on an event instead of polling,
and reads in chunks. It has to keep the scheme rfc2217: esptool looks at the name to choose its reset sequence.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Any

import serial
from serial import rfc2217

from judder.virtual import telnet

_ANSWER_TIMEOUT_S = 3.0
_CONNECT_TIMEOUT_S = 5.0
_CHUNK = 65536

_PARITY: dict[str, int] = rfc2217.RFC2217_PARITY_MAP
_STOPBITS: dict[float, int] = rfc2217.RFC2217_STOPBIT_MAP


class Serial(rfc2217.Serial):  # type: ignore[misc]
    """pyserial's rfc2217.Serial with another engine; URL options, properties and errors are inherited."""

    is_open: bool
    _link: _Link | None = None

    def open(self) -> None:
        """Connect and set the port up. Raises SerialException, naming the port as busy when its server says so."""
        if self._port is None:
            raise serial.SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise serial.SerialException("Port is already open.")
        self._sent_settings: dict[int, bytes] = {}
        try:
            connection = socket.create_connection(self.from_url(self.portstr), timeout=_CONNECT_TIMEOUT_S)
        except OSError as error:
            raise serial.SerialException(f"Could not open port {self.portstr}: {error}") from error
        self._link = _Link(connection, self.portstr)
        self.is_open = True
        try:
            self._link.negotiate()
            self._reconfigure_port()
            if not self._dsrdtr:
                self._update_dtr_state()
            if not self._rtscts:
                self._update_rts_state()
            self.reset_input_buffer()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self.is_open = False
        if self._link is not None:
            self._link.close()
            self._link = None

    def _reconfigure_port(self) -> None:
        if not 0 < self._baudrate < 2**32:
            raise ValueError(f"invalid baudrate: {self._baudrate!r}")
        wanted = {
            telnet.SET_BAUDRATE: struct.pack("!I", self._baudrate),
            telnet.SET_DATASIZE: bytes((self._bytesize,)),
            telnet.SET_PARITY: bytes((_PARITY[self._parity],)),
            telnet.SET_STOPSIZE: bytes((_STOPBITS[self._stopbits],)),
            telnet.SET_CONTROL: bytes((3 if self._rtscts else 2 if self._xonxoff else telnet.FLOW_NONE,)),
        }
        for command, value in wanted.items():
            if self._sent_settings.get(command) != value:
                self._connected().ask(command, value)
                self._sent_settings[command] = value

    def _connected(self) -> _Link:
        if self._link is None or not self.is_open:
            raise serial.PortNotOpenError()
        return self._link

    def rfc2217_set_control(self, value: bytes) -> None:
        """DTR, RTS and break, one message each, acknowledged."""
        self._connected().ask(telnet.SET_CONTROL, value)

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        return self._connected().waiting()

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes, fewer after `timeout`. Raises SerialException when the line is gone."""
        return self._connected().read(size, self._timeout)

    def write(self, data: Any) -> int:
        """All of `data`."""
        return self._connected().write(bytes(serial.to_bytes(data)))

    def reset_input_buffer(self) -> None:
        """Drop what the other end has sent so far, what is still on its way included."""
        self._connected().purge()

    def reset_output_buffer(self) -> None:
        """Nothing is kept back here, so there is nothing to drop."""
        self._connected()

    def get_modem_state(self) -> int:
        """Last modem state the server told."""
        return self._connected().modem_state


class _Link:
    """One connection: a reader thread that fills a buffer, requests that wait for their answers."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._name = name
        self._buffer = bytearray()
        self._answers: dict[int, list[bytes]] = {}
        self._agreed: set[int] = set()
        self._asked: set[tuple[int, int]] = set()
        self._changed = threading.Condition()
        self._write_lock = threading.Lock()
        self._gone: str | None = None
        self.modem_state = 0
        self._thread = threading.Thread(target=self._receive, name=f"{name} reader", daemon=True)

    # --- requests

    def negotiate(self) -> None:
        """Agree on binary data and COM-PORT-OPTION."""
        self._thread.start()
        with contextlib.suppress(serial.SerialException):  # a server that hangs up at once has said why
            for verb in (telnet.WILL, telnet.DO):
                for option in (telnet.BINARY, telnet.SGA, telnet.COM_PORT):
                    self._say(verb, option)
        with self._changed:
            self._changed.wait_for(lambda: telnet.COM_PORT in self._agreed or self._gone, _ANSWER_TIMEOUT_S)
            if telnet.COM_PORT in self._agreed:
                return
            said = bytes(self._buffer).decode("ascii", "replace").strip()
        if "in use" in said or "busy" in said.lower():
            raise serial.SerialException(f"Could not open port {self._name}: busy: {said}")
        raise serial.SerialException(f"Could not open port {self._name}: no RFC 2217 server answers there")

    def ask(self, command: int, value: bytes) -> None:
        """Send a setting and wait for the server's answer to it."""
        with self._changed:
            self._answers.pop(command, None)
        self._send(telnet.com_port(command, value))
        with self._changed:
            self._changed.wait_for(lambda: self._answers.get(command) or self._gone, _ANSWER_TIMEOUT_S)
            answers = self._answers.pop(command, None)
        if not answers:
            self._check()
            raise serial.SerialException(f"timeout while waiting for {self._name} to answer option {command}")
        if command != telnet.PURGE_DATA and value not in answers:
            raise ValueError(f"{self._name} rejected the value {value.hex()} for option {command}")

    def purge(self) -> None:
        """Drop everything received before the server's answer."""
        self.ask(telnet.PURGE_DATA, bytes((telnet.PURGE_RECEIVE,)))

    # --- data

    def waiting(self) -> int:
        with self._changed:
            return len(self._buffer)

    def read(self, size: int, timeout_s: float | None) -> bytes:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while len(self._buffer) < size and not self._gone:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
        if not data and size:
            self._check()
        return data

    def write(self, data: bytes) -> int:
        self._send(telnet.escape(data))
        return len(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(2)
        self._socket.close()

    # --- below

    def _check(self) -> None:
        if self._gone:
            raise serial.SerialException(f"connection to {self._name} lost: {self._gone}")

    def _send(self, raw: bytes) -> None:
        self._check()
        try:
            with self._write_lock:
                self._socket.sendall(raw)
        except OSError as error:
            raise serial.SerialException(f"connection to {self._name} lost: {error}") from error

    def _say(self, verb: int, option: int) -> None:
        if (verb, option) not in self._asked:
            self._asked.add((verb, option))
            self._send(telnet.negotiate(verb, option))

    def _receive(self) -> None:
        decoder = telnet.Decoder()
        reason = "closed by the other end"
        try:
            while raw := self._socket.recv(_CHUNK):
                events = decoder.feed(raw)
                with self._changed:
                    for event in events:
                        self._handle(event)
                    self._changed.notify_all()
        except (OSError, serial.SerialException) as error:
            reason = str(error)
        with self._changed:
            self._gone = reason
            self._changed.notify_all()

    def _handle(self, event: telnet.Event) -> None:
        if isinstance(event, telnet.Data):
            self._buffer += event.data
        elif isinstance(event, telnet.Negotiate):
            self._negotiated(event)
        elif event.command == telnet.NOTIFY_MODEMSTATE + telnet.FROM_SERVER:
            self.modem_state = event.value[0] if event.value else 0
        elif event.command >= telnet.FROM_SERVER:
            command = event.command - telnet.FROM_SERVER
            if command == telnet.PURGE_DATA:
                self._buffer.clear()
            self._answers.setdefault(command, []).append(event.value)

    def _negotiated(self, event: telnet.Negotiate) -> None:
        wanted = event.option in (telnet.BINARY, telnet.SGA, telnet.COM_PORT)
        if event.verb == telnet.DO:
            self._say(telnet.WILL if wanted else telnet.WONT, event.option)
        elif event.verb == telnet.WILL:
            self._say(telnet.DO if wanted else telnet.DONT, event.option)
        if event.verb in (telnet.DO, telnet.WILL) and wanted:
            self._agreed.add(event.option)
