"""Webhooks: verified by the library of Standard Webhooks, reasons compared with sentences written by hand."""

import json
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.host import sinks
from tests.host.http_server import Answer, Asked, HttpServer

from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Poisoned, SinkDown
from judder.sink.webhook import WebhookOptions, WebhookSink
from judder_core import schema

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the one the specification's examples use


def open_sink(web: HttpServer, **options: Any) -> WebhookSink:
    return WebhookSink(WebhookOptions(url=f"{web.url}/alarms?key=K3Y", **options))


def bodies(web: HttpServer) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in web.asked]


def test_an_alarm_says_why_in_plain_words() -> None:
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.lorawan(sinks.alarm())])
    assert bodies(web) == [
        {
            "type": "judder.alarm",
            "timestamp": "2025-11-25T03:59:58.000Z",
            "data": {
                "reason": "Pump 3, drive end (70b3d57ed0000001): danger. Velocity RMS on axis x is 7.52 mm/s, at or "
                "above the limit of 7.10 mm/s. Since 2025-11-25 03:59:58 UTC. ISO zone D.",
                "node": "70b3d57ed0000001",
                "name": "Pump 3, drive end",
                "tags": {"hall": "A"},
                "level": "danger",
                "metric": "velocity_rms",
                "axis": "x",
                "value": 7.52,
                "limit": 7.1,
                "unit": "mm/s",
                "zone": "D",
                "not_running": False,
                "since": "2025-11-25T03:59:58.000Z",
                "received_at": "2025-11-25T04:00:00.000Z",
                "sequence": 8,
                "problems": [],
            },
        }
    ]
    assert web.asked[0].headers["content-type"] == "application/json"


WARNING, DANGER, X, Z = 1 << schema.STATE_ALARM_SHIFT, 2 << schema.STATE_ALARM_SHIFT, 1 << 5, 3 << 5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([X, 1, 480, 710, 9, 0], "back to normal. Velocity RMS on axis x is 4.80 mm/s, below the limit of 7.10 mm/s. "),
        (
            [X | schema.STATE_NOT_RUNNING, 1, 12, 710, 9, 0],
            "alarm over, the machine stands still. Velocity RMS on axis x is 0.12 mm/s, below the limit of 7.10 mm/s. ",
        ),
        (
            [schema.STATE_NOT_RUNNING, 6, 612, 700, 9, 0],
            "back to normal. Temperature is 61.2 °C, below the limit of 70.0 °C. ",
        ),
        ([DANGER | X, 6, 812, 800, 9, 0], "danger. Temperature is 81.2 °C, at or above the limit of 80.0 °C. "),
        ([WARNING, 7, 250, 200, 9, 0], "warning. Temperature rise is 25.0 °C, at or above the limit of 20.0 °C. "),
        (
            [WARNING | Z, 2, 812, 800, 9, 0],
            "warning. Acceleration RMS on axis z is 812 mg, at or above the limit of 800 mg. ",
        ),
        ([WARNING | Z, 5, 512, 500, 9, 0], "warning. Kurtosis on axis z is 5.12, at or above the limit of 5.00. "),
        (
            [WARNING | Z, 8, -130, -112, 9, 0],
            "warning. Change of velocity RMS on axis z is -1.30 mm/s, at or above the limit of -1.12 mm/s. ",
        ),
        ([WARNING, 1, 300], "warning. Velocity RMS is 3.00 mm/s. "),
        ([WARNING], "warning. "),
        ([WARNING, 12, 7, 5, 9, 0], "warning. Metric 12 is 7, at or above the limit of 5. "),
    ],
)
def test_reasons(values: list[int], expected: str) -> None:
    observation = sinks.observed(schema.ALARM, values)
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([observation])
    reason = bodies(web)[0]["data"]["reason"]
    assert reason == f"node 70b3d57ed0000001: {expected}Since 2025-11-25 04:00:00 UTC."


def test_doubts_are_told() -> None:
    state = DANGER | X | schema.STATE_CLIPPED
    with HttpServer() as web, open_sink(web) as sink:
        sink.write([sinks.observed(schema.ALARM, [state, 2, 16000, 8000, 9, 0])])
    assert bodies(web)[0]["data"]["reason"].endswith("The sensor was at full scale: the true value may be higher.")


def test_signature_holds_and_a_changed_body_does_not() -> None:
    with HttpServer() as web, open_sink(web, secret=SECRET) as sink:
        sink.write([sinks.alarm(name="Pumpe ä \ud800")])
    (asked,) = web.asked
    checker = Webhook(SECRET)
    assert checker.verify(asked.body, asked.headers)["type"] == "judder.alarm"
    with pytest.raises(WebhookVerificationError):
        checker.verify(asked.body.replace(b"7.52", b"0.52"), asked.headers)


def test_signature_of_a_given_moment_is_the_librarys() -> None:
    from datetime import UTC, datetime

    with HttpServer() as web:
        sink = WebhookSink(WebhookOptions(url=web.url, secret=SECRET), clock=lambda: 1_700_000_000.9)
        sink.write([sinks.alarm()])
    (asked,) = web.asked
    expected = Webhook(SECRET).sign(
        asked.headers["webhook-id"], datetime.fromtimestamp(1_700_000_000, UTC), asked.body.decode()
    )
    assert asked.headers["webhook-signature"] == expected


def test_alarms_only_unless_others_are_named() -> None:
    batch = sinks.one_of_each()

    def taken(sink: WebhookSink) -> list[Observation]:
        return [observation for observation in batch if sink.takes(observation)]

    with HttpServer() as web, open_sink(web) as alarms, open_sink(web, kinds=["alarm", "hello"]) as more:
        assert [o.record.kind for o in taken(alarms)] == ["alarm"]
        more.write(taken(more))
    assert [body["type"] for body in bodies(web)] == ["judder.alarm", "judder.hello"]
    assert bodies(web)[1]["data"]["node"] == sinks.NODE


def test_what_went_before_a_failure_is_not_sent_again() -> None:
    down = [True]

    def judge(asked: Asked) -> Answer:
        return Answer(503) if down[0] and b'"sequence": 12' in asked.body else Answer(200, b"ok")

    batch = [sinks.observed(schema.ALARM, [DANGER, 1, 800, 710, n, 0]) for n in (11, 12, 13)]
    with HttpServer(judge) as web, open_sink(web, secret=SECRET) as sink:
        for _ in range(2):
            with pytest.raises(SinkDown, match="503"):
                sink.write(batch)
        down[0] = False
        sink.write(batch)
    assert [body["data"]["sequence"] for body in bodies(web)] == [11, 12, 12, 12, 13]
    # A receiver knows what comes again by its id.
    assert len({asked.headers["webhook-id"] for asked in web.asked}) == 3


@pytest.mark.parametrize(("status", "poison"), [(400, True), (422, True), (401, False), (404, False), (429, False)])
def test_refused_for_itself_or_for_its_key(status: int, poison: bool) -> None:
    with HttpServer(lambda _: Answer(status, b"unknown asset")) as web, open_sink(web) as sink:
        if poison:
            with pytest.raises(Poisoned, match="unknown asset") as caught:
                sink.write([sinks.alarm()])
            assert caught.value.index == 0 and "K3Y" not in str(caught.value)
        else:
            with pytest.raises(SinkDown, match="unknown asset") as down:
                sink.write([sinks.alarm()])
            assert "K3Y" not in str(down.value)


@pytest.mark.parametrize("secret", ["short", "whsec_", "whsec_" + "AAAA" * 4, "not base64 at all, not at all, not"])
def test_a_weak_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(InputError, match=r"^secret:") as caught:
        WebhookOptions(url="http://127.0.0.1:1", secret=secret)
    assert secret == "whsec_" or secret not in str(caught.value)
    assert SECRET not in repr(WebhookOptions(url="http://127.0.0.1:1/K3Y", secret=SECRET))
    assert "K3Y" not in repr(WebhookOptions(url="http://127.0.0.1:1/K3Y"))
