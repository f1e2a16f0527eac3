"""Frames that are wrong, old or forged: refused by name, counted, and nothing else changes. Damaged ones by the
thousand: test_lorawan_fuzz.py."""

import lorawan_air as air
from lorawan_rig import ADDRESS, APP, APP_KEY, NET_ID, NWK, Rig, abp
from lorawan_states import fields

from node.link.lorawan import REFUSED


def uplink_with(made, frame, window=1):
    """An uplink whose window hears that frame."""
    made.answer = lambda _rig, _sent, at: frame if at == window else None
    made.send(b"x")
    made.answer = None


def settled(made):
    """State, without what any uplink changes or counts."""
    out = fields(made.mac.session)
    for name in ("fcnt_up", "fcnt_reserved", "adr_count", "floor", "uplinks", "refused", "masks"):
        del out[name]
    out["mask"] = bytes(made.mac.session.plan.mask)
    out["downlinks"] = list(made.mac.downlinks)
    out["time"] = made.mac.time
    return out


def counts(made):
    return {name: count for name, count in zip(REFUSED, made.mac.session.refused) if count}


COMMANDS = b"\x08\x05\x03\x51\x03\x00\x03\x04\x07"


def frames_refused(made):
    """(frame, reason) of a network, or somebody like it."""
    good = air.down(NWK, APP, ADDRESS, 7, COMMANDS, 3, b"payload", True)
    low_bit = bytearray(good)
    low_bit[-4] ^= 1
    return (
        (b"", "length"),
        (b"\x60", "length"),
        (good[:11], "length"),
        (good[:-1], "mic"),
        (good + b"\0", "mic"),
        (bytes(low_bit), "mic"),
        (good[:8] + bytes((good[8] ^ 0x40,)) + good[9:], "mic"),
        (air.down(APP, NWK, ADDRESS, 7, COMMANDS, 3, b"payload"), "mic"),
        (air.down(bytes(16), bytes(16), ADDRESS, 7, COMMANDS, 3, b"payload"), "mic"),
        (air.down(NWK, APP, b"\x26\x01\x1b\xdb", 7, COMMANDS, 3, b"payload"), "address"),
        (air.down(NWK, APP, air.turned(ADDRESS), 7, COMMANDS), "address"),
        (air.down(NWK, APP, ADDRESS, 5, COMMANDS, 3, b"payload"), "replay"),
        (air.down(NWK, APP, ADDRESS, 0, COMMANDS, 3, b"payload"), "replay"),
        (air.down(NWK, APP, ADDRESS, 0x10007, COMMANDS, 3, b"payload"), "mic"),
        (air.down(NWK, APP, ADDRESS, 7, COMMANDS, 0, COMMANDS), "options"),
        (b"\x40" + good[1:], "type"),
        (b"\x80" + good[1:], "type"),
        (b"\x00" + good[1:], "type"),
        (b"\xe0" + good[1:], "type"),
        (b"\x62" + good[1:], "type"),
        (air.accept(APP_KEY, 9, NET_ID, ADDRESS), "type"),
        (made.sent[-1].frame, "type"),  # our own uplink, heard back
        (air.down(NWK, APP, ADDRESS, 7, b"", 1, bytes(60)), "length"),  # longer than DR0 carries
    )


def test_nothing_changes_but_a_count():
    template = Rig(identity=abp(rx2_data_rate=0))
    template.send(b"x")
    for index in range(len(frames_refused(template))):
        for window in (1, 2):
            made = Rig(identity=abp(rx2_data_rate=0))
            made.counter = 5
            made.say(b"\x06", port=1, payload=b"first")
            made.send(b"x")
            made.send(b"x")
            frame, reason = frames_refused(made)[index]
            before = settled(made)
            uplink_with(made, frame, window)
            assert counts(made) == {reason: 1}, (index, reason, counts(made))
            assert settled(made) == before, (index, reason)
            # And the next good one is taken.
            made.say(port=2, payload=b"good")
            made.send(b"x")
            assert made.mac.downlinks[-1][:2] == (2, b"good")


def test_a_downlink_heard_twice_is_taken_once():
    made = Rig()
    frame = made.down(COMMANDS, 3, b"once")
    uplink_with(made, frame)
    before = settled(made)
    made.mac.session.nb_trans = 1
    for window in (1, 2):
        uplink_with(made, frame, window)
    after = settled(made)
    assert counts(made) == {"replay": 2}
    assert (after["downlinks"], after["fcnt_down"], after["downs"]) == ([(3, b"once", 0)], 0, 1)
    assert after["rx1_delay_s"] == before["rx1_delay_s"] == 5


def test_downlinks_out_of_order():
    made = Rig()
    frames = [air.down(NWK, APP, ADDRESS, n, b"", 1, bytes((n,))) for n in range(8)]
    for n in (2, 0, 1, 4, 3, 7):
        uplink_with(made, frames[n])
    assert [item[2] for item in made.mac.downlinks] == [2, 4, 7]
    assert counts(made) == {"replay": 3}


def test_counts_stop_at_255():
    made = Rig()
    for _ in range(300):
        made.mac.refuse(3)
    assert made.mac.session.refused[3] == 255
    made.sleep()
    assert made.mac.session.refused[3] == 255
