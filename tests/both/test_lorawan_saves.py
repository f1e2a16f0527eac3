"""What the network changes of channels and windows is in flash before the answer to it is on the air."""

from lorawan_rig import Rig, joined

from node.link.lorawan import SAVE

# What the network says; region; whether it is a change that has to outlive a power loss.
COMMANDS = (
    ("mask", "eu868", b"\x03\xff\x03\x00\x01", True),
    ("mask", "us915", b"\x03\xff\x02\x00\x51", True),
    ("the same mask", "eu868", b"\x03\xff\x07\x00\x01", False),
    ("rate and power", "eu868", b"\x03\x52\x07\x00\x01", False),
    ("a mask refused", "eu868", b"\x03\x50\x00\x80\x01", False),
    ("new channel", "eu868", b"\x07\x03\x18\x4f\x84\x50", True),
    ("a default channel", "eu868", b"\x07\x00\x18\x4f\x84\x50", False),
    ("down channel", "eu868", b"\x0a\x00\xd2\xad\x84", True),
    ("delay", "eu868", b"\x08\x05", True),
    ("the same delay", "eu868", b"\x08\x01", False),
    ("windows", "eu868", b"\x05\x13\xd2\xad\x84", True),
    ("dwell time", "as923-1", b"\x09\x05", True),
    ("duty cycle", "eu868", b"\x04\x01", True),
    ("status", "eu868", b"\x06", False),
    ("a command cut off", "eu868", b"\x08", False),
)


def test_a_change_is_written_before_it_is_answered():
    for name, region, options, changes in COMMANDS:
        made = joined(region)
        made.send(b"x")
        made.say(options)
        made.send(b"x")
        before = len(made.sent)
        assert len(made.saves) == (3 if changes else 2), name
        made.send(b"x")
        assert len(made.sent) == before + 1
        # Once, and what it says is there after a power loss.
        assert len(made.saves) == (3 if changes else 2), name
        mask, agreed = bytes(made.mac.session.plan.mask), made.mac.session.agreed()
        made.power_cut()
        assert bytes(made.mac.session.plan.mask) == mask and made.mac.session.agreed() == agreed, name


def test_nothing_goes_out_between_a_change_and_its_record():
    made = Rig()
    made.send(b"x")
    made.say(b"\x08\x05")
    made.mac.send(made.now_ms, 1, b"y", False)
    while made.mac.outcome() is None:
        made.step()
    made.mac.send(made.now_ms, 1, b"z", False)
    for _ in range(3):
        assert made.mac.next(made.now_ms)[0] == SAVE
    made.mac.saved(made.now_ms)
    made.run()
    assert made.up().options == b"\x08"
