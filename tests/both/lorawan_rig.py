"""A node's MAC on a virtual clock, its flash and RTC memory, and a network that says what a test tells it to."""

import lorawan_air as air
from portable import Random

from node.link.lorawan import IDLE, RECEIVE, SAVE, TRANSMIT, WAIT, airtime, regions, session
from node.link.lorawan.mac import Mac

DEV_EUI = b"\x01\x02\x03\x04\x05\x06\x07\x08"
JOIN_EUI = b"\x70\xb3\xd5\x7e\xd0\x00\x00\x01"
APP_KEY = bytes(range(0x20, 0x30))
NWK = bytes(range(0x40, 0x50))
APP = bytes(range(0x60, 0x70))
ADDRESS = b"\x26\x01\x1b\xda"
NET_ID = b"\x00\x00\x13"


def otaa(**given):
    return _given(session.otaa(DEV_EUI, JOIN_EUI, APP_KEY), given)


def abp(**given):
    return _given(session.abp(ADDRESS, NWK, APP), given)


def _given(identity, given):
    for name in given:
        assert hasattr(identity, name), name
        setattr(identity, name, given[name])
    return identity


class Sent:
    """One transmission. window: 1 or 2, in which the network answered, 0 for none."""

    def __init__(self, at_ms, frame, frequency_hz, sf, bandwidth_hz, power_dbm):
        self.at_ms = at_ms
        self.frame = bytes(frame)
        self.frequency_hz = frequency_hz
        self.sf = sf
        self.bandwidth_hz = bandwidth_hz
        self.power_dbm = power_dbm
        self.windows = []

    def joins(self):
        return self.frame[0] == 0


class Rig:
    """answer(rig, sent, window) -> frame for that window (1 or 2), None for silence. It may be replaced at any time."""

    def __init__(self, region="eu868", identity=None, answer=None, stored=None, awake=None, seed=1, now_ms=1000):
        self.rng = Random(seed)
        self.region = regions.find(region)
        self.identity = abp() if identity is None else identity
        self.now_ms = now_ms
        self.stored = stored
        self.awake = awake
        self.answer = answer
        self.sent = []
        self.saves = []
        self.waits = []
        self.outcomes = []
        # The network's side.
        self.nwk, self.app, self.dev_addr = NWK, APP, ADDRESS
        self.counter = 0
        self.join_nonce = 0
        self.start()

    def start(self):
        """Power up, or wake: with what flash and RTC memory hold."""
        self.mac = Mac(self.region, self.identity, air.aes, self.rng.bytes, self.now_ms, self.stored, self.awake)
        return self.mac

    def power_cut(self):
        self.awake = None
        self.now_ms = 500
        return self.start()

    def sleep(self, for_ms=60000):
        self.awake = self.mac.state(self.now_ms)
        assert len(self.awake) <= 256, len(self.awake)
        self.now_ms += for_ms
        return self.start()

    def step(self):
        """Carry out one action; False when there is nothing to do."""
        mac = self.mac
        action = mac.next(self.now_ms)
        kind = action[0]
        if kind == SAVE:
            self.stored = bytes(action[1])
            self.saves.append(self.stored)
            mac.saved(self.now_ms)
        elif kind == TRANSMIT:
            self.awake = mac.state(self.now_ms)
            assert len(self.awake) <= 256, len(self.awake)
            sent = Sent(self.now_ms, *action[1:])
            self.sent.append(sent)
            self.now_ms += airtime.time_on_air_us(sent.sf, sent.bandwidth_hz, len(sent.frame)) // 1000
            self.end_ms = self.now_ms
            mac.sent(self.now_ms)
        elif kind == RECEIVE:
            self.receive(action)
        elif kind == WAIT:
            assert action[1] > self.now_ms
            self.waits.append(action[1] - self.now_ms)
            self.now_ms = action[1]
        else:
            assert kind == IDLE
            return False
        return True

    def receive(self, action):
        """Open a window and hear what the network says in it."""
        sent = self.sent[-1]
        delay_us, hz, sf, bandwidth_hz, symbols = action[1:]
        sent.windows.append((delay_us, hz, sf, bandwidth_hz, symbols))
        self.now_ms = max(self.now_ms, self.end_ms + delay_us // 1000)
        window = 2 if delay_us > self.first_us(sent) + 500000 else 1
        frame = self.answer(self, sent, window) if self.answer else None
        if frame is None:
            self.now_ms += symbols * airtime.symbol_us(sf, bandwidth_hz) // 1000
            self.mac.silent(self.now_ms)
        else:
            self.now_ms += airtime.time_on_air_us(sf, bandwidth_hz, len(frame), 0) // 1000
            self.mac.heard(self.now_ms, frame, -80, 28)

    def first_us(self, sent):
        return 5000000 if sent.joins() else self.mac.session.rx1_delay_s * 1000000

    def run(self, steps=500):
        """Until there is nothing to do."""
        for _ in range(steps):
            if not self.step():
                return
        raise AssertionError("never idle")

    def send(self, payload=b"reading", port=2, confirmed=False):
        """One message through, all the way; its outcome."""
        self.mac.send(self.now_ms, port, payload, confirmed)
        self.run()
        outcome = self.mac.outcome()
        assert outcome is not None
        self.outcomes.append(outcome)
        return outcome

    def up(self, index=-1, high=0):
        """One of the transmissions taken apart."""
        return air.Up(self.sent[index].frame, self.nwk, self.app, high)

    def ups(self):
        return [self.up(i) for i in range(len(self.sent)) if not self.sent[i].joins()]

    # --- the network

    def down(self, options=b"", port=None, payload=b"", **flags):
        """The next data downlink of the network."""
        frame = air.down(self.nwk, self.app, self.dev_addr, self.counter, options, port, payload, **flags)
        self.counter += 1
        return frame

    def accept(self, sent, settings=0, delay=1, cf_list=b""):
        """Join accept for a join request that was sent; from then on the network uses the new session."""
        assert sent.frame[-4:] == air.cmac(APP_KEY, sent.frame[:-4])[:4], "MIC of the join request"
        nonce = int.from_bytes(sent.frame[17:19], "little")
        self.join_nonce += 1
        self.nwk, self.app = air.keys(APP_KEY, self.join_nonce, NET_ID, nonce)
        self.dev_addr = b"\x26\x01" + bytes((self.join_nonce >> 8 & 0xFF, self.join_nonce & 0xFF))
        self.counter = 0
        return air.accept(APP_KEY, self.join_nonce, NET_ID, self.dev_addr, settings, delay, cf_list)

    def say(self, options=b"", window=1, **more):
        """Answer the next uplink once, in that window."""

        def answer(rig, sent, at):
            if sent.joins() or at != window:
                return None
            rig.answer = None
            return rig.down(options, **more)

        self.answer = answer

    def command(self, options, **more):
        """Let the network send MAC commands after an uplink; what the node answers in the next one."""
        self.say(options, **more)
        self.send(b"a")
        before = len(self.sent)
        self.answer = None
        self.send(b"b")
        return air.Up(self.sent[before].frame, self.nwk, self.app).commands()


def joined(region="eu868", identity=None, settings=0, delay=1, cf_list=b"", seed=1, **more):
    """A rig whose node has joined over the air."""

    def answer(rig, sent, window):
        return rig.accept(sent, settings, delay, cf_list) if sent.joins() and window == 1 else None

    rig = Rig(region, otaa(**more) if identity is None else identity, answer, seed=seed)
    rig.mac.join()
    rig.run()
    assert rig.mac.session.joined
    rig.answer = None
    return rig
