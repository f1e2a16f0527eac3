"""MAC commands: what the network sends, what the node answers and does (L2 1.0.4 section 5)."""

from lorawan_rig import Rig, abp

from node.link.lorawan import REFUSED


def unhex(text):
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def freq(mhz):
    return round(mhz * 10000).to_bytes(3, "little")


def link_adr(rate, power, mask, control=0, nb_trans=1):
    return bytes((3, rate << 4 | power)) + mask.to_bytes(2, "little") + bytes((control << 4 | nb_trans,))


def rx_param(offset, rate, mhz):
    return bytes((5, offset << 4 | rate)) + freq(mhz)


def new_channel(index, mhz, low, high):
    return bytes((7, index)) + freq(mhz) + bytes((high << 4 | low,))


def dl_channel(index, mhz):
    return bytes((10, index)) + freq(mhz)


def rig_of(region, before, **given):
    made = Rig(region, abp(**given))
    for name in before:
        setattr(made.mac.session, name, before[name])
    return made


def outcome(made, options):
    """Answers of the next uplink, fields of the session after the downlink."""
    return made.command(options), made.mac.session


# region, state before, commands, answers, state after
CASES = (
    # --- LinkADRReq: status bits mask 1, data rate 2, power 4
    ("eu868", {}, link_adr(5, 1, 7), "0307", {"data_rate": 5, "power": 1, "nb_trans": 1}),
    ("eu868", {}, link_adr(3, 7, 1, 0, 3), "0307", {"data_rate": 3, "power": 7, "nb_trans": 3}),
    ("eu868", {}, link_adr(0, 0, 7, 0, 15), "0307", {"nb_trans": 15}),
    ("eu868", {"nb_trans": 4}, link_adr(0, 0, 7, 0, 0), "0307", {"nb_trans": 1}),  # 0: the default, 1 (1.0.4)
    ("eu868", {"data_rate": 4, "power": 2}, link_adr(15, 15, 7), "0307", {"data_rate": 4, "power": 2}),
    ("eu868", {"data_rate": 4}, link_adr(15, 3, 7), "0307", {"data_rate": 4, "power": 3}),
    ("eu868", {"power": 5}, link_adr(2, 15, 7), "0307", {"data_rate": 2, "power": 5}),
    ("eu868", {"data_rate": 2}, link_adr(6, 0, 7), "0305", {"data_rate": 2}),  # no channel carries DR6
    ("eu868", {"data_rate": 2}, link_adr(7, 0, 7), "0305", {"data_rate": 2}),  # FSK
    ("eu868", {"data_rate": 2}, link_adr(8, 0, 7), "0305", {"data_rate": 2}),  # LR-FHSS
    ("eu868", {"data_rate": 2}, link_adr(14, 0, 7), "0305", {"data_rate": 2}),
    ("eu868", {"data_rate": 2}, link_adr(5, 8, 7), "0303", {"data_rate": 2, "power": 0}),
    ("eu868", {"data_rate": 2}, link_adr(5, 1, 8), "0306", {"data_rate": 2, "power": 0}),  # channel 3 undefined
    ("eu868", {"data_rate": 2}, link_adr(5, 1, 0), "0306", {"data_rate": 2, "power": 0}),  # nothing left on
    ("eu868", {"data_rate": 2}, link_adr(5, 1, 7, 1), "0306", {"data_rate": 2}),
    ("eu868", {"data_rate": 2}, link_adr(5, 1, 7, 5), "0306", {"data_rate": 2}),
    ("eu868", {"data_rate": 2}, link_adr(7, 9, 0), "0300", {"data_rate": 2, "power": 0}),
    ("eu868", {"nb_trans": 2}, link_adr(7, 9, 0, 0, 7), "0300", {"nb_trans": 2}),
    ("eu868", {}, link_adr(5, 1, 0, 6), "0307", {"data_rate": 5}),
    ("eu868", {}, bytes((3, 0x51, 7, 0, 0x81)), "0307", {"data_rate": 5, "nb_trans": 1}),  # bit 7 reserved
    ("in865", {}, link_adr(5, 10, 7), "0307", {"data_rate": 5, "power": 10}),
    ("in865", {}, link_adr(5, 11, 7), "0303", {"data_rate": 0}),
    ("in865", {"rx1_offset": 7}, link_adr(5, 0, 7), "0305", {"data_rate": 0}),  # first window would be FSK
    ("in865", {"rx1_offset": 7}, link_adr(4, 0, 7), "0307", {"data_rate": 4}),
    ("as923-1", {}, link_adr(0, 0, 3), "0305", {"data_rate": 2}),  # dwell time: nothing below DR2
    ("as923-1", {}, link_adr(1, 0, 3), "0305", {"data_rate": 2}),
    ("as923-1", {}, link_adr(2, 0, 3), "0307", {"data_rate": 2}),
    ("as923-1", {"dwell": 0}, link_adr(0, 0, 3), "0307", {"data_rate": 0}),
    ("as923-1", {"rx1_offset": 7}, link_adr(5, 0, 3), "0305", {"data_rate": 2}),
    ("au915", {}, link_adr(1, 0, 0xFF, 0), "0305", {"data_rate": 2}),
    ("au915", {"dwell": 0}, link_adr(1, 0, 0xFF, 0), "0307", {"data_rate": 1}),
    ("au915", {}, link_adr(6, 14, 0, 6), "0305", {"data_rate": 2}),  # DR6 needs a channel of 500 kHz
    ("au915", {}, link_adr(6, 14, 1, 6), "0307", {"data_rate": 6, "power": 14}),
    ("us915", {}, link_adr(3, 5, 0x00FF), "0307", {"data_rate": 3, "power": 5}),
    ("us915", {}, link_adr(3, 15, 0, 6), "0307", {"data_rate": 3}),
    ("us915", {}, link_adr(4, 0, 1, 7), "0307", {"data_rate": 4}),
    ("us915", {}, link_adr(3, 0, 1, 7), "0306", {"data_rate": 0}),  # no channel of 125 kHz left
    ("us915", {}, link_adr(4, 0, 0, 7), "0306", {"data_rate": 0}),
    ("us915", {}, link_adr(5, 0, 0xFF), "0305", {"data_rate": 0}),
    ("us915", {}, link_adr(8, 0, 0xFF), "0305", {"data_rate": 0}),  # a downlink data rate
    # --- blocks: one answer each, the same; masks add up, the rest is of the last one
    ("us915", {}, link_adr(3, 1, 0, 7) + link_adr(2, 2, 0x000F, 0), "03070307", {"data_rate": 2, "power": 2}),
    ("us915", {}, link_adr(3, 1, 0xFF, 7) + link_adr(2, 15, 0, 4), "03060306", {"data_rate": 0, "power": 0}),
    ("us915", {}, link_adr(0, 0, 2, 5) + link_adr(3, 3, 0, 4), "03070307", {"data_rate": 3, "power": 3}),
    ("us915", {}, link_adr(3, 0, 0, 0) * 3, "030703070307", {"data_rate": 3}),
    ("eu868", {}, link_adr(5, 0, 0) + link_adr(4, 2, 3), "03070307", {"data_rate": 4, "power": 2}),
    ("eu868", {}, link_adr(5, 0, 8) + link_adr(4, 2, 3), "03060306", {"data_rate": 0, "power": 0}),
    # Not contiguous: two requests of their own.
    ("eu868", {}, link_adr(5, 0, 7) + b"\x06" + link_adr(8, 0, 7), "030706ff070305", {"data_rate": 5}),
    # --- DutyCycleReq
    ("eu868", {}, b"\x04\x05", "04", {"max_duty": 5}),
    ("eu868", {"max_duty": 9}, b"\x04\x00", "04", {"max_duty": 0}),
    ("eu868", {}, b"\x04\xff", "04", {"max_duty": 15}),  # upper half reserved
    # --- RXParamSetupReq: channel 1, data rate of the second window 2, offset 4
    ("eu868", {}, rx_param(2, 3, 869.525), "0507", {"rx1_offset": 2, "rx2_data_rate": 3, "rx2_hz": 869525000}),
    ("eu868", {}, rx_param(0, 0, 868.1), "0507", {"rx2_hz": 868100000}),
    ("eu868", {}, rx_param(6, 3, 869.525), "0503", {"rx1_offset": 0, "rx2_data_rate": 0}),
    ("eu868", {}, rx_param(2, 7, 869.525), "0505", {"rx1_offset": 0, "rx2_data_rate": 0}),
    ("eu868", {}, rx_param(2, 3, 923.3), "0506", {"rx1_offset": 0, "rx2_hz": 869525000}),
    ("eu868", {}, rx_param(7, 15, 0), "0500", {"rx1_offset": 0, "rx2_data_rate": 0}),
    ("eu868", {}, bytes((5, 0x80 | 0x23)) + freq(869.525), "0507", {"rx1_offset": 2}),  # bit 7 reserved
    ("us915", {}, rx_param(3, 13, 923.3), "0507", {"rx1_offset": 3, "rx2_data_rate": 13}),
    ("us915", {}, rx_param(4, 13, 923.3), "0503", {"rx1_offset": 0}),
    ("us915", {}, rx_param(3, 3, 923.3), "0505", {"rx1_offset": 0}),
    ("us915", {}, rx_param(0, 8, 902.3), "0506", {"rx2_hz": 923300000}),
    ("au915", {}, rx_param(5, 10, 925.1), "0507", {"rx1_offset": 5, "rx2_hz": 925100000}),
    ("as923-1", {}, rx_param(7, 5, 924.0), "0507", {"rx1_offset": 7}),
    ("as923-1", {"data_rate": 5}, rx_param(7, 5, 924.0), "0503", {"rx1_offset": 0}),  # DR5 + 2 is FSK
    ("as923-4", {}, rx_param(0, 2, 923.2), "0506", {"rx2_hz": 917300000}),
    ("in865", {}, rx_param(6, 2, 866.0), "0507", {"rx1_offset": 6}),
    ("in865", {}, rx_param(0, 6, 866.0), "0505", {"rx2_data_rate": 2}),
    # --- DevStatusReq: battery unknown, SNR 28 / 4 dB
    ("eu868", {}, b"\x06", "06ff07", {}),
    ("us915", {}, b"\x06\x06", "06ff0706ff07", {}),
    # --- NewChannelReq: frequency 1, data rates 2
    ("eu868", {}, new_channel(3, 867.1, 0, 5), "0703", {}),
    ("eu868", {}, new_channel(15, 867.1, 0, 6), "0703", {}),
    ("eu868", {}, new_channel(16, 867.1, 0, 5), "0700", {}),
    ("eu868", {}, new_channel(2, 867.1, 0, 5), "0700", {}),  # default channels are not to be changed
    ("eu868", {}, new_channel(0, 0, 0, 5), "0700", {}),
    ("eu868", {}, new_channel(3, 923.3, 0, 5), "0702", {}),
    ("eu868", {}, new_channel(3, 869.3, 0, 5), "0702", {}),  # between two bands
    ("eu868", {}, new_channel(3, 867.1, 5, 0), "0701", {}),
    ("eu868", {}, new_channel(3, 867.1, 0, 7), "0701", {}),  # FSK
    ("eu868", {}, new_channel(3, 867.1, 8, 11), "0701", {}),
    ("eu868", {}, new_channel(3, 433.1, 7, 7), "0700", {}),
    ("eu868", {}, new_channel(7, 0, 0, 0), "0703", {}),  # removing what is not there
    ("as923-1", {}, new_channel(2, 922.0, 0, 5), "0703", {}),
    ("as923-2", {}, new_channel(2, 923.4, 0, 5), "0702", {}),
    ("in865", {}, new_channel(3, 866.9, 0, 6), "0701", {}),  # DR6 is reserved there
    ("us915", {}, new_channel(3, 902.9, 0, 3), "", {}),  # fixed plans: no answer
    ("au915", {}, new_channel(3, 916.0, 0, 5) + b"\x06", "06ff07", {}),
    # --- RXTimingSetupReq
    ("eu868", {}, b"\x08\x05", "08", {"rx1_delay_s": 5}),
    ("eu868", {"rx1_delay_s": 5}, b"\x08\x00", "08", {"rx1_delay_s": 1}),
    ("eu868", {}, b"\x08\x0f", "08", {"rx1_delay_s": 15}),
    ("eu868", {}, b"\x08\xf3", "08", {"rx1_delay_s": 3}),
    # --- TXParamSetupReq
    ("as923-1", {}, b"\x09\x05", "09", {"eirp": 5, "dwell": 0}),
    ("as923-1", {"dwell": 0, "data_rate": 0}, b"\x09\x35", "09", {"eirp": 5, "dwell": 3, "data_rate": 2}),
    ("as923-1", {"dwell": 0, "data_rate": 0}, b"\x09\x25", "09", {"dwell": 2, "data_rate": 0}),
    ("au915", {}, b"\x09\x0d", "09", {"eirp": 13, "dwell": 0}),
    ("au915", {"dwell": 0, "data_rate": 5}, b"\x09\x1d", "09", {"dwell": 1, "data_rate": 5}),
    ("eu868", {}, b"\x09\x05", "", {"eirp": -1, "dwell": 0}),  # no answer where it is not defined
    ("us915", {}, b"\x09\x1f", "", {"eirp": -1}),
    ("in865", {}, b"\x09\x1f\x06", "06ff07", {"eirp": -1}),
    # --- DlChannelReq: frequency 1, uplink channel exists 2
    ("eu868", {}, dl_channel(0, 869.525), "0a03", {}),
    ("eu868", {}, dl_channel(5, 869.525), "0a01", {}),
    ("eu868", {}, dl_channel(200, 869.525), "0a01", {}),
    ("eu868", {}, dl_channel(0, 923.3), "0a02", {}),
    ("eu868", {}, dl_channel(9, 0), "0a00", {}),
    ("as923-3", {}, dl_channel(1, 917.0), "0a03", {}),
    ("us915", {}, dl_channel(0, 923.3), "", {}),
    # --- one after the other, in their order
    ("eu868", {}, b"\x06" + b"\x04\x02" + b"\x08\x03", "06ff070408", {"max_duty": 2, "rx1_delay_s": 3}),
    ("eu868", {}, new_channel(3, 867.1, 0, 5) + link_adr(5, 0, 8), "07030307", {"data_rate": 5}),
    ("eu868", {}, link_adr(5, 0, 8) + new_channel(3, 867.1, 0, 5), "03060703", {"data_rate": 0}),
    # --- unknown, cut off: what came before stays, what follows is left out
    ("eu868", {}, b"\x0b", "", {}),
    ("eu868", {}, b"\x00\x06", "", {}),
    ("eu868", {}, b"\x06\x0b\x06", "06ff07", {}),
    ("eu868", {}, b"\x04\x03\x10\x01\x04\x05", "04", {"max_duty": 3}),  # class B
    ("eu868", {}, b"\x04\x03\x80\x04\x05", "04", {"max_duty": 3}),
    ("eu868", {}, b"\x06\x03\x51\x07\x00", "06ff07", {"data_rate": 0}),
    ("eu868", {}, link_adr(5, 1, 7) + b"\x03\x30\x07", "0307", {"data_rate": 5}),
    ("eu868", {}, link_adr(4, 1, 7) + b"\x0b" + link_adr(5, 2, 7), "0307", {"data_rate": 4, "power": 1}),
    ("eu868", {}, b"\x08", "", {"rx1_delay_s": 1}),
    ("eu868", {}, b"\x06\x02\x0a", "06ff07", {}),
    ("eu868", {}, b"\x0d\x01\x02\x03\x04", "", {}),
)


def test_commands():
    for region, before, options, answers, after in CASES:
        made = rig_of(region, before)
        got, state = outcome(made, options)
        assert got == unhex(answers), (region, options.hex(), got, answers)
        for name in after:
            assert getattr(state, name) == after[name], (region, options.hex(), name, getattr(state, name))


def test_the_same_on_port_0():
    for region, before, options, answers, after in CASES:
        made = rig_of(region, before)
        if len(options) + 13 > 40:
            continue
        got = made.command(b"", port=0, payload=options)
        assert got == unhex(answers), (region, options.hex(), got)
        for name in after:
            assert getattr(made.mac.session, name) == after[name], (region, options.hex(), name)


def test_unknown_commands_are_counted():
    for options, count in ((b"\x06", 0), (b"\x0b", 1), (b"\x06\x0b\x0b", 1), (b"\x03\x51", 1), (b"\x0f\x01\x02", 1)):
        made = Rig()
        made.command(options)
        assert made.mac.session.refused[REFUSED.index("command")] == count, options


def bits(mask):
    return [i for i in range(8 * len(mask)) if mask[i >> 3] >> (i & 7) & 1]


def test_masks_take_effect_whole_or_not_at_all():
    cases = (
        ("us915", link_adr(0, 0, 0, 7) + link_adr(0, 0, 0xFF00, 0), list(range(8, 16))),
        ("us915", link_adr(0, 0, 2, 5), list(range(8, 16)) + [65]),
        ("us915", link_adr(0, 0, 0, 7) + link_adr(0, 0, 0xFF00, 0) + link_adr(0, 0, 2, 4), list(range(8, 16)) + [65]),
        ("us915", link_adr(0, 0, 0, 7) + link_adr(9, 0, 0xFF00, 0), list(range(72))),
        ("us915", link_adr(0, 0, 0, 7) + link_adr(0, 0, 1, 0), list(range(72))),
        ("eu868", link_adr(0, 0, 5), [0, 2]),
        ("eu868", link_adr(0, 0, 5) + link_adr(0, 9, 7), [0, 1, 2]),
    )
    for region, options, expected in cases:
        made = Rig(region)
        made.command(options)
        assert bits(made.mac.session.plan.mask) == expected, (region, options.hex())


def test_uplinks_keep_to_the_mask():
    made = Rig("us915")
    made.command(link_adr(0, 0, 2, 5))
    for _ in range(20):
        made.send(b"x")
        assert 903900000 <= made.sent[-1].frequency_hz <= 905300000
    made = Rig()
    made.command(new_channel(4, 867.3, 3, 6) + link_adr(6, 0, 0x10))
    made.send(b"x")
    last = made.sent[-1]
    assert (last.frequency_hz, last.sf, last.bandwidth_hz) == (867300000, 7, 250000)


def test_a_channel_removed_leaves_no_node_without_channels():
    made = Rig()
    made.command(new_channel(4, 867.3, 0, 5) + link_adr(0, 0, 0x10))
    assert bits(made.mac.session.plan.mask) == [4]
    made.command(new_channel(4, 0, 0, 0))
    assert bits(made.mac.session.plan.mask) == [0, 1, 2]
    assert made.send(b"x")


def test_first_window_moves_with_dl_channel_and_offset():
    made = Rig()
    made.command(dl_channel(0, 869.525) + dl_channel(1, 868.9) + dl_channel(2, 868.95))
    made.send(b"x")
    moved = {868100000: 869525000, 868300000: 868900000, 868500000: 868950000}
    assert made.sent[-1].windows[0][1] == moved[made.sent[-1].frequency_hz]
    made.command(link_adr(5, 0, 7) + rx_param(3, 2, 869.0))
    made.send(b"x")
    first, second = made.sent[-1].windows
    assert first[2:4] == (10, 125000)  # DR5 - 3 = DR2
    assert second[1:4] == (869000000, 10, 125000)


def test_windows_move_with_the_delay():
    made = Rig()
    for delay in (5, 15, 1):
        made.command(bytes((8, delay)))
        made.send(b"x")
        first, second = made.sent[-1].windows
        # SF12: the window opens 33 ms after its nominal start, in the middle of the preamble.
        assert (first[0] - 32768, second[0] - 32768) == (delay * 1000000, (delay + 1) * 1000000)


def test_dev_status_carries_battery_and_snr():
    # Quarters of a dB -> six bits, signed, nearest.
    for qdb, expected in (
        (0, 0),
        (28, 7),
        (30, 8),
        (29, 7),
        (127, 31),
        (200, 31),
        (-4, 0x3F),
        (-80, 0x2C),
        (-200, 0x20),
    ):
        made = Rig()
        made.mac.battery = 100
        made.say(b"\x06")
        made.mac.send(made.now_ms, 1, b"x", False)
        while made.mac.next(made.now_ms)[0] != 3:
            made.step()
        made.mac.heard(made.now_ms + 1100, made.answer(made, made.sent[-1], 1), -100, qdb)
        made.answer = None
        made.send(b"y")
        assert made.up().options == bytes((6, 100, expected)), qdb


def test_without_adr_only_the_mask_is_taken():
    # L2 1.0.4 section 4.3.1.1: each element is accepted or rejected by itself.
    cases = (
        (link_adr(5, 3, 3), "0301", [0, 1]),
        (link_adr(2, 3, 3), "0303", [0, 1]),
        (link_adr(2, 0, 3), "0307", [0, 1]),
        (link_adr(15, 15, 1, 0, 5), "0307", [0]),
        (link_adr(5, 3, 0), "0300", [0, 1, 2]),
        (link_adr(2, 0, 8), "0306", [0, 1, 2]),
    )
    for options, answers, mask in cases:
        made = Rig(identity=abp(adr=False, data_rate=2))
        assert made.command(options) == unhex(answers), options.hex()
        state = made.mac.session
        assert (state.data_rate, state.power, state.nb_trans) == (2, 0, 1)
        assert bits(state.plan.mask) == mask, options.hex()


def test_eirp_of_tx_param_setup():
    # L2 1.0.4 table 48; antenna gain 2 dB; TXPower 3 takes 6 dB more.
    table = (8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36)
    for index in range(16):
        made = Rig("as923-1")
        made.command(bytes((9, index)))
        assert made.send(b"x")
        assert made.sent[-1].power_dbm == table[index] - 2, index
        made.command(link_adr(2, 3, 3))
        made.send(b"x")
        assert made.sent[-1].power_dbm == table[index] - 8, index
    made = Rig("as923-1", abp(max_eirp_dbm=14, antenna_gain_db=-3))
    made.command(b"\x09\x0f")
    made.send(b"x")
    assert made.sent[-1].power_dbm == 17


def test_power_steps():
    for region, steps, top in (("eu868", 7, 16), ("in865", 10, 30), ("au915", 14, 30)):
        for power in range(steps + 1):
            made = Rig(region)
            made.command(link_adr(15, power, 0, 6))
            made.send(b"x")
            assert made.sent[-1].power_dbm == top - 2 - 2 * power, (region, power)


def test_power_in_us915_follows_the_channels():
    # RP002 section 2.5.3: 30 dBm with 50 channels or more, 21 with fewer, 26 over 500 kHz. Conducted.
    for sub_band, rate, expected in ((0, 0, 28), (2, 0, 21), (0, 4, 26), (2, 4, 26)):
        made = Rig("us915", abp(sub_band=sub_band, data_rate=rate))
        made.send(b"x")
        assert made.sent[-1].power_dbm == expected, (sub_band, rate)


def test_duty_cycle_silences_all_channels():
    made = Rig("us915")
    made.command(b"\x04\x07")
    before = made.sent[-1]
    at = made.now_ms
    made.send(b"x")
    # 2^7 times the air-time of the frame before, counted from its start.
    assert made.sent[-1].at_ms - before.at_ms >= 128 * 250 and made.sent[-1].at_ms > at
