"""ADR back-off (L2 1.0.4 section 4.3.1.1, table 9) and what a node does when its network is gone for good."""

from lorawan_rig import Rig, abp, joined


def bits(mask):
    return [i for i in range(8 * len(mask)) if mask[i >> 3] >> (i & 7) & 1]


def test_table_9():
    # From DR1, TXPower 4, NbTrans 3 and two of three channels on: the rows of the specification's example.
    made = Rig(identity=abp(data_rate=1))
    state = made.mac.session
    state.power, state.nb_trans = 4, 3
    state.plan.mask[0] = 3
    rows = []
    for count in range(170):
        row = (made.mac.session.data_rate, state.power, state.nb_trans, bits(state.plan.mask))
        made.send(b"x")
        rows.append((made.up().adr_request, row))
        assert made.up().counter == count and made.up().adr
    for first, last, request, row in (
        (0, 63, False, (1, 4, 3, [0, 1])),
        (64, 95, True, (1, 4, 3, [0, 1])),
        (96, 127, True, (1, 0, 3, [0, 1])),
        (128, 159, True, (0, 0, 3, [0, 1])),
        (160, 169, True, (0, 0, 1, [0, 1, 2])),
    ):
        for count in range(first, last + 1):
            assert rows[count] == (request, row), (count, rows[count])


STEPS = (
    # region, data rate at first, data rates after 96, 128, 160, ... uplinks
    ("eu868", 5, (5, 4, 3, 2, 1, 0, 0, 0)),
    ("eu868", 0, (0, 0, 0)),
    ("us915", 3, (3, 2, 1, 0, 0)),
    ("us915", 4, (4, 3, 2, 1, 0, 0)),
    ("au915", 5, (5, 4, 3, 2, 2)),  # dwell time: not below DR2
    ("au915", 6, (6, 5, 4, 3, 2, 2)),
    ("as923-1", 5, (5, 4, 3, 2, 2)),
    ("in865", 2, (2, 1, 0, 0)),
)


def unheard(made, count):
    """That many uplinks without an answer, on paper."""
    for _ in range(count):
        made.mac.session.adr_count += 1
        if made.mac.session.unheard():
            return True
    return False


def test_data_rates_of_the_back_off():
    for region, first, expected in STEPS:
        made = Rig(region, abp(data_rate=first))
        made.mac.session.power = 3
        unheard(made, 95)
        assert (made.mac.session.data_rate, made.mac.session.power) == (first, 3)
        for number in range(len(expected)):
            unheard(made, 1 if not number else 32)
            assert made.mac.session.data_rate == expected[number], (region, first, number)
            assert made.mac.session.power == 0


def test_a_lower_data_rate_without_a_channel_brings_the_channels_back():
    # Only channels of 500 kHz are on, and DR3 needs others.
    made = Rig("us915", abp(data_rate=4))
    made.mac.session.plan.mask[:] = bytes(8) + b"\x02"
    unheard(made, 128)
    assert made.mac.session.data_rate == 3
    assert bits(made.mac.session.plan.mask) == list(range(72))


def test_default_channels_keep_to_the_sub_band():
    made = Rig("us915", abp(sub_band=2))
    made.mac.session.plan.mask[:] = b"\0\3" + bytes(7)
    unheard(made, 128)
    assert bits(made.mac.session.plan.mask) == list(range(8, 16)) + [65]


def test_channels_the_network_made_stay():
    made = Rig()
    made.mac.session.plan.define(4, 8673000, 0x50)
    made.mac.session.plan.mask[0] = 0x10
    unheard(made, 128)
    assert bits(made.mac.session.plan.mask) == [0, 1, 2, 4]


def test_any_downlink_starts_the_count_again():
    for flags in ({}, {"ack": True}, {"port": 1, "payload": b"x"}, {"options": b"\x06"}):
        made = Rig(identity=abp(data_rate=5))
        made.mac.session.adr_count = 70
        made.say(window=2, **flags)
        made.send(b"x")
        assert made.up().adr_request
        assert made.mac.session.adr_count == 0
        made.send(b"x")
        assert not made.up().adr_request and made.mac.session.data_rate == 5


def test_repetitions_count_once():
    made = Rig()
    made.mac.session.nb_trans = 4
    made.send(b"x")
    assert made.mac.session.adr_count == 1


def test_a_refused_downlink_changes_no_count():
    made = Rig()
    made.mac.session.adr_count = 70
    made.answer = lambda rig, _sent, _window: rig.down()[:-1] + b"\0"
    made.send(b"x")
    assert made.mac.session.adr_count == 71


def test_without_adr_there_is_no_bit_and_no_back_off():
    made = Rig(identity=abp(adr=False, data_rate=3))
    made.mac.session.adr_count = 200
    made.send(b"x")
    assert not made.up().adr and not made.up().adr_request
    assert made.mac.session.adr_count == 200
    made.send(b"x", confirmed=True)
    assert made.mac.session.adr_count == 201
    made.mac.session.adr_count = 95
    unheard(made, 200)
    assert (made.mac.session.data_rate, made.mac.session.power) == (3, 0)


def test_a_network_that_is_gone_is_joined_again():
    # DR0 at once at the floor: 96 power, 128 channels, 160, 192: a join request, every 64 uplinks another.
    made = joined()
    joins = []
    for number in range(1, 330):
        made.mac.send(made.now_ms, 2, b"x", False)
        made.run()
        if made.sent[-1].joins():
            joins.append(number)
    assert joins == [192, 256, 320]
    # All that time messages went out in the old session.
    assert len(made.ups()) == 329
    made.answer = lambda rig, sent, window: rig.accept(sent) if sent.joins() and window == 1 else None
    for _ in range(60):
        made.send(b"x")
    assert made.mac.session.joins == 2
    made.answer = None
    made.send(b"x")
    assert made.up().dev_addr == made.dev_addr
    assert made.mac.session.adr_count <= 60


def test_abp_cannot_join_and_goes_on():
    made = Rig()
    made.mac.session.adr_count = 190
    made.mac.session.floor = 2
    for _ in range(5):
        made.send(b"x")
    assert len(made.ups()) == 5


def test_the_count_does_not_run_over():
    made = Rig()
    made.mac.session.floor = 254
    made.mac.session.adr_count = 0xFEFF
    for _ in range(70000 // 7000):
        unheard(made, 7000)
        assert 96 <= made.mac.session.adr_count <= 0xFFFF
    made.sleep()
    assert made.mac.session.adr_count >= 96
