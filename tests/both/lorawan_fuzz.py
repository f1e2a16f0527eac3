"""Frames nobody signed, and the way to see that they do nothing: two nodes in step, of which one hears them.

The other one hears silence. They have the same identity, clock and randomness, so whatever they hear, they have to be
the same afterwards, byte for byte of their state, but for the counts of what was refused.
"""

import lorawan_air as air
from lorawan_rig import ADDRESS, APP, APP_KEY, NET_ID, NWK, Rig

from node.link.lorawan import RECEIVE

# LinkADRReq: the highest rate of 125 kHz, 15 repetitions, so that one uplink has thirty windows.
OFTEN = {
    "eu868": b"\x03\x50\x07\x00\x0f",
    "in865": b"\x03\x50\x07\x00\x0f",
    "as923-1": b"\x03\x50\x03\x00\x0f",
    "us915": b"\x03\x30\xff\x00\x6f",
    "au915": b"\x03\x50\xff\x00\x6f",
}
COMMANDS = b"\x08\x05\x03\x51\x03\x00\x03\x04\x07"


class Ear(Rig):
    """A rig whose windows take their time, whatever is heard in them."""

    def receive(self, action):
        delay_us = action[1]
        self.now_ms = max(self.now_ms, self.end_ms + delay_us // 1000) + 1
        frame = self.answer(self, self.sent[-1], 0) if self.answer else None
        if frame is None:
            self.mac.silent(self.now_ms)
        else:
            before = sum(self.mac.session.refused)
            self.mac.heard(self.now_ms, frame, -80, 28)
            self.refused = sum(self.mac.session.refused) - before


class Pair:
    """deaf and hearing: the two nodes. heard: frames so far."""

    def __init__(self, region, identity, frames):
        self.deaf = Ear(region, identity)
        self.hearing = Ear(region, identity)
        self.frames = frames
        self.heard = 0

    def set_up(self, options):
        """Both hear an authentic downlink, once."""
        for node in (self.deaf, self.hearing):
            node.answer = lambda rig, _sent, _window, options=options: self._once(rig, options)
            node.send(b"x")
            node.send(b"x")
            assert node.mac.session.downs == 1

    def _once(self, rig, options):
        rig.answer = None
        return rig.down(options)

    def uplink(self, request):
        """One uplink and what may follow from it; request: node -> None asks for it."""
        for node in (self.deaf, self.hearing):
            request(node)
            node.answer = None
        while True:
            kinds = [node.mac.next(node.now_ms)[0] for node in (self.deaf, self.hearing)]
            assert kinds[0] == kinds[1], kinds
            frame = None
            if kinds[0] == RECEIVE:
                frame = self.frames.bad()
                self.hearing.answer = lambda _rig, _sent, _window, frame=frame: frame
            more = self.deaf.step()
            assert self.hearing.step() == more
            if frame is not None:
                self.heard += 1
                assert self.hearing.refused == 1, "not counted: %s" % frame.hex()
                self._compare(frame)
            if not more:
                break
        assert self.deaf.sent[-1].frame == self.hearing.sent[-1].frame
        for node in (self.deaf, self.hearing):
            del node.sent[:-1], node.waits[:], node.saves[:]

    def _compare(self, frame):
        deaf, hearing = self.deaf, self.hearing
        # Counted, and nothing else: so the counts may be put back.
        hearing.mac.session.refused[:] = deaf.mac.session.refused
        assert deaf.now_ms == hearing.now_ms
        same = hearing.mac.state(hearing.now_ms) == deaf.mac.state(deaf.now_ms)
        mac = hearing.mac
        seen = (mac.downlinks, mac.time, mac.margin_db, mac.gateways, mac.rssi_dbm, mac.snr_qdb, mac.outcome())
        mac = deaf.mac
        wanted = (mac.downlinks, mac.time, mac.margin_db, mac.gateways, mac.rssi_dbm, mac.snr_qdb, mac.outcome())
        assert same and seen == wanted, "state changed by %s" % frame.hex()


class Frames:
    """bad(): a frame the node must not take. `rng`: portable.Random. goods: authentic ones, which bad() never gives."""

    def __init__(self, rng, goods, old):
        self.rng = rng
        self.goods = goods
        self.old = old  # taken once: replays
        self._known = set(goods)

    def bad(self):
        while True:
            frame = self._one()
            if frame not in self._known:
                return frame

    def _one(self):
        rng = self.rng
        good = rng.choose(self.goods)
        kind = rng.below(10)
        if kind == 0:
            return rng.choose(self.old)
        if kind == 1:
            return good[: rng.below(len(good))]
        if kind == 2:
            # Two frames in one: the head of the first, the tail of the second.
            other = rng.choose(self.goods)
            return good[: rng.below(len(good) + 1)] + other[rng.below(len(other) + 1) :]
        if kind == 3:
            return good + rng.bytes(1 + rng.below(16))
        if kind == 4:
            # Type, address, flags, lengths and counters as they may be, the rest at random.
            head = rng.below(9)
            return good[:head] + rng.bytes(rng.below(len(good)))
        if kind == 5:
            return rng.bytes(rng.below(256))
        data = bytearray(good)
        if kind == 6:
            data[rng.below(len(data))] = rng.below(256)
        elif kind == 7:
            at = rng.below(len(data))
            return good[:at] + good[at + 1 + rng.below(4) :]
        else:
            for _ in range(1 + rng.below(1 << rng.below(4))):
                data[rng.below(len(data))] ^= 1 << rng.below(8)
        return bytes(data)


def downlinks(rng, count=120):
    """Frames that a node of lorawan_rig would not take: made from ones it would, and ones of others."""
    goods = []
    for n in range(count):
        options = rng.choose((b"", COMMANDS, b"\x06", rng.bytes(rng.below(16))))
        port = rng.choose((None, 0, 1, 3, 200, 224 + rng.below(32)))
        payload = b"" if port is None else rng.choose((b"", COMMANDS, rng.bytes(rng.below(40))))
        flags = {"confirmed": rng.below(2) == 1, "ack": rng.below(2) == 1, "pending": rng.below(2) == 1}
        goods.append(air.down(NWK, APP, ADDRESS, 1 + n, b"" if port == 0 else options, port, payload, **flags))
    old = [
        air.down(NWK, APP, ADDRESS, 0, COMMANDS, 3, b"payload"),  # its number has been there
        air.down(NWK, APP, ADDRESS, 0x10000 + 7, COMMANDS, 3, b"payload"),  # 65,536 ahead of what it seems
        air.down(APP, NWK, ADDRESS, 7, COMMANDS, 3, b"payload"),  # keys exchanged
        air.down(bytes(16), bytes(16), ADDRESS, 7, COMMANDS, 3, b"payload"),
        air.down(NWK, APP, b"\x26\x01\x1b\xdb", 7, COMMANDS, 3, b"payload"),  # another node's
        air.accept(APP_KEY, 9, NET_ID, ADDRESS),
        b"",
    ]
    return Frames(rng, goods, old)


def accepts(rng, count=40):
    """The same for join accepts."""
    goods = []
    for n in range(count):
        cf_list = rng.choose((b"", bytes(16), rng.bytes(15) + b"\0", rng.bytes(15) + b"\1"))
        goods.append(air.accept(APP_KEY, 1 + n, NET_ID, rng.bytes(4), rng.below(256), rng.below(256), cf_list))
    old = [
        air.accept(NWK, 5, NET_ID, ADDRESS),  # of another AppKey
        air.down(NWK, APP, ADDRESS, 7, COMMANDS, 3, b"payload"),
        b"",
    ]
    return Frames(rng, goods, old)
