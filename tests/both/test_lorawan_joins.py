"""Joining: requests, accepts, nonces, what a session starts with, and the limits of trying (L2 1.0.4 section 6)."""

import lorawan_air as air
from lorawan_rig import ADDRESS, APP_KEY, DEV_EUI, JOIN_EUI, NET_ID, Rig, abp, joined, otaa
from portable import raises

from node.link.lorawan import IDLE, RECEIVE, REFUSED, TRANSMIT, WAIT, LorawanError, airtime, session


def unhex(text):
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def accepting(**given):
    """An answer that accepts every join request in one window."""
    window = given.pop("window", 1)

    def answer(rig, sent, at):
        return rig.accept(sent, **given) if sent.joins() and at == window else None

    return answer


def bits(mask):
    return [i for i in range(8 * len(mask)) if mask[i >> 3] >> (i & 7) & 1]


# --- the request


def test_the_request():
    made = Rig(identity=otaa())
    made.mac.join()
    made.run()
    frame = made.sent[0].frame
    assert len(frame) == 23
    assert frame[:1] == b"\0"
    assert frame[1:9] == air.turned(JOIN_EUI) and frame[9:17] == air.turned(DEV_EUI)
    assert frame[17:19] == b"\0\0"
    assert frame[19:] == air.cmac(APP_KEY, frame[:19])[:4]
    first, second = made.sent[0].windows
    assert first[:4] == (5032768, made.sent[0].frequency_hz, 12, 125000)
    assert second[:4] == (6032768, 869525000, 12, 125000)
    assert made.mac.session.join_failures == 1 and not made.mac.session.joined


JOIN_WINDOWS = (
    # region, SF and kHz of the request, first window, second
    ("eu868", (12, 125), (12, 125), (869525000, 12, 125)),
    ("us915", (10, 125), (10, 500), (923300000, 12, 500)),
    ("au915", (10, 125), (10, 500), (923300000, 12, 500)),
    ("as923-1", (10, 125), (10, 125), (923200000, 10, 125)),
    ("as923-3", (10, 125), (10, 125), (916600000, 10, 125)),
    ("in865", (12, 125), (12, 125), (866550000, 10, 125)),
)


def test_windows_of_joins():
    for region, request, first, second in JOIN_WINDOWS:
        made = Rig(region, otaa())
        made.mac.join()
        made.run()
        sent = made.sent[0]
        assert (sent.sf, sent.bandwidth_hz) == (request[0], request[1] * 1000), region
        assert sent.windows[0][2:4] == (first[0], first[1] * 1000), region
        assert sent.windows[1][1:4] == (second[0], second[1], second[2] * 1000), region
        for number in (0, 1):
            assert abs(sent.windows[number][0] - (5 + number) * 1000000) < 34000


def test_data_rates_and_channels_of_requests_differ():
    made = Rig(identity=otaa(), seed=3)
    for _ in range(12):
        made.mac.join()
        made.run()
    assert [sent.sf for sent in made.sent] == [12, 7, 8, 9, 10, 11] * 2
    assert {sent.frequency_hz for sent in made.sent} == {868100000, 868300000, 868500000}
    nonces = [int.from_bytes(sent.frame[17:19], "little") for sent in made.sent]
    assert nonces == list(range(12))
    # Flash covers eight of them at a time.
    assert len(made.saves) == 2


def test_requests_in_us915():
    made = Rig("us915", otaa(), seed=4)
    for _ in range(18):
        made.mac.join()
        made.run()
    wide = [sent.bandwidth_hz == 500000 for sent in made.sent]
    assert wide == ([False] * 8 + [True]) * 2
    banks = [(sent.frequency_hz - 902300000) // 1600000 for sent in made.sent[:8]]
    assert sorted(banks) == list(range(8))


# --- the accept


def test_a_session_from_an_accept():
    for window in (1, 2):
        made = Rig(identity=otaa(), answer=accepting(window=window, settings=0x23, delay=5))
        made.mac.send(made.now_ms, 9, b"first", False)
        made.run()
        state = made.mac.session
        assert made.mac.outcome() is True
        assert state.joined and state.joins == 1 and state.join_failures == 0
        assert (state.dev_addr, state.rx1_offset, state.rx2_data_rate, state.rx1_delay_s) == (made.dev_addr, 2, 3, 5)
        up = made.up()
        assert (up.counter, up.port, up.payload, up.dev_addr) == (0, 9, b"first", made.dev_addr)
        first, second = made.sent[-1].windows
        assert first[2] == 12 and first[0] - 5000000 in range(-20000, 40000)
        assert second[2] == 9


def test_published_keys():
    # Made with lora-packet: AppKey, JoinEUI, DevEUI, DevNonce 7, JoinNonce 1 and the keys of the session.
    identity = session.otaa(
        unhex("0102030405060708"), unhex("70b3d57ed0000001"), unhex("2b7e151628aed2a6abf7158809cf4f3c")
    )
    frame = unhex("20e79f4b9e6ea1ff5aaa49620cd945834e2b6244abbe58ea599df7f70e47f56e8c")
    made = Rig(identity=identity, answer=lambda _rig, _sent, window: frame if window == 1 else None)
    made.mac.session.dev_nonce = 7
    made.mac.join()
    made.run()
    assert made.sent[0].frame == unhex("00010000d07ed5b37008070605040302010700efda66a9")
    state = made.mac.session
    assert state.nwk_s_key == unhex("f3943954d422ec3b473dcd5754399c02")
    assert state.app_s_key == unhex("412c6f093db8a28738af593a63e19239")
    assert (state.dev_addr, state.rx2_data_rate, state.rx1_delay_s) == (unhex("26011bda"), 3, 5)
    assert [state.plan.up_hz(i) for i in range(3, 8)] == [867100000 + 200000 * i for i in range(5)]


def test_the_session_is_in_flash_before_anything_is_sent_with_it():
    made = Rig(identity=otaa(), answer=accepting())
    made.mac.send(made.now_ms, 9, b"first", False)
    while not made.mac.session.joined:
        made.step()
    saves = len(made.saves)
    assert made.mac.next(made.now_ms)[0] == 1
    made.step()
    assert len(made.saves) == saves + 1
    assert made.mac.next(made.now_ms)[0] == TRANSMIT


def test_cf_lists():
    made = joined(cf_list=unhex("184f84e85684b85e84886684586e8400"))
    assert bits(made.mac.session.plan.mask) == list(range(8))
    made = joined("us915", cf_list=b"\x00\xff" + bytes(6) + b"\x02" + bytes(6) + b"\x01")
    assert bits(made.mac.session.plan.mask) == list(range(8, 16)) + [65]
    for _ in range(9):
        made.send(b"x")
        assert 903900000 <= made.sent[-1].frequency_hz <= 905300000
    # Masks that leave nothing for the data rate: the plan's own channels instead of none.
    made = joined("us915", cf_list=bytes(8) + b"\x02" + bytes(6) + b"\x01")
    assert made.send(b"x")


def test_an_accept_with_what_the_region_has_not():
    # RX1 offset 7 and RX2 data rate 15 do not exist in EU868: those stay at their defaults, the node is joined.
    made = joined(settings=0x7F, delay=0)
    state = made.mac.session
    assert (state.rx1_offset, state.rx2_data_rate, state.rx1_delay_s) == (0, 0, 1)
    assert made.send(b"x")


FIRST_RATES = (
    # region, adr, data_rate setting, data rate of the session
    ("eu868", True, 0, 0),
    ("eu868", True, 4, 4),
    ("eu868", False, 3, 3),
    ("us915", True, 0, 0),
    ("us915", False, 2, 2),
    ("au915", True, 0, 2),
    ("au915", False, 0, 2),
    ("as923-1", True, 5, 5),
    ("in865", False, 7, 0),  # no such data rate: the lowest
)


def test_first_data_rate():
    for region, adr, given, expected in FIRST_RATES:
        made = joined(region, adr=adr, data_rate=given)
        assert made.mac.session.data_rate == expected, (region, adr, given)


def test_a_join_on_a_wide_channel_starts_at_the_lowest_data_rate():
    made = Rig("us915", otaa(), answer=lambda rig, sent, _w: rig.accept(sent) if sent.bandwidth_hz == 500000 else None)
    while not made.mac.session.joined:
        made.mac.join()
        made.run()
    assert made.mac.session.data_rate == 0 and made.sent[-1].sf == 8


def test_limit_before_joining():
    for region, expected in (("eu868", 51), ("us915", 11), ("au915", 11), ("as923-1", 11), ("in865", 51)):
        assert Rig(region, otaa()).mac.limit() == expected, region
    assert Rig("eu868", otaa(adr=False, data_rate=5)).mac.limit() == 242


# --- what is not an accept for us

PLAIN = (7, NET_ID, ADDRESS, 0, 1, b"")


def refusals():
    good = air.accept(APP_KEY, *PLAIN)
    return (
        (air.accept(bytes(16), *PLAIN), "mic"),
        (good[:-1] + bytes((good[-1] ^ 1,)), "mic"),
        (good[:-1], "length"),
        (good + bytes(16), "mic"),
        (b"", "length"),
        (b"\x60" + good[1:], "type"),
        (b"\x60" + ADDRESS + bytes(12), "type"),
    )


def test_accepts_refused():
    for frame, reason in refusals():
        made = Rig(identity=otaa(data_rate=5), answer=lambda _rig, _sent, window, f=frame: f if window == 1 else None)
        before = made.mac.session.nwk_s_key
        made.mac.join()
        made.run()
        state = made.mac.session
        assert not state.joined and state.join_nonce == -1 and state.nwk_s_key == before
        assert state.refused[REFUSED.index(reason)] == 1 and sum(state.refused) == 1, reason
        assert len(made.sent[0].windows) == 2, reason


def test_join_nonce_has_to_increase():
    made = joined()
    joins, refused = 1, 0
    for nonce, taken in ((5, True), (4, False), (5, False), (6, True), (0xFFFFFF, True), (1, False), (0xFFFFFF, False)):
        made.join_nonce = nonce - 1
        made.answer = accepting()
        made.mac.join()
        made.run()
        joins, refused = joins + taken, refused + (not taken)
        state = made.mac.session
        assert (state.joins, state.refused[REFUSED.index("join_nonce")]) == (joins, refused), nonce
    # Sleep and power loss do not bring an old one back.
    for again in (made.sleep, made.power_cut):
        again()
        assert made.mac.session.join_nonce == 0xFFFFFF


def test_an_accept_in_a_data_window_is_not_taken():
    made = joined(data_rate=5)
    frame = air.accept(APP_KEY, 99, NET_ID, ADDRESS)
    made.answer = lambda _rig, _sent, window: frame if window == 1 else None
    made.send(b"x")
    assert made.mac.session.joins == 1 and made.mac.session.refused[REFUSED.index("type")] == 1


# --- trying again


def test_a_message_fails_with_its_join():
    made = Rig(identity=otaa())
    assert made.send(b"x") is False
    assert made.mac.session.join_failures == 1 and len(made.sent) == 1
    made.mac.send(made.now_ms, 1, b"y", False)
    kind, until = made.mac.next(made.now_ms)
    assert kind == WAIT and until - made.sent[0].at_ms >= 74000
    made.mac.cancel()
    assert made.mac.outcome() is False and made.mac.next(made.now_ms) == (IDLE,)


def test_air_time_of_the_first_day():
    # As fast as the MAC lets it, at every data rate: 36 s in the first hour, 36 s in the next ten, 8.7 s a day.
    for region in ("eu868", "us915"):
        made = Rig(region, otaa(), seed=9)
        while made.now_ms < 36 * 3600000:
            made.mac.join()
            made.run()
        began = made.sent[0].at_ms
        for start, end, allowed in ((0, 1, 36000), (1, 11, 36000), (11, 35, 8700)):
            spent = 0
            for sent in made.sent:
                if start * 3600000 <= sent.at_ms - began < end * 3600000:
                    spent += airtime.time_on_air_us(sent.sf, sent.bandwidth_hz, 23) / 1000
            assert allowed * 0.3 < spent <= allowed, (region, start, spent)


def test_joining_again_keeps_the_session_until_it_is_accepted():
    made = joined()
    made.send(b"x")
    address = made.dev_addr
    made.mac.join()
    made.mac.send(made.now_ms, 2, b"y", False)
    made.run()
    assert made.mac.outcome() is True
    assert [sent.joins() for sent in made.sent] == [True, False, True, False]
    assert (made.up().counter, made.up().dev_addr) == (1, address)
    # The limits of joining hold up the next request, not the message.
    made.mac.join()
    at = made.now_ms
    made.mac.send(at, 2, b"z", False)
    while made.mac.outcome() is None:
        made.step()
    assert made.sent[-1].at_ms - at < 1000 and made.up().payload == b"z"
    made.answer = accepting()
    made.run()
    assert made.mac.session.dev_addr != address
    made.answer = None
    made.send(b"w")
    assert (made.up().counter, made.up().dev_addr) == (0, made.dev_addr)


def test_what_a_new_session_forgets():
    made = joined()
    made.say(b"\x08\x05\x04\x03\x07\x03\xb8\x5e\x84\x50\x05\x13\xd2\xad\x84\x03\x57\x0f\x00\x03")
    made.answer = None
    made.command(
        b"", port=0, payload=b"\x08\x05\x04\x03\x07\x03\xb8\x5e\x84\x50\x05\x13\xd2\xad\x84\x03\x57\x0f\x00\x03"
    )
    state = made.mac.session
    assert (state.rx1_delay_s, state.max_duty, state.rx1_offset, state.data_rate, state.nb_trans) == (5, 3, 1, 5, 3)
    assert bits(state.plan.mask) == [0, 1, 2, 3]
    made.answer = accepting()
    made.mac.join()
    made.run()
    assert (state.rx1_delay_s, state.max_duty, state.rx1_offset, state.power, state.nb_trans) == (1, 0, 0, 0, 1)
    assert bits(state.plan.mask) == [0, 1, 2] and bytes(state.answers) == b""
    assert (state.fcnt_up, state.fcnt_down, state.adr_count) == (0, -1, 0)


def test_dev_nonce_used_up():
    made = Rig(identity=otaa())
    made.mac.session.dev_nonce = made.mac.session.nonce_reserved = 0xFFFF
    made.mac.join()
    made.run()
    assert made.sent[0].frame[17:19] == b"\xff\xff"
    assert raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False).reason == "nonce"
    made.mac.join()
    assert made.mac.next(made.now_ms) == (IDLE,)
    made.sleep()
    assert raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False).reason == "nonce"
    made.power_cut()
    assert raises(LorawanError, made.mac.send, made.now_ms, 1, b"x", False).reason == "nonce"


def test_fcnt_up_used_up_joins_again():
    made = joined()
    made.mac.session.fcnt_up = made.mac.session.fcnt_reserved = 0xFFFFFFFF
    made.answer = accepting()
    assert made.send(b"x") is True
    assert made.mac.session.joins == 2 and made.up().counter == 0


def test_abp_does_not_join():
    made = Rig(identity=abp())
    made.mac.join()
    assert made.mac.next(made.now_ms) == (IDLE,)
    assert made.mac.session.joined


def test_late_accept_in_the_second_window_only():
    made = Rig(identity=otaa(), answer=accepting(window=2))
    made.mac.join()
    kinds = []
    while True:
        kinds.append(made.mac.next(made.now_ms)[0])
        if not made.step():
            break
    assert kinds.count(RECEIVE) == 2 and made.mac.session.joined


def test_identities_are_checked():
    cases = (
        (session.otaa, (bytes(7), bytes(8), b"k" * 16)),
        (session.otaa, (bytes(8), bytes(9), b"k" * 16)),
        (session.otaa, (bytes(8), bytes(8), b"k" * 15)),
        (session.otaa, (bytes(8), bytes(8), bytes(16))),
        (session.abp, (bytes(3), b"k" * 16, b"k" * 16)),
        (session.abp, (bytes(4), bytes(16), b"k" * 16)),
        (session.abp, (bytes(4), b"k" * 16, bytes(16))),
        (session.abp, (bytes(4), b"", b"k" * 16)),
    )
    for make, given in cases:
        assert raises(LorawanError, make, *given).reason == "identity", given
    # A second window the region has not, or this node has no modulation for.
    for region, given in (
        ("eu868", {"rx2_data_rate": 7}),
        ("eu868", {"rx2_hz": 923300000}),
        ("us915", {"rx2_data_rate": 3}),
        ("in865", {"rx2_data_rate": 6}),
        ("as923-4", {"rx2_hz": 923200000}),
    ):
        assert raises(LorawanError, Rig, region, abp(**given)).reason == "identity", (region, given)
