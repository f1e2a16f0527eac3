"""The Home Assistant sink at real brokers: what is retained, and what a start of Home Assistant brings."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.host import sinks
from tests.system.listener import BROKERS, Listener

from judder.ingest.broker import Broker
from judder.sink.homeassistant import HomeAssistantOptions, HomeAssistantSink

CONFIG = f"homeassistant/device/judder_{sinks.NODE}/config"
STATUS = f"judder-ha/{sinks.NODE}/status"
GATEWAY = "judder-ha/gateway/g"


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker(request.param) as found:
        yield found


def open_sink(broker: Broker) -> HomeAssistantSink:
    return HomeAssistantSink(HomeAssistantOptions(host=broker.host, port=broker.port, gateway="g"))


def now() -> Any:
    return sinks.observed(received_at=time.time())


def test_home_assistant_that_starts_later_finds_everything(broker: Broker) -> None:
    with open_sink(broker) as sink:
        sink.write([now()])
        with Listener(broker) as home_assistant:
            retained = home_assistant.wait(lambda messages: len(messages) >= 3)
            assert {message.topic for message in retained} == {CONFIG, f"judder-ha/{sinks.NODE}/availability", GATEWAY}
            assert all(message.retain for message in retained)
            home_assistant.forget()
            home_assistant.say("homeassistant/status", b"online")
            found = home_assistant.wait(lambda messages: {CONFIG, STATUS} <= {message.topic for message in messages})
    state = next(json.loads(message.payload) for message in found if message.topic == STATUS)
    assert (state["zone"], state["alarm_level"]) == ("B", "warning")


def test_the_gateway_goes_in_order_and_comes_back(broker: Broker) -> None:
    with Listener(broker, [GATEWAY]) as listener:
        for _ in range(2):
            with open_sink(broker) as sink:
                sink.write([now()])
        found = listener.first(4)
    assert [message.payload for message in found] == [b"online", b"offline", b"online", b"offline"]
