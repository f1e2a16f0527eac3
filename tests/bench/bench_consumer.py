#!/usr/bin/env python3
"""Share of the decoder in the CPU time of a consumer: readings over MQTT with QoS 1 from mosquitto, taken with paho.

They wait in the broker while the consumer is away; then it connects and takes them, one after the other. Its CPU time
is that of this process, without the broker; the decoder's is that of `decode` over the same payloads in the same round.
    python tests/bench/bench_consumer.py [--quick]

Without mosquitto it says so and measures nothing.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import rounds
from tests.bench.bench_decode import readings

from judder import decode
from judder.ingest import broker
from judder.ingest.mqtt import Subscriber

LIMIT = 10.0  # percent
NODE = "70b3d57ed0000001"
TOPIC = f"judder/{NODE}/up"
WAIT_S = 120.0


def publish(port: int, frames: Sequence[bytes]) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for info in [client.publish(TOPIC, frame, qos=1) for frame in frames]:
        info.wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


class Bare:
    """Paho as its documentation shows it, `take` in the callback."""

    def __init__(self, port: int, name: str, take: Callable[[bytes], object]) -> None:
        self._port, self._take = port, take
        self._taken = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
        self._subscribed = False
        self._client.on_subscribe = self._on_subscribe

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self._take(message.payload)
        self._taken += 1

    def take(self, count: int) -> None:
        """So many messages, and away again; the broker keeps what comes next."""
        self._taken, self._subscribed = 0, False
        end = time.monotonic() + WAIT_S
        self._client.connect("127.0.0.1", self._port)
        while self._taken < count or not self._subscribed:
            if self._client.loop(timeout=1.0) or time.monotonic() > end:
                raise SystemExit(f"{self._taken} of {count} messages came")
        self._client.disconnect()


def whole_path(port: int, count: int) -> None:
    """Judder's own subscriber: topic to node, an Uplink, decode, acknowledge."""
    with Subscriber("127.0.0.1", port, client_id="judder") as subscriber:
        for _ in range(count):
            message = subscriber.receive(WAIT_S)
            assert message is not None
            decode(message.event.payload)
            subscriber.ack(message)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages; still 9 rounds")
    count = 500 if parser.parse_args().quick else 3000
    if broker.mosquitto() is None:
        print("not measured: mosquitto is not installed")
        return 0
    report = rounds.Report()
    frames = readings(count, as_sent_today=False)
    with tempfile.TemporaryDirectory() as folder, broker.Broker("mosquitto", folder=Path(folder)) as server:
        bare, nothing = (Bare(server.port, n, take) for n, take in (("decode", decode), ("nothing", lambda _: None)))
        consumers = {
            "paho": lambda: bare.take(count),
            "empty": lambda: nothing.take(count),
            "judder": lambda: whole_path(server.port, count),
        }
        bare.take(0), nothing.take(0), whole_path(server.port, 0)
        took = []
        for _ in range(10):
            publish(server.port, frames)
            took.append({name: rounds.cpu_s(work) for name, work in consumers.items()})
            took[-1]["decode"] = rounds.cpu_s(rounds.each(decode, frames))
        took = took[1:]
    share = 100 * rounds.median(took, "decode", "paho")
    report.at_most("decode in a paho consumer with QoS 1", share, LIMIT, "% of its CPU time")
    share = 100 * rounds.median(took, "decode", "judder")
    report.at_most("decode behind judder.ingest.mqtt.Subscriber", share, LIMIT, "% of its CPU time")
    print(f"paho with nothing in its callback: {rounds.median(took, 'empty', 'decode'):.0f} x decode")
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
