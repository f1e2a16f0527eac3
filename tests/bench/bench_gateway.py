#!/usr/bin/env python3
"""What decoding is of the CPU time of an MQTT consumer with QoS 1, and what a whole gateway costs beside a bare one.

Messages wait in a mosquitto, in a session with a client id. Each round drains as many with each contender in turn:
    bare      paho, manual acknowledgement, a callback that does nothing else
    decode    paho as above, then decode() of the same payloads, timed alone
    gateway   judder.gateway from the broker to an NDJSON file: parsed, decoded, tracked, in the spool, written, each on
              the disk; every thread of it
Process CPU time, median of the rounds. The broker is a process of its own and not counted.
    python tests/bench/bench_gateway.py [--quick]
"""

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import paho.mqtt.client as mqtt
from tests.bench.bench_decode import readings
from tests.bench.rounds import Report, cpu_s, each, median

from judder import decode
from judder.gateway.config import Config, load
from judder.gateway.log import Log
from judder.gateway.pipeline import Gateway
from judder.ingest.broker import Broker, mosquitto

SHARE = 10.0  # percent, of the consumer's time
NODES = 100
TOPIC = "judder/+/up"


class Bare:
    """A session at the broker, and what drains it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._drain(0)  # from now on the broker keeps what comes

    def drain(self, count: int) -> float:
        return cpu_s(lambda: self._drain(count))

    def _drain(self, count: int) -> None:
        done, ready = threading.Event(), threading.Event()
        left = count

        def on_message(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            nonlocal left
            client.ack(message.mid, message.qos)
            left -= 1
            if not left:
                done.set()

        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="bare",
            clean_session=False,
            manual_ack=True,
            protocol=mqtt.MQTTv311,
        )
        client.on_message = on_message
        client.on_connect = lambda client, *_: client.subscribe(TOPIC, 1)
        client.on_subscribe = lambda *_: ready.set()
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        assert ready.wait(60)
        assert not count or done.wait(300), left
        client.disconnect()
        client.loop_stop()


class Whole:
    """The gateway, with a spool and a file in this folder. A life for each round, as the bare one has."""

    def __init__(self, folder: Path, port: int) -> None:
        path = folder / "gateway.toml"
        path.write_text(
            f'[service]\nhealth = ""\n[[source]]\ntype = "mqtt"\nport = {port}\n'
            '[[sink]]\ntype = "ndjson"\nlinger_s = 0.2\nduplicates = true\n'
        )
        self._config: Config = load(path, environ={})
        self._life(lambda gateway: all(source.up for source in gateway.sources))

    def drain(self, count: int) -> float:
        return cpu_s(lambda: self._life(lambda gateway: gateway.metrics.get("sink_written_total") >= count))

    def _life(self, done: Callable[[Gateway], bool]) -> None:
        gateway = Gateway(self._config.plan, log=Log(sys.stderr, as_json=False, level="error"))
        gateway.start()
        deadline = time.monotonic() + 300
        while not done(gateway):
            assert time.monotonic() < deadline, gateway.metrics.text()
            time.sleep(0.05)
        gateway.stop()


def publish(port: int, payloads: list[bytes]) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(200)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number, payload in enumerate(payloads):
        info = client.publish(f"judder/70b3d57ed000{number % NODES:04x}/up", payload, qos=1)
    info.wait_for_publish(300)
    client.disconnect()
    client.loop_stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages; still 9 rounds")
    count = 1000 if parser.parse_args().quick else 4000
    logging.disable(logging.CRITICAL)
    if mosquitto() is None:
        print("mosquitto is not installed; amqtt would measure itself")
        return 0
    payloads = readings(count, as_sent_today=False)
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name, Broker("mosquitto", folder=Path(name) / "broker") as broker:
        bare, whole = Bare(broker.port), Whole(Path(name), broker.port)
        for _ in range(10):  # the first is not counted
            publish(broker.port, payloads)
            took = {"bare": bare.drain(count), "gateway": whole.drain(count)}
            took["decode"] = cpu_s(each(decode, payloads))
            took["both"] = took["bare"] + took["decode"]
            rounds.append(took)
    del rounds[0]
    report = Report()
    report.at_most("decode, of a consumer with paho", 100 * median(rounds, "decode", "both"), SHARE, "%")
    print(f"the whole gateway to NDJSON: {median(rounds, 'gateway', 'bare'):.2f} x a consumer that does nothing")
    print(f"{count} messages a round, {len(rounds)} rounds")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
