"""Wi-Fi station and MQTT over it, as a link.

    down --back-off over--> joining --address--> connecting --TCP, TLS--> mqtt --CONNACK--> ready
    any failure: counted, everything closed, down again with a longer back-off

Each step does what can be done now. Network and broker may come and go at any time; the node measures on.
"""

import time

import network

from node.link import ACKED, FAILED, WAITING, Link, mqtt, stream
from node.link.backoff import Backoff
from node.link.mqtt_packets import MqttError

_DOWN = 0
_JOINING = 1
_CONNECTING = 2
_MQTT = 3

_BACKOFF_FIRST_MS = 1000
_BACKOFF_LIMIT_MS = 300000
_FIRST_YEAR = 2024  # before that nobody has set the clock
_LIMIT_BYTES = 2200  # one TCP segment or two; leaves the heap alone

FAULTS = (OSError, MqttError, ValueError)  # ValueError: mbed TLS on a certificate it cannot read


class Wifi(Link):
    """settings: values by name (judder_core.settings). node_id: 8 bytes. random: n -> n random bytes.

    say: called with one line of text when the state changes; for the console.
    """

    # The broker hands over what it kept for a sleeping node as soon as that subscribes.
    linger_ms = 300

    def __init__(self, settings: dict, node_id: bytes, random, say=None, wlan=None):
        self._ssid = settings["wifi_ssid"]
        self._password = settings["wifi_password"]
        self._host = settings["mqtt_host"]
        self._port = settings["mqtt_port"]
        self._tls = (settings["mqtt_ca"], self._host) if settings["mqtt_tls"] else None
        self._timeout_ms = settings["timeout_s"] * 1000
        node = node_id.hex()
        topics = tuple(["judder/%s/%s" % (node, name) for name in ("up", "down", "status")])
        self._client = mqtt.Client(
            time,
            node,
            topics,
            settings["mqtt_keepalive_s"],
            self._timeout_ms,
            user=settings["mqtt_user"],
            password=settings["mqtt_password"],
        )
        self._wlan = network.WLAN(network.STA_IF) if wlan is None else wlan
        self._backoff = Backoff(_BACKOFF_FIRST_MS, _BACKOFF_LIMIT_MS, random)
        self._say = say
        self._stream = None
        self._address = None
        self._state = _DOWN
        self._since = time.ticks_ms()
        self._pause_ms = 0
        self._sending = False
        self._result = WAITING
        self.failures = 0

    @property
    def refused(self) -> int:
        """Too long or too many, as the MQTT client counts them."""
        return self._client.refused

    def ready(self) -> bool:
        return self._state == _MQTT and self._client.state == mqtt.READY and not self._sending

    def limit(self) -> int:
        return _LIMIT_BYTES

    def send(self, message: bytes, confirmed: bool, repeat: bool = False):  # noqa: ARG002
        """Always QoS 1: the node keeps a message until the broker has it."""
        if not self.ready():
            return FAILED
        try:
            self._client.publish(message, repeat)
        except FAULTS as error:
            self._fail(error)
            return FAILED
        self._sending = True
        self._result = WAITING
        return WAITING

    def outcome(self):
        """Of the message under way; after a step."""
        if self._sending and not self._client.pending():
            self._sending = False
            self._result = ACKED
            self.proofs += 1
        return self._result

    def poll(self) -> list:
        """Downlink payloads."""
        received = self._client.received
        self._client.received = []
        return received

    def step(self, wait_ms: int = 0) -> None:
        """Waits at most wait_ms, for the socket only."""
        try:
            if self._state == _DOWN:
                self._join(wait_ms)
            elif self._state == _JOINING:
                self._joining(wait_ms)
            else:
                self._exchange(wait_ms)
        except FAULTS as error:
            self._fail(error)

    def close(self) -> None:
        """Say goodbye to the broker and switch the radio off."""
        self._drop(polite=True)
        try:
            self._wlan.disconnect()
        except OSError:
            pass
        self._wlan.active(False)
        self._pause_ms = 0

    # --- states

    def _join(self, wait_ms: int) -> None:
        left_ms = self._pause_ms - self._in_state_ms()
        if left_ms > 0:
            time.sleep_ms(min(wait_ms, left_ms))
            return
        self._enter(_JOINING)
        self._wlan.active(True)
        if not self._wlan.isconnected():
            self._wlan.connect(self._ssid, self._password)

    def _joining(self, wait_ms: int) -> None:
        if not self._wlan.isconnected():
            if self._in_state_ms() > self._timeout_ms:
                self._wlan.disconnect()
                raise MqttError("network '%s' cannot be joined" % self._ssid)
            time.sleep_ms(min(wait_ms, 50))
            return
        if self._tls and not self._clock_is_set():
            self._set_clock()
        if self._address is None:
            self._address = stream.resolve(self._host, self._port)
        self._stream = stream.Stream(self._address, self._tls)
        self._enter(_CONNECTING)

    def _exchange(self, wait_ms: int) -> None:
        if not self._wlan.isconnected():
            raise MqttError("network '%s' lost" % self._ssid)
        self._stream.wait(wait_ms)
        if self._state == _CONNECTING:
            if not self._stream.connected():
                if self._in_state_ms() > self._timeout_ms:
                    raise MqttError("no connection to %s:%d" % (self._host, self._port))
                return
            self._enter(_MQTT)
            self._client.open(self._stream)
        was_ready = self._client.state == mqtt.READY
        self._client.step()
        if not was_ready and self._client.state == mqtt.READY:
            self._backoff.reset()
            self._tell("connected to %s:%d" % (self._host, self._port))

    # --- inside

    @staticmethod
    def _clock_is_set() -> bool:
        return time.gmtime()[0] >= _FIRST_YEAR

    def _set_clock(self) -> None:
        """mbed TLS on the ESP32 holds certificates against the wall clock, which starts in 2000: ask the network.

        One question a connection, a second at most. Without an answer TLS fails, and says so.
        """
        try:
            import ntptime  # frozen into the stock ESP32 image; elsewhere the clock is right or stays as it is
        except ImportError:
            return
        ntptime.timeout = 1
        try:
            ntptime.settime()
        except (OSError, OverflowError):
            self._tell("clock not set: no answer from %s" % ntptime.host)

    def _enter(self, state: int) -> None:
        self._state = state
        self._since = time.ticks_ms()

    def _in_state_ms(self) -> int:
        return time.ticks_diff(time.ticks_ms(), self._since)

    def _drop(self, polite: bool = False) -> None:
        if self._sending:
            # A lost connection also ends the waiting, but only a PUBACK is an acknowledgement.
            self._sending = False
            self._result = FAILED
        if polite:
            self._client.disconnect()
        self._client.lost()
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._enter(_DOWN)

    def _fail(self, error) -> None:
        self.failures += 1
        if self._state == _CONNECTING:
            # The broker may have moved: look its name up again.
            self._address = None
        self._drop()
        self._pause_ms = self._backoff.delay_ms()
        self._tell("%s; next try in %d s" % (error, (self._pause_ms + 999) // 1000))

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say("wifi: " + text)
