"""Answers to MAC commands and how they share the uplinks with messages; what the network draws from a node."""

from lorawan_rig import Rig

from node.link.lorawan import REFUSED


def test_answers_go_with_the_message_where_there_is_room():
    made = Rig()
    made.say(b"\x06\x08\x01")
    made.send(b"x")
    assert made.mac.limit() == 51 - 4
    assert made.send(bytes(47))
    assert (made.up().options, len(made.up().payload)) == (b"\x06\xff\x07\x08", 47)


ELEVEN = (("us915", 0), ("as923-1", 2), ("as923-4", 2), ("au915", 2))


def test_eleven_bytes_go_even_with_answers_due():
    for region, rate in ELEVEN:
        for options in (b"\x06", b"\x08\x05", b"\x06\x06\x06", b"\x04\x00" * 12, b"\x0b"):
            made = Rig(region)
            made.say(options)
            made.send(b"x" * 11)
            assert made.mac.session.data_rate == rate
            assert made.mac.limit() == 11, (region, options)
            due = bytes(made.mac.session.answers)
            before = len(made.sent)
            assert made.send(b"alarm now!!"), (region, options)
            ups = made.ups()[before:]
            if due:
                assert ups[0].port == 0 and due.startswith(ups[0].payload), (region, options)
                # What one frame cannot hold is cut off behind a whole answer (L2 1.0.4 section 5).
                assert len(ups[0].payload) == min(len(due), 11), (region, options)
                assert len(ups) == 2
            assert (ups[-1].port, ups[-1].payload, ups[-1].options) == (2, b"alarm now!!", b"")


def test_eleven_bytes_go_with_a_request_of_the_node_s_own():
    made = Rig("us915")
    made.mac.ask_time()
    made.mac.check_link()
    assert made.mac.limit() == 11
    assert made.send(b"alarm now!!")
    assert [(up.port, up.payload) for up in made.ups()] == [(0, b"\x0d\x02"), (2, b"alarm now!!")]


def test_shorter_messages_share_the_frame():
    made = Rig("us915")
    made.say(b"\x06")
    made.send(b"x")
    assert made.send(b"12345678")
    assert (made.up().options, made.up().payload, len(made.sent)) == (b"\x06\xff\x07", b"12345678", 2)


def test_more_answers_than_options_hold():
    # 16 bytes: a frame of their own on port 0, all in one (L2 1.0.4 section 5).
    made = Rig()
    made.say(b"", port=0, payload=b"\x06" * 5 + b"\x04\x01")
    made.send(b"x")
    assert made.mac.limit() == 51
    made.send(b"y")
    alone, message = made.ups()[1:]
    assert (alone.port, alone.payload, alone.options) == (0, b"\x06\xff\x07" * 5 + b"\x04", b"")
    assert (message.port, message.payload, message.options) == (2, b"y", b"")


def test_answers_past_the_buffer_are_cut_behind_a_whole_one():
    made = Rig()
    made.say(b"", port=0, payload=b"\x06" * 20 + b"\x04\x07")
    made.send(b"x")
    assert bytes(made.mac.session.answers) == b"\x06\xff\x07" * 10
    assert made.mac.session.max_duty == 7  # carried out all the same


STICKY = (
    ("eu868", b"\x05\x00\xd2\xad\x84", b"\x05\x07"),
    ("eu868", b"\x08\x01", b"\x08"),
    ("eu868", b"\x0a\x00\xd2\xad\x84", b"\x0a\x03"),
    ("as923-1", b"\x09\x05", b"\x09"),
)


def test_sticky_answers_come_until_a_downlink_does():
    for region, request, answer in STICKY:
        made = Rig(region)
        made.say(request + b"\x06")
        made.send(b"x")
        made.send(b"x")
        assert made.up().options == answer + b"\x06\xff\x07", request
        for _ in range(3):
            made.send(b"x")
            assert made.up().options == answer, request
        made.say()
        made.send(b"x")
        assert made.up().options == answer
        made.send(b"x")
        assert made.up().options == b"", request


def test_sticky_answers_without_room_come_before_every_eighth_message():
    made = Rig("us915")
    made.say(b"\x08\x01")
    made.send(b"x" * 11)
    for _ in range(24):
        assert made.send(b"x" * 11)
    ports = [up.port for up in made.ups()][1:]
    assert ports.count(2) == 24
    assert ports[0] == 0 and 3 <= ports.count(0) <= 5
    # A shorter one has room for it, every time.
    made.send(b"x" * 10)
    assert made.up().options == b"\x08"


def test_new_answers_while_old_ones_still_stick():
    made = Rig()
    made.say(b"\x08\x01")
    made.send(b"x")
    made.send(b"x")
    made.say(b"\x0a\x00\xd2\xad\x84")
    made.send(b"x")
    assert made.up().options == b"\x08"
    made.send(b"x")
    assert made.up().options == b"\x0a\x03"


def test_a_network_that_never_stops_commanding_does_not_starve_messages():
    made = Rig("us915")
    made.answer = lambda rig, _sent, window: rig.down(b"\x06\x06\x06\x06") if window == 1 else None
    for _ in range(5):
        assert made.send(b"alarm now!!")
    payloads = [up.payload for up in made.ups() if up.port == 2]
    assert payloads == [b"alarm now!!"] * 5
    assert len(made.sent) <= 20


# --- what the network draws


def test_a_confirmed_downlink_is_acknowledged_once():
    made = Rig()
    made.say(port=3, payload=b"do", confirmed=True)
    made.mac.send(made.now_ms, 2, b"x", False)
    end = None
    while made.step():
        if made.mac.outcome() is not None and end is None:
            end = made.now_ms
    assert len(made.sent) == 2
    ack = made.up()
    assert (ack.ack, ack.port, ack.payload, ack.options, ack.confirmed) == (True, None, b"", b"", False)
    assert 1000 <= made.sent[1].at_ms - end <= 3001
    made.send(b"y")
    assert not made.up().ack
    assert made.mac.downlinks == [(3, b"do", 0)]


def test_a_message_takes_the_acknowledgement_along():
    made = Rig()
    made.say(port=3, payload=b"do", confirmed=True)
    made.mac.send(made.now_ms, 2, b"x", False)
    while made.mac.outcome() is None:
        made.step()
    assert made.mac.ready()
    made.send(b"done")
    assert (made.up().ack, made.up().payload, len(made.sent)) == (True, b"done", 2)


def test_more_data_pending_draws_empty_uplinks():
    made = Rig()
    left = [3]

    def answer(rig, _sent, window):
        if window == 2 or not left[0]:
            return None
        left[0] -= 1
        return rig.down(port=9, payload=b"part", pending=left[0] > 0)

    made.answer = answer
    made.send(b"x")
    assert len(made.mac.downlinks) == 3
    assert [up.port for up in made.ups()] == [2, None, None]


def test_a_network_cannot_draw_uplinks_for_ever():
    for flags in ({"pending": True}, {"confirmed": True}):
        made = Rig("us915")
        made.answer = lambda rig, _sent, window, flags=flags: rig.down(**flags) if window == 1 else None
        made.send(b"x")
        assert len(made.sent) == 9
        made.send(b"y")
        assert len(made.sent) == 18


def test_downlinks_wait_to_be_taken():
    made = Rig()
    for number in range(6):
        made.say(port=1, payload=bytes((number,)), confirmed=True)
        made.send(b"x")
    assert [item[1][0] for item in made.mac.downlinks] == [0, 1, 2, 3]
    assert made.mac.session.refused[REFUSED.index("full")] == 2
    # What was dropped was not acknowledged.
    assert [up.ack for up in made.ups()].count(True) == 4
    del made.mac.downlinks[:]
    made.say(port=1, payload=b"again")
    made.send(b"x")
    assert made.mac.downlinks == [(1, b"again", 6)]


def test_reserved_ports_are_dropped():
    for port in (224, 225, 255):
        made = Rig()
        made.say(b"\x06", port=port, payload=b"x", ack=True)
        assert made.send(b"x", confirmed=True) is True
        assert made.mac.downlinks == []
        assert made.mac.session.refused[REFUSED.index("options")] == 1
        assert bytes(made.mac.session.answers) == b"\x06\xff\x07"


def test_link_check():
    made = Rig()
    made.mac.check_link()
    made.mac.check_link()
    made.say(b"\x02\x14\x03")
    made.send(b"x")
    assert made.up().options == b"\x02"
    assert (made.mac.margin_db, made.mac.gateways) == (20, 3)
    made.send(b"x")
    assert made.up().options == b""


def test_network_time():
    made = Rig()
    made.mac.ask_time()
    made.say(b"\x0d\x01\x02\x03\x04\x80", window=2)
    made.send(b"x")
    assert made.up().options == b"\x0d"
    assert made.mac.time == (0x04030201, 128, made.end_ms)
    # One that nobody asked for is an old one sent again, or a mistake.
    made.say(b"\x0d\xff\xff\xff\xff\x00")
    made.send(b"x")
    assert made.mac.time[0] == 0x04030201


def test_radio_quality_of_the_last_downlink():
    made = Rig()
    assert made.mac.rssi_dbm is None
    made.say()
    made.send(b"x")
    assert (made.mac.rssi_dbm, made.mac.snr_qdb) == (-80, 28)
