"""GET /healthz, /readyz, /metrics and /status over HTTP. Nothing in it can be changed, and it binds to loopback unless
told otherwise; it has no passwords and no TLS, so put it behind something that has before others may reach it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from judder.errors import InputError, JudderError
from judder.gateway import status
from judder.gateway.pipeline import Gateway

_TIMEOUT_S = 5.0


class HealthServer:
    """Serves until stop(). Raises InputError when the address cannot be had."""

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"gateway": gateway})
        try:
            self._server = _Server((host, port), handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"health: cannot listen at {host}:{port} ({error}); name another port in [service]"
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_TIMEOUT_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway
    timeout = _TIMEOUT_S
    server_version = "judder"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            if path == "/healthz":
                self._verdict(status.ill(self.gateway), "healthy")
            elif path == "/readyz":
                self._verdict(status.unready(self.gateway), "ready")
            elif path == "/metrics":
                self._answer(200, status.exposition(self.gateway), "text/plain; version=0.0.4; charset=utf-8")
            elif path in ("/status", "/"):
                self._answer(200, json.dumps(status.report(self.gateway), indent=2) + "\n", "application/json")
            else:
                self._answer(404, "there are /healthz, /readyz, /metrics and /status\n", "text/plain")
        except JudderError as error:
            self._answer(503, f"{error}\n", "text/plain")

    do_HEAD = do_GET

    def _verdict(self, reasons: list[str], word: str) -> None:
        self._answer(503 if reasons else 200, "".join(f"{line}\n" for line in reasons or [word]), "text/plain")

    def _answer(self, code: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes every few seconds are no news."""
