"""`judder command` from the outside: printed, sent through a real broker, answered by a stand-in for a node."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from judder import decode
from judder.cli import main as cli
from judder.decode.records import Command
from judder.ingest.broker import Broker, free_port
from judder_core import codec, schema

NODE = "70b3d57ed0000001"
APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"


@pytest.fixture
def judder(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[dict[str, Any]], str]]:
    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["command", *arguments, "--json"])
        out, err = capsys.readouterr()
        rows = [json.loads(row) for row in out.splitlines()]
        return int(ended.value.code or 0), [row for row in rows if "event" in row], err

    return run


def test_printed(judder: Any) -> None:
    code, (row,), _err = judder("--set", "interval_s=300", "--set", "mode=duty", "--tag", "7")
    assert code == 0
    command = decode(bytes.fromhex(row["hex"]))
    assert isinstance(command, Command) and (command.tag, command.action, row["port"]) == (7, "settings", 17)
    assert base64.b64decode(row["base64"]).hex() == row["hex"] and "topic" not in row
    tags = {judder("--reboot")[1][0]["tag"] for _ in range(3)}
    assert len(tags) > 1


def test_for_servers(judder: Any) -> None:
    code, (row,), _err = judder("--reboot", "--node", NODE, "--chirpstack", APPLICATION, "--confirmed")
    assert code == 0 and row["topic"] == f"application/{APPLICATION}/device/{NODE}/command/down"
    assert row["body"] == {"devEui": NODE, "confirmed": True, "fPort": 17, "data": row["base64"]}
    code, (row,), _err = judder("--request", "reading", "--tts", "machines@ttn", "--device", "pump-7", "--tag", "9")
    assert code == 0 and row["topic"] == "v3/machines@ttn/devices/pump-7/down/push"
    assert row["body"]["downlinks"][0]["correlation_ids"] == ["judder-9"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--request", "capture"), 7, "a capture needs an axis, 'x', 'y' or 'z'\n"),
        ((), 7, "exactly one of settings, request and reboot"),
        (("--reboot", "--request", "hello"), 7, "exactly one"),
        (("--request", "coffee"), 7, "hello, reading"),
        (("--set", "interval_s"), 7, "NAME=VALUE"),
        (("--set", "interval=5"), 7, "interval"),
        (("--set", "wifi_password=x"), 7, "no node takes it over the air"),
        (("--reboot", "--chirpstack", APPLICATION), 1, "--node"),
        (("--reboot", "--chirpstack", "1", "--node", NODE), 7, "UUID"),
        (("--reboot", "--chirpstack", APPLICATION, "--tts", "x"), 1, "not both"),
        (("--reboot", "--tts", "x"), 1, "--device"),
        (("--reboot", "--confirmed"), 1, "--confirmed"),
        (("--reboot", "--wait", "5"), 1, "--to"),
        (("--reboot", "--to", "mqtt://127.0.0.1"), 1, "--node"),
        (("--reboot", "--node", NODE, "--to", "http://x"), 7, "mqtt://"),
        (("--reboot", "--node", NODE, "--to", "mqtt://me:secret@x"), 7, "JUDDER_MQTT_PASSWORD"),
        (("--set", "label=" + "x" * 60, "--node", NODE, "--chirpstack", APPLICATION), 7, "51"),
    ],
)
def test_wrong_options(judder: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    found, rows, err = judder(*arguments)
    assert found == code and words in err and "secret" not in err.replace("me:secret@x", ""), err
    assert [row for row in rows if "hex" in row] == []  # nothing to be pasted by mistake


def test_no_broker(judder: Any) -> None:
    code, rows, err = judder("--reboot", "--node", NODE, "--to", f"mqtt://127.0.0.1:{free_port()}")
    assert code == 3 and "is it running" in err and len(rows) == 1


class Answerer:
    """A node's side: answers whatever comes down with an ACK of this status."""

    def __init__(self, broker: Broker, down: str, up: str, status: int, wrap: Callable[[bytes], bytes]) -> None:
        self.got: list[bytes] = []
        self._up, self._status, self._wrap = up, status, wrap
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect(broker.host, broker.port)
        self._client.subscribe(down, qos=1)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.got.append(message.payload)
        body = message.payload
        frame = base64.b64decode(json.loads(body)["data"]) if body.startswith(b"{") else body
        command = decode(frame)
        assert isinstance(command, Command)
        # First somebody else's answer, then noise, then its own.
        for tag in (command.tag + 1, command.tag):
            client.publish(self._up, self._wrap(codec.encode(schema.ACK, [tag, self._status])), qos=1)
            client.publish(self._up, self._wrap(b"\x82\x01\x06"), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_sent_and_answered_over_wifi(judder: Any) -> None:
    with Broker() as broker:
        node = Answerer(broker, f"judder/{NODE}/down", f"judder/{NODE}/up", 0, lambda ack: ack)
        url = f"mqtt://{broker.host}:{broker.port}"
        code, rows, err = judder("--reboot", "--node", NODE, "--tag", "7", "--to", url, "--wait", "20")
        node.close()
    assert code == 0, err
    assert [row["event"] for row in rows] == ["command", "sent", "answer"]
    assert node.got == [bytes.fromhex(rows[0]["hex"])]
    assert (rows[2]["tag"], rows[2]["status"]) == (7, "done")


def test_refused_through_chirpstack(judder: Any) -> None:
    def up(ack: bytes) -> bytes:
        info = {"devEui": NODE, "deviceName": "pump 7"}
        return json.dumps({"deviceInfo": info, "fPort": 5, "data": base64.b64encode(ack).decode()}).encode()

    stem = f"application/{APPLICATION}/device/{NODE}"
    with Broker() as broker:
        node = Answerer(broker, f"{stem}/command/down", f"{stem}/event/up", 3, up)
        url = f"mqtt://{broker.host}:{broker.port}"
        code, rows, err = judder(
            "--set", "interval_s=300", "--node", NODE, "--chirpstack", APPLICATION, "--to", url, "--wait", "20"
        )
        node.close()
    assert code == 4 and "out of range" in err
    assert rows[-1]["event"] == "answer"


def test_no_answer(judder: Any) -> None:
    with Broker() as broker:
        url = f"mqtt://{broker.host}:{broker.port}"
        code, rows, err = judder("--reboot", "--node", NODE, "--to", url, "--wait", "0.3")
    assert code == 4 and "no answer" in err and rows[-1]["event"] == "sent"
