"""One HTTP request, and what its answer means to a sink. Proxies as in the environment (https_proxy, no_proxy).

server = Server("https://influx.example:8086", timeout_s=10)
reply = server.post("/write?db=judder", body, {"Content-Type": "text/plain"})
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from judder import tls
from judder.errors import InputError
from judder.sink import SinkDown, SinkOptions, halves

_SHOWN = 300  # characters of a server's words in an error
_READ = 64 * 1024

# What the address or the key is blamed for, not the message: everything waits until somebody mends it.
_NOT_THE_MESSAGE = {401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 429}


@dataclass(slots=True, kw_only=True)
class HttpOptions(SinkOptions):
    """url: where to, http:// or https://. timeout_s: for one request. ca_file: certificates to trust in place of the
    system's, PEM. headers: sent with every request; not shown, for they may hold keys."""

    url: str = ""
    timeout_s: float = 10.0
    ca_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"secret": True})

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("url: an address is expected, as https://server.example/path")
        if parts.username or parts.password:
            raise InputError("url: a user or password in the address would end up in logs; it has keys of its own")
        if self.timeout_s <= 0:
            raise InputError(f"timeout_s: {self.timeout_s:g} is not above 0")
        for name, value in self.headers.items():
            if not (name.isascii() and name.isprintable() and name) or "\n" in value or "\r" in value:
                raise InputError(f"headers: {name!r} is none that HTTP can carry")
        self.ca_file = None if self.ca_file is None else Path(self.ca_file)


class Reply(NamedTuple):
    """status: 2xx, or one that refuses the message itself (400, 413, 422, ...). said: the beginning of the body."""

    status: int
    said: str

    @property
    def taken(self) -> bool:
        return self.status < 300


class Server:
    """Raises InputError for a ca_file that cannot be used."""

    def __init__(self, options: HttpOptions) -> None:
        parts = urllib.parse.urlsplit(options.url)
        self._url = options.url.rstrip("/")
        self._timeout_s = options.timeout_s
        self._headers = dict(options.headers)
        # Without path and query: addresses of webhooks carry their key there.
        self.shown = f"{parts.scheme}://{parts.netloc}"
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if parts.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=tls.trusting(options.ca_file)))
        self._opener = urllib.request.build_opener(*handlers)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises SinkDown when there is no answer, when the server is not ready, and for an address, key or quota that
        is refused."""
        request = urllib.request.Request(
            self._url + path, body, {"User-Agent": "judder", **headers, **self._headers}, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                answer.read(_READ)
                return Reply(answer.status, "")
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise SinkDown(f"no answer from {self.shown}: {reason or type(error).__name__}") from error

    def _refused(self, error: urllib.error.HTTPError) -> Reply:
        try:
            said = _plain(error.read(_READ))
        except (OSError, http.client.HTTPException):
            said = ""
        status = error.code
        if 400 <= status < 500 and status not in _NOT_THE_MESSAGE:
            return Reply(status, said)
        why = f": {said}" if said else ""
        if status in (401, 403):
            why += "; look at the key"
        elif 300 <= status < 400:
            why += f"; it moved to {_origin(error.headers.get('Location', ''))}: put that in url"
        elif status in (404, 410):
            why += "; look at url"
        raise SinkDown(f"{self.shown} answers {status} {error.reason}{why}", _retry_after(error.headers))


Item = TypeVar("Item")


def post_all(
    server: Server,
    items: Sequence[Item],
    body: Callable[[Sequence[Item]], bytes],
    headers: Mapping[str, str],
    path: str = "",
) -> None:
    """Everything in one request, or in several where it is refused. body: of some of the items.

    Raises Poisoned with the item's index, SinkDown.
    """

    def attempt(some: Sequence[Item]) -> str | None:
        reply = server.post(path, body(some), headers)
        return None if reply.taken else refusal(server, reply)

    halves.write(items, attempt)


def refusal(server: Server, reply: Reply) -> str:
    """Of a reply that was not taken, for people."""
    return f"{server.shown} refuses it ({reply.status}): {reply.said or 'no reason given'}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would make a GET of a POST and lose its body."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def _plain(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return text[:_SHOWN] + ("..." if len(text) > _SHOWN else "")


def _origin(location: str) -> str:
    parts = urllib.parse.urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another path"


def _retry_after(headers: Any) -> float | None:
    """RFC 9110 section 10.2.3: seconds, or a date, which is held against the server's own clock."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    try:
        if text.strip().isdigit():
            return float(text)
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (TypeError, ValueError, KeyError):
        return None
