"""Channel plans: frequencies, masks of LinkADRReq, CFList, hopping, join channels."""

from portable import Random

from node.link.lorawan import regions
from node.link.lorawan.channels import Plan, below


def plan(name="eu868", sub_band=0):
    return Plan(regions.find(name), sub_band)


def bits(mask):
    return [i for i in range(8 * len(mask)) if mask[i >> 3] >> (i & 7) & 1]


def free(_hz):
    return 0


def cf_list(*frequencies):
    """CFList type 0 of frequencies in MHz."""
    out = b""
    for value in list(frequencies) + [0] * (5 - len(frequencies)):
        out += round(value * 10000).to_bytes(3, "little")
    return out + b"\0"


# --- frequencies

FIXED = (
    # region, channel, uplink MHz, first window MHz
    ("us915", 0, 902.3, 923.3),
    ("us915", 8, 903.9, 923.3),
    ("us915", 15, 905.3, 927.5),
    ("us915", 63, 914.9, 927.5),
    ("us915", 64, 903.0, 923.3),
    ("us915", 65, 904.6, 923.9),
    ("us915", 71, 914.2, 927.5),
    ("au915", 0, 915.2, 923.3),
    ("au915", 8, 916.8, 923.3),
    ("au915", 15, 918.2, 927.5),
    ("au915", 63, 927.8, 927.5),
    ("au915", 64, 915.9, 923.3),
    ("au915", 65, 917.5, 923.9),
    ("au915", 71, 927.1, 927.5),
)


def test_fixed_frequencies():
    for name, channel, up, down in FIXED:
        made = plan(name)
        assert made.up_hz(channel) == round(up * 1000000), (name, channel)
        assert made.down_hz(channel) == round(down * 1000000), (name, channel)
    for name in ("us915", "au915"):
        made = plan(name)
        for channel in range(72):
            assert made.down_hz(channel) == 923300000 + channel % 8 * 600000


def test_fixed_data_rates():
    for name, narrow, wide in (("us915", 4, 4), ("au915", 6, 6)):
        made = plan(name)
        for number in range(8):
            assert made.carries(0, number) == (number < narrow), (name, number)
            assert made.carries(63, number) == (number < narrow), (name, number)
            assert made.carries(64, number) == (number == wide), (name, number)


def test_dynamic_channels():
    made = plan()
    assert bits(made.mask) == [0, 1, 2]
    assert [made.up_hz(i) for i in range(4)] == [868100000, 868300000, 868500000, 0]
    for number in range(8):
        assert made.carries(0, number) == (number < 6)
        assert not made.carries(3, number)
    made.define(3, 8671000, 0x53)
    assert bits(made.mask) == [0, 1, 2, 3]
    assert (made.up_hz(3), made.down_hz(3)) == (867100000, 867100000)
    assert [made.carries(3, number) for number in range(7)] == [False, False, False, True, True, True, False]
    made.down[3] = 8695250
    assert made.down_hz(3) == 869525000
    made.define(3, 8673000, 0x50)
    assert made.down_hz(3) == 867300000
    made.define(3, 0, 0)
    assert bits(made.mask) == [0, 1, 2]


def test_sub_bands():
    for name in ("us915", "au915"):
        assert bits(plan(name).mask) == list(range(72))
        for band in range(1, 9):
            expected = list(range(8 * band - 8, 8 * band)) + [63 + band]
            assert bits(plan(name, band).mask) == expected, (name, band)
    assert bits(plan("eu868", 2).mask) == [0, 1, 2]


# --- ChMaskCntl: region, mask before (channels), control, ChMask, mask after or None where it is not allowed

ALL = list(range(72))
MASKS = (
    ("eu868", None, 0, 0x0007, [0, 1, 2]),
    ("eu868", None, 0, 0x0001, [0]),
    ("eu868", None, 0, 0x0000, []),  # of one command; a whole block that leaves nothing is refused
    ("eu868", None, 0, 0x0008, None),  # channel 3 is not defined
    ("eu868", None, 0, 0xFFFF, None),
    ("eu868", None, 1, 0x0007, None),
    ("eu868", None, 2, 0x0007, None),
    ("eu868", None, 3, 0x0007, None),
    ("eu868", None, 4, 0x0007, None),
    ("eu868", None, 5, 0x0007, None),
    ("eu868", [1], 6, 0x0000, [0, 1, 2]),
    ("eu868", [1], 6, 0xFFFF, [0, 1, 2]),
    ("eu868", None, 7, 0x0007, None),
    ("as923-1", None, 0, 0x0003, [0, 1]),
    ("as923-1", None, 0, 0x0004, None),
    ("in865", [0], 6, 0, [0, 1, 2]),
    ("us915", [], 0, 0x00FF, list(range(8))),
    ("us915", [], 0, 0xFF00, list(range(8, 16))),
    ("us915", [], 1, 0x0001, [16]),
    ("us915", [], 2, 0x8000, [47]),
    ("us915", [], 3, 0xFFFF, list(range(48, 64))),
    ("us915", [], 4, 0x0002, [65]),
    ("us915", [], 4, 0xFFFF, list(range(64, 72))),  # upper half reserved
    ("us915", ALL, 4, 0x0000, list(range(64))),
    ("us915", ALL, 5, 0x0002, list(range(8, 16)) + [65]),
    ("us915", [], 5, 0x0081, list(range(8)) + list(range(56, 64)) + [64, 71]),
    ("us915", ALL, 5, 0x0000, []),
    ("us915", [], 6, 0x0000, list(range(64))),
    ("us915", [], 6, 0x00FF, ALL),
    ("us915", ALL, 7, 0x0000, []),
    ("us915", ALL, 7, 0x0002, [65]),
    ("us915", [0, 71], 0, 0x0000, [71]),
    ("au915", [], 1, 0x00F0, [20, 21, 22, 23]),
    ("au915", [], 5, 0x0002, list(range(8, 16)) + [65]),
    ("au915", ALL, 7, 0x0001, [64]),
    ("au915", [], 6, 0x0001, list(range(65))),
)


def test_masks():
    for name, before, control, word, after in MASKS:
        made = plan(name)
        mask = bytearray(made.mask)
        if before is not None:
            mask = bytearray(len(mask))
            for channel in before:
                mask[channel >> 3] |= 1 << (channel & 7)
        allowed = made.masked(mask, control, word)
        assert allowed == (after is not None), (name, control, word)
        if allowed:
            assert bits(mask) == after, (name, control, word)


def test_lawful_masks():
    # FCC 15.247: at least two channels of 125 kHz, unless the data rate is the one of 500 kHz.
    cases = (
        ("us915", [0], 0, False),
        ("us915", [0, 1], 0, True),
        ("us915", [0, 1], 3, True),
        ("us915", [64], 3, False),
        ("us915", [64], 4, True),
        ("us915", [], 4, False),
        ("au915", [0], 2, True),
        ("au915", [], 2, False),
        ("eu868", [0], 0, True),
        ("eu868", [], 0, False),
    )
    for name, channels, number, expected in cases:
        made = plan(name)
        mask = bytearray(len(made.mask))
        for channel in channels:
            mask[channel >> 3] |= 1 << (channel & 7)
        assert made.lawful(mask, number) == expected, (name, channels, number)


# --- CFList


def test_cf_list_of_frequencies():
    made = plan()
    made.take_cf_list(cf_list(867.1, 867.3, 867.5, 867.7, 867.9))
    assert bits(made.mask) == list(range(8))
    assert [made.up_hz(i) for i in range(3, 8)] == [867100000, 867300000, 867500000, 867700000, 867900000]
    assert [made.carries(3, number) for number in range(7)] == [True] * 6 + [False]
    made = plan()
    made.take_cf_list(cf_list(867.1, 0, 867.5))
    assert bits(made.mask) == [0, 1, 2, 3, 5]
    made = plan("as923-1")
    made.take_cf_list(cf_list(923.6, 923.8))
    assert bits(made.mask) == [0, 1, 2, 3]
    assert made.up_hz(2) == 923600000


def test_cf_list_leaves_out_what_is_not_in_the_region():
    made = plan()
    made.take_cf_list(cf_list(867.1, 915.0, 869.3, 433.1, 868.8))
    assert bits(made.mask) == [0, 1, 2, 3, 7]


def test_cf_list_of_masks():
    for name in ("us915", "au915"):
        made = plan(name)
        made.take_cf_list(b"\x00\xff\0\0\0\0\0\0\x02\0\0\0\0\0\0\x01")
        assert bits(made.mask) == list(range(8, 16)) + [65], name


def test_cf_list_of_the_wrong_kind_is_ignored():
    made = plan()
    made.take_cf_list(b"\x00\xff" + bytes(13) + b"\x01")
    assert bits(made.mask) == [0, 1, 2]
    made = plan("us915")
    made.take_cf_list(cf_list(867.1, 867.3))
    assert bits(made.mask) == ALL
    made.take_cf_list(bytes(15) + b"\x01")
    assert bits(made.mask) == ALL
    made.take_cf_list(b"\xff" * 15 + b"\x02")
    assert bits(made.mask) == ALL


# --- hopping


def test_every_channel_has_its_turn_before_one_comes_again():
    for name, number, channels in (("eu868", 0, 8), ("us915", 0, 64), ("us915", 4, 8), ("au915", 2, 64)):
        rng = Random(7)
        made = plan(name)
        if name == "eu868":
            made.take_cf_list(cf_list(867.1, 867.3, 867.5, 867.7, 867.9))
        orders = []
        for _ in range(3):
            order = []
            for _ in range(channels):
                channel, wait = made.pick(made.mask, number, rng.bytes, free)
                assert wait == 0
                order.append(channel)
            assert sorted(order) == [c for c in bits(made.mask) if made.carries(c, number)], name
            orders.append(order)
        assert orders[0] != orders[1] or channels < 3


def test_blocked_channels_are_passed_over():
    rng = Random(3)
    made = plan()
    made.define(3, 8671000, 0x50)

    def wait(hz):
        return 500 if hz >= 868000000 else 0

    for _ in range(5):
        assert made.pick(made.mask, 0, rng.bytes, wait) == (3, 0)
    assert made.pick(made.mask, 0, rng.bytes, lambda hz: hz // 1000000 - 800) == (None, 67)
    # Nothing carries DR6 here.
    assert made.pick(made.mask, 6, rng.bytes, free) == (None, None)


def test_random_numbers_are_in_range():
    rng = Random(5)
    for limit in (1, 2, 3, 8, 72, 2001, 65536):
        for _ in range(50):
            assert 0 <= below(rng.bytes, limit) < limit
    assert below(lambda n: b"\xff" * n, 72) == 71
    assert below(bytes, 72) == 0


# --- joining


def test_join_channels_of_dynamic_plans():
    made = plan()
    made.define(5, 8671000, 0x50)
    made.mask[0] = 0x20
    # The default channels, whatever a network has switched off.
    assert bits(made.join_mask(0, Random(1).bytes)) == [0, 1, 2]
    assert bits(plan("as923-1").join_mask(3, Random(1).bytes)) == [0, 1]


def test_joins_of_a_fixed_plan_try_every_bank():
    rng = Random(11)
    for name, narrow, wide in (("us915", 0, 4), ("au915", 2, 6)):
        made = plan(name)
        seen = []
        for attempt in range(36):
            number = made.join_data_rate(attempt, 0)
            channel, _ = made.pick(made.join_mask(attempt, rng.bytes), number, rng.bytes, free)
            if attempt % 9 == 8:
                assert number == wide and channel >= 64
                assert sorted(seen) == list(range(8)), seen
                seen = []
            else:
                assert number == narrow and channel < 64
                seen.append(channel // 8)


def test_joins_stay_in_a_sub_band():
    rng = Random(12)
    made = plan("us915", 2)
    used = []
    for attempt in range(18):
        number = made.join_data_rate(attempt, 0)
        channel, _ = made.pick(made.join_mask(attempt, rng.bytes), number, rng.bytes, free)
        used.append(channel)
    assert sorted(used[:8]) == list(range(8, 16))
    assert used[8] == used[17] == 65


JOIN_RATES = (
    ("eu868", 0, (0, 5, 4, 3, 2, 1, 0)),
    ("eu868", 3, (3, 2, 1, 0, 5, 4, 3)),
    ("eu868", 9, (5, 4, 3, 2, 1, 0, 5)),
    ("as923-1", 0, (2, 5, 4, 3, 2)),
    ("as923-1", 5, (5, 4, 3, 2, 5)),
    ("in865", 5, (5, 4, 3, 2, 1, 0, 5)),
    ("us915", 3, (0, 0, 0, 0, 0, 0, 0, 0, 4, 0)),
    ("au915", 0, (2, 2, 2, 2, 2, 2, 2, 2, 6, 2)),
)


def test_data_rates_of_joins():
    for name, first, expected in JOIN_RATES:
        made = plan(name)
        assert tuple([made.join_data_rate(i, first) for i in range(len(expected))]) == expected, name
