"""Uplinks of class A: windows, acknowledgement, repetitions, and requests that cannot be carried out."""

from lorawan_rig import ADDRESS, Rig, abp, joined
from portable import raises

from node.link.lorawan import IDLE, RECEIVE, REFUSED, SAVE, TRANSMIT, WAIT, LorawanError, airtime, regions


def test_an_uplink_and_its_two_windows():
    made = Rig()
    assert made.mac.next(made.now_ms) == (IDLE,)
    assert made.mac.ready()
    made.mac.send(made.now_ms, 7, b"hello", False)
    assert not made.mac.ready() and made.mac.outcome() is None
    kinds = []
    while True:
        kinds.append(made.mac.next(made.now_ms)[0])
        if not made.step():
            break
    assert kinds == [SAVE, TRANSMIT, RECEIVE, RECEIVE, IDLE]
    assert made.mac.outcome() is True and made.mac.ready()
    up = made.up()
    assert (up.dev_addr, up.counter, up.port, up.payload) == (ADDRESS, 0, 7, b"hello")
    assert (up.confirmed, up.adr, up.adr_request, up.ack, up.options) == (False, True, False, False, b"")


def test_the_same_action_until_it_is_done():
    made = Rig()
    made.mac.send(made.now_ms, 1, b"x", False)
    for _ in range(4):
        first = made.mac.next(made.now_ms)
        assert made.mac.next(made.now_ms + 5) is first
        made.step()


def test_events_out_of_place_do_nothing():
    made = Rig()
    for _ in range(2):
        made.mac.sent(made.now_ms)
        made.mac.silent(made.now_ms)
        made.mac.not_sent(made.now_ms)
        made.mac.saved(made.now_ms)
        made.mac.heard(made.now_ms, made.down(port=1, payload=b"x"), -80, 20)
    assert made.mac.next(made.now_ms) == (IDLE,)
    assert made.mac.downlinks == [] and made.mac.session.downs == 0
    assert made.send(b"x")


# --- windows: region, uplink data rate, first window (SF, kHz), second (MHz, SF, kHz)

WINDOWS = (
    ("eu868", 0, (12, 125), (869.525, 12, 125)),
    ("eu868", 3, (9, 125), (869.525, 12, 125)),
    ("eu868", 5, (7, 125), (869.525, 12, 125)),
    ("us915", 0, (10, 500), (923.3, 12, 500)),
    ("us915", 1, (9, 500), (923.3, 12, 500)),
    ("us915", 2, (8, 500), (923.3, 12, 500)),
    ("us915", 3, (7, 500), (923.3, 12, 500)),
    ("us915", 4, (7, 500), (923.3, 12, 500)),
    ("au915", 2, (10, 500), (923.3, 12, 500)),
    ("au915", 3, (9, 500), (923.3, 12, 500)),
    ("au915", 4, (8, 500), (923.3, 12, 500)),
    ("au915", 5, (7, 500), (923.3, 12, 500)),
    ("au915", 6, (7, 500), (923.3, 12, 500)),
    ("as923-1", 2, (10, 125), (923.2, 10, 125)),
    ("as923-2", 5, (7, 125), (921.4, 10, 125)),
    ("as923-3", 3, (9, 125), (916.6, 10, 125)),
    ("as923-4", 4, (8, 125), (917.3, 10, 125)),
    ("in865", 0, (12, 125), (866.55, 10, 125)),
    ("in865", 5, (7, 125), (866.55, 10, 125)),
)


def test_windows_of_every_region():
    for region, rate, first, second in WINDOWS:
        made = Rig(region, abp(adr=False, data_rate=rate))
        assert made.send(b"x"), (region, rate)
        sent = made.sent[0]
        assert len(sent.windows) == 2
        for number, (delay_us, _hz, sf, bandwidth_hz, symbols) in enumerate(sent.windows, 1):
            expected = first if number == 1 else second[1:]
            assert (sf, bandwidth_hz) == (expected[0], expected[1] * 1000), (region, rate, number)
            # Centred on the preamble: opens as much before the fourth symbol as it closes after it.
            symbol = airtime.symbol_us(sf, bandwidth_hz)
            middle = delay_us + symbols * symbol // 2
            assert abs(middle - number * 1000000 - 4 * symbol) <= symbol, (region, rate, number)
            assert delay_us <= number * 1000000 + 4 * symbol
        if regions.find(region).fixed:
            assert sent.windows[0][1] in range(923300000, 927500001, 600000)
        else:
            assert sent.windows[0][1] == sent.frequency_hz
        assert sent.windows[1][1] == round(second[0] * 1000000), region


def test_clock_error_widens_the_windows():
    sizes = []
    for error_ms, ppm in ((3, 0), (10, 0), (20, 0), (20, 10000)):
        made = Rig(identity=abp(adr=False, data_rate=5, clock_error_ms=error_ms, clock_ppm=ppm))
        made.send(b"x")
        sizes.append((made.sent[0].windows[0][4], made.sent[0].windows[1][4]))
    # SF7 as published, symbols for 3, 10 and 20 ms; SF12 needs its six. 10000 ppm over 1 s and 2 s: 30 and 40 ms.
    assert sizes == [(10, 6), (24, 6), (44, 6), (63, 7)]
    made = Rig(identity=abp(adr=False, data_rate=5, clock_ppm=10000, rx1_delay_s=10, rx2_data_rate=5))
    made.send(b"x")
    assert [w[4] for w in made.sent[0].windows] == [airtime.window(7, 125000, us)[0] for us in (120000, 130000)]


def test_abp_takes_its_windows_from_settings():
    made = Rig(identity=abp(rx1_delay_s=5, rx2_data_rate=3, rx2_hz=868500000))
    made.send(b"x")
    first, second = made.sent[0].windows
    assert first[0] == 5000000 + 32768
    assert second[1:4] == (868500000, 9, 125000)


def test_a_window_whose_time_has_passed_is_not_opened():
    # A foreign frame in the first window that lasts into the second one.
    for late_ms, windows in ((900, 2), (990, 2), (1090, 2), (1200, 1), (3000, 1)):
        made = Rig()
        made.mac.send(made.now_ms, 1, b"x", False)
        while made.mac.next(made.now_ms)[0] != RECEIVE:
            made.step()
        made.now_ms = made.end_ms + 1000 + late_ms
        made.mac.heard(made.now_ms, b"\x60" + bytes(20), -80, 20)
        assert made.mac.next(made.now_ms)[0] == (RECEIVE if windows == 2 else IDLE), late_ms
        made.run()
        assert made.mac.outcome() is True
        assert made.mac.session.refused[REFUSED.index("address")] == 1


def test_a_frame_for_another_node_leaves_the_second_window():
    for bad in (
        lambda _made: b"\x60\1\2\3\4" + bytes(10),
        lambda made: made.down(port=1, payload=b"x")[:-1] + b"\0",
        lambda _made: b"",
        lambda _made: b"\xe0proprietary....",
    ):
        made = Rig(identity=abp(adr=False, data_rate=5))

        def answer(rig, _sent, window, bad=bad):
            return bad(rig) if window == 1 else rig.down(port=1, payload=b"good", ack=True)

        made.answer = answer
        assert made.send(b"x", confirmed=True) is True
        assert made.mac.downlinks == [(1, b"good", made.counter - 1)]
        assert sum(made.mac.session.refused) == 1


# --- acknowledgement


def test_confirmed_uplinks():
    for window in (1, 2):
        made = Rig()
        made.say(window=window, ack=True)
        assert made.send(b"x", confirmed=True) is True
        assert made.up().confirmed
    made = Rig()
    assert made.send(b"x", confirmed=True) is False
    made.say(port=5, payload=b"no acknowledgement")
    assert made.send(b"x", confirmed=True) is False
    made.say(ack=True)
    assert made.send(b"x") is True  # an ACK nobody asked for
    assert [up.counter for up in made.ups()] == [0, 1, 2]


def test_after_a_lost_acknowledgement_the_next_uplink_waits():
    made = Rig("us915")
    made.send(b"x", confirmed=True)
    end = made.now_ms
    made.send(b"y")
    assert 1000 <= made.sent[1].at_ms - end <= 3000
    end = made.now_ms
    made.send(b"z")
    assert made.sent[2].at_ms == end


# --- repetitions


def test_repetitions_are_the_same_frame_on_other_channels():
    for confirmed in (False, True):
        for number in (1, 2, 3, 15):
            made = Rig("us915")
            made.mac.session.nb_trans = number
            assert made.send(b"x", confirmed=confirmed) is not confirmed
            assert len(made.sent) == number
            assert len({sent.frame for sent in made.sent}) == 1
            assert len({sent.frequency_hz for sent in made.sent}) == number
            for i in range(1, number):
                # After the second window, one to three seconds.
                gap = made.sent[i].at_ms - made.sent[i - 1].at_ms
                assert 3000 <= gap <= 6000, gap
            assert made.mac.session.fcnt_up == 1


def test_repetitions_stop_at_any_downlink():
    for confirmed, ack, outcome in ((False, False, True), (True, True, True), (True, False, False)):
        for after in (1, 2, 3):
            made = Rig()
            made.mac.session.nb_trans = 5

            def answer(rig, _sent, window, after=after, ack=ack):
                return rig.down(ack=ack) if len(rig.sent) == after and window == 2 else None

            made.answer = answer
            assert made.send(b"x", confirmed=confirmed) is outcome
            assert len(made.sent) == after


def test_answers_are_not_put_into_repetitions():
    made = Rig()
    made.mac.session.nb_trans = 3
    made.say(b"\x06")
    made.send(b"x")
    made.answer = None
    made.send(b"y")
    assert [up.options for up in made.ups()] == [b""] + [b"\x06\xff\x07"] * 3
    made.send(b"z")
    assert made.up().options == b""


def test_cancel_between_repetitions():
    made = Rig()
    made.mac.session.nb_trans = 5
    made.mac.send(made.now_ms, 1, b"x", False)
    while made.mac.next(made.now_ms)[0] != WAIT:
        made.step()
    made.mac.cancel()
    assert made.mac.outcome() is False and made.mac.ready()
    assert made.mac.next(made.now_ms) == (IDLE,)
    made.mac.cancel()
    assert made.send(b"y")
    made.mac.send(made.now_ms, 1, b"x", False)
    while made.mac.next(made.now_ms)[0] != RECEIVE:
        made.step()
    made.mac.cancel()  # on the air: it takes its course
    assert made.mac.outcome() is None


def test_cancel_ends_the_repetitions_of_an_empty_frame_too():
    # Before a sleep: what it carried has been on the air, and must not go with the next frame again.
    made = Rig()
    made.say(b"\x06", port=3, payload=b"do", confirmed=True)
    made.send(b"x")
    assert (made.up().ack, made.up().options) == (True, b"\x06\xff\x07")
    made.mac.session.nb_trans = 3
    made.say(b"\x06", port=3, payload=b"do", confirmed=True)
    made.mac.send(made.now_ms, 2, b"y", False)
    while len(made.sent) < 4 or made.mac.next(made.now_ms)[0] != WAIT:
        made.step()
    assert made.mac.outcome() is True and made.up().ack
    made.mac.cancel()
    assert made.mac.next(made.now_ms) == (IDLE,) and made.mac.outcome() is True
    made.sleep()
    made.send(b"z")
    assert (made.up().ack, made.up().options) == (False, b"")


# --- requests that cannot be carried out


def test_wrong_requests():
    cases = (
        ("eu868", 0, b"x", "port"),
        ("eu868", 224, b"x", "port"),
        ("eu868", -1, b"x", "port"),
        ("eu868", 1, bytes(52), "length"),
        ("us915", 1, bytes(12), "length"),
        ("as923-1", 1, bytes(12), "length"),
        ("au915", 1, bytes(12), "length"),
        ("in865", 1, bytes(52), "length"),
    )
    for region, port, payload, reason in cases:
        made = Rig(region)
        error = raises(LorawanError, made.mac.send, made.now_ms, port, payload, False)
        assert error.reason == reason, (region, port)
        assert made.mac.ready() and made.mac.next(made.now_ms) == (IDLE,)
    made = Rig()
    made.mac.send(made.now_ms, 1, b"x", False)
    assert raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False).reason == "busy"


LIMITS = (
    ("eu868", (51, 51, 51, 115, 242, 242)),
    ("in865", (51, 51, 51, 115, 242, 242)),
    ("us915", (11, 53, 125, 242, 242)),
    ("au915", (11, 11, 11, 53, 125, 242, 242)),
    ("as923-1", (11, 11, 11, 53, 125, 242)),
)


def test_limit_follows_the_data_rate():
    for region, row in LIMITS:
        for rate in range(len(row)):
            made = Rig(region, abp(adr=False, data_rate=rate))
            assert made.mac.limit() == row[rate], (region, rate)
            assert made.send(bytes(row[rate])), (region, rate)
            assert len(made.up().payload) == row[rate]


def test_dwell_time_off_opens_the_low_data_rates():
    for region in ("as923-1", "au915"):
        made = Rig(region)
        made.command(b"\x09\x05")
        assert made.mac.limit() == (115 if region == "as923-1" else 51) - 1  # the answer sticks


def test_a_lower_data_rate_meanwhile_fails_the_message():
    # The answers go first; the network lowers the data rate after them, and the message no longer fits.
    made = Rig("us915", abp(data_rate=3))
    made.say(b"", port=0, payload=b"\x06" * 6)
    made.send(b"x")
    made.say(b"\x03\x00\xff\x00\x01")
    assert made.send(bytes(200)) is False
    assert made.mac.limit() == 11
    assert made.send(bytes(11))


def test_a_radio_that_fails():
    made = Rig()
    made.say(b"\x06")
    made.send(b"x")
    made.mac.send(made.now_ms, 1, b"y", False)
    while made.mac.next(made.now_ms)[0] != TRANSMIT:
        made.step()
    made.mac.not_sent(made.now_ms)
    assert made.mac.outcome() is False and made.mac.ready()
    made.send(b"z")
    # The number is used up, the answers are still due.
    assert (made.up().counter, made.up().options) == (2, b"\x06\xff\x07")


def test_a_radio_that_fails_while_joining():
    made = Rig(identity=joined().identity)
    made.mac.send(made.now_ms, 1, b"y", False)
    while made.mac.next(made.now_ms)[0] != TRANSMIT:
        made.step()
    made.mac.not_sent(made.now_ms)
    assert made.mac.outcome() is False
    assert made.mac.session.join_failures == 1


def test_the_last_counter():
    made = Rig()
    made.send(b"x")
    made.mac.session.fcnt_up = 0xFFFFFFFD
    made.mac.session.fcnt_reserved = 0xFFFFFFFD
    assert made.send(b"x") and made.send(b"x")
    assert [made.up(i, 0xFFFF).counter for i in (1, 2)] == [0xFFFFFFFD, 0xFFFFFFFE]
    error = raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False)
    assert error.reason == "counter"
    # And it stays so through sleep and power loss.
    for again in (made.sleep, made.power_cut):
        again()
        assert raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False).reason == "counter"


def test_duty_cycle_makes_an_uplink_wait():
    made = Rig(identity=abp(adr=False))
    for _ in range(3):
        made.send(bytes(51))
    assert made.waits == []
    made.send(bytes(51))
    assert len(made.waits) == 1 and made.waits[0] > 100000
    # Another band is free at once.
    made = Rig(identity=abp(adr=False))
    for _ in range(3):
        made.send(bytes(51))
    made.mac.session.plan.define(3, 8671000, 0x50)
    made.send(bytes(51))
    assert made.waits == [] and made.sent[-1].frequency_hz == 867100000
