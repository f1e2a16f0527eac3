"""What an HTTP answer means to a sink: wait, or this message never."""

import socket
from pathlib import Path

import pytest
from tests.host.http_server import Answer, HttpServer

from judder.errors import InputError
from judder.sink import SinkDown
from judder.sink.http import HttpOptions, Server

SECRET = "T0KEN"


def server_of(web: HttpServer, **options: object) -> Server:
    return Server(HttpOptions(url=f"{web.url}/hook/{SECRET}", **options))  # type: ignore[arg-type]


def test_headers_path_and_body_arrive() -> None:
    with HttpServer() as web:
        reply = server_of(web, headers={"X-Plant": "3"}).post("?a=1", b"body", {"Content-Type": "text/plain"})
    (asked,) = web.asked
    assert reply.taken and (asked.path, asked.body) == (f"/hook/{SECRET}?a=1", b"body")
    assert (asked.headers["x-plant"], asked.headers["content-type"]) == ("3", "text/plain")


@pytest.mark.parametrize("status", [400, 409, 411, 413, 415, 418, 422, 431])
def test_what_refuses_the_message_is_for_the_sink_to_judge(status: int) -> None:
    with HttpServer(lambda _: Answer(status, b"no\n  such field " + b"x" * 1000)) as web:
        reply = server_of(web).post("", b"", {})
    assert not reply.taken and reply.status == status
    assert reply.said.startswith("no such field xx") and len(reply.said) < 310


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "look at the key"),
        (403, "look at the key"),
        (404, "look at url"),
        (410, "look at url"),
        (405, ""),
        (407, ""),
        (408, ""),
    ]
    + [(425, ""), (429, ""), (500, ""), (502, ""), (503, ""), (507, "")],
)
def test_what_is_not_about_the_message_waits(status: int, hint: str) -> None:
    with HttpServer(lambda _: Answer(status, b"why")) as web, pytest.raises(SinkDown) as caught:
        server_of(web).post("", b"", {})
    assert str(status) in str(caught.value) and ": why" in str(caught.value) and hint in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with HttpServer() as elsewhere:
        moved = Answer(status, b"", (("Location", f"{elsewhere.url}/{SECRET}"),))
        with HttpServer(lambda _: moved) as web, pytest.raises(SinkDown, match=elsewhere.url) as caught:
            server_of(web).post("", b"", {})
        assert SECRET not in str(caught.value) and not elsewhere.asked


@pytest.mark.parametrize(
    ("header", "expected"),
    [("120", 120.0), ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0), ("Fri, 31 Dec 1999 00:00:00 GMT", 0.0), ("soon", None)],
)
def test_how_long_to_wait(header: str, expected: float | None) -> None:
    """Dates are held against the server's own Date (RFC 9110 section 10.2.3 has the date above)."""
    answer = Answer(503, b"", (("Retry-After", header), ("Date", "Fri, 31 Dec 1999 23:59:00 GMT")))
    with HttpServer(lambda _: answer) as web, pytest.raises(SinkDown) as caught:
        server_of(web).post("", b"", {})
    assert caught.value.retry_after_s == expected


def test_nobody_there_and_silence_and_nonsense() -> None:
    web = HttpServer().start()
    web.stop()
    with pytest.raises(SinkDown, match="no answer from"):
        server_of(web).post("", b"", {})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"
        with pytest.raises(SinkDown, match="timed out") as caught:
            Server(HttpOptions(url=url, timeout_s=0.2)).post("", b"", {})
        assert SECRET not in str(caught.value)
    with pytest.raises(SinkDown, match="no answer"):
        Server(HttpOptions(url="http://no-such-host.invalid")).post("", b"", {})


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": ""}, "url"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://user:pass@x"}, "url"),
        ({"url": "http://x", "timeout_s": 0}, "timeout_s"),
        ({"url": "http://x", "headers": {"A": "b\r\nC: d"}}, "headers"),
        ({"url": "http://x", "headers": {"A\n": "b"}}, "headers"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:") as caught:
        HttpOptions(**options)  # type: ignore[arg-type]
    assert "pass" not in str(caught.value).replace("password", "")


def test_certificates_that_are_none(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    for text in (None, "no certificate"):
        if text:
            bad.write_text(text)
        with pytest.raises(InputError, match="ca_file: cannot use"):
            Server(HttpOptions(url="https://x", ca_file=bad))
