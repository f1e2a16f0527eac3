"""A TCP or TLS connection that never blocks, as the transport of mqtt.Client. Sockets only, no chip modules.

ESP32 and Linux differ in little things here: connect() under way is an OSError in both, a refused connection shows when
the socket becomes writable on one and at the first write on the other. Either way it ends in OSError.
"""

import errno
import select
import socket


def resolve(host: str, port: int):
    """Socket address. May take several seconds: the network stack offers no look-up that does not wait, but it gives
    up by itself. Raises OSError."""
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    if not found:
        raise OSError("no address for %s" % host)
    return found[0][-1]


class Stream:
    """connected() turns true when bytes can flow. tls: None, or (CA certificate in DER, name to check)."""

    def __init__(self, address, tls=None):
        self._poll = select.poll()
        self._raw = socket.socket()
        self._sock = self._raw
        self._tls = tls
        self._connected = False
        try:
            self._raw.setblocking(False)
            try:
                self._raw.connect(address)
            except OSError as error:
                if error.errno != errno.EINPROGRESS:
                    raise
            self._poll.register(self._raw, select.POLLIN | select.POLLOUT)
        except OSError:
            self._raw.close()
            raise

    def connected(self) -> bool:
        """Raises OSError when the connection was refused."""
        if not self._connected:
            for _sock, events in self._poll.poll(0):
                if events & (select.POLLERR | select.POLLHUP):
                    raise OSError(errno.ECONNREFUSED)
                if events & select.POLLOUT:
                    self._connected = True
            if self._connected:
                self._poll.modify(self._raw, select.POLLIN)
                if self._tls:
                    self._wrap()
        return self._connected

    def _wrap(self) -> None:
        import tls

        certificate, name = self._tls
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(certificate)
        # The handshake then runs inside the first reads and writes, a piece at a time.
        self._sock = context.wrap_socket(self._raw, server_hostname=name, do_handshake_on_connect=False)

    def write(self, data: bytes):
        """Bytes taken, None when there is no room now."""
        return self._sock.write(data)

    def readinto(self, buffer):
        """Bytes read, 0 when the other side closed, None when there is nothing now."""
        return self._sock.readinto(buffer)

    def wait(self, wait_ms: int) -> None:
        """Until something arrives (or, while connecting, the connection stands), at most wait_ms."""
        self._poll.poll(wait_ms)

    def close(self) -> None:
        for sock in (self._sock, self._raw):
            try:
                sock.close()
            except OSError:
                pass
