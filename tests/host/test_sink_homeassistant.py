"""What the Home Assistant sink says and when, with the clock in hand and no broker."""

import json
from typing import Any

import pytest
from tests.host import sinks

from judder.errors import InputError
from judder.sink.homeassistant import HomeAssistantOptions, HomeAssistantSink, Presence
from judder.sink.mqtt import Message

CONFIG = f"homeassistant/device/judder_{sinks.NODE}/config"
AVAILABLE = f"judder-ha/{sinks.NODE}/availability"
STATUS, READING = f"judder-ha/{sinks.NODE}/status", f"judder-ha/{sinks.NODE}/reading"
GATEWAY = "judder-ha/gateway/g"


class Clock:
    def __init__(self) -> None:
        self.now = sinks.T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def presence(clock: Clock, **options: Any) -> Presence:
    return Presence(HomeAssistantOptions(gateway="g", **{"expire_after_s": 600, **options}), clock)


def topics(messages: Any) -> list[str]:
    return [message.topic for message in messages]


def states(messages: Any) -> dict[str, Any]:
    return {message.topic: json.loads(message.payload) for message in messages if not message.retain}


def test_a_new_node_is_introduced_once(clock: Clock) -> None:
    role = presence(clock)
    first = list(role.news([sinks.observed()]))
    assert topics(first) == [CONFIG, AVAILABLE, STATUS, READING]
    assert [message.retain for message in first] == [True, True, False, False]
    assert first[1].payload == b"online"
    assert {message.qos for message in first} == {1}
    clock.now += 60
    assert topics(role.news([sinks.observed(received_at=clock.now)])) == [STATUS, READING]


def test_a_name_or_a_hello_changes_the_device_and_nothing_else(clock: Clock) -> None:
    role = presence(clock)
    list(role.news([sinks.observed()]))
    named = list(role.news([sinks.observed(received_at=sinks.T0 + 1, name="Pump\n3")]))
    assert topics(named)[0] == CONFIG and json.loads(named[0].payload)["device"]["name"] == "Pump 3"
    told = list(role.news([sinks.hello()]))
    assert topics(told) == [CONFIG, f"judder-ha/{sinks.NODE}/hello"]
    device = json.loads(told[0].payload)["device"]
    assert (device["name"], device["sw_version"]) == ("Pump 3", "1.2.3")


@pytest.mark.parametrize(
    "said",
    [{"problems": ("late",)}, {"received_at": sinks.T0 - 60}, {"received_at": sinks.T0 - 601}],
    ids=["late", "older than the last", "waited too long"],
)
def test_history_is_not_said_to_be_new(clock: Clock, said: dict[str, Any]) -> None:
    role = presence(clock)
    list(role.news([sinks.observed()]))
    assert list(role.news([sinks.observed(**said)])) == []


def test_an_alarm_is_not_undone_by_a_reading_measured_before_it(clock: Clock) -> None:
    role = presence(clock)
    alarm = sinks.alarm(received_at=sinks.T0 + 10)
    assert states(role.news([alarm]))[STATUS]["alarm_level"] == "danger"
    found = states(role.news([sinks.observed(received_at=sinks.T0 + 11)]))  # measured 5 s before
    assert STATUS not in found and READING in found


def test_written_again_after_a_failure_is_said_again(clock: Clock) -> None:
    role = presence(clock)
    batch = [sinks.observed()]
    first = states(role.news(batch))
    assert states(role.news(batch)) == first and first


def test_home_assistant_starts(clock: Clock) -> None:
    role = presence(clock)
    list(role.news([sinks.observed(), sinks.observed(node=sinks.OTHER, received_at=sinks.T0 - 590)]))
    clock.now += 60
    found = list(role.heard(Message("homeassistant/status", b"online")))
    assert topics(found)[0] == GATEWAY and found[0].payload == b"online"
    assert topics(found).count(CONFIG) == 1
    # What still holds is said again; the other node's is eleven minutes old by now.
    assert set(states(found)) == {STATUS, READING}
    other = {message.topic: message.payload for message in found}[f"judder-ha/{sinks.OTHER}/availability"]
    assert other == b"offline"
    for message in (
        Message("homeassistant/status", b"offline"),
        Message("homeassistant/status", b"online", retain=True),
    ):
        assert list(role.heard(message)) == []


def test_a_silent_node_goes_and_comes_back(clock: Clock) -> None:
    role = presence(clock)
    list(role.news([sinks.observed()]))
    clock.now += 590
    assert list(role.tick()) == []
    clock.now += 10
    (gone,) = role.tick()
    assert (gone.topic, gone.payload, gone.retain) == (AVAILABLE, b"offline", True)
    assert list(role.tick()) == []
    back = list(role.news([sinks.observed(received_at=clock.now)]))
    assert topics(back) == [AVAILABLE, STATUS, READING] and back[0].payload == b"online"


def test_never_silent_with_zero(clock: Clock) -> None:
    role = presence(clock, expire_after_s=0)
    list(role.news([sinks.observed()]))
    clock.now += 1e7
    assert list(role.tick()) == []


def test_a_node_without_a_clock_to_believe_is_heard_now(clock: Clock) -> None:
    lost = sinks.hello(problems=("clock-behind",), received_at=0.0)
    lost.heard_at = None
    assert topics(presence(clock).news([lost]))[1:] == [AVAILABLE, f"judder-ha/{sinks.NODE}/hello"]


def test_a_time_no_calendar_has_is_now_and_holds_up_nothing(clock: Clock) -> None:
    role = presence(clock, expire_after_s=0)
    for never in (float("nan"), 1e20):
        odd = sinks.observed()
        odd.measured_at = never
        assert STATUS in topics(role.news([odd]))
    assert STATUS in topics(role.news([sinks.observed(received_at=sinks.T0 + 10)]))


def test_will_and_farewell(clock: Clock) -> None:
    role = presence(clock)
    gone = Message(GATEWAY, b"offline", retain=True)
    assert role.will() == gone and list(role.farewell()) == [gone]


def test_nodes_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judder.sink.homeassistant._REMEMBERED", 3)
    role = presence(clock)
    for i in range(5):
        list(role.news([sinks.observed(node=f"{i:016x}")]))
    assert len([topic for topic in topics(role.greet()) if topic.endswith("/config")]) == 3


def test_takes_what_has_an_entity_and_a_name_to_it() -> None:
    sink = HomeAssistantSink(HomeAssistantOptions())
    assert [o.record.kind for o in sinks.one_of_each() if sink.takes(o)] == ["reading", "alarm", "hello"]
    assert not sink.takes(sinks.observed(node=""))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"discovery_prefix": ""}, "discovery_prefix"),
        ({"discovery_prefix": "home/"}, "discovery_prefix"),
        ({"states": "a/#"}, "states"),
        ({"gateway": "a b"}, "gateway"),
        ({"expire_after_s": -1}, "expire_after_s"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        HomeAssistantOptions(**options)
