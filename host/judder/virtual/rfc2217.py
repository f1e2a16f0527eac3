"""A serial port served over TCP on this machine only (RFC 2217): data, DTR and RTS, one client at a time.

A second client is told "Port already in use" (ser2net's words, so people find them) and is hung up on.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from judder.virtual import telnet
from judder.virtual.counters import Counters

BUSY_MESSAGE = b"Port already in use\r\n"

# A client that does not read loses bytes, as behind a UART; the board must never wait for it.
_OUTGOING_LIMIT = 1 << 20
_CHUNK = 65536
_REFUSED_KEPT = 4


class Server:
    """Serves one virtual serial port.

    on_data(bytes): what the client wrote. on_lines(dtr, rts): either changed, or the client went (both False).
    on_client(connected): someone came or went. All are called from the server's own thread. `send` may be called
    from any thread; without a client its bytes are lost, as on an unplugged UART.

    `port` is the URL to give to --port. baudrate is what the client set last.
    """

    def __init__(
        self,
        on_data: Callable[[bytes], None],
        on_lines: Callable[[bool, bool], None] | None = None,
        on_client: Callable[[bool], None] | None = None,
        counters: Counters | None = None,
        tcp_port: int = 0,
    ) -> None:
        self._on_data = on_data
        self._on_lines = on_lines
        self._on_client = on_client
        self.counters = Counters() if counters is None else counters
        self.baudrate = 115200
        self.dtr = False
        self.rts = False
        self._listener = socket.create_server(("127.0.0.1", tcp_port), backlog=4)
        self._listener.setblocking(False)
        self.tcp_port: int = self._listener.getsockname()[1]
        self.port = f"rfc2217://127.0.0.1:{self.tcp_port}"
        self._lock = threading.Lock()
        self._client: socket.socket | None = None
        self._refused: list[socket.socket] = []
        self._outgoing = bytearray()
        self._decoder = telnet.Decoder()
        self._announced: set[tuple[int, int]] = set()
        self._wake_receive, self._wake_send = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._wake_send.setblocking(False)
        self._stopping = False
        self._thread: threading.Thread | None = None

    # --- life

    def start(self) -> Server:
        """Begin to accept; returns itself."""
        self._thread = threading.Thread(target=self._run, name=f"judder {self.port}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hang up and free the port. From within a callback the thread ends after it returns."""
        self._stopping = True
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        if self._thread is None:
            self._close_all()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def hang_up(self) -> None:
        """Cut the client off, as pulling the USB plug does; the port goes on listening."""
        with self._lock:
            client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    @property
    def has_client(self) -> bool:
        """Someone has the port open."""
        return self._client is not None

    # --- from the board

    def send(self, data: bytes) -> None:
        """Bytes from the board to the client."""
        if not data:
            return
        self.counters.sent(len(data))
        self._transmit(telnet.escape(data))

    def _transmit(self, raw: bytes) -> None:
        with self._lock:
            if self._client is None:
                return
            if not self._outgoing:
                # Straight out while the line is free: no wake-up of the other thread, so no latency.
                try:
                    raw = raw[self._client.send(raw) :]
                except BlockingIOError:
                    pass
                except OSError:
                    return
            if not raw or len(self._outgoing) + len(raw) > _OUTGOING_LIMIT:
                return
            self._outgoing += raw
        self._wake()

    # --- the server's thread

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_receive, selectors.EVENT_READ)
            while not self._stopping:
                self._watch_client(selector)
                for key, events in selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj is self._wake_receive:
                        with contextlib.suppress(BlockingIOError):
                            self._wake_receive.recv(4096)
                    elif key.fileobj is self._client:
                        if events & selectors.EVENT_WRITE:
                            self._flush()
                        if events & selectors.EVENT_READ and not self._read():
                            selector.unregister(key.fileobj)
                            self._drop_client()
        self._close_all()

    def _watch_client(self, selector: selectors.BaseSelector) -> None:
        client = self._client
        if client is None:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        try:
            if selector.get_key(client).events != events:
                selector.modify(client, events)
        except KeyError:
            selector.register(client, events)

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        if self._client is not None:
            self._refuse(client)
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._client = client
            self._outgoing.clear()
        self._decoder = telnet.Decoder()
        self._announced = set()
        for verb, option in ((telnet.WILL, telnet.BINARY), (telnet.DO, telnet.BINARY), (telnet.DO, telnet.COM_PORT)):
            self._announce(verb, option)
        if self._on_client is not None:
            self._on_client(True)

    def _refuse(self, client: socket.socket) -> None:
        """Tell a second client and let it hang up: closing with its greeting unread would reset the connection and
        take our words away with it."""
        with contextlib.suppress(OSError):
            client.sendall(BUSY_MESSAGE)
            client.shutdown(socket.SHUT_WR)
            client.setblocking(False)
            self._refused.append(client)
            for old in self._refused[:-_REFUSED_KEPT]:
                old.close()
            del self._refused[:-_REFUSED_KEPT]

    def _read(self) -> bool:
        assert self._client is not None
        try:
            raw = self._client.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not raw:
            return False
        for event in self._decoder.feed(raw):
            if isinstance(event, telnet.Data):
                self.counters.received(len(event.data))
                self._on_data(event.data)
            elif isinstance(event, telnet.Negotiate):
                self._negotiated(event)
            else:
                self._com_port(event.command, event.value)
        return True

    def _flush(self) -> None:
        with self._lock:
            if self._client is None or not self._outgoing:
                return
            try:
                del self._outgoing[: self._client.send(self._outgoing)]
            except BlockingIOError:
                pass
            except OSError:
                self._outgoing.clear()

    def _drop_client(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._outgoing.clear()
        if client is not None:
            client.close()
        self._set_lines(False, False)
        if self._on_client is not None:
            self._on_client(False)

    def _close_all(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        for item in (client, *self._refused, self._listener, self._wake_receive, self._wake_send):
            if item is not None:
                item.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_send.send(b"x")

    # --- options and control lines

    def _announce(self, verb: int, option: int) -> None:
        if (verb, option) not in self._announced:
            self._announced.add((verb, option))
            self._transmit(telnet.negotiate(verb, option))

    def _negotiated(self, event: telnet.Negotiate) -> None:
        if event.verb == telnet.WILL:
            wanted = event.option in (telnet.BINARY, telnet.SGA, telnet.COM_PORT)
            self._announce(telnet.DO if wanted else telnet.DONT, event.option)
            if event.option == telnet.COM_PORT:
                self._notify_modem_state()
        elif event.verb == telnet.DO:
            wanted = event.option in (telnet.BINARY, telnet.SGA, telnet.COM_PORT)
            self._announce(telnet.WILL if wanted else telnet.WONT, event.option)

    def _notify_modem_state(self) -> None:
        self._answer(telnet.NOTIFY_MODEMSTATE, bytes((telnet.MODEM_CTS_DSR_CD,)))

    def _answer(self, command: int, value: bytes) -> None:
        self._transmit(telnet.com_port(command + telnet.FROM_SERVER, value))

    def _com_port(self, command: int, value: bytes) -> None:
        if command == telnet.SET_BAUDRATE and len(value) == 4:
            self.baudrate = int.from_bytes(value, "big") or self.baudrate
            self._answer(command, self.baudrate.to_bytes(4, "big"))
        elif command in (telnet.SET_DATASIZE, telnet.SET_PARITY, telnet.SET_STOPSIZE):
            usual = {telnet.SET_DATASIZE: 8, telnet.SET_PARITY: 1, telnet.SET_STOPSIZE: 1}[command]
            self._answer(command, value if value not in (b"", b"\0") else bytes((usual,)))
        elif command == telnet.SET_CONTROL and value:
            self._answer(command, bytes((self._control(value[0]),)))
        elif command == telnet.NOTIFY_LINESTATE:
            self._answer(command, b"\0")
        elif command == telnet.NOTIFY_MODEMSTATE:
            self._notify_modem_state()
        elif command == telnet.PURGE_DATA:
            # The queue is not cut: it may begin in the middle of a telnet command. The client drops what came before
            # this answer, which is the same thing.
            self._answer(command, value)

    def _control(self, value: int) -> int:
        if value in (telnet.DTR_ON, telnet.DTR_OFF):
            self._set_lines(value == telnet.DTR_ON, self.rts)
        elif value in (telnet.RTS_ON, telnet.RTS_OFF):
            self._set_lines(self.dtr, value == telnet.RTS_ON)
        elif value == telnet.DTR_ASK:
            return telnet.DTR_ON if self.dtr else telnet.DTR_OFF
        elif value == telnet.RTS_ASK:
            return telnet.RTS_ON if self.rts else telnet.RTS_OFF
        elif value == telnet.FLOW_ASK:
            return telnet.FLOW_NONE
        return value

    def _set_lines(self, dtr: bool, rts: bool) -> None:
        if (dtr, rts) == (self.dtr, self.rts):
            return
        self.dtr, self.rts = dtr, rts
        if self._on_lines is not None:
            self._on_lines(dtr, rts)
